//! Clerk clients, kept for the process: a web server makes a toolkit for each request. Toolkits of
//! one instance share connections, the keys of session tokens and the budget of the rate limit.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use clerk::{ApiUrl, ApiVersion, Client, HttpTransport, JsonWebKeySet, SecretKey};
use serde_json::{Map, Value};

use crate::{
    failure::Failure,
    machine::Machine,
    member::{object, path, text},
};

const USER_AGENT: &str = concat!("clerk-agent-tools/", env!("CARGO_PKG_VERSION"));

/// Past this many instances, all clients are made anew.
const MOST_KEPT: usize = 64;

/// What tells clients apart: secret key, address, version, key of session tokens.
type Identity = [Option<String>; 4];

static TRANSPORT: LazyLock<Arc<HttpTransport>> = LazyLock::new(|| Arc::new(HttpTransport::new()));
static CLIENTS: LazyLock<Mutex<HashMap<Identity, Client>>> = LazyLock::new(Mutex::default);

/// The client that options and environment describe. Nothing is sent.
pub(crate) fn client(
    options: &Map<String, Value>,
    environment: &Map<String, Value>,
) -> Result<Client, Failure> {
    let inner = object(options, "clerkClient")?;
    for (place, members) in [("secretKey", options), ("clerkClient", &inner)] {
        let given = members.get("secretKey").and_then(Value::as_str);
        // Whoever gives a key means that one, and not whatever the environment has.
        if given.is_some_and(|key| key.trim().is_empty()) {
            return Err(Failure::empty_key(&path(place, "secretKey")));
        }
    }
    let first = |option, variable| {
        first_text([
            (option, options, option),
            ("clerkClient", &inner, option),
            (variable, environment, variable),
        ])
    };
    let settings = Settings {
        secret_key: first("secretKey", "CLERK_SECRET_KEY")?.ok_or_else(Failure::no_key)?,
        api_url: first("apiUrl", "CLERK_API_URL")?,
        // Clerk's JavaScript calls the path's `v1` an API version as well.
        api_version: first("apiVersion", "CLERK_API_VERSION")?.filter(|given| given.text != "v1"),
        jwt_key: first("jwtKey", "CLERK_JWT_KEY")?,
    };
    let identity = settings.identity();
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&identity) {
        return Ok(client.clone());
    }
    let client = settings.client()?;
    if clients.len() >= MOST_KEPT {
        clients.clear();
    }
    clients.insert(identity, client.clone());
    Ok(client)
}

/// A text and where it was found.
struct Given<'a> {
    source: String,
    text: &'a str,
}

struct Settings<'a> {
    secret_key: Given<'a>,
    api_url: Option<Given<'a>>,
    api_version: Option<Given<'a>>,
    jwt_key: Option<Given<'a>>,
}

impl Settings<'_> {
    fn identity(&self) -> Identity {
        let text = |given: &Option<Given<'_>>| given.as_ref().map(|given| given.text.to_owned());
        [
            Some(self.secret_key.text.to_owned()),
            text(&self.api_url),
            text(&self.api_version),
            text(&self.jwt_key),
        ]
    }

    fn client(&self) -> Result<Client, Failure> {
        let key = SecretKey::parse(self.secret_key.text)
            .map_err(|error| Failure::key(&self.secret_key.source, &error))?;
        let mut builder = Client::builder(key, TRANSPORT.clone(), Arc::new(Machine))
            .user_agent(USER_AGENT.to_owned());
        if let Some(Given { source, text }) = &self.api_url {
            let url = ApiUrl::parse(text).map_err(|error| Failure::setting(source, &error))?;
            builder = builder.api_url(url);
        }
        if let Some(Given { source, text }) = &self.api_version {
            let version =
                ApiVersion::parse(text).map_err(|error| Failure::setting(source, &error))?;
            builder = builder.api_version(version);
        }
        if let Some(Given { source, text }) = &self.jwt_key {
            let keys =
                JsonWebKeySet::from_pem(text).map_err(|error| Failure::setting(source, &error))?;
            builder = builder.session_keys(keys);
        }
        Ok(builder.build())
    }
}

/// The first of several places that has a text.
fn first_text<'a, const N: usize>(
    places: [(&str, &'a Map<String, Value>, &str); N],
) -> Result<Option<Given<'a>>, Failure> {
    for (place, members, name) in places {
        if let Some(text) = text(place, members, name)? {
            let source = path(place, name);
            return Ok(Some(Given { source, text }));
        }
    }
    Ok(None)
}
