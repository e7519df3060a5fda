//! What can go wrong: in a definition (told to the owner), in arguments and in answers (told to the
//! model: short, true, and with what to do).

use std::{borrow::Cow, cell::RefCell, fmt, time::Duration};

use mcp::OwnToolError;
use toolkit::text::escape_str;

/// Something that is wrong with the definition of a tool or of its API. Displayed as
/// `file:line (where): problem`, and `hint: …` on a line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionFault {
    /// The file's name as it was given.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// JSON pointer (RFC 6901) into the file: `/tools/0/path`.
    pub pointer: String,
    /// What is wrong, with the value.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for DefinitionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", escape_str(&self.file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.pointer.is_empty() {
            write!(f, " ({})", escape_str(&self.pointer))?;
        }
        write!(f, ": {}\nhint: {}", self.problem, self.hint)
    }
}

impl std::error::Error for DefinitionFault {}

/// A fault before it is known which file and line it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) pointer: String,
    pub(crate) problem: String,
    pub(crate) hint: String,
}

/// The faults found so far: reading goes on after one, so that all are found at once.
#[derive(Debug, Default)]
pub(crate) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(
        &self,
        pointer: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.borrow_mut().push(Fault {
            pointer: pointer.into(),
            problem: problem.into(),
            hint: hint.into(),
        });
    }

    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn into_vec(self) -> Vec<Fault> {
        self.0.into_inner()
    }
}

/// A text as messages show it: short, in backticks, its invisible characters written out.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{}`", escape_str(&short).replace('\n', "\\n"))
}

/// An argument that the tool cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentFault {
    /// What it is about: an argument's name, or a JSON pointer into the arguments.
    pub argument: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ArgumentFault {
    pub(crate) fn new(argument: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            argument: argument.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for ArgumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.argument.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(f, "{}: {}", shown(&self.argument), self.problem)
    }
}

impl std::error::Error for ArgumentFault {}

impl From<ArgumentFault> for OwnToolError {
    fn from(fault: ArgumentFault) -> Self {
        // No argument of the model's is wrong there.
        if fault.argument.starts_with("state.") {
            let hint = "what is saved does not fit into this request: call the tool that saves it again, \
                        or tell whoever runs this server";
            return Self::new("state_unusable", fault.to_string()).hint(hint);
        }
        Self::invalid_arguments(fault.to_string())
    }
}

