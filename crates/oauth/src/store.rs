//! What the authorization server keeps, and the promises that its security rests on.

use std::time::Duration;

use crate::authorization::{Advanced, Authorization, AuthorizationFault, AuthorizationId, Step};
use crate::client::{Client, ClientId, Fingerprint};
use crate::environment::BoxFuture;
use crate::grant::{
    AccessTokenRecord, CodeFault, CodeRecord, Grant, GrantId, RedeemCode, RefreshFault,
    RefreshTokenRecord, RotateRefreshToken,
};
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::seal::Sealed;
use crate::time::Timestamp;
use crate::token::TokenHash;

/// How long an authorization stays after its end, so that a late visitor hears that it has expired.
pub const AUTHORIZATION_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long a code stays after its end, so that a replay is noticed.
pub const CODE_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long a client's metadata document stays after it went stale: as long as any grant lives.
pub const DOCUMENT_KEPT: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// How long a remembered consent counts: by default no grant lives longer either.
pub const CONSENT_KEPT: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// The result of a store's method; refusals are part of `T`.
pub type StoreResult<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps clients, authorizations, consents, grants and tokens.
///
/// # What security depends on
///
/// * **Each method is one atomic transition**: all of its effects happen or none, and concurrent
///   calls behave as if they ran one after the other. Where a method says "one wins", then of any
///   number of calls at the same moment, from any number of processes, exactly one does. A read
///   followed by a write in another transaction is a fault: a code could be redeemed twice.
/// * **The rules are not the store's.** It reads the rows, asks the pure function that the method's
///   text names ([`Authorization::advance`], [`CodeRecord::judge`], …) and writes what follows from
///   its verdict, all of it in one transaction. So no two stores can differ in a rule.
/// * What was written is there after a crash, once the method has answered.
/// * A store sees no token in the plain, and nothing that opens what is sealed.
///
/// `now` is the caller's; a store has no clock of its own. Something that expires at a moment is over
/// at that moment. Every store passes the suite in `contract` (feature `contract`).
pub trait Store: Send + Sync {
    // --- Clients ---------------------------------------------------------------------------------

