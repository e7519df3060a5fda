//! Access tokens, revocation, and what grants keep.

use std::time::Duration;

use crate::grant::GrantId;
use crate::store::UpstreamUpdate;

use super::Subject;
use super::rows::{
    DAY, MINUTE, START, access, client_id, code, counts, grant, hash, is_live, keep, keep_grant,
    keep_redeemed, redeem, refresh_name, rotate, sealed,
};

pub(super) async fn an_access_token_is_found_with_its_grant(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let found = store.access_token(hash("access of g"), START).await;
    assert_eq!(
        found,
        Ok(Some((access("access of g", "g", START), grant("g"))))
    );
    assert!(!counts(store, "made up", START).await);
    assert!(
        !counts(store, &refresh_name("g", 0), START).await,
        "a refresh token is none"
    );
    assert!(!counts(store, "code of g", START).await, "nor is a code");
}

pub(super) async fn an_access_token_expires_after_its_time_exactly(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let end = START.after(15 * MINUTE);
    assert!(counts(store, "access of g", end.before(Duration::from_millis(1))).await);
    assert!(!counts(store, "access of g", end).await);
}

pub(super) async fn an_access_token_ends_with_its_grant(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    assert_eq!(store.revoke_grant(&grant("g").id, START).await, Ok(true));
    assert!(!counts(store, "access of g", START).await);
}

pub(super) async fn an_access_token_of_a_grant_that_is_over(subject: &Subject) {
    let store = &*subject.store;
    let mut short = grant("g");
    short.expires_at = START.after(5 * MINUTE);
    keep_grant(store, &short, &code("g")).await;
    store
        .redeem_code(&redeem("g", START), START)
        .await
        .unwrap()
        .unwrap();
    assert!(counts(store, "access of g", START.after(4 * MINUTE)).await);
    assert!(!counts(store, "access of g", START.after(5 * MINUTE)).await);
}

pub(super) async fn either_token_revokes_the_whole_grant(subject: &Subject) {
    let store = &*subject.store;
    for (name, token) in [("a", "access of a".to_owned()), ("b", refresh_name("b", 0))] {
        keep_redeemed(store, name).await;
        let revoked = store
            .revoke_token(hash(&token), &client_id("client"), START)
            .await;
        assert_eq!(revoked, Ok(Some(grant(name).id)));
        assert!(!is_live(store, name, START).await);
        assert!(!counts(store, &format!("access of {name}"), START).await);
        assert_eq!(
            store.refresh_token(hash(&refresh_name(name, 0))).await,
            Ok(None)
        );
        let again = store
            .revoke_token(hash(&token), &client_id("client"), START)
            .await;
        assert_eq!(again, Ok(None));
    }
    let unknown = store
        .revoke_token(hash("made up"), &client_id("client"), START)
        .await;
    assert_eq!(unknown, Ok(None));
}

pub(super) async fn a_token_of_another_client_revokes_nothing(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for token in ["access of g", &refresh_name("g", 0)] {
        let revoked = store
            .revoke_token(hash(token), &client_id("another"), START)
            .await;
        assert_eq!(revoked, Ok(None));
    }
    assert!(is_live(store, "g", START).await && counts(store, "access of g", START).await);
}

pub(super) async fn a_dead_refresh_token_can_be_revoked(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    for n in [0, 1] {
        let rotate = rotate("g", n, &format!("access {n}"), START);
        store
            .rotate_refresh_token(&rotate, START)
            .await
            .unwrap()
            .unwrap();
    }
    let token = hash(&refresh_name("g", 0));
    let revoked = store.revoke_token(token, &client_id("client"), START).await;
    assert_eq!(revoked, Ok(Some(grant("g").id)));
}

pub(super) async fn revoking_deletes_everything_that_is_sealed(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let rotate = rotate("g", 0, "access", START);
    store
        .rotate_refresh_token(&rotate, START)
        .await
        .unwrap()
        .unwrap();
    let now = START.after(MINUTE);
    assert_eq!(store.revoke_grant(&grant("g").id, now).await, Ok(true));
    let kept = store.grant(&grant("g").id).await.unwrap().unwrap();
    let expected = crate::Grant {
        revoked_at: Some(now),
        upstream: None,
        ..grant("g")
    };
    assert_eq!(kept, expected, "the plain facts stay");
    assert_eq!(store.code(code("g").hash).await, Ok(None));
    for n in [0, 1] {
        assert_eq!(
            store.refresh_token(hash(&refresh_name("g", n))).await,
            Ok(None)
        );
    }
    assert_eq!(
        store.revoke_grant(&grant("g").id, now.after(MINUTE)).await,
        Ok(false)
    );
    let kept = store.grant(&grant("g").id).await.unwrap().unwrap();
    assert_eq!(kept.revoked_at, Some(now), "it ended then");
    assert_eq!(
        store.revoke_grant(&GrantId::from_text("nobody"), now).await,
        Ok(false)
    );
}

