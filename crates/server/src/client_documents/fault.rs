//! Why no document came.

use std::error::Error;

use oauth::FetchFault;

/// Why no document came. Said to whoever asked, so that nothing is in it of what this server's
/// network or name lookup is like.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    #[error("its URL is not `https` with a host, or has a user name or password")]
    Url,
    #[error("its host has no address\nhint: is the name in the public DNS?")]
    Unresolved,
    #[error(
        "its host is not on the public internet\nhint: every address of the host must be public"
    )]
    NotPublic,
    #[error("its host could not be reached ({cause})")]
    Unreachable { cause: String },
    #[error("its host did not send it within {seconds} s")]
    Timeout { seconds: f32 },
    #[error(
        "its host answered with status {status}\nhint: status 200 is needed; redirects are not followed"
    )]
    Status { status: u16 },
    #[error("it is not served as JSON\nhint: `Content-Type: application/json`")]
    ContentType,
    #[error("it is served compressed, though that was not asked for")]
    Encoded,
    #[error("it is larger than {kilobytes} KB")]
    TooLarge { kilobytes: usize },
    #[error("too many documents are being fetched now\nhint: try again in a few seconds")]
    Busy,
    #[error("this server cannot make TLS connections\nhint: its log says why")]
    SetUp,
}

impl Fault {
    /// What a failed request means. The messages of the client name the URL and what it connected
    /// to; the innermost cause does not.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let fault = causes(error).find_map(|cause| cause.downcast_ref::<Self>());
        fault.cloned().unwrap_or_else(|| Self::Unreachable {
            cause: innermost(error),
        })
    }

    /// Whether the same may come later, without anybody changing what is wrong.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Unresolved
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Busy
            | Self::SetUp => true,
            Self::Status { status } => matches!(status, 408 | 429 | 500..),
            Self::Url
            | Self::NotPublic
            | Self::ContentType
            | Self::Encoded
            | Self::TooLarge { .. } => false,
        }
    }
}

/// The end of the chain of causes, such as `Connection refused (os error 111)`.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let last = causes(error).last();
    last.map(ToString::to_string).unwrap_or_default()
}

/// An error and its causes.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

impl From<Fault> for FetchFault {
    fn from(fault: Fault) -> Self {
        Self {
            message: fault.to_string(),
            is_temporary: fault.is_temporary(),
        }
    }
}
