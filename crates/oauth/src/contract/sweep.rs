//! What a sweep deletes, and above all what it keeps; the audit log.

use std::time::Duration;

use serde_json::json;

use crate::grant::{CodeFault, RedeemCode, RefreshFault};
use crate::store::{
    AUTHORIZATION_KEPT, AuditRecord, CODE_KEPT, CONSENT_KEPT, ClientDocument, DOCUMENT_KEPT,
    RememberedConsent, Store, Swept,
};
use crate::time::Timestamp;

use super::Subject;
use super::consents::remember;
use super::rows::{
    DAY, MINUTE, START, access, authorization, client, client_id, code, consent, counts, grant,
    hash, is_live, keep, keep_grant, keep_redeemed, redeem, refresh_name, rotate,
};

const INSTANT: Duration = Duration::from_millis(1);

/// Sweeps until nothing is left to sweep.
pub(super) async fn sweep(store: &dyn Store, now: Timestamp) -> Swept {
    let mut all = Swept::default();
    loop {
        let swept = store.sweep(now).await.unwrap();
        all.clients += swept.clients;
        all.client_documents += swept.client_documents;
        all.authorizations += swept.authorizations;
        all.codes += swept.codes;
        all.access_tokens += swept.access_tokens;
        all.refresh_tokens += swept.refresh_tokens;
        all.assertions += swept.assertions;
        all.consents += swept.consents;
        all.grants += swept.grants;
        if !swept.more {
            return all;
        }
    }
}

pub(super) async fn sweeping_keeps_what_is_live(subject: &Subject) {
    let store = &*subject.store;
    store
        .register_client(&client("client"), None, START)
        .await
        .unwrap();
    keep(store, "with a code").await;
    keep_redeemed(store, "g").await;
    let begun = authorization("begun");
    store.begin_authorization(&begun).await.unwrap();
    assert_eq!(sweep(store, START).await, Swept::default());
    assert!(
        store
            .client(&client_id("client"), START)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.authorization(&begun.id).await, Ok(Some(begun)));
    let redeemed = store
        .redeem_code(&redeem("with a code", START), START)
        .await
        .unwrap();
    assert!(redeemed.is_ok());
    assert!(counts(store, "access of g", START).await);
    // The access token and the code are gone long since; the refresh token keeps the grant.
    let later = START.after(29 * DAY);
    sweep(store, later).await;
    let rotated = store
        .rotate_refresh_token(&rotate("g", 0, "new", later), later)
        .await
        .unwrap();
    assert!(rotated.is_ok());
}

pub(super) async fn sweeping_deletes_expired_tokens_and_their_grants(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let swept = sweep(store, START.after(15 * MINUTE)).await;
    assert_eq!(
        (swept.access_tokens, swept.refresh_tokens, swept.grants),
        (1, 0, 0)
    );
    let end = START.after(30 * DAY);
    assert_eq!(sweep(store, end.before(INSTANT)).await.refresh_tokens, 0);
    let swept = sweep(store, end).await;
    assert_eq!(
        (swept.refresh_tokens, swept.grants),
        (1, 1),
        "nothing opens the grant any more"
    );
    assert_eq!(store.grant(&grant("g").id).await, Ok(None));
    assert_eq!(
        store.refresh_token(hash(&refresh_name("g", 0))).await,
        Ok(None)
    );

    let mut short = grant("short");
    short.expires_at = START.after(DAY);
    keep_grant(store, &short, &code("short")).await;
    store
        .redeem_code(&redeem("short", START), START)
        .await
        .unwrap()
        .unwrap();
    let swept = sweep(store, short.expires_at).await;
    assert_eq!(
        (swept.refresh_tokens, swept.grants),
        (1, 1),
        "tokens go with their grant"
    );
}

