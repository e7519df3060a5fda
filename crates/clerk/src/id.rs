//! Ids and other values that become a part of an address.

use std::fmt;

use crate::encode::decode_once;
use crate::redact::quoted;

/// The longest value that is accepted, in bytes.
const LONGEST: usize = 255;

/// A value that is percent-encoded more often than this has no good reason to be.
const MOST_LAYERS: usize = 10;

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the names say it; `prefix` and `noun` give the rest"
)]
pub enum IdKind {
    User,
    Organization,
    OrganizationInvitation,
    Invitation,
    Membership,
    Session,
    EmailAddress,
    PhoneNumber,
    ExternalAccount,
    Client,
    ActorToken,
    SignInToken,
    ApiKey,
    Machine,
    MachineToken,
    OauthAccessToken,
    JwtTemplate,
    Instance,
}

impl IdKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::User,
        Self::Organization,
        Self::OrganizationInvitation,
        Self::Invitation,
        Self::Membership,
        Self::Session,
        Self::EmailAddress,
        Self::PhoneNumber,
        Self::ExternalAccount,
        Self::Client,
        Self::ActorToken,
        Self::SignInToken,
        Self::ApiKey,
        Self::Machine,
        Self::MachineToken,
        Self::OauthAccessToken,
        Self::JwtTemplate,
        Self::Instance,
    ];

    /// What ids of this kind start with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::User => "user_",
            Self::Organization => "org_",
            Self::OrganizationInvitation => "orginv_",
            Self::Invitation => "inv_",
            Self::Membership => "orgmem_",
            Self::Session => "sess_",
            Self::EmailAddress | Self::PhoneNumber => "idn_",
            Self::ExternalAccount => "eac_",
            Self::Client => "client_",
            Self::ActorToken => "act_",
            Self::SignInToken => "sit_",
            Self::ApiKey => "ak_",
            Self::Machine => "mch_",
            Self::MachineToken => "mt_",
            Self::OauthAccessToken => "oat_",
            Self::JwtTemplate => "jtmp_",
            Self::Instance => "ins_",
        }
    }

    /// What the id stands for, with its article: `a user`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::User => "a user",
            Self::Organization => "an organization",
            Self::OrganizationInvitation => "an organization invitation",
            Self::Invitation => "an invitation",
            Self::Membership => "an organization membership",
            Self::Session => "a session",
            Self::EmailAddress => "an email address",
            Self::PhoneNumber => "a phone number",
            Self::ExternalAccount => "an external account",
            Self::Client => "a client",
            Self::ActorToken => "an actor token",
            Self::SignInToken => "a sign-in token",
            Self::ApiKey => "an API key",
            Self::Machine => "a machine",
            Self::MachineToken => "a machine token",
            Self::OauthAccessToken => "an OAuth access token",
            Self::JwtTemplate => "a JWT template",
            Self::Instance => "an instance",
        }
    }

    /// The kind that an id's prefix tells. Email addresses and phone numbers share theirs: it is
    /// given as [`IdKind::EmailAddress`].
    pub fn of(value: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| value.starts_with(kind.prefix()))
    }
}

/// Why a value cannot be part of an address, or why an address is not complete.
///
/// `Display` says what is wrong, then, on a line of its own, a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdError {
    /// The value is empty, or has nothing after its prefix.
    Empty,
    /// The value is too long.
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The id is of another kind, or none.
    WrongPrefix {
        /// What was asked for.
        expected: IdKind,
        /// What was given, as shown to people.
        shown: String,
        /// What its prefix says it is.
        found: Option<IdKind>,
    },
    /// The id has characters that no id has.
    InvalidCharacter {
        /// What was given, as shown to people.
        shown: String,
    },
    /// The value would be more, or less, than one segment of a path.
    NotOneSegment {
        /// What was given, as shown to people.
        shown: String,
    },
    /// One of the above, in a named parameter of a path.
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong with its value.
        source: Box<IdError>,
    },
    /// The operation's path has no such parameter.
    UnknownParameter {
        /// The operation.
        operation: &'static str,
        /// The parameter's name.
        name: String,
    },
    /// A parameter of the operation's path was given no value.
    MissingParameter {
        /// The operation.
        operation: &'static str,
        /// The parameter's name.
        name: String,
    },
    /// Path and query make no valid address, mostly because they are too long.
    InvalidAddress {
        /// The operation.
        operation: &'static str,
    },
}

