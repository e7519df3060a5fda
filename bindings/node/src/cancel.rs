use napi_derive::napi;
use tokio_util::sync::CancellationToken;

/// Ends a running call: what an `AbortSignal` is wired to.
#[napi]
#[derive(Debug, Default)]
pub struct Cancel {
    token: CancellationToken,
}

#[napi]
impl Cancel {
    /// A handle for one call.
    #[napi(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the call it was given to. Nothing more is sent to Clerk.
    #[napi]
    pub fn cancel(&self) {
        self.token.cancel();
    }

    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}
