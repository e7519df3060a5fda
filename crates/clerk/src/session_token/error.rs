use std::fmt;

use crate::error::Error;

/// Why a session token is not accepted. Never holds the token.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionTokenError {
    /// It is no JSON Web Token.
    Malformed {
        /// What is wrong with its form.
        problem: &'static str,
    },
    /// It is signed with an algorithm other than RS256, or not at all.
    Algorithm {
        /// The algorithm, as shown to people.
        shown: String,
    },
    /// It is a token of another kind.
    NotASessionToken(NotASessionToken),
    /// None of the instance's keys has its key id.
    UnknownKey {
        /// The key id, as shown to people; `None` when the token names none.
        shown: Option<String>,
    },
    /// The signature is not of the key that the token names.
    Signature,
    /// It was good until some time ago.
    Expired {
        /// How long ago, in seconds.
        seconds_ago: u64,
    },
    /// It is not good yet, or was made in the future.
    NotYetValid {
        /// In how many seconds it is.
        seconds: u64,
    },
    /// The person has yet to finish a task, such as choosing an organization.
    Pending,
    /// A claim that every session token has is missing, or is not what it should be.
    Claim {
        /// The claim's name.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It was issued by somebody else than the policy names.
    Issuer {
        /// The issuer, as shown to people.
        shown: String,
        /// Who should have.
        expected: String,
    },
    /// It was made for a site that the policy does not name.
    AuthorizedParty {
        /// The site's origin, as shown to people; `None` when the token names none.
        shown: Option<String>,
    },
    /// The instance's keys could not be read: nothing is known about the token.
    Keys(Box<Error>),
}

/// What a token is that is no session token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotASessionToken {
    /// An access token of Clerk's OAuth server (`at+jwt`).
    OauthAccessToken,
    /// A machine-to-machine token.
    MachineToken,
    /// A token of a JWT template, where only a session's own will do.
    TemplateToken,
    /// A type or category that this program does not know.
    Other,
}

impl SessionTokenError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "token_malformed",
            Self::Algorithm { .. } => "token_algorithm",
            Self::NotASessionToken(_) => "not_a_session_token",
            Self::UnknownKey { .. } => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Expired { .. } => "token_expired",
            Self::NotYetValid { .. } => "token_not_yet_valid",
            Self::Pending => "session_pending",
            Self::Claim { .. } => "token_claim",
            Self::Issuer { .. } => "token_issuer",
            Self::AuthorizedParty { .. } => "token_authorized_party",
            Self::Keys(_) => "session_keys_unavailable",
        }
    }

    /// The HTTP status to answer with: 401, or 503 when nothing is known about the token.
    pub fn status(&self) -> u16 {
        match self {
            Self::Keys(_) => 503,
            _ => 401,
        }
    }

    /// Clerk's name for the request that failed, if one did.
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Keys(error) => error.trace_id(),
            _ => None,
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::Malformed { problem } => format!("this is no session token: {problem}"),
            Self::Algorithm { shown } => {
                format!("the session token is signed with {shown} instead of RS256")
            }
            Self::NotASessionToken(NotASessionToken::OauthAccessToken) => {
                "this is an OAuth access token, not a session token".to_owned()
            }
            Self::NotASessionToken(NotASessionToken::MachineToken) => {
                "this is a machine-to-machine token, not a session token".to_owned()
            }
            Self::NotASessionToken(NotASessionToken::TemplateToken) => {
                "this is a token of a JWT template, not a session token".to_owned()
            }
            Self::NotASessionToken(NotASessionToken::Other) => {
                "this is a token of another kind, not a session token".to_owned()
            }
            Self::UnknownKey { shown: Some(kid) } => {
                format!(
                    "the session token is signed with the key {kid}, which this instance does not have"
                )
            }
            Self::UnknownKey { shown: None } => {
                "the session token does not say which key it is signed with".to_owned()
            }
            Self::Signature => "the signature of the session token is wrong".to_owned(),
            Self::Expired { seconds_ago } => {
                format!("the session token expired {seconds_ago} s ago")
            }
            Self::NotYetValid { seconds } => {
                format!("the session token is not valid for another {seconds} s")
            }
            Self::Pending => {
                "the session is pending: the person has yet to finish a task".to_owned()
            }
            Self::Claim { claim, problem } => {
                format!("the claim `{claim}` of the session token {problem}")
            }
            Self::Issuer { shown, expected } => {
                format!("the session token was issued by {shown}, not by {expected:?}")
            }
            Self::AuthorizedParty { shown: Some(azp) } => {
                format!("the session token was made for {azp}, which is no authorized party")
            }
            Self::AuthorizedParty { shown: None } => {
                "the session token does not say for which site it was made (`azp`)".to_owned()
            }
            Self::Keys(error) => {
                let text = error.to_string();
                let cause = text.split("\nhint:").next().unwrap_or_default();
                format!("the keys of the Clerk instance could not be read: {cause}")
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        const ANOTHER_INSTANCE: &str = "it is a token of another instance: use the secret key (or \
             CLERK_JWT_KEY) of the application that the person is signed in to";
        match self {
            Self::Malformed { .. } => "give the text that `session.getToken()` returns, or the \
                 cookie `__session`, without quotes or `Bearer`",
            Self::Algorithm { .. } | Self::Signature => {
                "do not trust it; get a fresh token from Clerk"
            }
            Self::NotASessionToken(NotASessionToken::TemplateToken) => {
                "call `session.getToken()` without the name of a template"
            }
            Self::NotASessionToken(_) => "get a session token with `session.getToken()`",
            Self::UnknownKey { shown: Some(_) } => ANOTHER_INSTANCE,
            Self::UnknownKey { shown: None } => "get a session token with `session.getToken()`",
            Self::Expired { .. } => "get a fresh token: a session token lives for a minute, so call \
                 `session.getToken()` right before each request",
            Self::NotYetValid { .. } => "compare this machine's clock with Clerk's",
            Self::Pending => "let the person finish signing in",
            Self::Claim { claim: "sid", .. } => {
                "get a session token, not one of a JWT template: `session.getToken()` without a name"
            }
            Self::Claim { .. } => "get a session token with `session.getToken()`",
            Self::Issuer { .. } => ANOTHER_INSTANCE,
            Self::AuthorizedParty { .. } => {
                "add the site's origin to the authorized parties if it is yours"
            }
            Self::Keys(error) => {
                return error.hint().unwrap_or_else(|| "try again in a few seconds".to_owned());
            }
        }
        .to_owned()
    }
}

impl fmt::Display for SessionTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}

impl std::error::Error for SessionTokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Keys(error) => Some(error),
            _ => None,
        }
    }
}
