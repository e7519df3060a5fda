//! What the OAuth provider keeps. Times are Unix milliseconds.

use super::scope;
use crate::clock::{DAY, MINUTE};
use crate::ids::Id;
use crate::table::{Row, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a code may be exchanged.
pub(crate) const CODE_LIFETIME: u64 = 10 * MINUTE;
/// How long access tokens and ID tokens are good for. Refresh tokens never expire.
pub(crate) const TOKEN_LIFETIME: u64 = DAY;

/// Applications, grants and tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct OAuthState {
    pub(crate) settings: Settings,
    pub(crate) applications: Table<Application>,
    pub(crate) grants: Table<Grant>,
    pub(crate) codes: Table<Code>,
    /// The resources that tokens may be for (RFC 8707): the addresses of MCP servers.
    pub(crate) resources: Vec<String>,
    /// Opaque ones only: a JWT says everything itself.
    pub(crate) access_tokens: Table<AccessToken>,
    pub(crate) refresh_tokens: Table<RefreshToken>,
    pub(crate) consents: Vec<Consent>,
}

impl OAuthState {
    /// The application with this `client_id`.
    pub(crate) fn client(&self, client_id: &str) -> Option<&Application> {
        self.applications
            .iter()
            .find(|application| application.client_id == client_id)
    }

    /// Deletes an application with its grants, tokens and consents.
    pub(crate) fn delete_application(&mut self, id: &str) -> Option<Application> {
        let application = self.applications.remove(id)?;
        let client_id = &application.client_id;
        let of_client = |grant: &&Grant| grant.client_id == *client_id;
        let grants: Vec<Id> = self.grants.iter().filter(of_client).map(id_of).collect();
        for grant in &grants {
            self.delete_tokens(grant);
            self.grants.remove(grant);
        }
        self.consents
            .retain(|consent| consent.client_id != *client_id);
        Some(application)
    }

    /// Ends a grant: its codes, refresh tokens and opaque access tokens are no longer good.
    pub(crate) fn revoke_grant(&mut self, id: &str) {
        if let Some(grant) = self.grants.get_mut(id) {
            grant.revoked = true;
        }
    }

    /// The grant of a token, unless it was revoked.
    pub(crate) fn live_grant(&self, id: &str) -> Option<&Grant> {
        self.grants.get(id).filter(|grant| !grant.revoked)
    }

    /// Drops codes and access tokens that ended more than a day ago, so that a state that is kept
    /// does not grow without end.
    pub(crate) fn sweep(&mut self, now: u64) {
        let long_ago = |expires_at: u64| expires_at.saturating_add(DAY) <= now;
        // Oldest first, and all of a kind live equally long.
        let codes = self.codes.iter();
        let codes: Vec<Id> = codes
            .take_while(|code| long_ago(code.expires_at))
            .map(id_of)
            .collect();
        for code in codes {
            self.codes.remove(&code);
        }
        let tokens = self.access_tokens.iter();
        let tokens: Vec<Id> = tokens
            .take_while(|token| long_ago(token.expires_at))
            .map(id_of)
            .collect();
        for token in tokens {
            self.access_tokens.remove(&token);
        }
    }

    fn delete_tokens(&mut self, grant: &Id) {
        let codes: Vec<Id> = self
            .codes
            .iter()
            .filter(|code| code.grant_id == *grant)
            .map(id_of)
            .collect();
        codes.iter().for_each(|code| drop(self.codes.remove(code)));
        let tokens = self.access_tokens.iter();
        let tokens: Vec<Id> = tokens
            .filter(|token| token.grant_id == *grant)
            .map(id_of)
            .collect();
        tokens
            .iter()
            .for_each(|token| drop(self.access_tokens.remove(token)));
        let tokens = self.refresh_tokens.iter();
        let tokens: Vec<Id> = tokens
            .filter(|token| token.grant_id == *grant)
            .map(id_of)
            .collect();
        tokens
            .iter()
            .for_each(|token| drop(self.refresh_tokens.remove(token)));
    }
}

