//! From the options of `createClerkToolkit`, as JSON, to a toolkit.
//!
//! JavaScript sends `{"options": {…}, "environment": {…}}`: `process.env` may differ from the
//! environment that Rust sees, as in worker threads.

use std::sync::{Arc, OnceLock};

use clerk::{ApiUrl, ApiVersion, Client, HttpTransport, SecretKey};
use serde_json::{Map, Value};
use toolkit::{AuthContext, ClerkToolkit, pattern::Patterns};

use crate::{claims, failure::Failure, machine::Machine};

const USER_AGENT: &str = concat!("clerk-agent-tools/", env!("CARGO_PKG_VERSION"));

const KNOWN: &[&str] = &[
    "authContext",
    "secretKey",
    "apiUrl",
    "clerkClient",
    "allowPrivateMetadata",
    "readOnly",
    "tools",
];

/// What the options describe.
pub(crate) struct Chosen {
    pub(crate) toolkit: ClerkToolkit,
    /// What a model may be told of the session.
    pub(crate) claims: Map<String, Value>,
}

/// Reads the options. Nothing is sent yet.
pub(crate) fn read(text: &str) -> Result<Chosen, Failure> {
    let given: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| Failure::option(&format!("the options are not JSON: {error}")))?;
    let options = object(&given, "options")?;
    let environment = object(&given, "environment")?;
    if let Some(name) = options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::option(&format!(
            "there is no option `{}`\nhint: the options are {}",
            name.escape_debug(),
            KNOWN.join(", ")
        )));
    }
    let client = client(&options, &environment)?;
    let mut builder = ClerkToolkit::builder(client)
        .allow_private_metadata(flag(&options, "allowPrivateMetadata")?)
        .read_only(flag(&options, "readOnly")?);
    if let Some(patterns) = patterns(&options)? {
        builder = builder.patterns(patterns);
    }
    if let Some(session) = session(&options)? {
        builder = builder.auth_context(session);
    }
    Ok(Chosen {
        toolkit: builder.build().map_err(|error| Failure::build(&error))?,
        claims: claims::told(&object(&options, "authContext")?),
    })
}

fn client(
    options: &Map<String, Value>,
    environment: &Map<String, Value>,
) -> Result<Client, Failure> {
    let inner = object(options, "clerkClient")?;
    let places = |option, variable| {
        [
            (option, options, option),
            ("clerkClient", &inner, option),
            (variable, environment, variable),
        ]
    };
    let (source, key) =
        first_text(places("secretKey", "CLERK_SECRET_KEY"))?.ok_or_else(Failure::no_key)?;
    let key = SecretKey::parse(key).map_err(|error| Failure::key(&source, &error))?;
    let mut builder =
        Client::builder(key, transport(), Arc::new(Machine)).user_agent(USER_AGENT.to_owned());
    if let Some((source, url)) = first_text(places("apiUrl", "CLERK_API_URL"))? {
        builder =
            builder.api_url(ApiUrl::parse(url).map_err(|error| Failure::api_url(&source, error))?);
    }
    // Clerk's JavaScript calls the path's `v1` an API version as well.
    let version = first_text(places("apiVersion", "CLERK_API_VERSION"))?
        .filter(|(_, version)| *version != "v1");
    if let Some((source, version)) = version {
        let version =
            ApiVersion::parse(version).map_err(|error| Failure::api_version(&source, &error))?;
        builder = builder.api_version(version);
    }
    Ok(builder.build())
}

/// Connections are kept for the process: a web server makes a toolkit for each request.
fn transport() -> Arc<HttpTransport> {
    static TRANSPORT: OnceLock<Arc<HttpTransport>> = OnceLock::new();
    Arc::clone(TRANSPORT.get_or_init(|| Arc::new(HttpTransport::new())))
}

fn session(options: &Map<String, Value>) -> Result<Option<AuthContext>, Failure> {
    let given = match options.get("authContext") {
        None => return Ok(None),
        Some(Value::Null) => return Err(Failure::signed_out()),
        Some(_) => object(options, "authContext")?,
    };
    let member = |name| first_text([("authContext", &given, name)]);
    if member("sessionToken")?.is_some() {
        return Err(Failure::token_unsupported());
    }
    let Some((_, user_id)) = member("userId")? else {
        return Err(Failure::signed_out());
    };
    let mut session =
        AuthContext::new(user_id).map_err(|error| Failure::auth_context("userId", &error))?;
    if let Some((_, organization_id)) = member("orgId")? {
        session = session
            .with_organization(organization_id)
            .map_err(|error| Failure::auth_context("orgId", &error))?;
    }
    if let Some((_, role)) = member("orgRole")? {
        session = session.with_role(role);
    }
    Ok(Some(session))
}

fn patterns(options: &Map<String, Value>) -> Result<Option<Patterns>, Failure> {
    let wrong = || {
        Failure::option(
            "`tools` is no list of patterns\nhint: write tools: ['users', 'organizations.getOrganization']",
        )
    };
    let patterns: Vec<&str> = match options.get("tools") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(pattern)) => vec![pattern],
        Some(Value::Array(patterns)) => patterns
            .iter()
            .map(|pattern| pattern.as_str().ok_or_else(wrong))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong()),
    };
    Patterns::parse(patterns)
        .map(Some)
        .map_err(|error| Failure::pattern(&error))
}

/// The first of several places that has a text, with the name of that place. Empty is absent.
fn first_text<'a, const N: usize>(
    places: [(&str, &'a Map<String, Value>, &str); N],
) -> Result<Option<(String, &'a str)>, Failure> {
    for (place, members, name) in places {
        let source = if place == name {
            name.to_owned()
        } else {
            format!("{place}.{name}")
        };
        match members.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.trim().is_empty() => {}
            Some(Value::String(text)) => return Ok(Some((source, text))),
            Some(_) => return Err(Failure::option(&format!("`{source}` is no text"))),
        }
    }
    Ok(None)
}

fn flag(options: &Map<String, Value>, name: &str) -> Result<bool, Failure> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Failure::option(&format!(
            "`{name}` is neither true nor false"
        ))),
    }
}

/// The object of this name; empty when absent.
fn object(of: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Failure> {
    match of.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(Failure::option(&format!("`{name}` is no object"))),
    }
}
