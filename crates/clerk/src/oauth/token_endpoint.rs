use bytes::Bytes;
use http::header::RETRY_AFTER;
use serde_json::Value;

use super::client::OAuthClient;
use super::error::{OAuthError, OAuthStep};
use super::secret::Secret;
use super::token_set::TokenSet;
use crate::transport::{TransportError, TransportErrorKind};

/// How many characters of an explanation by somebody else a message repeats.
const LONGEST_TEXT: usize = 200;

/// Which kind of token is revoked (RFC 7009 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenTypeHint {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// What was asked, as far as errors speak of it.
pub(super) struct Exchange<'a> {
    pub(super) step: OAuthStep,
    pub(super) client: &'a OAuthClient,
    /// What was sent and must appear in no message.
    pub(super) secrets: &'a [&'a str],
}

impl Exchange<'_> {
    /// A 2xx answer as it is; anything else as an error.
    ///
    /// # Errors
    /// [`OAuthError::Unavailable`] for 408, 429 and 5xx, [`OAuthError::Refused`] for what names an
    /// error, [`OAuthError::Protocol`] for the rest.
    pub(super) fn success<'r>(
        &self,
        answer: &'r http::Response<Bytes>,
    ) -> Result<&'r Bytes, OAuthError> {
        let status = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer.body());
        }
        if matches!(status, 408 | 429 | 500..=599) {
            let header = answer.headers().get(RETRY_AFTER);
            return Err(OAuthError::Unavailable {
                step: self.step,
                message: format!("it answered with status {status}"),
                retry_after: header.and_then(|value| value.to_str().ok()?.trim().parse().ok()),
            });
        }
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        match named_error(&body) {
            Some((error, description)) => Err(self.refused(error, description)),
            None => Err(self.protocol(format!("it has the status {status}"))),
        }
    }

    /// The JSON of a 2xx answer.
    ///
    /// # Errors
    /// As [`Exchange::success`]; [`OAuthError::Protocol`] when it is no JSON object.
    pub(super) fn json(&self, answer: &http::Response<Bytes>) -> Result<Value, OAuthError> {
        serde_json::from_slice(self.success(answer)?)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| self.protocol("it is no JSON object".to_owned()))
    }

    /// A refusal by this code. What a busy or broken provider says through a redirect is no refusal.
    pub(super) fn refused(&self, error: &str, description: Option<&str>) -> OAuthError {
        let step = self.step;
        let error = self
            .shown(error)
            .unwrap_or_else(|| "unknown_error".to_owned());
        let description = description
            .and_then(|description| self.shown(description))
            .filter(|description| !description.is_empty());
        if matches!(&*error, "temporarily_unavailable" | "server_error") {
            let message = description.unwrap_or(error);
            return OAuthError::Unavailable {
                step,
                message,
                retry_after: None,
            };
        }
        let hint = self.hint(&error, description.as_deref().unwrap_or_default());
        OAuthError::Refused {
            step,
            error,
            description,
            hint,
        }
    }

    pub(super) fn protocol(&self, problem: String) -> OAuthError {
        OAuthError::Protocol {
            step: self.step,
            problem,
            hint: "check CLERK_FRONTEND_API, and whether a proxy stands between".to_owned(),
        }
    }

    pub(super) fn unreachable(&self, error: TransportError) -> OAuthError {
        if error.kind == TransportErrorKind::BodyTooLarge {
            return self.protocol(error.message);
        }
        OAuthError::Unavailable {
            step: self.step,
            message: error.message,
            retry_after: None,
        }
    }

    fn hint(&self, error: &str, description: &str) -> String {
        let redirect_uri = self.client.redirect_uri();
        if error == "redirect_uri_mismatch" || description.to_ascii_lowercase().contains("redirect")
        {
            return format!(
                "add {redirect_uri} to the redirect URIs of the OAuth application in the Clerk \
                 dashboard, to the letter"
            );
        }
        match (error, self.step) {
            ("invalid_client" | "unauthorized_client", _) if self.client.is_confidential() => {
                "check CLERK_CLIENT_ID and CLERK_CLIENT_SECRET: they must be of one OAuth \
                 application of this instance"
                    .to_owned()
            }
            ("invalid_client" | "unauthorized_client", _) => {
                "check CLERK_CLIENT_ID, and set CLERK_CLIENT_SECRET unless the OAuth application \
                 is public"
                    .to_owned()
            }
            ("invalid_grant", OAuthStep::CodeRedemption) => {
                "sign in again: a code works once, and for ten minutes".to_owned()
            }
            ("invalid_grant", _) => "sign in again".to_owned(),
            ("access_denied", _) => "sign in again, and approve".to_owned(),
            ("login_required" | "consent_required" | "interaction_required", _) => {
                "sign in again".to_owned()
            }
            ("invalid_scope", _) => {
                "allow these scopes for the OAuth application in the Clerk dashboard".to_owned()
            }
            _ => "see the OAuth application in the Clerk dashboard".to_owned(),
        }
    }

    /// A text of somebody else on one line, cut; `None` when it may hold a secret.
    fn shown(&self, text: &str) -> Option<String> {
        let marks = ["sk_test_", "sk_live_", "eyJ", "oat_"];
        let sent = self.secrets.iter().copied().chain(self.client.secret());
        let holds_secret = sent
            .filter(|secret| !secret.is_empty())
            .any(|secret| text.contains(secret));
        if holds_secret || marks.iter().any(|mark| text.contains(mark)) {
            return None;
        }
        let mut shown = String::new();
        for character in text.trim().chars().take(LONGEST_TEXT) {
            match character {
                ' ' | '"' | '\'' => shown.push(character),
                _ => shown.extend(character.escape_debug()),
            }
        }
        Some(shown)
    }
}

