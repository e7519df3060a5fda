//! A token of Clerk's that is being used, where Clerk is the authorization server. Only that it ends is
//! known of it: the token itself is not within reach of what calls the owner's API.

use std::fmt;

use crate::ended::GrantEnd;

/// A token that was just found good. It lives as long as its principal is kept or a call of it runs.
pub(crate) struct TokenInUse {
    ended: GrantEnd,
}

impl fmt::Debug for TokenInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenInUse").finish_non_exhaustive()
    }
}

impl TokenInUse {
    /// One that ends with this.
    pub(crate) fn new(ended: GrantEnd) -> Self {
        Self { ended }
    }

    /// Cancelled when the token is over, or its person may not be signed in any more.
    pub(super) fn ended(&self) -> &GrantEnd {
        &self.ended
    }
}
