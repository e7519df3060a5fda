//! Machine-to-machine (M2M) tokens, with the feature `oauth`: a machine of the instance makes them
//! with a secret key of its own, for the machines that it may talk to.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::api_url::ApiUrl;
use crate::api_version::ApiVersion;
use crate::oauth::Secret;
use crate::redact::may_hold_secret;
use crate::transport::Transport;

const PREFIX: &str = "ak_";
const CLERK_API_VERSION: HeaderName = HeaderName::from_static("clerk-api-version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How many characters of Clerk's explanation a message repeats.
const LONGEST_TEXT: usize = 200;

/// The secret key of a machine, `ak_…`. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct MachineSecretKey(HeaderValue);

/// Why a text is no secret key of a machine. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MachineSecretKeyError {
    /// It is the secret key of the instance, which can do everything.
    #[error(
        "this is the secret key of the whole instance\n\
         hint: an M2M token is made with the machine's own key, which begins with ak_: \
         https://dashboard.clerk.com (Machines)"
    )]
    OfInstance,
    /// It is something else.
    #[error(
        "this is no secret key of a machine\n\
         hint: it begins with ak_: copy it from https://dashboard.clerk.com (Machines), without quotes"
    )]
    Other,
}

impl MachineSecretKey {
    /// Reads a key. White space around it is ignored.
    ///
    /// # Errors
    /// [`MachineSecretKeyError`].
    pub fn parse(text: &str) -> Result<Self, MachineSecretKeyError> {
        let text = text.trim();
        if text.starts_with("sk_") {
            return Err(MachineSecretKeyError::OfInstance);
        }
        let rest = text
            .strip_prefix(PREFIX)
            .ok_or(MachineSecretKeyError::Other)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if rest.is_empty() || !rest.bytes().all(plain) {
            return Err(MachineSecretKeyError::Other);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| MachineSecretKeyError::Other)?;
        header.set_sensitive(true);
        Ok(Self(header))
    }
}

impl fmt::Debug for MachineSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MachineSecretKey(ak_…)")
    }
}

/// Which of the two forms a token has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineTokenFormat {
    /// Verified by asking Clerk, and revocable.
    #[default]
    Opaque,
    /// Verified with the instance's public keys, and good until it expires.
    Jwt,
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineToken {
    /// The token.
    pub token: Secret,
    /// When it expires, Unix milliseconds, where Clerk says so.
    pub expires_at: Option<u64>,
}

/// A machine of an instance, as the Backend API sees it.
#[derive(Clone)]
pub struct Machine {
    transport: Arc<dyn Transport>,
    api_url: ApiUrl,
    headers: HeaderMap,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("api_url", &self.api_url.as_str())
            .finish_non_exhaustive()
    }
}

/// Why a call with a machine's key came to nothing. Never holds a key or a token.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineError {
    /// Clerk answered, and said no.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Clerk's code, such as `machine_secret_key_invalid`.
        code: String,
        /// Clerk's explanation, on one line; empty when it may hold a secret.
        message: String,
    },
    /// Clerk could not be reached, is busy (429) or has a fault (5xx).
    Unavailable {
        /// What happened, on one line.
        message: String,
        /// After how many seconds to try again, where Clerk says so.
        retry_after: Option<u64>,
    },
    /// The answer is not what the Backend API says.
    Protocol(&'static str),
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                status,
                code,
                message,
            } => {
                let hint = match status {
                    401 | 403 => {
                        "check the machine's secret key: it must be of this instance, and the \
                         latest one"
                    }
                    402 => "see whether the instance's plan has M2M tokens",
                    _ => "see the machine in https://dashboard.clerk.com (Machines)",
                };
                write!(f, "Clerk makes no M2M token: {status}")?;
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                write!(f, " ({code})\nhint: {hint}")
            }
            Self::Unavailable {
                message,
                retry_after,
            } => {
                write!(
                    f,
                    "Clerk is not available for M2M tokens: {message}\nhint: "
                )?;
                match retry_after {
                    Some(seconds) => write!(f, "wait {seconds} s, then try again"),
                    None => f.write_str("is the network up? See https://status.clerk.com"),
                }
            }
            Self::Protocol(problem) => write!(
                f,
                "Clerk's answer with an M2M token is not understood: {problem}\n\
                 hint: check CLERK_API_URL, and whether a proxy stands between"
            ),
        }
    }
}