pub(super) async fn sweeping_keeps_dead_refresh_tokens_until_they_expire(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for n in [0, 1] {
        let now = START.after(DAY);
        let rotate = rotate("g", n, &format!("access {n}"), now);
        store
            .rotate_refresh_token(&rotate, now)
            .await
            .unwrap()
            .unwrap();
    }
    let now = START.after(30 * DAY).before(INSTANT);
    sweep(store, now).await;
    let replay = rotate("g", 0, "replayed", now);
    let refused = store.rotate_refresh_token(&replay, now).await.unwrap();
    assert_eq!(
        refused.map_err(|refused| refused.fault),
        Err(RefreshFault::Replayed)
    );
}

pub(super) async fn sweeping_keeps_codes_so_that_replays_are_noticed(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    keep_redeemed(store, "h").await;
    let end = code("g").expires_at.after(CODE_KEPT);
    let now = end.before(INSTANT);
    assert_eq!(sweep(store, now).await.codes, 0);
    let replay = RedeemCode {
        access: access("new", "g", now),
        ..redeem("g", now)
    };
    let refused = store.redeem_code(&replay, now).await.unwrap();
    assert_eq!(
        refused.map_err(|refused| refused.fault),
        Err(CodeFault::Replayed)
    );
    assert_eq!(
        sweep(store, end).await.codes,
        1,
        "the other one; the first went when revoked"
    );
    assert!(is_live(store, "h", end).await);
}

pub(super) async fn sweeping_deletes_grants_whose_code_was_never_redeemed(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    let end = code("g").expires_at.after(CODE_KEPT);
    assert_eq!(sweep(store, end.before(INSTANT)).await.grants, 0);
    let swept = sweep(store, end).await;
    assert_eq!((swept.codes, swept.grants), (1, 1));
    assert_eq!(store.grant(&grant("g").id).await, Ok(None));
}

pub(super) async fn sweeping_deletes_revoked_grants(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    store.revoke_grant(&grant("g").id, START).await.unwrap();
    assert_eq!(sweep(store, START).await.grants, 1);
    assert_eq!(store.grant(&grant("g").id).await, Ok(None));
}

pub(super) async fn sweeping_keeps_authorizations_a_while(subject: &Subject) {
    let store = &*subject.store;
    let begun = authorization("begun");
    store.begin_authorization(&begun).await.unwrap();
    let end = begun.expires_at.after(AUTHORIZATION_KEPT);
    assert_eq!(sweep(store, end.before(INSTANT)).await.authorizations, 0);
    assert_eq!(
        store.authorization(&begun.id).await,
        Ok(Some(begun.clone()))
    );
    assert_eq!(sweep(store, end).await.authorizations, 1);
    assert_eq!(store.authorization(&begun.id).await, Ok(None));
}

pub(super) async fn sweeping_deletes_expired_clients_and_their_consents(subject: &Subject) {
    let store = &*subject.store;
    let registered = client("client");
    store
        .register_client(&registered, None, START)
        .await
        .unwrap();
    let mut kept = client("kept");
    kept.expires_at = None;
    store.register_client(&kept, None, START).await.unwrap();
    for (name, of_client) in [
        ("a", "client"),
        ("b", "kept"),
        ("c", "configured elsewhere"),
    ] {
        let mut consent = consent("user_1", "tools:read");
        consent.key.client_id = client_id(of_client);
        remember(store, name, &consent).await;
    }
    let end = registered.expires_at.unwrap();
    assert_eq!(sweep(store, end.before(INSTANT)).await.clients, 0);
    assert_eq!(store.remembered_consents("user_1").await.unwrap().len(), 3);
    assert_eq!(sweep(store, end).await.clients, 1);
    let consents = store.remembered_consents("user_1").await.unwrap();
    let mut left: Vec<_> = consents
        .iter()
        .map(|consent| consent.key.client_id.as_str())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["configured elsewhere", "kept"]);
    assert_eq!(store.client(&kept.id, end).await, Ok(Some(kept)));
}

fn document(url: &str, fresh_until: Timestamp) -> ClientDocument {
    ClientDocument {
        client: crate::Client {
            id: client_id(url),
            expires_at: None,
            ..client("x")
        },
        fresh_until,
    }
}