    /// Keeps a client that registered itself. With a `fingerprint` it is idempotent: if a client
    /// with the same fingerprint lives at `now`, that one is given back, its `expires_at` moved to
    /// the later of both, and nothing else is kept. One wins among concurrent registrations. A
    /// client that expired does not count, and its fingerprint is free.
    fn register_client<'a>(
        &'a self,
        client: &'a Client,
        fingerprint: Option<Fingerprint>,
        now: Timestamp,
    ) -> StoreResult<'a, Registered>;

    /// A client that registered itself; `None` when it is unknown or has expired.
    fn client<'a>(&'a self, id: &'a ClientId, now: Timestamp) -> StoreResult<'a, Option<Client>>;

    /// Keeps a client's metadata document, in place of an earlier one of the same id.
    fn put_client_document<'a>(&'a self, document: &'a ClientDocument) -> StoreResult<'a, ()>;

    /// The metadata document kept for a client, fresh or stale.
    fn client_document<'a>(&'a self, id: &'a ClientId) -> StoreResult<'a, Option<ClientDocument>>;

    // --- Authorizations under way ----------------------------------------------------------------

    /// Keeps a new authorization. Its id is fresh.
    fn begin_authorization<'a>(&'a self, authorization: &'a Authorization) -> StoreResult<'a, ()>;

    /// An authorization as it is, expired or not; `None` when it is unknown or was swept. The caller
    /// checks browser and time with [`Authorization::check`].
    fn authorization<'a>(
        &'a self,
        id: &'a AuthorizationId,
    ) -> StoreResult<'a, Option<Authorization>>;

    /// Takes one step, by [`Authorization::advance`]: consent is given once, a `state` from Clerk
    /// works once. One wins among concurrent calls that would move; the others see what it did.
    /// [`AuthorizationFault::Unknown`] when there is no such authorization.
    fn advance_authorization<'a>(
        &'a self,
        id: &'a AuthorizationId,
        browser: TokenHash,
        step: &'a Step,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Advanced, AuthorizationFault>>;

    /// Finishes an authorization, by [`Authorization::finish`]: the stage becomes `Finished`, and
    /// the grant, its code and, if any, the remembered consent (in place of an earlier one for the
    /// same user, client, redirect URI and resource) are kept, in one transaction. One wins; when it
    /// is a repetition nothing is written.
    fn finish_sign_in<'a>(
        &'a self,
        finish: &'a FinishSignIn,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Advanced, AuthorizationFault>>;

    // --- Remembered consent ----------------------------------------------------------------------

    /// What a person has consented to before, for exactly this client, redirect URI and resource, whether
    /// it still [counts](RememberedConsent::counts) or not.
    fn remembered_consent<'a>(
        &'a self,
        key: &'a ConsentKey,
    ) -> StoreResult<'a, Option<RememberedConsent>>;

    /// All that a person has consented to, the newest first.
    fn remembered_consents<'a>(
        &'a self,
        user_id: &'a str,
    ) -> StoreResult<'a, Vec<RememberedConsent>>;

    /// Forgets a consent; whether there was one.
    fn forget_consent<'a>(&'a self, key: &'a ConsentKey) -> StoreResult<'a, bool>;

    /// Forgets everything that a person has consented to, for whoever there is no more; how much it was.
    fn forget_consents_of_user<'a>(&'a self, user_id: &'a str) -> StoreResult<'a, u64>;

    // --- Codes and tokens ------------------------------------------------------------------------

    /// A code and its grant, whatever their state; `None` when either is gone. It decides nothing:
    /// it is there to unwrap the grant's key. [`Store::redeem_code`] decides.
    fn code<'a>(&'a self, code: TokenHash) -> StoreResult<'a, Option<(CodeRecord, Grant)>>;

    /// Redeems a code, by [`CodeRecord::judge`]: marks it redeemed, keeps the access token and the
    /// refresh token (with no predecessor), and moves the `expires_at` of a registered client that
    /// has one to `client_kept_until` if that is later; gives back the grant. One wins among
    /// concurrent calls.
    ///
    /// On [`CodeFault::Replayed`] the grant is revoked, as [`Store::revoke_grant`] does, in the same
    /// transaction. Of two concurrent redemptions one therefore wins, and then the other revokes
    /// what it got. [`CodeFault::Unknown`] when there is no such code.
    fn redeem_code<'a>(
        &'a self,
        redeem: &'a RedeemCode,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Grant, Refused<CodeFault>>>;

    /// A refresh token and its grant, whatever their state; `None` when either is gone. It decides
    /// nothing, as [`Store::code`].
    fn refresh_token<'a>(
        &'a self,
        token: TokenHash,
    ) -> StoreResult<'a, Option<(RefreshTokenRecord, Grant)>>;

    /// Rotates a refresh token R(n), by [`RefreshTokenRecord::judge`]; gives back the grant.
    ///
    /// * The successor R(n+1) is kept with R(n) as its predecessor and becomes R(n)'s successor. If
    ///   it is kept already (R(n) comes again: its answer was lost, or two refreshes met), it stays
    ///   as it is, except that its `expires_at` becomes the later of both.
    /// * R(n)'s predecessor R(n−1), if it is kept and not dead, is dead from now on: its successor
    ///   has been presented.
    /// * The access token is kept, and a registered client moved as by [`Store::redeem_code`].
    ///
    /// So R(n) lives until R(n+1) is first presented, and any number of concurrent calls with R(n)
    /// make one rotation and no error. On [`RefreshFault::Replayed`] the grant is revoked, as
    /// [`Store::revoke_grant`] does, in the same transaction. [`RefreshFault::Unknown`] when there is
    /// no such token.
    fn rotate_refresh_token<'a>(
        &'a self,
        rotate: &'a RotateRefreshToken,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Grant, Refused<RefreshFault>>>;

    /// An access token and its grant; `None` when it is unknown or expired, or the grant revoked or
    /// over ([`Grant::is_live`]). Every request asks this: one read.
    fn access_token<'a>(
        &'a self,
        token: TokenHash,
        now: Timestamp,
    ) -> StoreResult<'a, Option<(AccessTokenRecord, Grant)>>;

    /// Revokes the grant of an access or refresh token (RFC 7009), as [`Store::revoke_grant`] does,
    /// if the grant is `client_id`'s; an expired or dead token works too. `None`, and nothing
    /// happened, when the token is unknown, another client's or its grant revoked already.
    fn revoke_token<'a>(
        &'a self,
        token: TokenHash,
        client_id: &'a ClientId,
        now: Timestamp,
    ) -> StoreResult<'a, Option<GrantId>>;

    /// Keeps that a client's assertion was used, until it is over anyway: `assertion` stands for its
    /// client and identifier. Whether this is its first use: one wins among concurrent calls.
    fn use_assertion(&self, assertion: TokenHash, until: Timestamp) -> StoreResult<'_, bool>;

    // --- Grants ----------------------------------------------------------------------------------

    /// A grant, revoked or not; `None` when it is unknown or was swept.
    fn grant<'a>(&'a self, id: &'a GrantId) -> StoreResult<'a, Option<Grant>>;

    /// Revokes a grant: `revoked_at` is set, what it kept sealed is deleted, and so are all of its
    /// codes, access and refresh tokens. Whether it was live until now: one wins.
    fn revoke_grant<'a>(&'a self, id: &'a GrantId, now: Timestamp) -> StoreResult<'a, bool>;

    /// Keeps what Clerk gave anew, if the grant is live and `upstream_version` still is
    /// `expected_version`; it counts up by one. One wins.
    fn update_upstream<'a>(
        &'a self,
        id: &'a GrantId,
        expected_version: u64,
        upstream: &'a Sealed,
        now: Timestamp,
    ) -> StoreResult<'a, UpstreamUpdate>;

    /// The live grants of a person, the newest first.
    fn grants_of_user<'a>(
        &'a self,
        user_id: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Vec<Grant>>;

    // --- Records and upkeep ----------------------------------------------------------------------

    /// Whether the store can do its work now, reading and writing: for a readiness probe. It writes
    /// something to the disk and takes it back, as one change, after the writes that are waiting: ask it
    /// now and then, and not for every probe.
    fn check(&self) -> StoreResult<'_, ()>;

    /// Appends to the audit log, all of it or nothing, in this order.
    fn append_audit<'a>(&'a self, records: &'a [AuditRecord]) -> StoreResult<'a, ()>;

    /// Deletes audit records from before `before`, and counts them. A call may delete a part only, to
    /// be short: nothing is left to delete when it gives 0.
    fn sweep_audit(&self, before: Timestamp) -> StoreResult<'_, u64>;

    /// Deletes what nobody can use any more, and counts it:
    ///
    /// * access and refresh tokens that have expired. Dead refresh tokens stay until then, or their
    ///   replay would go unnoticed;
    /// * codes that expired [`CODE_KEPT`] ago;
    /// * assertions that were used and are over;
    /// * grants that have expired, and grants without any token left: no access token, no refresh
    ///   token, no code. Codes and tokens go with their grant;
    /// * authorizations that expired [`AUTHORIZATION_KEPT`] ago;
    /// * registered clients that have expired, with the consents remembered for them;
    /// * metadata documents that went stale [`DOCUMENT_KEPT`] ago, with the consents remembered for
    ///   their clients;
    /// * consents that were remembered [`CONSENT_KEPT`] ago: people and clients who never come back leave
    ///   none.
    ///
    /// A call may delete a part only, to be short; then it says so, and the next one goes on.
    fn sweep(&self, now: Timestamp) -> StoreResult<'_, Swept>;
}