pub(super) async fn revoking_one_grant_leaves_others(subject: &Subject) {
    let store = &*subject.store;
    for name in ["a", "b"] {
        keep_redeemed(store, name).await;
    }
    store.revoke_grant(&grant("a").id, START).await.unwrap();
    assert!(counts(store, "access of b", START).await);
    let rotate = rotate("b", 0, "new", START);
    assert!(
        store
            .rotate_refresh_token(&rotate, START)
            .await
            .unwrap()
            .is_ok()
    );
    assert_eq!(store.grant(&grant("b").id).await, Ok(Some(grant("b"))));
}

pub(super) async fn one_of_many_concurrent_revocations_wins(subject: &Subject) {
    keep_redeemed(&*subject.store, "g").await;
    let outcomes = subject
        .race(|store, number| {
            Box::pin(async move {
                if number % 2 == 0 {
                    store.revoke_grant(&grant("g").id, START).await.unwrap()
                } else {
                    let token = hash("access of g");
                    let client = client_id("client");
                    store
                        .revoke_token(token, &client, START)
                        .await
                        .unwrap()
                        .is_some()
                }
            })
        })
        .await;
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1);
}

pub(super) async fn what_clerk_gave_is_updated_by_compare_and_swap(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let id = grant("g").id;
    let updated = store
        .update_upstream(&id, 0, &sealed("second"), START)
        .await;
    assert_eq!(updated, Ok(UpstreamUpdate::Updated { version: 1 }));
    let late = store
        .update_upstream(&id, 0, &sealed("too late"), START)
        .await;
    assert_eq!(late, Ok(UpstreamUpdate::Conflict));
    let (_, kept) = store
        .access_token(hash("access of g"), START)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.upstream, kept.upstream_version),
        (Some(sealed("second")), 1)
    );
    let updated = store.update_upstream(&id, 1, &sealed("third"), START).await;
    assert_eq!(updated, Ok(UpstreamUpdate::Updated { version: 2 }));
}

pub(super) async fn one_of_many_concurrent_updates_wins(subject: &Subject) {
    keep_redeemed(&*subject.store, "g").await;
    let outcomes = subject
        .race(|store, number| {
            Box::pin(async move {
                let new = sealed(&format!("by {number}"));
                store
                    .update_upstream(&grant("g").id, 0, &new, START)
                    .await
                    .unwrap()
            })
        })
        .await;
    let won = outcomes
        .iter()
        .filter(|one| **one == UpstreamUpdate::Updated { version: 1 });
    let lost = outcomes
        .iter()
        .filter(|one| **one == UpstreamUpdate::Conflict);
    assert_eq!((won.count(), lost.count()), (1, outcomes.len() - 1));
}

pub(super) async fn an_ended_grant_takes_no_update(subject: &Subject) {
    let store = &*subject.store;
    keep_redeemed(store, "g").await;
    let id = grant("g").id;
    let over = grant("g").expires_at;
    let late = store.update_upstream(&id, 0, &sealed("late"), over).await;
    assert_eq!(late, Ok(UpstreamUpdate::Gone));
    store.revoke_grant(&id, START).await.unwrap();
    let revoked = store.update_upstream(&id, 0, &sealed("late"), START).await;
    assert_eq!(revoked, Ok(UpstreamUpdate::Gone));
    assert_eq!(store.grant(&id).await.unwrap().unwrap().upstream, None);
    let unknown = GrantId::from_text("nobody");
    let unknown = store
        .update_upstream(&unknown, 0, &sealed("x"), START)
        .await;
    assert_eq!(unknown, Ok(UpstreamUpdate::Gone));
}

pub(super) async fn the_grants_of_a_user_are_the_live_ones(subject: &Subject) {
    let store = &*subject.store;
    let mut newest_first = Vec::new();
    for (name, days) in [("a", 0), ("b", 1), ("c", 2)] {
        let grant = crate::Grant {
            created_at: START.after(days * DAY),
            ..grant(name)
        };
        keep_grant(store, &grant, &code(name)).await;
        newest_first.insert(0, grant);
    }
    let mut stranger = grant("stranger");
    stranger.user_id = "user_2".to_owned();
    keep_grant(store, &stranger, &code("stranger")).await;
    let mut over = grant("over");
    over.expires_at = START.after(DAY);
    keep_grant(store, &over, &code("over")).await;
    keep(store, "revoked").await;
    store
        .revoke_grant(&grant("revoked").id, START)
        .await
        .unwrap();

    let now = START.after(3 * DAY);
    assert_eq!(store.grants_of_user("user_1", now).await, Ok(newest_first));
    assert_eq!(
        store.grants_of_user("user_2", now).await,
        Ok(vec![stranger])
    );
    assert_eq!(store.grants_of_user("nobody", now).await, Ok(Vec::new()));
}