/// Reads a token response (RFC 6749 section 5.1). `presented` is the refresh token that was sent: it
/// stays when the answer brings no new one.
pub(super) fn token_set(
    exchange: &Exchange<'_>,
    body: &Value,
    presented: Option<&Secret>,
    now_ms: u64,
) -> Result<TokenSet, OAuthError> {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(exchange.protocol(format!("its `{name}` is no text"))),
    };
    let missing = |name: &str| exchange.protocol(format!("it has no `{name}`"));
    let access_token = text("access_token")?.ok_or_else(|| missing("access_token"))?;
    let token_type = text("token_type")?.ok_or_else(|| missing("token_type"))?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(exchange.protocol("its tokens are no bearer tokens".to_owned()));
    }
    let expires_at = seconds(body.get("expires_in"))
        .map_err(|()| exchange.protocol("its `expires_in` is no number of seconds".to_owned()))?
        .map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1_000)));
    Ok(TokenSet {
        access_token: Secret::new(access_token),
        refresh_token: text("refresh_token")?
            .map(Secret::new)
            .or_else(|| presented.cloned()),
        id_token: text("id_token")?.map(Secret::new),
        expires_at,
        scope: text("scope")?,
    })
}

/// A number, or a number in quotes as some providers write it.
fn seconds(value: Option<&Value>) -> Result<Option<u64>, ()> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| ()),
        Some(number) => number.as_u64().map(Some).ok_or(()),
    }
}

/// The error of an OAuth answer (RFC 6749 section 5.2), or the first of Clerk's own form.
fn named_error(body: &Value) -> Option<(&str, Option<&str>)> {
    if let Some(error) = body.get("error").and_then(Value::as_str) {
        let description = body.get("error_description").and_then(Value::as_str);
        return Some((error, description));
    }
    let first = body.get("errors")?.get(0)?;
    let code = first.get("code").and_then(Value::as_str)?;
    let message = ["long_message", "message"]
        .iter()
        .find_map(|name| first.get(*name).and_then(Value::as_str));
    Some((code, message))
}