/// What [`Store::register_client`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one is made for each registration, and taken apart"
)]
pub enum Registered {
    /// The client is kept.
    New,
    /// The same document was registered before, as this client.
    Existing(Client),
}

/// A client whose identifier is the URL of its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDocument {
    /// What the document says.
    pub client: Client,
    /// Until when it may be used without asking again.
    pub fresh_until: Timestamp,
}

/// Everything that [`Store::finish_sign_in`] keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishSignIn {
    /// Which authorization.
    pub authorization: AuthorizationId,
    /// The hash of the browser's secret.
    pub browser: TokenHash,
    /// The new grant.
    pub grant: Grant,
    /// Its code.
    pub code: CodeRecord,
    /// The consent to remember.
    pub remember: Option<RememberedConsent>,
}

/// What a remembered consent is bound to, apart from its scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsentKey {
    /// Clerk's id of the user.
    pub user_id: String,
    /// The client.
    pub client_id: ClientId,
    /// The redirect URI, exactly as it was sent.
    pub redirect_uri: String,
    /// The canonical resource identifier ([`Resource::as_str`]).
    pub resource: String,
}

impl ConsentKey {
    /// The key of a person's consent to a request.
    pub fn new(
        user_id: impl Into<String>,
        client_id: ClientId,
        redirect_uri: impl Into<String>,
        resource: &Resource,
    ) -> Self {
        Self {
            user_id: user_id.into(),
            client_id,
            redirect_uri: redirect_uri.into(),
            resource: resource.as_str().to_owned(),
        }
    }
}