fn id_of<T: Row>(row: &T) -> Id {
    row.id().clone()
}

/// The switches of `GET /v1/instance/oauth_application_settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) dynamic_oauth_client_registration: bool,
    pub(crate) default_scopes: Option<Vec<String>>,
    pub(crate) oauth_jwt_access_tokens: bool,
    pub(crate) client_id_metadata_documents_advertised: bool,
    pub(crate) client_id_metadata_documents_only_allow_pre_registered_clients: bool,
    pub(crate) client_id_metadata_documents_block_implicitly_allowed_clients: bool,
}

impl Settings {
    /// The scopes of a request or a registration that names none.
    pub(crate) fn default_scopes(&self) -> Vec<String> {
        self.default_scopes
            .clone()
            .unwrap_or_else(|| scope::DEFAULTS.map(str::to_owned).to_vec())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dynamic_oauth_client_registration: false,
            default_scopes: None,
            oauth_jwt_access_tokens: true,
            client_id_metadata_documents_advertised: false,
            client_id_metadata_documents_only_allow_pre_registered_clients: false,
            client_id_metadata_documents_block_implicitly_allowed_clients: false,
        }
    }
}

/// An OAuth application: a client of the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Application {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) client_id: String,
    /// None for a public client.
    pub(crate) client_secret: Option<String>,
    pub(crate) client_uri: Option<String>,
    pub(crate) logo_uri: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) consent_screen_enabled: bool,
    pub(crate) pkce_required: bool,
    pub(crate) dynamically_registered: bool,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Application {
    pub(crate) fn is_public(&self) -> bool {
        self.client_secret.is_none()
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

/// What a person has allowed a client, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) id: Id,
    pub(crate) client_id: String,
    pub(crate) user_id: Id,
    pub(crate) scopes: Vec<String>,
    pub(crate) organization_id: Option<Id>,
    /// Whom its access tokens are for: a registered resource.
    #[serde(default)]
    pub(crate) audience: Option<String>,
    pub(crate) nonce: Option<String>,
    /// When the person signed in.
    pub(crate) authenticated_at: u64,
    /// Who acted as the person when they signed in.
    #[serde(default)]
    pub(crate) actor: Option<Value>,
    pub(crate) revoked: bool,
    pub(crate) created_at: u64,
}

/// An authorization code; its id is the code itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) id: Id,
    pub(crate) grant_id: Id,
    pub(crate) redirect_uri: String,
    /// Whether the request named the redirect URI: then the exchange must, too.
    pub(crate) redirect_uri_given: bool,
    pub(crate) code_challenge: Option<String>,
    pub(crate) redeemed: bool,
    pub(crate) expires_at: u64,
    pub(crate) created_at: u64,
}

/// An opaque access token. The token is its id and then its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessToken {
    pub(crate) id: Id,
    pub(crate) secret: String,
    pub(crate) grant_id: Id,
    pub(crate) scopes: Vec<String>,
    pub(crate) organization_id: Option<Id>,
    pub(crate) expires_at: u64,
    pub(crate) created_at: u64,
}

/// A refresh token; its id is the token itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefreshToken {
    pub(crate) id: Id,
    pub(crate) grant_id: Id,
    /// The one that was exchanged for this one, good until this one is used: the answer that
    /// brought this one may have been lost.
    pub(crate) predecessor: Option<Id>,
    pub(crate) created_at: u64,
}

/// Scopes that a person has allowed a client and is not asked for again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) user_id: Id,
    pub(crate) scopes: Vec<String>,
}

macro_rules! rows {
    ($($kind:ty),*) => {$(
        impl Row for $kind {
            fn id(&self) -> &Id {
                &self.id
            }
            fn created_at(&self) -> u64 {
                self.created_at
            }
        }
    )*};
}
rows!(Application, Grant, Code, AccessToken, RefreshToken);
