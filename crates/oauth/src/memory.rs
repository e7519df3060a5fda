//! A store in memory, for tests, for demonstrations, and as the reference of what the others do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::authorization::{Advanced, Authorization, AuthorizationFault, AuthorizationId, Step};
use crate::client::{Client, ClientId, Fingerprint};
use crate::grant::{
    AccessTokenRecord, CodeFault, CodeRecord, Grant, GrantId, NewRefreshToken, RedeemCode,
    RefreshFault, RefreshTokenRecord, RotateRefreshToken,
};
use crate::seal::Sealed;
use crate::store::{
    AUTHORIZATION_KEPT, AuditRecord, CODE_KEPT, ClientDocument, ConsentKey, DOCUMENT_KEPT,
    FinishSignIn, Refused, Registered, RememberedConsent, Store, StoreError, StoreResult, Swept,
    UpstreamUpdate,
};
use crate::time::Timestamp;
use crate::token::TokenHash;

/// Keeps everything in memory, behind one lock: every method is atomic because none runs beside
/// another. What it keeps ends with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    clients: HashMap<ClientId, (Client, Option<Fingerprint>)>,
    documents: HashMap<ClientId, ClientDocument>,
    authorizations: HashMap<AuthorizationId, Authorization>,
    consents: HashMap<ConsentKey, RememberedConsent>,
    grants: HashMap<GrantId, Grant>,
    codes: HashMap<TokenHash, CodeRecord>,
    refresh_tokens: HashMap<TokenHash, RefreshTokenRecord>,
    access_tokens: HashMap<TokenHash, AccessTokenRecord>,
    /// Until when each used assertion is kept.
    assertions: HashMap<TokenHash, Timestamp>,
    audit: Vec<AuditRecord>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The audit log, in order.
    pub fn audit_log(&self) -> Vec<AuditRecord> {
        self.tables().audit.clone()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No method panics half way, so a poisoned lock still guards whole tables.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one atomic transition.
    fn run<'a, T: Send + 'a>(
        &'a self,
        transition: impl FnOnce(&mut Tables) -> T + Send + 'a,
    ) -> StoreResult<'a, T> {
        Box::pin(async move { Ok::<T, StoreError>(transition(&mut self.tables())) })
    }
}

