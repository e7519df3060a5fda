//! Refresh tokens: R(n) lives until R(n+1) is presented; a dead one that comes again ends the grant.

use std::time::Duration;

use crate::grant::{Grant, RefreshFault, RefreshTokenRecord, RotateRefreshToken};
use crate::store::{Refused, Store};
use crate::time::Timestamp;

use super::Subject;
use super::rows::{
    DAY, MINUTE, START, client, client_id, counts, grant, hash, is_live, keep_grant, keep_redeemed,
    other_resource, refresh_name, resource, rotate,
};

async fn try_rotate(
    store: &dyn Store,
    rotate: &RotateRefreshToken,
    now: Timestamp,
) -> Result<Grant, Refused<RefreshFault>> {
    store.rotate_refresh_token(rotate, now).await.unwrap()
}

async fn record(store: &dyn Store, n: usize) -> Option<RefreshTokenRecord> {
    let found = store
        .refresh_token(hash(&refresh_name("g", n)))
        .await
        .unwrap();
    found.map(|(record, _)| record)
}

pub(super) async fn a_refresh_token_rotates(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let now = START.after(DAY);
    let rotate = rotate("g", 0, "new access", now);
    assert_eq!(try_rotate(store, &rotate, now).await, Ok(grant("g")));
    let old = record(store, 0).await.unwrap();
    assert_eq!(
        (old.successor, old.dead_since),
        (Some(rotate.successor.hash), None)
    );
    let new = record(store, 1).await.unwrap();
    assert_eq!(
        new,
        RefreshTokenRecord {
            hash: rotate.successor.hash,
            grant_id: grant("g").id,
            predecessor: Some(rotate.presented),
            successor: None,
            wrapped: rotate.successor.wrapped,
            expires_at: rotate.successor.expires_at,
            dead_since: None,
        }
    );
    let (access, _) = store
        .access_token(hash("new access"), now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(access, rotate.access);
}

pub(super) async fn a_lost_answer_costs_nothing(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for (n, days) in [(0, 1), (1, 2)] {
        let now = START.after(days * DAY);
        for attempt in 0..4 {
            let token = format!("access {n} {attempt}");
            let rotate = rotate("g", n, &token, now);
            assert!(try_rotate(store, &rotate, now).await.is_ok());
            assert!(counts(store, &token, now).await);
        }
        let later = now.after(20 * DAY);
        let rotate = rotate("g", n, &format!("much later {n}"), later);
        assert!(
            try_rotate(store, &rotate, now).await.is_ok(),
            "there is no window to miss"
        );
    }
}

pub(super) async fn concurrent_refreshes_are_one_rotation_without_error(subject: &Subject) {
    keep_redeemed(&*subject.store, "g").await;
    let outcomes = subject
        .race(|store, number| {
            let rotate = rotate("g", 0, &format!("access {number}"), START);
            Box::pin(async move { try_rotate(&*store, &rotate, START).await })
        })
        .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let store = &*subject.store;
    for number in 0..outcomes.len() {
        assert!(counts(store, &format!("access {number}"), START).await);
    }
    assert_eq!(record(store, 0).await.unwrap().dead_since, None);
    assert_eq!(
        record(store, 1).await.unwrap().predecessor,
        Some(hash(&refresh_name("g", 0)))
    );
    assert!(
        try_rotate(store, &rotate("g", 1, "next", START), START)
            .await
            .is_ok()
    );
}

pub(super) async fn the_predecessor_dies_when_its_successor_is_presented(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    try_rotate(store, &rotate("g", 0, "a", START), START)
        .await
        .unwrap();
    assert_eq!(
        record(store, 0).await.unwrap().dead_since,
        None,
        "not used yet"
    );
    let now = START.after(MINUTE);
    try_rotate(store, &rotate("g", 1, "b", now), now)
        .await
        .unwrap();
    assert_eq!(record(store, 0).await.unwrap().dead_since, Some(now));
    assert_eq!(record(store, 1).await.unwrap().dead_since, None);
    let later = now.after(MINUTE);
    try_rotate(store, &rotate("g", 1, "c", later), later)
        .await
        .unwrap();
    assert_eq!(
        record(store, 0).await.unwrap().dead_since,
        Some(now),
        "it died then"
    );
}

pub(super) async fn a_dead_refresh_token_revokes_the_grant(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    keep_redeemed(store, "other").await;
    for n in [0, 1] {
        try_rotate(store, &rotate("g", n, &format!("access {n}"), START), START)
            .await
            .unwrap();
    }
    let refused = try_rotate(store, &rotate("g", 0, "replayed", START), START).await;
    assert_eq!(
        refused,
        Err(Refused::revoking(RefreshFault::Replayed, grant("g").id))
    );
    assert!(!is_live(store, "g", START).await);
    for token in ["access of g", "access 0", "access 1", "replayed"] {
        assert!(!counts(store, token, START).await, "{token}");
    }
    let refused = try_rotate(store, &rotate("g", 2, "honest", START), START).await;
    assert_eq!(refused, Err(Refused::unchanged(RefreshFault::Unknown)));
    assert!(
        counts(store, "access of other", START).await,
        "others are left alone"
    );
}

pub(super) async fn a_dead_refresh_token_of_another_client_revokes_nothing(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for n in [0, 1] {
        try_rotate(store, &rotate("g", n, &format!("access {n}"), START), START)
            .await
            .unwrap();
    }
    let stranger = client_id("another");
    let guess = RotateRefreshToken {
        client_id: stranger,
        ..rotate("g", 0, "x", START)
    };
    let refused = try_rotate(store, &guess, START).await;
    assert_eq!(refused, Err(Refused::unchanged(RefreshFault::OtherClient)));
    assert!(is_live(store, "g", START).await);
}

pub(super) async fn a_guess_with_a_refresh_token_consumes_nothing(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let stranger = client_id("another");
    let guess = RotateRefreshToken {
        client_id: stranger,
        ..rotate("g", 0, "x", START)
    };
    let refused = try_rotate(store, &guess, START).await;
    assert_eq!(refused, Err(Refused::unchanged(RefreshFault::OtherClient)));
    let made_up = RotateRefreshToken {
        presented: hash("made up"),
        ..rotate("g", 0, "x", START)
    };
    let refused = try_rotate(store, &made_up, START).await;
    assert_eq!(refused, Err(Refused::unchanged(RefreshFault::Unknown)));
    assert!(!counts(store, "x", START).await);
    assert_eq!(record(store, 0).await.unwrap().successor, None);
    assert_eq!(record(store, 1).await, None);
}

pub(super) async fn a_refresh_token_cannot_change_its_resource(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let wrong = Some(other_resource());
    let wrong = RotateRefreshToken {
        resource: wrong,
        ..rotate("g", 0, "x", START)
    };
    let refused = try_rotate(store, &wrong, START).await;
    assert_eq!(
        refused,
        Err(Refused::unchanged(RefreshFault::OtherResource))
    );
    assert_eq!(record(store, 0).await.unwrap().successor, None);
    let same = RotateRefreshToken {
        resource: Some(resource()),
        ..rotate("g", 0, "x", START)
    };
    assert!(try_rotate(store, &same, START).await.is_ok());
}

pub(super) async fn a_refresh_token_expires_after_its_time_exactly(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let end = record(store, 0).await.unwrap().expires_at;
    let refused = try_rotate(store, &rotate("g", 0, "late", end), end).await;
    assert_eq!(refused, Err(Refused::unchanged(RefreshFault::Expired)));
    let last = end.before(Duration::from_millis(1));
    assert!(
        try_rotate(store, &rotate("g", 0, "in time", last), last)
            .await
            .is_ok()
    );
}

pub(super) async fn a_refresh_token_of_an_ended_grant_is_unknown(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "revoked").await;
    store
        .revoke_grant(&grant("revoked").id, START)
        .await
        .unwrap();
    let refused = try_rotate(store, &rotate("revoked", 0, "x", START), START).await;
    assert_eq!(refused, Err(Refused::unchanged(RefreshFault::Unknown)));

    let mut short = grant("g");
    short.expires_at = START.after(DAY);
    keep_grant(store, &short, &super::rows::code("g")).await;
    store
        .redeem_code(&super::rows::redeem("g", START), START)
        .await
        .unwrap()
        .unwrap();
    let end = short.expires_at;
    let refused = try_rotate(store, &rotate("g", 0, "x", end), end).await;
    assert_eq!(
        refused,
        Err(Refused::unchanged(RefreshFault::Unknown)),
        "180 days in all"
    );
}

