//! Authorization codes: once, in time, by the right client, for what they were made for.

use std::time::Duration;

use crate::grant::{CodeFault, Grant, RedeemCode};
use crate::store::{Refused, Store};
use crate::time::Timestamp;

use super::Subject;
use super::rows::{
    DAY, MINUTE, START, challenge, client, client_id, code, counts, grant, hash, is_live, keep,
    keep_grant, keep_redeemed, other_resource, redeem, refresh_name,
};

async fn try_redeem(
    store: &dyn Store,
    redeem: &RedeemCode,
    now: Timestamp,
) -> Result<Grant, Refused<CodeFault>> {
    store.redeem_code(redeem, now).await.unwrap()
}

pub(super) async fn a_code_gives_tokens_once(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    let now = START.after(MINUTE / 2);
    let redeem = redeem("g", now);
    assert_eq!(try_redeem(store, &redeem, now).await, Ok(grant("g")));

    let (kept, _) = store.code(redeem.code).await.unwrap().unwrap();
    assert_eq!(kept.redeemed_at, Some(now));
    let (access, of_grant) = store
        .access_token(redeem.access.hash, now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((access, of_grant), (redeem.access, grant("g")));
    let (refresh, _) = store
        .refresh_token(hash(&refresh_name("g", 0)))
        .await
        .unwrap()
        .unwrap();
    let new = redeem.refresh.unwrap();
    assert_eq!((refresh.hash, refresh.wrapped), (new.hash, new.wrapped));
    assert_eq!(
        (refresh.expires_at, refresh.dead_since),
        (new.expires_at, None)
    );
    assert_eq!((refresh.predecessor, refresh.successor), (None, None));
}

pub(super) async fn a_code_that_is_unknown(subject: &Subject) {
    let store = &*subject.store;
    assert_eq!(store.code(hash("made up")).await, Ok(None));
    let redeem = RedeemCode {
        code: hash("made up"),
        ..redeem("g", START)
    };
    let refused = try_redeem(store, &redeem, START).await;
    assert_eq!(refused, Err(Refused::unchanged(CodeFault::Unknown)));
    assert!(!counts(store, "access of g", START).await);
}

pub(super) async fn a_code_expires_after_its_time_exactly(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    let end = code("g").expires_at;
    let refused = try_redeem(store, &redeem("g", end), end).await;
    assert_eq!(refused, Err(Refused::unchanged(CodeFault::Expired)));
    assert!(!counts(store, "access of g", end).await);
    let last = end.before(Duration::from_millis(1));
    assert!(try_redeem(store, &redeem("g", last), last).await.is_ok());
}

pub(super) async fn a_guess_with_a_code_consumes_and_revokes_nothing(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    let right = redeem("g", START);
    for (wrong, fault) in [
        (
            RedeemCode {
                client_id: client_id("another"),
                ..right.clone()
            },
            CodeFault::OtherClient,
        ),
        (
            RedeemCode {
                code_challenge: challenge("a guess"),
                ..right.clone()
            },
            CodeFault::OtherChallenge,
        ),
        (
            RedeemCode {
                redirect_uri: Some("https://app.example.com/callback/".to_owned()),
                ..right.clone()
            },
            CodeFault::OtherRedirectUri,
        ),
    ] {
        let refused = try_redeem(store, &wrong, START).await;
        assert_eq!(refused, Err(Refused::unchanged(fault)));
        assert!(is_live(store, "g", START).await);
        assert!(!counts(store, "access of g", START).await);
    }
    let without_uri = RedeemCode {
        redirect_uri: None,
        resource: None,
        ..right
    };
    assert!(
        try_redeem(store, &without_uri, START).await.is_ok(),
        "OAuth 2.1 allows that"
    );
}

pub(super) async fn a_code_of_another_resource_is_not_consumed(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    let wrong = RedeemCode {
        resource: Some(other_resource()),
        ..redeem("g", START)
    };
    let refused = try_redeem(store, &wrong, START).await;
    assert_eq!(refused, Err(Refused::unchanged(CodeFault::OtherResource)));
    assert!(try_redeem(store, &redeem("g", START), START).await.is_ok());
}

pub(super) async fn a_replayed_code_revokes_the_grant(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    keep_redeemed(store, "other").await;
    // Also long after the code's own time, as long as it is kept, and whatever else is wrong.
    let now = START.after(30 * MINUTE);
    let replay = RedeemCode {
        code_challenge: challenge("a guess"),
        access: super::rows::access("new", "g", now),
        ..redeem("g", now)
    };
    let refused = try_redeem(store, &replay, now).await;
    assert_eq!(
        refused,
        Err(Refused::revoking(CodeFault::Replayed, grant("g").id))
    );
    assert!(!is_live(store, "g", now).await);
    assert!(!counts(store, "access of g", START).await && !counts(store, "new", now).await);
    assert_eq!(
        store.refresh_token(hash(&refresh_name("g", 0))).await,
        Ok(None)
    );
    assert!(
        counts(store, "access of other", START).await,
        "others are left alone"
    );

    let again = try_redeem(store, &replay, now).await;
    assert_eq!(
        again,
        Err(Refused::unchanged(CodeFault::Unknown)),
        "it is over once"
    );
}

pub(super) async fn a_replay_by_another_client_revokes_nothing(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let guess = RedeemCode {
        client_id: client_id("another"),
        ..redeem("g", START)
    };
    let refused = try_redeem(store, &guess, START).await;
    assert_eq!(refused, Err(Refused::unchanged(CodeFault::OtherClient)));
    assert!(counts(store, "access of g", START).await);
}

pub(super) async fn a_code_of_a_revoked_grant_is_unknown(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    assert_eq!(store.revoke_grant(&grant("g").id, START).await, Ok(true));
    let refused = try_redeem(store, &redeem("g", START), START).await;
    assert_eq!(refused, Err(Refused::unchanged(CodeFault::Unknown)));
    assert!(!counts(store, "access of g", START).await);
}

pub(super) async fn a_code_without_refresh_gives_no_refresh_token(subject: &Subject) {
    let store = &*subject.store;
    keep(store, "g").await;
    let redeem = RedeemCode {
        refresh: None,
        ..redeem("g", START)
    };
    assert!(try_redeem(store, &redeem, START).await.is_ok());
    assert!(counts(store, "access of g", START).await);
    assert_eq!(
        store.refresh_token(hash(&refresh_name("g", 0))).await,
        Ok(None)
    );
}

pub(super) async fn one_of_many_concurrent_redemptions_wins_and_then_the_grant_is_revoked(
    subject: &Subject,
) {
    keep(&*subject.store, "g").await;
    let outcomes = subject
        .race(|store, number| {
            let access = super::rows::access(&format!("access {number}"), "g", START);
            let redeem = RedeemCode {
                access,
                refresh: None,
                ..redeem("g", START)
            };
            Box::pin(async move {
                try_redeem(&*store, &redeem, START)
                    .await
                    .map_err(|it| it.fault)
            })
        })
        .await;
    let count = |fault| {
        outcomes
            .iter()
            .filter(|one| one.as_ref().err() == Some(&fault))
            .count()
    };
    assert_eq!(
        outcomes.iter().filter(|one| one.is_ok()).count(),
        1,
        "one wins"
    );
    assert_eq!(count(CodeFault::Replayed), 1, "the second revokes");
    assert_eq!(
        count(CodeFault::Unknown),
        outcomes.len() - 2,
        "the others find nothing"
    );
    assert!(!is_live(&*subject.store, "g", START).await);
    for number in 0..outcomes.len() {
        assert!(!counts(&*subject.store, &format!("access {number}"), START).await);
    }
}

pub(super) async fn redeeming_renews_a_registered_client(subject: &Subject) {
    let store = &*subject.store;
    store
        .register_client(&client("client"), None, START)
        .await
        .unwrap();
    let mut eternal = client("eternal");
    eternal.expires_at = None;
    store.register_client(&eternal, None, START).await.unwrap();
    keep(store, "g").await;
    let redeem = RedeemCode {
        client_kept_until: START.after(100 * DAY),
        ..redeem("g", START)
    };
    try_redeem(store, &redeem, START).await.unwrap();
    let end = |client: crate::Client| client.expires_at;
    let kept = store
        .client(&client_id("client"), START)
        .await
        .unwrap()
        .map(end);
    assert_eq!(kept, Some(Some(START.after(100 * DAY))));

    let (mut of_eternal, mut its_code) = (grant("e"), code("e"));
    of_eternal.client_id = client_id("eternal");
    its_code.client_id = client_id("eternal");
    keep_grant(store, &of_eternal, &its_code).await;
    let redeem = RedeemCode {
        client_id: client_id("eternal"),
        ..super::rows::redeem("e", START)
    };
    try_redeem(store, &redeem, START).await.unwrap();
    let kept = store
        .client(&client_id("eternal"), START)
        .await
        .unwrap()
        .map(end);
    assert_eq!(kept, Some(None), "a client without an end gets none");
}