impl Store for MemoryStore {
    fn register_client<'a>(
        &'a self,
        client: &'a Client,
        fingerprint: Option<Fingerprint>,
        now: Timestamp,
    ) -> StoreResult<'a, Registered> {
        self.run(move |tables| {
            tables.forget_expired_clients(now);
            let same = tables
                .clients
                .values_mut()
                .find(|(_, earlier)| fingerprint.is_some() && *earlier == fingerprint);
            if let Some((existing, _)) = same {
                existing.expires_at = later_end(existing.expires_at, client.expires_at);
                return Registered::Existing(existing.clone());
            }
            tables
                .clients
                .insert(client.id.clone(), (client.clone(), fingerprint));
            Registered::New
        })
    }

    fn client<'a>(&'a self, id: &'a ClientId, now: Timestamp) -> StoreResult<'a, Option<Client>> {
        self.run(move |tables| {
            let (client, _) = tables.clients.get(id)?;
            is_kept(client, now).then(|| client.clone())
        })
    }

    fn put_client_document<'a>(&'a self, document: &'a ClientDocument) -> StoreResult<'a, ()> {
        self.run(move |tables| {
            tables
                .documents
                .insert(document.client.id.clone(), document.clone());
        })
    }

    fn client_document<'a>(&'a self, id: &'a ClientId) -> StoreResult<'a, Option<ClientDocument>> {
        self.run(move |tables| tables.documents.get(id).cloned())
    }

    fn begin_authorization<'a>(&'a self, authorization: &'a Authorization) -> StoreResult<'a, ()> {
        self.run(move |tables| {
            tables
                .authorizations
                .insert(authorization.id.clone(), authorization.clone());
        })
    }

    fn authorization<'a>(
        &'a self,
        id: &'a AuthorizationId,
    ) -> StoreResult<'a, Option<Authorization>> {
        self.run(move |tables| tables.authorizations.get(id).cloned())
    }

    fn advance_authorization<'a>(
        &'a self,
        id: &'a AuthorizationId,
        browser: TokenHash,
        step: &'a Step,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Advanced, AuthorizationFault>> {
        self.run(move |tables| {
            let current = tables
                .authorizations
                .get_mut(id)
                .ok_or(AuthorizationFault::Unknown)?;
            let advanced = current.advance(step, browser, now)?;
            if let Advanced::Moved(next) = &advanced {
                *current = next.clone();
            }
            Ok(advanced)
        })
    }

    fn finish_sign_in<'a>(
        &'a self,
        finish: &'a FinishSignIn,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Advanced, AuthorizationFault>> {
        self.run(move |tables| {
            let id = &finish.authorization;
            let current = tables
                .authorizations
                .get_mut(id)
                .ok_or(AuthorizationFault::Unknown)?;
            let advanced = current.finish(finish.code.hash, finish.browser, now)?;
            if let Advanced::Moved(next) = &advanced {
                *current = next.clone();
                tables
                    .grants
                    .insert(finish.grant.id.clone(), finish.grant.clone());
                tables.codes.insert(finish.code.hash, finish.code.clone());
                if let Some(consent) = &finish.remember {
                    tables.consents.insert(consent.key.clone(), consent.clone());
                }
            }
            Ok(advanced)
        })
    }

    fn remembered_consent<'a>(
        &'a self,
        key: &'a ConsentKey,
    ) -> StoreResult<'a, Option<RememberedConsent>> {
        self.run(move |tables| tables.consents.get(key).cloned())
    }

    fn remembered_consents<'a>(
        &'a self,
        user_id: &'a str,
    ) -> StoreResult<'a, Vec<RememberedConsent>> {
        self.run(move |tables| {
            let of_user = |consent: &&RememberedConsent| consent.key.user_id == user_id;
            let mut consents: Vec<_> = tables.consents.values().filter(of_user).cloned().collect();
            consents.sort_by(|one, other| {
                (other.remembered_at, &one.key).cmp(&(one.remembered_at, &other.key))
            });
            consents
        })
    }

    fn forget_consent<'a>(&'a self, key: &'a ConsentKey) -> StoreResult<'a, bool> {
        self.run(move |tables| tables.consents.remove(key).is_some())
    }

    fn forget_consents_of_user<'a>(&'a self, user_id: &'a str) -> StoreResult<'a, u64> {
        self.run(move |tables| {
            let before = tables.consents.len();
            tables.consents.retain(|key, _| key.user_id != user_id);
            (before - tables.consents.len()) as u64
        })
    }

    fn code<'a>(&'a self, code: TokenHash) -> StoreResult<'a, Option<(CodeRecord, Grant)>> {
        self.run(move |tables| {
            let record = tables.codes.get(&code)?;
            Some((record.clone(), tables.grants.get(&record.grant_id)?.clone()))
        })
    }

    fn redeem_code<'a>(
        &'a self,
        redeem: &'a RedeemCode,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Grant, Refused<CodeFault>>> {
        self.run(move |tables| {
            let unknown = || Refused::unchanged(CodeFault::Unknown);
            let record = tables.codes.get_mut(&redeem.code).ok_or_else(unknown)?;
            let grant = tables
                .grants
                .get(&record.grant_id)
                .ok_or_else(unknown)?
                .clone();
            match record.judge(redeem, &grant, now) {
                Ok(()) => {}
                Err(CodeFault::Replayed) => {
                    tables.revoke(&grant.id, now);
                    return Err(Refused::revoking(CodeFault::Replayed, grant.id));
                }
                Err(fault) => return Err(Refused::unchanged(fault)),
            }
            record.redeemed_at = Some(now);
            if let Some(refresh) = &redeem.refresh {
                tables.keep_refresh_token(refresh, &grant.id, None);
            }
            tables
                .access_tokens
                .insert(redeem.access.hash, redeem.access.clone());
            tables.keep_client(&grant.client_id, redeem.client_kept_until);
            Ok(grant)
        })
    }

    fn refresh_token<'a>(
        &'a self,
        token: TokenHash,
    ) -> StoreResult<'a, Option<(RefreshTokenRecord, Grant)>> {
        self.run(move |tables| {
            let record = tables.refresh_tokens.get(&token)?;
            Some((record.clone(), tables.grants.get(&record.grant_id)?.clone()))
        })
    }

    fn rotate_refresh_token<'a>(
        &'a self,
        rotate: &'a RotateRefreshToken,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Grant, Refused<RefreshFault>>> {
        self.run(move |tables| {
            let unknown = || Refused::unchanged(RefreshFault::Unknown);
            let record = tables
                .refresh_tokens
                .get_mut(&rotate.presented)
                .ok_or_else(unknown)?;
            let grant = tables
                .grants
                .get(&record.grant_id)
                .ok_or_else(unknown)?
                .clone();
            match record.judge(rotate, &grant, now) {
                Ok(()) => {}
                Err(RefreshFault::Replayed) => {
                    tables.revoke(&grant.id, now);
                    return Err(Refused::revoking(RefreshFault::Replayed, grant.id));
                }
                Err(fault) => return Err(Refused::unchanged(fault)),
            }
            record.successor = Some(rotate.successor.hash);
            let predecessor = record.predecessor;
            if let Some(dying) = predecessor.and_then(|hash| tables.refresh_tokens.get_mut(&hash)) {
                dying.dead_since.get_or_insert(now);
            }
            tables.keep_refresh_token(&rotate.successor, &grant.id, Some(rotate.presented));
            tables
                .access_tokens
                .insert(rotate.access.hash, rotate.access.clone());
            tables.keep_client(&grant.client_id, rotate.client_kept_until);
            Ok(grant)
        })
    }

    fn access_token<'a>(
        &'a self,
        token: TokenHash,
        now: Timestamp,
    ) -> StoreResult<'a, Option<(AccessTokenRecord, Grant)>> {
        self.run(move |tables| {
            let record = tables.access_tokens.get(&token)?;
            let grant = tables.grants.get(&record.grant_id)?;
            let live = grant.is_live(now) && !record.expires_at.has_passed(now);
            live.then(|| (record.clone(), grant.clone()))
        })
    }

    fn revoke_token<'a>(
        &'a self,
        token: TokenHash,
        client_id: &'a ClientId,
        now: Timestamp,
    ) -> StoreResult<'a, Option<GrantId>> {
        self.run(move |tables| {
            let access = tables
                .access_tokens
                .get(&token)
                .map(|record| &record.grant_id);
            let refresh = tables
                .refresh_tokens
                .get(&token)
                .map(|record| &record.grant_id);
            let grant = tables.grants.get(access.or(refresh)?)?;
            let id = (grant.client_id == *client_id).then(|| grant.id.clone())?;
            tables.revoke(&id, now).then_some(id)
        })
    }

    fn use_assertion(&self, assertion: TokenHash, until: Timestamp) -> StoreResult<'_, bool> {
        self.run(move |tables| match tables.assertions.entry(assertion) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(until);
                true
            }
        })
    }

    fn grant<'a>(&'a self, id: &'a GrantId) -> StoreResult<'a, Option<Grant>> {
        self.run(move |tables| tables.grants.get(id).cloned())
    }

    fn revoke_grant<'a>(&'a self, id: &'a GrantId, now: Timestamp) -> StoreResult<'a, bool> {
        self.run(move |tables| tables.revoke(id, now))
    }

    fn update_upstream<'a>(
        &'a self,
        id: &'a GrantId,
        expected_version: u64,
        upstream: &'a Sealed,
        now: Timestamp,
    ) -> StoreResult<'a, UpstreamUpdate> {
        self.run(move |tables| {
            let Some(grant) = tables.grants.get_mut(id).filter(|grant| grant.is_live(now)) else {
                return UpstreamUpdate::Gone;
            };
            if grant.upstream_version != expected_version {
                return UpstreamUpdate::Conflict;
            }
            grant.upstream = Some(upstream.clone());
            grant.upstream_version += 1;
            UpstreamUpdate::Updated {
                version: grant.upstream_version,
            }
        })
    }

    fn grants_of_user<'a>(
        &'a self,
        user_id: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Vec<Grant>> {
        self.run(move |tables| {
            let live = |grant: &&Grant| grant.user_id == user_id && grant.is_live(now);
            let mut grants: Vec<_> = tables.grants.values().filter(live).cloned().collect();
            grants.sort_by(|one, other| {
                (other.created_at, &one.id).cmp(&(one.created_at, &other.id))
            });
            grants
        })
    }

    fn check(&self) -> StoreResult<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn append_audit<'a>(&'a self, records: &'a [AuditRecord]) -> StoreResult<'a, ()> {
        self.run(move |tables| tables.audit.extend_from_slice(records))
    }

    fn sweep_audit(&self, before: Timestamp) -> StoreResult<'_, u64> {
        self.run(move |tables| {
            let earlier = tables.audit.len();
            tables.audit.retain(|record| record.at >= before);
            (earlier - tables.audit.len()) as u64
        })
    }

    fn sweep(&self, now: Timestamp) -> StoreResult<'_, Swept> {
        self.run(move |tables| tables.sweep(now))
    }
}