pub(super) async fn a_refresh_token_has_one_successor(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let first = rotate("g", 0, "first", START);
    try_rotate(store, &first, START).await.unwrap();
    let mut other = rotate("g", 0, "other", START);
    other.successor.hash = hash("another successor");
    let refused = try_rotate(store, &other, START).await;
    assert_eq!(
        refused,
        Err(Refused::unchanged(RefreshFault::OtherSuccessor))
    );
    assert!(!counts(store, "other", START).await);
    assert_eq!(
        store.refresh_token(hash("another successor")).await,
        Ok(None)
    );
    assert_eq!(
        record(store, 0).await.unwrap().successor,
        Some(first.successor.hash)
    );
}

pub(super) async fn a_repeated_rotation_extends_the_successor(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for (days, expected) in [(5, 35), (10, 40), (7, 40)] {
        let now = START.after(days * DAY);
        try_rotate(store, &rotate("g", 0, &format!("access {days}"), now), now)
            .await
            .unwrap();
        let kept = record(store, 1).await.unwrap();
        assert_eq!(kept.expires_at, START.after(expected * DAY));
        assert_eq!(kept.predecessor, Some(hash(&refresh_name("g", 0))));
    }
}

pub(super) async fn replay_is_noticed_after_many_rotations(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for n in 0..6 {
        try_rotate(store, &rotate("g", n, &format!("access {n}"), START), START)
            .await
            .unwrap();
    }
    let refused = try_rotate(store, &rotate("g", 0, "replayed", START), START).await;
    assert_eq!(
        refused.map_err(|refused| refused.fault),
        Err(RefreshFault::Replayed)
    );
    assert!(!counts(store, "access 5", START).await);
}

pub(super) async fn refreshing_renews_a_registered_client(subject: &Subject) {
    let store = &*subject.store;
    store
        .register_client(&client("client"), None, START)
        .await
        .unwrap();
    keep_redeemed(store, "g").await;
    let now = START.after(20 * DAY);
    try_rotate(store, &rotate("g", 0, "access", now), now)
        .await
        .unwrap();
    let kept = store
        .client(&client_id("client"), now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.expires_at, Some(now.after(90 * DAY)));
    let earlier = RotateRefreshToken {
        client_kept_until: START,
        ..rotate("g", 0, "again", now)
    };
    try_rotate(store, &earlier, now).await.unwrap();
    let kept = store
        .client(&client_id("client"), now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.expires_at, Some(now.after(90 * DAY)), "never earlier");
}
