//! How requests leave the program.

use bytes::Bytes;

use crate::env::BoxFuture;

/// Sends one HTTP request and gives back the whole answer, whatever its status.
///
/// An implementation follows no redirects, repeats nothing and bounds both time and size.
pub trait Transport: Send + Sync {
    /// Sends `request`. An answer of any status is `Ok`.
    ///
    /// # Errors
    /// [`TransportError`] when no complete answer arrived.
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}

/// Why no complete answer arrived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// What kind of failure it was; retries depend on it.
    pub kind: TransportErrorKind,
    /// What happened, for people. Holds no secret: no header, no query, no body.
    pub message: String,
}

/// The kinds of [`TransportError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportErrorKind {
    /// No connection was made: the request surely did not run.
    Connect,
    /// The time was up. The request may have run.
    Timeout,
    /// The connection broke after the request had left. The request may have run.
    Interrupted,
    /// The answer was larger than the transport accepts. The request has run.
    BodyTooLarge,
    /// Anything else. The request may have run.
    Other,
}

impl TransportErrorKind {
    /// The error's code, in the style of Clerk's own codes.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Connect => "connection_failed",
            Self::Timeout => "timeout",
            Self::Interrupted => "connection_interrupted",
            Self::BodyTooLarge => "response_too_large",
            Self::Other => "transport_failed",
        }
    }
}