impl Tables {
    /// Whether the grant was live until now.
    fn revoke(&mut self, id: &GrantId, now: Timestamp) -> bool {
        let Some(grant) = self.grants.get_mut(id).filter(|grant| grant.is_live(now)) else {
            return false;
        };
        grant.revoked_at = Some(now);
        grant.upstream = None;
        self.codes.retain(|_, record| record.grant_id != *id);
        self.refresh_tokens
            .retain(|_, record| record.grant_id != *id);
        self.access_tokens
            .retain(|_, record| record.grant_id != *id);
        true
    }

    fn keep_refresh_token(
        &mut self,
        new: &NewRefreshToken,
        grant: &GrantId,
        predecessor: Option<TokenHash>,
    ) {
        let kept = self
            .refresh_tokens
            .entry(new.hash)
            .or_insert_with(|| RefreshTokenRecord {
                hash: new.hash,
                grant_id: grant.clone(),
                predecessor,
                successor: None,
                wrapped: new.wrapped.clone(),
                expires_at: new.expires_at,
                dead_since: None,
            });
        kept.expires_at = kept.expires_at.max(new.expires_at);
    }

    fn keep_client(&mut self, id: &ClientId, until: Timestamp) {
        if let Some((client, _)) = self.clients.get_mut(id) {
            client.expires_at = later_end(client.expires_at, Some(until));
        }
    }