pub(super) async fn sweeping_keeps_stale_documents_a_while(subject: &Subject) {
    let store = &*subject.store;
    let document = document("https://app.example.com/client.json", START);
    let id = document.client.id.clone();
    store.put_client_document(&document).await.unwrap();
    let end = START.after(DOCUMENT_KEPT);
    assert_eq!(sweep(store, end.before(INSTANT)).await.client_documents, 0);
    assert_eq!(store.client_document(&id).await, Ok(Some(document)));
    assert_eq!(sweep(store, end).await.client_documents, 1);
    assert_eq!(store.client_document(&id).await, Ok(None));
}

pub(super) async fn sweeping_deletes_stale_documents_with_their_consents(subject: &Subject) {
    let store = &*subject.store;
    let [gone, kept] = ["gone", "kept"].map(|name| format!("https://{name}.example.com/client"));
    let later = START.after(DAY);
    for document in [document(&gone, START), document(&kept, later)] {
        store.put_client_document(&document).await.unwrap();
    }
    for (name, of_client) in [("a", &*gone), ("b", &kept), ("c", "configured elsewhere")] {
        let mut consent = consent("user_1", "tools:read");
        consent.key.client_id = client_id(of_client);
        consent.remembered_at = later;
        remember(store, name, &consent).await;
    }
    let clients = async || {
        let consents = store.remembered_consents("user_1").await.unwrap();
        let clients = consents.into_iter().map(|consent| consent.key.client_id.0);
        let mut clients: Vec<String> = clients.collect();
        clients.sort_unstable();
        clients
    };
    let end = START.after(DOCUMENT_KEPT);
    sweep(store, end.before(INSTANT)).await;
    assert_eq!(clients().await.len(), 3);
    assert_eq!(sweep(store, end).await.client_documents, 1);
    assert_eq!(clients().await, ["configured elsewhere", &*kept]);
}

pub(super) async fn sweeping_deletes_old_consents(subject: &Subject) {
    let store = &*subject.store;
    let aged = |user: &str, remembered_at| RememberedConsent {
        remembered_at,
        ..consent(user, "tools:read")
    };
    let later = aged("user_2", START.after(INSTANT));
    remember(store, "old", &aged("user_1", START)).await;
    remember(store, "later", &later).await;
    let end = START.after(CONSENT_KEPT);
    assert_eq!(sweep(store, end.before(INSTANT)).await.consents, 0);
    assert_eq!(sweep(store, end).await.consents, 1);
    assert_eq!(store.remembered_consents("user_1").await, Ok(Vec::new()));
    assert_eq!(store.remembered_consents("user_2").await, Ok(vec![later]));
}

pub(super) async fn audit_records_are_appended_in_batches(subject: &Subject) {
    let record = |text: &str| AuditRecord {
        at: START,
        record: json!({ "tool": text }),
    };
    for batch in [
        vec![],
        vec![record("one")],
        vec![record("two"), record("\u{0}'\"; --")],
    ] {
        assert_eq!(subject.store.append_audit(&batch).await, Ok(()));
    }
}

pub(super) async fn old_audit_records_go_and_the_others_stay(subject: &Subject) {
    let store = &*subject.store;
    let at = |at| AuditRecord {
        at,
        record: json!({ "tool": "add" }),
    };
    // More than a store deletes at once.
    let old: Vec<AuditRecord> = (0..1_200).map(|_| at(START)).collect();
    store.append_audit(&old).await.unwrap();
    let later = START.after(INSTANT);
    store.append_audit(&[at(later), at(later)]).await.unwrap();
    let sweep = async |before| {
        let mut all = 0;
        loop {
            match store.sweep_audit(before).await.unwrap() {
                0 => return all,
                some => all += some,
            }
        }
    };
    assert_eq!(sweep(START).await, 0, "what is as old as the limit stays");
    assert_eq!(sweep(later).await, 1_200);
    assert_eq!(sweep(later.after(INSTANT)).await, 2);
}
