//! What requests to the owner's API are sent with. The token that the MCP client sent to this
//! server is none of it: nothing here ever sees it.

use std::{borrow::Cow, fmt};

use clerk::BoxFuture;
use http::{HeaderName, HeaderValue};
use mcp::Caller;

use super::fault::ToolFault;
use crate::config::Secret;

/// What a tool's requests are sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A session token of the person who calls.
    Session,
    /// A token of that session by a JWT template of the Clerk instance.
    JwtTemplate(String),
    /// The access token that Clerk's OAuth provider gave for the person.
    Oauth,
    /// A machine-to-machine token of this server.
    M2m,
    /// A header with a secret of the owner's.
    Header(StaticHeader),
    /// Nothing.
    None,
}

impl CredentialKind {
    /// Whether the API learns from it who the person is.
    pub(crate) fn is_persons(&self) -> bool {
        match self {
            Self::Session | Self::JwtTemplate(_) | Self::Oauth => true,
            Self::M2m | Self::Header(_) | Self::None => false,
        }
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session => f.write_str("session"),
            Self::JwtTemplate(name) => write!(f, "template {name}"),
            Self::Oauth => f.write_str("oauth"),
            Self::M2m => f.write_str("m2m"),
            Self::Header(header) => write!(f, "header {}", header.name),
            Self::None => f.write_str("none"),
        }
    }
}

/// A header with a secret of the owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticHeader {
    /// `authorization`
    pub name: HeaderName,
    /// Its whole value, as `Bearer …`.
    pub value: Secret,
}

/// A header that proves who calls. `Debug` hides its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl CredentialHeader {
    /// `Authorization: Bearer <token>`; `None` when the token is not one for headers.
    #[must_use]
    pub fn bearer(token: &str) -> Option<Self> {
        Self::new(http::header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// Any header; `None` when the value is not one for headers.
    #[must_use]
    pub fn new(name: HeaderName, value: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value })
    }

    /// The header's name.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The header's value, marked as sensitive.
    #[must_use]
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }
}

/// Where credentials come from.
pub trait Credential: Send + Sync {
    /// The header of this kind for a call by this person; `None` where the kind wants none. `refused`
    /// is one that the API has just answered with 401: then another, if there can be one.
    ///
    /// # Errors
    /// [`CredentialFault`] when there is none to be had.
    fn header<'a>(
        &'a self,
        caller: &'a Caller,
        kind: &'a CredentialKind,
        refused: Option<&'a CredentialHeader>,
    ) -> BoxFuture<'a, Result<Option<CredentialHeader>, CredentialFault>>;
}

/// Why there is no credential. The model is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFault {
    /// Lower snake case: `sign_in_again`, `credential_unavailable`.
    pub code: Cow<'static, str>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<CredentialFault> for ToolFault {
    fn from(fault: CredentialFault) -> Self {
        Self::Credential {
            code: fault.code,
            message: fault.message,
            hint: fault.hint,
        }
    }
}

/// The credentials that need nobody: fixed headers, and none. Others are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixedCredentials;

impl Credential for FixedCredentials {
    fn header<'a>(
        &'a self,
        _: &'a Caller,
        kind: &'a CredentialKind,
        _: Option<&'a CredentialHeader>,
    ) -> BoxFuture<'a, Result<Option<CredentialHeader>, CredentialFault>> {
        let header = match kind {
            CredentialKind::None => Ok(None),
            CredentialKind::Header(header) => {
                let value = CredentialHeader::new(header.name.clone(), header.value.expose());
                value.map(Some).ok_or("its secret is no value of a header")
            }
            _ => Err("this server has no such credential"),
        };
        let header = header.map_err(|message| CredentialFault {
            code: "credential_unavailable".into(),
            message: message.to_owned(),
            hint: Some("tell whoever runs this server".to_owned()),
        });
        Box::pin(std::future::ready(header))
    }
}
