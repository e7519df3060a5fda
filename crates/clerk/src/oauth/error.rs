use std::fmt;

use super::id_token::IdTokenError;

/// Which part of the conversation with Clerk's OAuth provider failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OAuthStep {
    /// Reading the provider's metadata.
    Discovery,
    /// Reading the keys that sign ID tokens.
    Keys,
    /// The person's way through Clerk's pages and back.
    Authorization,
    /// Redeeming an authorization code.
    CodeRedemption,
    /// Refreshing an access token.
    Refresh,
    /// Revoking a token.
    Revocation,
}

/// Why a conversation with Clerk's OAuth provider failed. Never holds a secret, code or token.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OAuthError {
    /// Clerk answered, and said no.
    Refused {
        /// What was asked.
        step: OAuthStep,
        /// The code (RFC 6749 sections 4.1.2.1 and 5.2), such as `invalid_grant` or `access_denied`.
        error: String,
        /// Clerk's explanation, on one line; absent when it may hold a secret.
        description: Option<String>,
        /// What to do about it.
        hint: String,
    },
    /// Clerk could not be reached, is busy (429) or has a fault (5xx). Nothing is known; a code or
    /// refresh token that was sent may be spent or not.
    Unavailable {
        /// What was asked.
        step: OAuthStep,
        /// What happened, on one line.
        message: String,
        /// After how many seconds to try again, where Clerk says so.
        retry_after: Option<u64>,
    },
    /// The answer is not what OAuth or OpenID Connect says.
    Protocol {
        /// What was asked.
        step: OAuthStep,
        /// What is wrong with the answer, on one line.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// The ID token is not to be believed.
    IdToken(IdTokenError),
}

impl OAuthError {
    /// Whether Clerk will never take this refresh token again: the grant that lives on it has ended.
    /// `invalid_client` is no such case: then the configuration is wrong, and the grant lives on.
    pub fn is_dead_refresh_token(&self) -> bool {
        matches!(self, Self::Refused { step: OAuthStep::Refresh, error, .. } if error == "invalid_grant")
    }

    /// Whether the person, or Clerk for them, declined the sign-in.
    pub fn is_access_denied(&self) -> bool {
        matches!(self, Self::Refused { step: OAuthStep::Authorization, error, .. } if error == "access_denied")
    }

    /// Whether nothing is known and trying again later may help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// After how many seconds to try again, where Clerk says so.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Refused {
                step,
                error,
                description,
                ..
            } => {
                let why = description
                    .as_ref()
                    .map(|description| format!(": {description}"))
                    .unwrap_or_default();
                format!("Clerk refused {step} ({error}){why}")
            }
            Self::Unavailable { step, message, .. } => {
                format!("Clerk is not available for {step}: {message}")
            }
            Self::Protocol { step, problem, .. } => {
                format!("Clerk's answer to {step} is not understood: {problem}")
            }
            Self::IdToken(error) => error.message(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused { hint, .. } | Self::Protocol { hint, .. } => hint.clone(),
            Self::Unavailable {
                retry_after: Some(seconds),
                ..
            } => format!("wait {seconds} s, then try again"),
            Self::Unavailable {
                step: OAuthStep::Discovery | OAuthStep::Keys,
                ..
            } => "is the network up, and CLERK_FRONTEND_API right? See https://status.clerk.com"
                .to_owned(),
            Self::Unavailable {
                step: OAuthStep::CodeRedemption,
                ..
            } => "sign in again; see https://status.clerk.com".to_owned(),
            Self::Unavailable { .. } => {
                "try again in a few seconds; see https://status.clerk.com".to_owned()
            }
            Self::IdToken(error) => error.hint(),
        }
    }
}

impl From<IdTokenError> for OAuthError {
    fn from(error: IdTokenError) -> Self {
        Self::IdToken(error)
    }
}

impl fmt::Display for OAuthStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "the metadata of the OAuth provider",
            Self::Keys => "the keys of the OAuth provider",
            Self::Authorization => "the sign-in",
            Self::CodeRedemption => "the authorization code",
            Self::Refresh => "the refresh",
            Self::Revocation => "the revocation",
        })
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}

impl std::error::Error for OAuthError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::IdToken(error) => Some(error),
            _ => None,
        }
    }
}