/// A consent that a person asked to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RememberedConsent {
    /// To whom and what it is bound.
    pub key: ConsentKey,
    /// What was approved.
    pub scopes: ScopeSet,
    /// When.
    pub remembered_at: Timestamp,
}

impl RememberedConsent {
    /// Whether it counts `now`: not for longer than [`CONSENT_KEPT`].
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> bool {
        !self.remembered_at.after(CONSENT_KEPT).has_passed(now)
    }

    /// Whether these scopes need no further question `now`.
    pub(crate) fn covers(&self, scopes: &ScopeSet, now: Timestamp) -> bool {
        self.counts(now) && self.scopes.covers(scopes)
    }
}

/// Why a store refused, and the grant that ended by it, if one did. Whoever holds streams or caches
/// for that grant is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused<F> {
    /// Why.
    pub fault: F,
    /// The grant that was revoked in the same transaction.
    pub revoked: Option<GrantId>,
}

impl<F> Refused<F> {
    /// A refusal that changed nothing.
    pub fn unchanged(fault: F) -> Self {
        Self {
            fault,
            revoked: None,
        }
    }

    /// A refusal that revoked a grant.
    pub fn revoking(fault: F, grant: GrantId) -> Self {
        Self {
            fault,
            revoked: Some(grant),
        }
    }
}

/// What [`Store::update_upstream`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamUpdate {
    /// It is kept, under this version.
    Updated {
        /// The new `upstream_version`.
        version: u64,
    },
    /// Somebody else was first: another version is kept.
    Conflict,
    /// The grant is not live.
    Gone,
}

/// One row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// When it happened.
    pub at: Timestamp,
    /// What happened; secrets are redacted already.
    pub record: serde_json::Value,
}

/// How much [`Store::sweep`] deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Registered clients.
    pub clients: u64,
    /// Metadata documents.
    pub client_documents: u64,
    /// Authorizations.
    pub authorizations: u64,
    /// Codes.
    pub codes: u64,
    /// Access tokens.
    pub access_tokens: u64,
    /// Refresh tokens.
    pub refresh_tokens: u64,
    /// Used assertions.
    pub assertions: u64,
    /// Consents whose own time was over.
    pub consents: u64,
    /// Grants.
    pub grants: u64,
    /// Whether there is more to delete.
    pub more: bool,
}

/// Why a store could not answer. Whether a write happened is unknown then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The backend is not there, or too busy. Later it may work.
    #[error("the store is not available: {message}")]
    Unavailable {
        /// What happened, for operators. Holds no secret.
        message: String,
    },
    /// What it holds cannot be understood. Waiting does not help.
    #[error(
        "the store holds something unreadable: {message}\nhint: was it written by a newer version?"
    )]
    Corrupt {
        /// What is wrong, for operators. Holds no secret.
        message: String,
    },
}
