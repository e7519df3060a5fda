use std::fmt;

use crate::error::Error;
use crate::jws::{ClaimFault, JwsFault, SignatureFault};

/// Why an access token does not count. Never holds the token.
///
/// `Display` says what is wrong, then, on a line of its own, `hint: …`.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessTokenError {
    /// It is a token of a kind that is not accepted.
    NotAccepted(NotAccepted),
    /// It is no token.
    Malformed {
        /// What is wrong with its form.
        problem: &'static str,
    },
    /// It is signed with an algorithm other than RS256, or not at all.
    Algorithm {
        /// The algorithm, as shown to people.
        shown: String,
    },
    /// None of the instance's keys has its key id.
    UnknownKey {
        /// The key id, as shown to people; `None` when the token names none.
        shown: Option<String>,
    },
    /// The signature is not of the key that the token names.
    Signature,
    /// It was issued by somebody else.
    Issuer {
        /// The issuer, as shown to people.
        shown: String,
        /// Who should have.
        expected: String,
    },
    /// It is over.
    Expired,
    /// It is not good yet, or was made in the future.
    NotYetValid {
        /// In how many seconds it is.
        seconds: u64,
    },
    /// Clerk does not know it, or has revoked it.
    Ended,
    /// A claim is missing, or is not what it should be.
    Claim {
        /// The claim's name.
        claim: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It was given to a client that is not accepted.
    Client {
        /// The client's id, as shown to people.
        shown: String,
    },
    /// It is for another audience, or says nothing of one.
    Audience {
        /// The audiences, as shown to people; empty when it names none.
        shown: String,
    },
    /// It is a machine's that may talk to others, but not to this one.
    Machine {
        /// The machine that sent it, as shown to people.
        shown: String,
    },
    /// Somebody else acts as its user.
    Impersonated,
    /// Clerk could not be asked: nothing is known about the token.
    Unavailable(Box<Error>),
}

/// A kind of token that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAccepted {
    /// A session's own, or of a JWT template.
    SessionToken,
    /// An ID token, or one of a kind that this program does not know.
    OtherToken,
    /// An OAuth client's, where the policy has none.
    OauthToken,
    /// A machine's, where the policy has none.
    MachineToken,
    /// An API key, where the policy has none.
    ApiKey,
    /// An API key that is no user's.
    OtherApiKey,
}

impl AccessTokenError {
    /// The error of Clerk's that left the token unknown.
    pub fn unavailable(&self) -> Option<&Error> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the token is one of the instance's own that is not meant for this server: whoever runs
    /// it may want to know. Only who has such a token can bring this about.
    pub fn is_misdirected(&self) -> bool {
        matches!(
            self,
            Self::Issuer { .. }
                | Self::Client { .. }
                | Self::Audience { .. }
                | Self::Machine { .. }
                | Self::Impersonated
                | Self::NotAccepted(NotAccepted::OtherApiKey)
        )
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> String {
        match self {
            Self::NotAccepted(NotAccepted::SessionToken) => {
                "this is a session token, not an access token".to_owned()
            }
            Self::NotAccepted(NotAccepted::OtherToken) => {
                "this is a token of another kind, not an access token".to_owned()
            }
            Self::NotAccepted(NotAccepted::OauthToken) => {
                "access tokens of OAuth clients are not accepted here".to_owned()
            }
            Self::NotAccepted(NotAccepted::MachineToken) => {
                "tokens of machines are not accepted here".to_owned()
            }
            Self::NotAccepted(NotAccepted::ApiKey) => "API keys are not accepted here".to_owned(),
            Self::NotAccepted(NotAccepted::OtherApiKey) => {
                "this API key belongs to no user".to_owned()
            }
            Self::Malformed { problem } => format!("this is no access token: {problem}"),
            Self::Algorithm { shown } => {
                format!("the access token is signed with {shown} instead of RS256")
            }
            Self::UnknownKey { shown: Some(kid) } => format!(
                "the access token is signed with the key {kid}, which this instance does not have"
            ),
            Self::UnknownKey { shown: None } => {
                "the access token does not say which key it is signed with".to_owned()
            }
            Self::Signature => "the signature of the access token is wrong".to_owned(),
            Self::Issuer { shown, expected } => {
                format!("the access token was issued by {shown}, not by {expected:?}")
            }
            Self::Expired => "the access token has expired".to_owned(),
            Self::NotYetValid { seconds } => {
                format!("the access token is not valid for another {seconds} s")
            }
            Self::Ended => "Clerk does not know the token, or has revoked it".to_owned(),
            Self::Claim { claim, problem } => {
                format!("the claim `{claim}` of the access token {problem}")
            }
            Self::Client { shown } => {
                format!("the access token was given to the OAuth client {shown}")
            }
            Self::Audience { shown } if shown.is_empty() => {
                "the access token names no audience (`aud`)".to_owned()
            }
            Self::Audience { shown } => format!("the access token is for {shown}"),
            Self::Machine { shown } => {
                format!("the machine {shown} sent a token that is not for this one")
            }
            Self::Impersonated => "somebody else acts as the user of the access token".to_owned(),
            Self::Unavailable(error) => {
                format!("Clerk could not be asked about the token: {error}")
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Issuer { .. } => "check CLERK_FRONTEND_API",
            Self::Client { .. } => "add the client to sign_in.client_ids if it may call",
            Self::Audience { shown } if shown.is_empty() => {
                "register this server's address as an MCP server in the Clerk dashboard, so that \
                 Clerk names it in tokens, and have the client sign in again: it keeps a grant of \
                 before"
            }
            Self::Audience { .. } => "add the audience to sign_in.audience if it is this server",
            Self::Machine { .. } => {
                "give the machine access to sign_in.machine in the Clerk dashboard"
            }
            Self::NotYetValid { .. } => "compare this machine's clock with Clerk's",
            Self::Unavailable(_) => "try again in a few seconds",
            _ => "connect again and sign in",
        }
    }
}

impl fmt::Display for AccessTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message(), self.hint())
    }
}

impl std::error::Error for AccessTokenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}

impl From<JwsFault> for AccessTokenError {
    fn from(fault: JwsFault) -> Self {
        match fault {
            JwsFault::Malformed(problem) => Self::Malformed { problem },
            JwsFault::Algorithm(shown) => Self::Algorithm { shown },
        }
    }
}

impl From<SignatureFault> for AccessTokenError {
    fn from(fault: SignatureFault) -> Self {
        match fault {
            SignatureFault::UnknownKey(shown) => Self::UnknownKey { shown },
            SignatureFault::Wrong => Self::Signature,
            SignatureFault::Claims => Self::Malformed {
                problem: "its claims are no JSON in base64url",
            },
        }
    }
}

impl From<ClaimFault> for AccessTokenError {
    fn from(fault: ClaimFault) -> Self {
        let ClaimFault { claim, problem } = fault;
        Self::Claim { claim, problem }
    }
}