impl std::error::Error for MachineError {}

impl Machine {
    /// The machine whose key this is. Sends nothing.
    pub fn new(
        key: MachineSecretKey,
        transport: Arc<dyn Transport>,
        api_url: ApiUrl,
        api_version: &ApiVersion,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, key.0);
        headers.insert(CLERK_API_VERSION, api_version.header().clone());
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        Self {
            transport,
            api_url,
            headers,
        }
    }

    /// Makes a token for the machines that this one may talk to (`createM2MToken`), good for
    /// `seconds`, or for as long as the machine's tokens are by default.
    ///
    /// # Errors
    /// [`MachineError`].
    pub async fn create_token(
        &self,
        format: MachineTokenFormat,
        seconds: Option<u64>,
    ) -> Result<MachineToken, MachineError> {
        let mut body = json!({
            "token_format": match format {
                MachineTokenFormat::Opaque => "opaque",
                MachineTokenFormat::Jwt => "jwt",
            },
        });
        if let Some(seconds) = seconds {
            body["seconds_until_expiration"] = seconds.into();
        }
        let made = self.post("/m2m_tokens", &body).await?;
        let token = made.get("token").and_then(Value::as_str);
        let token = token.filter(|token| !token.is_empty());
        Ok(MachineToken {
            token: Secret::new(token.ok_or(MachineError::Protocol("it has no `token`"))?),
            expires_at: made.get("expiration").and_then(Value::as_u64),
        })
    }

    /// Whether Clerk takes the key. Makes nothing: a token is verified that is none
    /// (`verifyM2MToken`), which only a machine may ask for.
    ///
    /// # Errors
    /// [`MachineError`].
    pub async fn check(&self) -> Result<(), MachineError> {
        let nobodys = json!({ "token": "mt_00000000000000000000000000000000" });
        match self.post("/m2m_tokens/verify", &nobodys).await {
            Ok(_) | Err(MachineError::Refused { status: 404, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, MachineError> {
        let mut request = http::Request::new(Bytes::from(body.to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{}/v1{path}", self.api_url)
            .parse()
            .map_err(|_| MachineError::Protocol("its address is no URL"))?;
        *request.headers_mut() = self.headers.clone();
        let answer = self.transport.send(request).await;
        let answer = answer.map_err(|error| MachineError::Unavailable {
            message: format!("{}: {}", self.api_url, error.message),
            retry_after: None,
        })?;
        let status = answer.status();
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        if matches!(status.as_u16(), 408 | 429 | 500..=599) {
            let header = answer.headers().get(RETRY_AFTER);
            return Err(MachineError::Unavailable {
                message: format!("it answered with status {}", status.as_u16()),
                retry_after: header.and_then(|value| value.to_str().ok()?.trim().parse().ok()),
            });
        }
        let first = body.pointer("/errors/0");
        let text = |name: &str| first.and_then(|error| error.get(name)?.as_str()).map(shown);
        Err(MachineError::Refused {
            status: status.as_u16(),
            code: text("code").unwrap_or_else(|| "unexpected_answer".to_owned()),
            message: text("long_message")
                .or_else(|| text("message"))
                .unwrap_or_default(),
        })
    }
}

/// A text of Clerk's on one line, cut; empty when it may hold a secret.
fn shown(text: &str) -> String {
    if may_hold_secret(text) || text.contains(PREFIX) || text.contains("mt_") {
        return String::new();
    }
    let text = text.trim().chars().take(LONGEST_TEXT);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_is_a_machines_own_and_is_never_shown() {
        let key = MachineSecretKey::parse(" ak_abc-DEF_123 \n").unwrap();
        assert!(!format!("{key:?}{:?}", key.0).contains("abc"));
        let refused = |text| MachineSecretKey::parse(text).unwrap_err();
        assert_eq!(refused("sk_test_abc"), MachineSecretKeyError::OfInstance);
        for text in ["", "ak_", "ak_a b", "ak_a\"", "mt_abc", "abc"] {
            assert_eq!(refused(text), MachineSecretKeyError::Other, "{text}");
        }
    }
}
