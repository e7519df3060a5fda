use std::fmt;

use super::client::OAuthClient;
use super::error::{OAuthError, OAuthStep};
use super::metadata::ProviderMetadata;
use super::secret::Secret;
use super::token_endpoint::Exchange;
use crate::redact::quoted;

/// No honest callback is longer.
const LONGEST: usize = 8 * 1024;

/// What a person's browser brought back from Clerk (RFC 6749 section 4.1.2). Nothing in it is believed
/// yet: first [`CallbackQuery::state`] finds the sign-in, then [`CallbackQuery::into_code`] checks who
/// answered.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackQuery {
    state: String,
    issuer: Option<String>,
    answer: Answer,
}

#[derive(Clone, PartialEq, Eq)]
enum Answer {
    Code(Secret),
    Error {
        error: String,
        description: Option<String>,
    },
}

/// Why a query is no callback. Never holds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// It is longer than 8 KiB.
    #[error("the callback is longer than 8 KiB\nhint: sign in again")]
    TooLong,
    /// A parameter came more than once (RFC 6749 section 3.1).
    #[error("the callback has the parameter {shown} more than once\nhint: sign in again")]
    Duplicate {
        /// The parameter's name, as shown to people.
        shown: String,
    },
    /// There is no `state`.
    #[error(
        "the callback has no `state`\n\
         hint: sign in again, from the client; this address cannot be opened by itself"
    )]
    NoState,
    /// There is neither a code nor an error, or there are both.
    #[error("the callback has {}\nhint: sign in again", if *.both { "both a code and an error" } else { "neither a code nor an error" })]
    NotOneAnswer {
        /// Whether there are both.
        both: bool,
    },
}

impl CallbackQuery {
    /// Reads a query string, without the `?`. A parameter without a value counts as absent;
    /// parameters that OAuth does not know are passed over, unless they come twice.
    ///
    /// # Errors
    /// [`CallbackError`] when it is none.
    pub fn parse(query: &str) -> Result<Self, CallbackError> {
        if query.len() > LONGEST {
            return Err(CallbackError::TooLong);
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(CallbackError::Duplicate {
                    shown: quoted(&name),
                });
            }
            parameters.push((name, value));
        }
        let mut take = |wanted: &str| {
            let (_, value) = parameters.iter_mut().find(|(name, _)| name == wanted)?;
            Some(std::mem::take(value)).filter(|value| !value.is_empty())
        };
        let answer = match (take("code"), take("error")) {
            (Some(code), None) => Answer::Code(Secret::new(code)),
            (None, Some(error)) => Answer::Error {
                error,
                description: take("error_description"),
            },
            (code, _) => {
                return Err(CallbackError::NotOneAnswer {
                    both: code.is_some(),
                });
            }
        };
        Ok(Self {
            state: take("state").ok_or(CallbackError::NoState)?,
            issuer: take("iss"),
            answer,
        })
    }

    /// The `state`, which finds the sign-in that the callback belongs to.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The code, once it is sure that `metadata`'s provider answered (RFC 9207 section 2.4): `iss` is
    /// its issuer wherever there is one, and there is one if the provider always names it.
    ///
    /// # Errors
    /// [`OAuthError::Protocol`] when somebody else answered, [`OAuthError::Refused`] or
    /// [`OAuthError::Unavailable`] when the provider answered with an error.
    pub fn into_code(
        self,
        metadata: &ProviderMetadata,
        client: &OAuthClient,
    ) -> Result<Secret, OAuthError> {
        match &self.issuer {
            Some(issuer) if *issuer == metadata.issuer => {}
            None if !metadata.names_issuer_in_responses => {}
            Some(issuer) => {
                return Err(other_issuer(format!(
                    "it comes from {}, not {:?}",
                    quoted(issuer),
                    metadata.issuer
                )));
            }
            None => return Err(other_issuer("it does not say who it comes from".to_owned())),
        }
        match self.answer {
            Answer::Code(code) => Ok(code),
            Answer::Error { error, description } => {
                let exchange = Exchange {
                    step: OAuthStep::Authorization,
                    client,
                    secrets: &[],
                };
                Err(exchange.refused(&error, description.as_deref()))
            }
        }
    }
}

impl fmt::Debug for CallbackQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match &self.answer {
            Answer::Code(_) => "code",
            Answer::Error { .. } => "error",
        };
        f.debug_struct("CallbackQuery")
            .field("answer", &answer)
            .finish_non_exhaustive()
    }
}

fn other_issuer(problem: String) -> OAuthError {
    OAuthError::Protocol {
        step: OAuthStep::Authorization,
        problem,
        hint: "sign in again; if this stays, check CLERK_FRONTEND_API".to_owned(),
    }
}