/// Checks that `value` can be the id of a `kind`: its prefix, then ASCII letters, digits, `_` and
/// `-`, at most 255 bytes. Ids that were brought along from older systems share only the prefix,
/// so nothing is said about their length.
///
/// # Errors
/// [`IdError`], with the kind that the id seems to be of.
pub fn check_id(kind: IdKind, value: &str) -> Result<(), IdError> {
    if value.is_empty() {
        return Err(IdError::Empty);
    }
    if value.len() > LONGEST {
        return Err(IdError::TooLong {
            length: value.len(),
        });
    }
    let Some(body) = value.strip_prefix(kind.prefix()) else {
        return Err(IdError::WrongPrefix {
            expected: kind,
            shown: quoted(value),
            found: IdKind::of(value),
        });
    };
    if body.is_empty() {
        return Err(IdError::Empty);
    }
    if body
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    {
        Ok(())
    } else {
        Err(IdError::InvalidCharacter {
            shown: quoted(value),
        })
    }
}

/// Checks that `value` (a slug, say) stays one segment of a path however often something between
/// here and Clerk decodes it: not empty, not `.` or `..` (nor `..;x`, which some servers take for it:
/// RFC 3986 section 3.3 has parameters in a segment), without `/`, `\`, `?`, `#` or control
/// characters, at most 255 bytes.
///
/// # Errors
/// [`IdError`] when it does not.
pub fn check_segment(value: &str) -> Result<(), IdError> {
    if value.is_empty() {
        return Err(IdError::Empty);
    }
    if value.len() > LONGEST {
        return Err(IdError::TooLong {
            length: value.len(),
        });
    }
    let refused = || IdError::NotOneSegment {
        shown: quoted(value),
    };
    if value.chars().any(char::is_control) {
        return Err(refused());
    }
    let mut layer = value.as_bytes().to_vec();
    for _ in 0..MOST_LAYERS {
        let special = |byte: &u8| b"/\\?#".contains(byte) || byte.is_ascii_control();
        let bare = layer.split(|byte| *byte == b';').next();
        let is_dots = bare.is_some_and(|bare| [&b"."[..], b".."].contains(&bare));
        if is_dots || layer.iter().any(special) {
            return Err(refused());
        }
        let decoded = decode_once(&layer);
        if decoded == layer {
            return Ok(());
        }
        layer = decoded;
    }
    Err(refused())
}

impl IdError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "give a value".to_owned(),
            Self::TooLong { .. } => format!("a value has at most {LONGEST} bytes"),
            Self::WrongPrefix {
                expected,
                shown,
                found,
            } => {
                let given = match found {
                    Some(IdKind::EmailAddress | IdKind::PhoneNumber) => {
                        "; the given one is that of an email address or a phone number".to_owned()
                    }
                    Some(kind) => format!("; the given one is that of {}", kind.noun()),
                    None if shown.contains('@') => {
                        "; the given value looks like an email address: look up the id first"
                            .to_owned()
                    }
                    None => String::new(),
                };
                format!(
                    "the id of {} starts with {}{given}",
                    expected.noun(),
                    expected.prefix()
                )
            }
            Self::InvalidCharacter { .. } => {
                "an id has only ASCII letters, digits, '_' and '-'".to_owned()
            }
            Self::NotOneSegment { .. } => {
                "it must not be '.' or '..', nor hold '/', '\\', '?', '#' or control characters, \
                 also not percent-encoded"
                    .to_owned()
            }
            Self::Parameter { source, .. } => source.hint(),
            Self::UnknownParameter { .. } => "use a name that the path has".to_owned(),
            Self::MissingParameter { name, .. } => format!("give a value for {name}"),
            Self::InvalidAddress { .. } => "give fewer or shorter values".to_owned(),
        }
    }

    /// What is wrong, without the hint.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Empty => "the value is empty".to_owned(),
            Self::TooLong { length } => format!("the value is too long ({length} bytes)"),
            Self::WrongPrefix {
                expected, shown, ..
            } => {
                format!("{shown} is not the id of {}", expected.noun())
            }
            Self::InvalidCharacter { shown } => {
                format!("the id {shown} has characters that no id has")
            }
            Self::NotOneSegment { shown } => {
                format!("{shown} cannot be one part of an address")
            }
            Self::Parameter { name, source } => format!("{name}: {}", source.cause()),
            Self::UnknownParameter { operation, name } => {
                format!("{operation}: the path has no parameter {}", quoted(name))
            }
            Self::MissingParameter { operation, name } => {
                format!("{operation}: the parameter {name} has no value")
            }
            Self::InvalidAddress { operation } => {
                format!("{operation}: path and query make no valid address")
            }
        }
    }
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.cause(), self.hint())
    }
}

impl std::error::Error for IdError {}
