use std::fmt;

use http::Method;
use serde_json::Value;

use super::client::OAuthClient;
use crate::redact::quoted;
use crate::request::Request;

/// An OAuth application of the instance, as far as a check of the configuration needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthApplication {
    /// Its id, which is not the client id.
    pub id: String,
    /// Its name in the dashboard.
    pub name: String,
    /// Whether it has no secret; `None` when Clerk does not say.
    pub public: Option<bool>,
    /// Where it may send browsers back to.
    pub redirect_uris: Vec<String>,
    /// What it may ask for; `None` when Clerk does not say.
    pub scopes: Option<Vec<String>>,
}

/// Where an OAuth application and our configuration differ.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationFault {
    /// Our redirect URI is not among its own.
    RedirectUri {
        /// The application's name.
        application: String,
        /// Ours.
        expected: String,
        /// Its own.
        registered: Vec<String>,
    },
    /// It is public, yet we have a secret.
    SecretForPublic {
        /// The application's name.
        application: String,
    },
    /// It is confidential, yet we have no secret.
    SecretMissing {
        /// The application's name.
        application: String,
    },
    /// It may not ask for these scopes.
    Scopes {
        /// The application's name.
        application: String,
        /// The scopes that it lacks.
        missing: Vec<String>,
    },
}

/// Asks for the OAuth applications that fit a client id (`ListOAuthApplications`).
pub fn list_oauth_applications(client_id: &str) -> Request {
    Request::new("ListOAuthApplications", Method::GET, "/oauth_applications")
        .query("name_query", client_id)
        .query("limit", "500")
}

impl OAuthApplication {
    /// The application with this client id in the answer to [`list_oauth_applications`], if any.
    pub fn find(answer: &Value, client_id: &str) -> Option<Self> {
        let list = answer.get("data").unwrap_or(answer).as_array()?;
        let wanted = |one: &&Value| one.get("client_id").and_then(Value::as_str) == Some(client_id);
        Some(Self::of(list.iter().find(wanted)?))
    }

    /// Where it differs from what `client` needs, asking for `scopes`.
    pub fn faults(&self, client: &OAuthClient, scopes: &[&str]) -> Vec<ApplicationFault> {
        let application = || self.name.clone();
        let mut faults = Vec::new();
        if !self
            .redirect_uris
            .iter()
            .any(|uri| uri == client.redirect_uri())
        {
            faults.push(ApplicationFault::RedirectUri {
                application: application(),
                expected: client.redirect_uri().to_owned(),
                registered: self.redirect_uris.clone(),
            });
        }
        match (self.public, client.is_confidential()) {
            (Some(true), true) => faults.push(ApplicationFault::SecretForPublic {
                application: application(),
            }),
            (Some(false), false) => faults.push(ApplicationFault::SecretMissing {
                application: application(),
            }),
            _ => {}
        }
        if let Some(allowed) = &self.scopes {
            let lacks = |scope: &&&str| !allowed.iter().any(|one| one == **scope);
            let missing: Vec<String> = scopes
                .iter()
                .filter(lacks)
                .map(|scope| (*scope).to_owned())
                .collect();
            if !missing.is_empty() {
                faults.push(ApplicationFault::Scopes {
                    application: application(),
                    missing,
                });
            }
        }
        faults
    }

    fn of(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let listed = value.get("redirect_uris").and_then(Value::as_array);
        let mut redirect_uris: Vec<String> = listed
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        // The older name, for one redirect URI.
        if let Some(one) = text("callback_url").filter(|one| !one.is_empty())
            && redirect_uris.is_empty()
        {
            redirect_uris.push(one.to_owned());
        }
        Self {
            id: text("id").unwrap_or_default().to_owned(),
            name: text("name").unwrap_or_default().to_owned(),
            public: value.get("public").and_then(Value::as_bool),
            redirect_uris,
            scopes: text("scopes")
                .map(|scopes| scopes.split_whitespace().map(str::to_owned).collect()),
        }
    }
}

impl ApplicationFault {
    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::RedirectUri {
                application,
                expected,
                registered,
            } => {
                let registered: Vec<String> = registered.iter().map(|uri| quoted(uri)).collect();
                let registered = match &registered[..] {
                    [] => "none".to_owned(),
                    uris => uris.join(", "),
                };
                format!(
                    "the OAuth application {} does not have the redirect URI {expected}; it has: \
                     {registered}",
                    quoted(application)
                )
            }
            Self::SecretForPublic { application } => format!(
                "the OAuth application {} is public, yet CLERK_CLIENT_SECRET is set",
                quoted(application)
            ),
            Self::SecretMissing { application } => format!(
                "the OAuth application {} is confidential, yet CLERK_CLIENT_SECRET is not set",
                quoted(application)
            ),
            Self::Scopes {
                application,
                missing,
            } => format!(
                "the OAuth application {} may not ask for: {}",
                quoted(application),
                missing.join(", ")
            ),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::RedirectUri { expected, .. } => format!(
                "add {expected} to its redirect URIs in the Clerk dashboard, to the letter; or \
                 correct the public URL"
            ),
            Self::SecretForPublic { .. } => {
                "remove CLERK_CLIENT_SECRET, or make the application confidential".to_owned()
            }
            Self::SecretMissing { .. } => {
                "set CLERK_CLIENT_SECRET; the Clerk dashboard can make a new one".to_owned()
            }
            Self::Scopes { .. } => {
                "allow them for the application in the Clerk dashboard".to_owned()
            }
        }
    }
}

impl fmt::Display for ApplicationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}