    /// How many clients had expired. What was remembered for them goes with them.
    fn forget_expired_clients(&mut self, now: Timestamp) -> u64 {
        let Self {
            clients, consents, ..
        } = self;
        consents.retain(|key, _| {
            clients
                .get(&key.client_id)
                .is_none_or(|(client, _)| is_kept(client, now))
        });
        sweep(clients, |(client, _)| !is_kept(client, now))
    }

    /// How many documents nobody has used for long. What was remembered for their clients goes with them.
    fn forget_stale_documents(&mut self, now: Timestamp) -> u64 {
        let Self {
            documents,
            consents,
            ..
        } = self;
        let is_over =
            |document: &ClientDocument| document.fresh_until.after(DOCUMENT_KEPT).has_passed(now);
        consents.retain(|key, _| !documents.get(&key.client_id).is_some_and(is_over));
        sweep(documents, is_over)
    }

    fn sweep(&mut self, now: Timestamp) -> Swept {
        let mut swept = Swept {
            access_tokens: sweep(&mut self.access_tokens, |token| {
                token.expires_at.has_passed(now)
            }),
            refresh_tokens: sweep(&mut self.refresh_tokens, |token| {
                token.expires_at.has_passed(now)
            }),
            codes: sweep(&mut self.codes, |code| {
                code.expires_at.after(CODE_KEPT).has_passed(now)
            }),
            assertions: sweep(&mut self.assertions, |until| until.has_passed(now)),
            consents: sweep(&mut self.consents, |consent| !consent.counts(now)),
            authorizations: sweep(&mut self.authorizations, |authorization| {
                authorization
                    .expires_at
                    .after(AUTHORIZATION_KEPT)
                    .has_passed(now)
            }),
            clients: self.forget_expired_clients(now),
            client_documents: self.forget_stale_documents(now),
            ..Swept::default()
        };
        let Self {
            grants,
            codes,
            refresh_tokens,
            access_tokens,
            ..
        } = self;
        swept.grants = sweep(grants, |grant| {
            grant.expires_at.has_passed(now)
                || !(codes.values().any(|record| record.grant_id == grant.id)
                    || refresh_tokens
                        .values()
                        .any(|record| record.grant_id == grant.id)
                    || access_tokens
                        .values()
                        .any(|record| record.grant_id == grant.id))
        });
        swept.codes += sweep(codes, |record| !grants.contains_key(&record.grant_id));
        swept.refresh_tokens += sweep(refresh_tokens, |record| {
            !grants.contains_key(&record.grant_id)
        });
        swept.access_tokens += sweep(access_tokens, |record| {
            !grants.contains_key(&record.grant_id)
        });
        swept
    }
}

/// Deletes the rows that are `over`, and counts them.
fn sweep<K: std::hash::Hash + Eq, V>(table: &mut HashMap<K, V>, over: impl Fn(&V) -> bool) -> u64 {
    let before = table.len();
    table.retain(|_, row| !over(row));
    (before - table.len()) as u64
}

fn is_kept(client: &Client, now: Timestamp) -> bool {
    client.expires_at.is_none_or(|end| !end.has_passed(now))
}

/// The later of two ends, `None` being no end at all.
fn later_end(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.zip(other).map(|(one, other)| one.max(other))
}
