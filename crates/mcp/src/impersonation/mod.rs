//! Acting as somebody else, on the record: Clerk's actor tokens, the sessions that they start, and a
//! tool over them.
//!
//! [`Impersonator`] checks who may act as whom, makes the actor token, and ends what it has started.
//! [`CallApiAs`] is the tool: one call of the owner's API as another person. Both need a [`Policy`]
//! that somebody has written down; there is no impersonation by default.
//!
//! * Every session names its actor (`act.sub` in its tokens) and carries the id of the impersonation
//!   (`act.impersonation`), which the audit rows name too.
//! * What is started is written to a [`Journal`] before Clerk hears of it, so that it can be ended
//!   whatever becomes of this process ([`Impersonator::revoke_all`]).
//! * Tickets and tokens are in no error, no audit row and no journal.

mod answer;
mod call_api_as;
mod ending;
mod error;
mod impersonator;
mod journal;
mod people;
mod policy;
mod record;

pub use call_api_as::{CallApiAs, CallApiAsParts};
pub use ending::Revoked;
pub use error::ImpersonationError;
pub use impersonator::{Background, Ended, Impersonation, Impersonator, Link, Order, Parts};
pub use journal::{Journal, JournalError, Started};
pub use policy::{DEFAULT_CEILING, LONGEST_CEILING, Policy, Reason};
