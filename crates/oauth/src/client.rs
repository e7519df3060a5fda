//! OAuth clients, that is programs such as MCP clients, which act for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::client_keys::AssertionKeys;
use crate::scope::ScopeSet;
use crate::time::Timestamp;
use crate::token::TokenHash;

/// A client's identifier (RFC 6749 section 2.2): chosen by this server, by its owner, or the URL of
/// a Client ID Metadata Document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(pub String);

impl ClientId {
    /// The identifier's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How this server came to know a client, and so how far its name can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOrigin {
    /// The server's owner wrote it into the configuration.
    Configured,
    /// It registered itself (RFC 7591): anybody can say anything.
    Registered,
    /// Its identifier is the URL of its metadata, so the URL's host vouches for it.
    MetadataDocument,
}

/// How a client proves who it is at the token and revocation endpoints (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// It cannot keep a secret: a public client, protected by PKCE.
    None,
    /// HTTP Basic with its secret.
    ClientSecretBasic,
    /// Its secret in the form.
    ClientSecretPost,
    /// An assertion that it signs (RFC 7523 section 2.2).
    PrivateKeyJwt,
}

/// The grant types that this server knows (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// Redeems authorization codes.
    AuthorizationCode,
    /// Redeems refresh tokens.
    RefreshToken,
}

/// A client, however this server came to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// How this server came to know it.
    pub origin: ClientOrigin,
    /// The name it gives itself. Untrusted text unless configured.
    pub name: Option<String>,
    /// Its home page, an http(s) URL.
    pub client_uri: Option<String>,
    /// Its logo, an http(s) URL.
    pub logo_uri: Option<String>,
    /// Its privacy policy, an http(s) URL.
    pub policy_uri: Option<String>,
    /// Its terms of service, an http(s) URL.
    pub tos_uri: Option<String>,
    /// Where codes may go, each of which [`crate::RedirectUri::parse`] accepted.
    pub redirect_uris: Vec<String>,
    /// How it has to prove who it is.
    pub auth: ClientAuthMethod,
    /// With what its assertions are checked; `Some` for [`ClientAuthMethod::PrivateKeyJwt`], and for a
    /// public client that may prove who it is but need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion_keys: Option<AssertionKeys>,
    /// The hash of its secret; `Some` for every method that uses one, else `None`.
    pub secret: Option<TokenHash>,
    /// The scopes it registered: what it is given when it asks for none by name.
    pub scope: Option<ScopeSet>,
    /// The grant types it may use.
    pub grant_types: Vec<GrantType>,
    /// When it was registered or its document was fetched.
    pub created_at: Timestamp,
    /// When it is forgotten unless it is used; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// Whether it may use `grant_type`.
    pub fn may_use(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }
}

/// What makes two registrations the same: the SHA-256 of everything that the document says. Public
/// clients alone have one; a confidential registration is always new, for its secret is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(#[serde(with = "crate::base64url::array")] pub [u8; 32]);
