//! From the options of `createClerkToolkit`, as JSON, to a toolkit.
//!
//! JavaScript sends `{"options": {…}, "environment": {…}}`: `process.env` may differ from the
//! environment that Rust sees, as in worker threads.

use clerk::{Client, SessionTokenPolicy};
use serde_json::{Map, Value};
use toolkit::{AuthContext, ClerkToolkit, pattern::Patterns};

use crate::{
    clients,
    failure::Failure,
    member::{flag, object, text, texts},
};

const KNOWN: &[&str] = &[
    "authContext",
    "secretKey",
    "apiUrl",
    "jwtKey",
    "clerkClient",
    "allowPrivateMetadata",
    "readOnly",
    "tools",
];

/// The options that JavaScript has taken out by then.
const IN_JAVASCRIPT: &str = "toolErrors, and of createClerkMcpServer sdk";

/// The toolkit that the options describe. Something is sent only for the keys that a session token
/// is verified with.
pub(crate) async fn toolkit(given: &str) -> Result<ClerkToolkit, Failure> {
    let given: Map<String, Value> = serde_json::from_str(given)
        .map_err(|error| Failure::option(&format!("the options are not JSON: {error}")))?;
    let options = object(&given, "options")?;
    let environment = object(&given, "environment")?;
    if let Some(name) = options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Failure::option(&format!(
            "there is no option `{}`\nhint: the options are {}, {IN_JAVASCRIPT}",
            name.escape_debug(),
            KNOWN.join(", ")
        )));
    }
    let client = clients::client(&options, &environment)?;
    let session = session(&options, &client).await?;
    let mut builder = ClerkToolkit::builder(client)
        .allow_private_metadata(flag(&options, "allowPrivateMetadata")?)
        .read_only(flag(&options, "readOnly")?);
    if let Some(patterns) = patterns(&options)? {
        builder = builder.patterns(patterns);
    }
    if let Some(session) = session {
        builder = builder.auth_context(session);
    }
    builder.build().map_err(|error| Failure::build(&error))
}

async fn session(
    options: &Map<String, Value>,
    client: &Client,
) -> Result<Option<AuthContext>, Failure> {
    if options.get("authContext").is_none() {
        return Ok(None);
    }
    let given = object(options, "authContext")?;
    let token = text("authContext", &given, "sessionToken")?;
    let user_id = text("authContext", &given, "userId")?;
    match (token, user_id) {
        (Some(token), None) => verified(&given, token, client).await.map(Some),
        (None, Some(user_id)) => stated(&given, user_id).map(Some),
        (Some(_), Some(_)) => Err(Failure::two_contexts()),
        (None, None) => Err(Failure::signed_out()),
    }
}

/// Whom a session token names.
async fn verified(
    given: &Map<String, Value>,
    token: &str,
    client: &Client,
) -> Result<AuthContext, Failure> {
    let parties = texts("authContext", given, "authorizedParties")?.unwrap_or_default();
    let policy = SessionTokenPolicy::default().authorized_parties(parties);
    AuthContext::from_session_token(client, token, &policy)
        .await
        .map_err(|error| Failure::token(&error))
}

/// Whom Clerk's `auth()` named: JavaScript has verified the token already.
fn stated(given: &Map<String, Value>, user_id: &str) -> Result<AuthContext, Failure> {
    let member = |name| text("authContext", given, name);
    let mut session =
        AuthContext::new(user_id).map_err(|error| Failure::auth_context("userId", &error))?;
    if let Some(session_id) = member("sessionId")? {
        session = session
            .with_session(session_id)
            .map_err(|error| Failure::auth_context("sessionId", &error))?;
    }
    if let Some(organization_id) = member("orgId")? {
        session = session
            .with_organization(organization_id)
            .map_err(|error| Failure::auth_context("orgId", &error))?;
    }
    if let Some(slug) = member("orgSlug")? {
        session = session.with_organization_slug(slug);
    }
    if let Some(role) = member("orgRole")? {
        session = session.with_role(role);
    }
    if let Some(permissions) = texts("authContext", given, "orgPermissions")? {
        session = session.with_permissions(permissions);
    }
    let actor = object(given, "actor")?;
    if !actor.is_empty() {
        session = session.with_actor(Value::Object(actor));
    }
    Ok(session.with_claims(object(given, "sessionClaims")?))
}

fn patterns(options: &Map<String, Value>) -> Result<Option<Patterns>, Failure> {
    let patterns = match options.get("tools") {
        Some(Value::String(pattern)) => vec![pattern.clone()],
        _ => match texts("tools", options, "tools")? {
            Some(patterns) => patterns,
            None => return Ok(None),
        },
    };
    Patterns::parse(patterns)
        .map(Some)
        .map_err(|error| Failure::pattern(&error))
}
