use std::fmt;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use serde_json::Value;

use super::client::Call;
use crate::redact::may_hold_secret;

/// How many characters of Clerk's explanation a message repeats.
const LONGEST_TEXT: usize = 200;

/// Why a call of the Frontend API came to nothing. Never holds a ticket or a token.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrontendError {
    /// Clerk answered, and said no.
    Refused {
        /// The operation.
        operation: &'static str,
        /// The HTTP status.
        status: u16,
        /// Clerk's code, such as `ticket_expired_code`; `unexpected_answer` when there is none.
        code: String,
        /// Clerk's explanation, on one line; empty when it may hold a secret.
        message: String,
    },
    /// The ticket alone signs nobody in: Clerk asks for more, such as a second factor.
    NotSignedIn {
        /// The sign-in's status, such as `needs_second_factor`.
        status: String,
    },
    /// The name cannot be one of a JWT template. Nothing was sent.
    Template {
        /// Why.
        problem: String,
    },
    /// Clerk could not be reached, is busy (429) or has a fault (5xx). A ticket that was sent may be
    /// used up or not.
    Unavailable {
        /// The operation.
        operation: &'static str,
        /// What happened, on one line.
        message: String,
        /// After how many seconds to try again, where Clerk says so.
        retry_after: Option<u64>,
    },
    /// The answer is not what the Frontend API says.
    Protocol {
        /// The operation.
        operation: &'static str,
        /// What is wrong with the answer, on one line.
        problem: String,
    },
}

impl FrontendError {
    /// Clerk's code, or one of ours: `sign_in_incomplete`, `invalid_template`, `clerk_unavailable`,
    /// `unexpected_answer`.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::NotSignedIn { .. } => "sign_in_incomplete",
            Self::Template { .. } => "invalid_template",
            Self::Unavailable { .. } => "clerk_unavailable",
            Self::Protocol { .. } => "unexpected_answer",
        }
    }

    /// Whether the session has ended, or is not this client's.
    pub fn is_ended_session(&self) -> bool {
        match self {
            Self::Refused {
                operation, status, ..
            } => {
                matches!(
                    *operation,
                    "createSessionToken" | "touchSession" | "endSession"
                ) && matches!(status, 401 | 404)
            }
            _ => false,
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Refused {
                operation,
                status,
                code,
                message,
            } if message.is_empty() => {
                format!("Clerk's Frontend API refused {operation}: {status} ({code})")
            }
            Self::Refused {
                operation,
                status,
                code,
                message,
            } => {
                format!("Clerk's Frontend API refused {operation}: {status}: {message} ({code})")
            }
            Self::NotSignedIn { status } => {
                format!("Clerk asks for more than the ticket before it signs in: {status}")
            }
            Self::Template { problem } => {
                let first = problem.lines().next().unwrap_or_default();
                format!("this is no name of a JWT template: {first}")
            }
            Self::Unavailable {
                operation, message, ..
            } => {
                format!("Clerk's Frontend API is not available for {operation}: {message}")
            }
            Self::Protocol { operation, problem } => {
                format!("the Frontend API's answer to {operation} is not understood: {problem}")
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused { code, .. } => refusal_hint(code).to_owned(),
            Self::NotSignedIn { status } if status.contains("second_factor") => {
                "this person has a second factor, which nobody but them can give: use a sign-in \
                 link in a browser, or the person's own sign-in"
                    .to_owned()
            }
            Self::NotSignedIn { .. } => {
                "see what the instance requires of a sign-in in the Clerk dashboard".to_owned()
            }
            Self::Template { .. } => {
                "name a JWT template of the Clerk dashboard, as it stands there".to_owned()
            }
            Self::Unavailable {
                retry_after: Some(seconds),
                ..
            } => {
                format!("wait {seconds} s, then try again")
            }
            Self::Unavailable { .. } => {
                "is the network up, and CLERK_FRONTEND_API right? See https://status.clerk.com"
                    .to_owned()
            }
            Self::Protocol { .. } => {
                "check CLERK_FRONTEND_API, and whether a proxy stands between".to_owned()
            }
        }
    }
}

fn refusal_hint(code: &str) -> &'static str {
    match code {
        "ticket_invalid_code" => {
            "the ticket is of another instance: CLERK_SECRET_KEY and CLERK_FRONTEND_API (or \
             CLERK_PUBLISHABLE_KEY) must belong together"
        }
        "ticket_expired_code"
        | "actor_token_already_used_code"
        | "sign_in_token_already_used_code" => {
            "make a new one: a ticket works once, and for a short time"
        }
        "user_banned" | "user_locked" => "this person may not sign in now",
        "native_api_disabled" => {
            "switch the Native API on in the Clerk dashboard (Configure, Native applications)"
        }
        "resource_not_found" => "the session has ended, or the JWT template does not exist",
        _ => "check CLERK_FRONTEND_API (or CLERK_PUBLISHABLE_KEY): it must be of this instance",
    }
}

/// The JSON of a 2xx answer; anything else as an error.
pub(super) fn of_answer(
    call: &Call<'_>,
    answer: &http::Response<Bytes>,
) -> Result<Value, FrontendError> {
    let (operation, status) = (call.operation, answer.status().as_u16());
    if answer.status().is_success() {
        return serde_json::from_slice(answer.body())
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| FrontendError::Protocol {
                operation,
                problem: "it is no JSON object".to_owned(),
            });
    }
    if matches!(status, 408 | 429 | 500..=599) {
        let header = answer.headers().get(RETRY_AFTER);
        return Err(FrontendError::Unavailable {
            operation,
            message: format!("it answered with status {status}"),
            retry_after: header.and_then(|value| value.to_str().ok()?.trim().parse().ok()),
        });
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let first = body.pointer("/errors/0");
    let text = |name: &str| {
        let text = first.and_then(|error| error.get(name)?.as_str());
        text.map(|text| shown(call, text))
            .filter(|text| !text.is_empty())
    };
    Err(FrontendError::Refused {
        operation,
        status,
        code: text("code").unwrap_or_else(|| "unexpected_answer".to_owned()),
        message: text("long_message")
            .or_else(|| text("message"))
            .unwrap_or_default(),
    })
}

/// A text of Clerk's on one line, cut; empty when it may hold a secret.
fn shown(call: &Call<'_>, text: &str) -> String {
    let sent = call.form.iter().map(|(_, value)| *value);
    let holds_secret = sent
        .filter(|value| value.len() > 20)
        .any(|value| text.contains(value));
    if holds_secret || may_hold_secret(text) {
        return String::new();
    }
    let text = text.trim().chars().take(LONGEST_TEXT);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for FrontendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}

impl std::error::Error for FrontendError {}