/// Why a call that was sent, or was about to be, brought no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolFault {
    /// 401, with a credential that was just renewed.
    SignInAgain,
    /// 403.
    Forbidden {
        /// What the API said, cut and escaped.
        said: String,
    },
    /// 404 or 410.
    NotFound {
        /// Which.
        status: u16,
        /// What the API said, cut and escaped.
        said: String,
    },
    /// 429.
    RateLimited {
        /// Seconds, from `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Another status that is no success.
    Refused {
        /// The status.
        status: u16,
        /// Seconds, from `Retry-After`.
        retry_after: Option<u64>,
        /// What the API said, cut and escaped.
        said: String,
    },
    /// A redirect that is not followed.
    Redirect {
        /// The status.
        status: u16,
    },
    /// No whole answer in time.
    Timeout {
        /// The time that the call had.
        after: Duration,
    },
    /// The answer is larger than the tool takes.
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The answer is of another type than the tool's.
    ContentType {
        /// What it is, cut and escaped.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The answer is of the right type but cannot be used.
    InvalidAnswer {
        /// Why.
        problem: String,
    },
    /// No connection: nothing was sent.
    Unreachable,
    /// The connection broke before the whole answer was there.
    Interrupted,
    /// There is no credential for this call.
    Credential {
        /// Lower snake case: `sign_in_again`.
        code: Cow<'static, str>,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What was saved for this person and client cannot be read.
    State {
        /// Why.
        problem: String,
    },
    /// Nothing was saved yet under names that the request needs.
    StateMissing {
        /// The names, each with the tools that save it.
        names: Vec<(String, Vec<String>)>,
    },
    /// The call was made, but what was to be saved of its answer is not.
    NotSaved {
        /// Why.
        problem: String,
    },
}

/// What of a tool decides how a fault of its call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Whether the call may change something: then whoever calls again has to know that it may have been
    /// done.
    pub(crate) writes: bool,
    /// Whether the API was told who the person is.
    pub(crate) as_person: bool,
    /// Whether it was told by the access token of Clerk's OAuth provider.
    pub(crate) by_oauth: bool,
    /// Whether the API took a change and led elsewhere for what to answer (303): what failed came after.
    pub(crate) taken: bool,
}

const DISAGREE: &str =
    "the tool's definition and the API do not agree; tell whoever runs this server";
const LOOK: &str = "it may have been done all the same: look before you call again";
const TAKEN: &str = "the API took the call and then led elsewhere for its answer, which failed: look before you \
                     call again";
const DONE: &str = "the API has taken the call: do not call again blindly. The tool's definition and the \
                    API do not agree about its answer; tell whoever runs this server";

impl ToolFault {
    /// What the model is told of it.
    pub(crate) fn told(&self, told: Told) -> OwnToolError {
        OwnToolError {
            code: self.code().to_owned(),
            message: self.message(told),
            hint: self.hint(told),
        }
    }

    /// The code that the model and the audit see.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::SignInAgain => "sign_in_again",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::Refused { status, .. } if *status >= 500 => "api_failed",
            Self::Refused { .. } => "api_refused",
            Self::Redirect { .. } => "redirect_refused",
            Self::Timeout { .. } => "timeout",
            Self::TooLarge { .. } => "response_too_large",
            Self::ContentType { .. } => "unexpected_content_type",
            Self::InvalidAnswer { .. } => "invalid_response",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "connection_lost",
            Self::Credential { code, .. } => code,
            Self::State { .. } => "state_unavailable",
            Self::StateMissing { .. } => "state_missing",
            Self::NotSaved { .. } => "state_not_saved",
        }
    }

    fn message(&self, told: Told) -> String {
        let with = |text: String, said: &str| match said {
            "" => text,
            said => format!("{text}. It said: {said}"),
        };
        match self {
            Self::SignInAgain => "the API does not accept the sign-in (401)".to_owned(),
            Self::Forbidden { said } => {
                let whom = if told.as_person {
                    "this person"
                } else {
                    "this server"
                };
                let text = format!("the API does not allow {whom} to do that (403)");
                with(text, said)
            }
            Self::NotFound { status, said } => {
                with(format!("the API found nothing there ({status})"), said)
            }
            Self::RateLimited {
                retry_after: Some(seconds),
            } => format!("the API gets too many requests (429); it asks to wait {seconds} s"),
            Self::RateLimited { retry_after: None } => {
                "the API gets too many requests (429)".to_owned()
            }
            Self::Refused {
                status,
                retry_after,
                said,
            } => {
                let what = if *status >= 500 {
                    "failed"
                } else {
                    "refused the request"
                };
                let wait = retry_after.map(|seconds| format!("; it asks to wait {seconds} s"));
                let text = format!("the API {what} ({status}){}", wait.unwrap_or_default());
                with(text, said)
            }
            Self::Redirect { status } => {
                format!("the API answered with a redirect ({status}) that is not followed")
            }
            Self::Timeout { after } => {
                format!("the API did not answer within {} s", after.as_secs_f32())
            }
            Self::TooLarge { limit } => format!("the answer is larger than {limit} bytes"),
            Self::ContentType { found, expected } => {
                format!("the API answered with {found}, not {expected}")
            }
            Self::InvalidAnswer { problem } => {
                format!("the API's answer cannot be used: {problem}")
            }
            Self::Unreachable => "the API cannot be reached".to_owned(),
            Self::Interrupted => {
                "the connection to the API broke before its answer was whole".to_owned()
            }
            Self::Credential { message, .. } => message.clone(),
            Self::State { problem } => format!("saved values cannot be read: {problem}"),
            Self::StateMissing { names } => {
                let names: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
                format!(
                    "nothing is saved as {} for this person and client yet",
                    names.join(", ")
                )
            }
            Self::NotSaved { problem } => {
                format!("the call was made, but nothing of it was saved: {problem}")
            }
        }
    }

    fn hint(&self, told: Told) -> Option<String> {
        let text = match self {
            Self::State { .. } => "try again later",
            Self::StateMissing { names } => return Some(what_saves(names)),
            Self::NotSaved { .. } => "do not call again blindly: the API has done its part",
            _ if told.taken => TAKEN,
            Self::Refused { status, .. } if told.writes && *status >= 500 => LOOK,
            Self::Timeout { .. } | Self::Interrupted | Self::TooLarge { .. } if told.writes => LOOK,
            Self::Redirect { .. } if told.writes => {
                "it may have been done all the same: look before you call again; and tell whoever runs \
                 this server"
            }
            Self::ContentType { .. } | Self::InvalidAnswer { .. } if told.writes => DONE,
            Self::SignInAgain if told.by_oauth => {
                "ask the person to sign in again; if that does not help, the API may take session tokens \
                 alone: with Clerk's SDKs it has to accept `oauth_token`"
            }
            Self::SignInAgain => {
                "ask the person to sign in again; if that does not help, the API may check \
                 `authorizedParties`: tokens that a backend mints may carry no `azp`"
            }
            Self::Forbidden { .. } if told.as_person => {
                "the person lacks the permission; do not try again"
            }
            Self::Forbidden { .. } => "do not try again; tell whoever runs this server",
            Self::NotFound { .. } => "check the ids",
            Self::RateLimited { .. } => "wait, then try again",
            Self::Refused { status, .. } if *status >= 500 => "try again later",
            Self::Refused { .. } => "check the arguments",
            Self::Timeout { .. } => "try again later, or ask for less",
            Self::TooLarge { .. } => "ask for less: a filter, a smaller page",
            Self::Unreachable | Self::Interrupted => "try again later",
            Self::Redirect { .. } | Self::ContentType { .. } | Self::InvalidAnswer { .. } => {
                DISAGREE
            }
            Self::Credential { hint, .. } => return hint.clone(),
        };
        Some(text.to_owned())
    }
}

fn what_saves(names: &[(String, Vec<String>)]) -> String {
    let hints = names.iter().map(|(name, savers)| match savers.as_slice() {
        [] => format!("no tool over this API saves `{name}`"),
        savers => format!("first call {}, which saves `{name}`", savers.join(" or ")),
    });
    hints.collect::<Vec<_>>().join("; ")
}

impl Default for Told {
    /// A call that only reads, as a person.
    fn default() -> Self {
        Self {
            writes: false,
            as_person: true,
            by_oauth: false,
            taken: false,
        }
    }
}

impl fmt::Display for ToolFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Told::default()))?;
        match self.hint(Told::default()) {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ToolFault {}
