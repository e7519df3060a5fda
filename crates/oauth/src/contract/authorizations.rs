//! Authorizations: each step once, in one browser, in time.

use crate::authorization::{
    Advanced, Approval, ApprovedBy, Authorization, AuthorizationFault, Decision, Stage, Step,
};
use crate::scope::ScopeSet;
use crate::store::{FinishSignIn, Store};
use crate::time::Timestamp;

use super::Subject;
use super::rows::{
    MINUTE, START, authorization, code, consent, grant, hash, person, scopes, sealed,
};

fn approve(scope: &str) -> Step {
    Step::Decide {
        decision: Decision::Approve {
            scopes: scopes(scope),
            remember: true,
        },
    }
}

const DENY: Step = Step::Decide {
    decision: Decision::Deny,
};
const TAKE: Step = Step::TakeSignIn { since: START };

fn approval(scope: &str) -> Approval {
    let by = ApprovedBy::Person { remember: true };
    Approval {
        scopes: scopes(scope),
        by,
        since: START,
    }
}

fn finish(authorization: &Authorization, name: &str) -> FinishSignIn {
    FinishSignIn {
        authorization: authorization.id.clone(),
        browser: authorization.browser,
        grant: grant(name),
        code: code(name),
        remember: Some(consent("user_1", "tools:read")),
    }
}

async fn step(
    store: &dyn Store,
    authorization: &Authorization,
    step: &Step,
    now: Timestamp,
) -> Result<Advanced, AuthorizationFault> {
    let (id, browser) = (&authorization.id, authorization.browser);
    store
        .advance_authorization(id, browser, step, now)
        .await
        .unwrap()
}

/// Begins an authorization and takes these steps.
async fn begun(store: &dyn Store, steps: &[Step]) -> Authorization {
    begun_as(store, "a", steps).await
}

async fn begun_as(store: &dyn Store, name: &str, steps: &[Step]) -> Authorization {
    let authorization = authorization(name);
    store.begin_authorization(&authorization).await.unwrap();
    for one in steps {
        let advanced = step(store, &authorization, one, START).await;
        assert!(matches!(advanced, Ok(Advanced::Moved(_))), "{advanced:?}");
    }
    authorization
}

async fn assert_stage(store: &dyn Store, authorization: &Authorization, stage: Stage) {
    let kept = store
        .authorization(&authorization.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        kept,
        Authorization {
            stage,
            ..authorization.clone()
        }
    );
}

pub(super) async fn an_authorization_is_kept_as_it_is(subject: &Subject) {
    let mut all = Vec::new();
    for (name, stage) in [
        ("consent", Stage::Consent),
        ("sign in", Stage::SignIn(approval("tools:write"))),
        (
            "remembered",
            Stage::SignIn(Approval {
                by: ApprovedBy::Remembered {
                    user_id: "user_1".to_owned(),
                },
                ..approval("tools:read")
            }),
        ),
        (
            "own page",
            Stage::SignIn(Approval {
                scopes: ScopeSet::default(),
                by: ApprovedBy::OwnPage,
                since: START,
            }),
        ),
        (
            "visiting",
            Stage::Visiting {
                person: person("user_1"),
            },
        ),
    ] {
        let authorization = Authorization {
            stage,
            ..authorization(name)
        };
        subject
            .store
            .begin_authorization(&authorization)
            .await
            .unwrap();
        all.push(authorization);
    }
    for kept in all {
        assert_eq!(subject.store.authorization(&kept.id).await, Ok(Some(kept)));
    }
    assert_eq!(
        subject
            .store
            .authorization(&authorization("nobody").id)
            .await,
        Ok(None)
    );
}

pub(super) async fn consent_is_given_once_and_repeated_without_harm(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[]).await;
    let after = Authorization {
        stage: Stage::SignIn(approval("tools:read")),
        ..begun.clone()
    };
    let first = step(store, &begun, &approve("tools:read"), START).await;
    assert_eq!(first, Ok(Advanced::Moved(after.clone())));
    let again = step(store, &begun, &approve("tools:read"), START.after(MINUTE)).await;
    assert_eq!(
        again,
        Ok(Advanced::Repeated(after.clone())),
        "as it was, `since` included"
    );
    assert_stage(store, &begun, after.stage).await;
}

pub(super) async fn consent_given_many_times_at_once_moves_once(subject: &Subject) {
    let begun = begun(&*subject.store, &[]).await;
    let outcomes = subject
        .race(|store, number| {
            let begun = begun.clone();
            let now = START.after(u32::from(number) * MINUTE / 60);
            Box::pin(async move { step(&*store, &begun, &approve("tools:read"), now).await })
        })
        .await;
    let moved: Vec<_> = outcomes
        .iter()
        .filter(|one| matches!(one, Ok(Advanced::Moved(_))))
        .collect();
    assert_eq!(moved.len(), 1);
    let Ok(Advanced::Moved(after)) = moved[0] else {
        unreachable!("it moved")
    };
    let same = |one: &Result<Advanced, _>| match one {
        Ok(Advanced::Moved(kept) | Advanced::Repeated(kept)) => kept == after,
        Err(_) => false,
    };
    assert!(outcomes.iter().all(same), "everybody sees what the one did");
}

pub(super) async fn a_different_answer_is_refused(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[approve("tools:read")]).await;
    for other in [DENY, approve("tools:read tools:write")] {
        let refused = step(store, &begun, &other, START).await;
        assert_eq!(refused, Err(AuthorizationFault::AlreadyUsed));
    }
    assert_stage(store, &begun, Stage::SignIn(approval("tools:read"))).await;
}

pub(super) async fn a_scope_that_was_not_asked_for_is_refused(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[]).await;
    for wrong in ["", "tools:admin", "tools:read tools:admin"] {
        let refused = step(store, &begun, &approve(wrong), START).await;
        assert_eq!(refused, Err(AuthorizationFault::OtherScopes), "`{wrong}`");
    }
    assert_stage(store, &begun, Stage::Consent).await;
}

pub(super) async fn another_browser_moves_nothing(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[]).await;
    let stranger = Authorization {
        browser: hash("another browser"),
        ..begun.clone()
    };
    let refused = step(store, &stranger, &DENY, START).await;
    assert_eq!(refused, Err(AuthorizationFault::OtherBrowser));
    assert_stage(store, &begun, Stage::Consent).await;

    step(store, &begun, &approve("tools:read"), START)
        .await
        .unwrap();
    let refused = step(store, &stranger, &TAKE, START).await;
    assert_eq!(refused, Err(AuthorizationFault::OtherBrowser));
    step(store, &begun, &TAKE, START).await.unwrap();
    let refused = store
        .finish_sign_in(&finish(&stranger, "grant"), START)
        .await
        .unwrap();
    assert_eq!(refused, Err(AuthorizationFault::OtherBrowser));
    assert_eq!(store.grant(&grant("grant").id).await, Ok(None));
}

pub(super) async fn an_expired_authorization_moves_nothing(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[approve("tools:read")]).await;
    let end = begun.expires_at;
    for late in [TAKE, DENY] {
        let refused = step(store, &begun, &late, end).await;
        assert_eq!(refused, Err(AuthorizationFault::Expired));
    }
    let last = end.before(std::time::Duration::from_millis(1));
    assert!(
        step(store, &begun, &TAKE, last).await.is_ok(),
        "until then it works"
    );
    let refused = store
        .finish_sign_in(&finish(&begun, "grant"), end)
        .await
        .unwrap();
    assert_eq!(refused, Err(AuthorizationFault::Expired));
    assert_eq!(store.grant(&grant("grant").id).await, Ok(None));
}

pub(super) async fn an_unknown_authorization_is_told(subject: &Subject) {
    let store = &*subject.store;
    let nobody = authorization("nobody");
    let refused = step(store, &nobody, &DENY, START).await;
    assert_eq!(refused, Err(AuthorizationFault::Unknown));
    let refused = store
        .finish_sign_in(&finish(&nobody, "grant"), START)
        .await
        .unwrap();
    assert_eq!(refused, Err(AuthorizationFault::Unknown));
}

pub(super) async fn a_state_from_clerk_works_once(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[approve("tools:read"), TAKE]).await;
    let again = step(store, &begun, &TAKE, START).await;
    assert_eq!(again, Err(AuthorizationFault::AlreadyUsed));
    assert_stage(store, &begun, Stage::Returned(approval("tools:read"))).await;
}

pub(super) async fn a_state_of_another_consent_is_refused(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[]).await;
    let early = step(store, &begun, &TAKE, START).await;
    assert_eq!(
        early,
        Err(AuthorizationFault::AlreadyUsed),
        "before consent there is none"
    );
    step(store, &begun, &approve("tools:read"), START)
        .await
        .unwrap();
    let other = Step::TakeSignIn {
        since: START.after(MINUTE),
    };
    assert_eq!(
        step(store, &begun, &other, START).await,
        Err(AuthorizationFault::AlreadyUsed)
    );
    assert!(step(store, &begun, &TAKE, START).await.is_ok());
}

pub(super) async fn one_of_many_concurrent_callbacks_wins(subject: &Subject) {
    let begun = begun(&*subject.store, &[approve("tools:read")]).await;
    let outcomes = subject
        .race(|store, _| {
            let begun = begun.clone();
            Box::pin(async move { step(&*store, &begun, &TAKE, START).await })
        })
        .await;
    let won = outcomes
        .iter()
        .filter(|one| matches!(one, Ok(Advanced::Moved(_))))
        .count();
    let lost = outcomes
        .iter()
        .filter(|one| **one == Err(AuthorizationFault::AlreadyUsed))
        .count();
    assert_eq!((won, won + lost), (1, outcomes.len()));
}

pub(super) async fn a_visit_gets_no_code_and_stays_a_visit(subject: &Subject) {
    let store = &*subject.store;
    let visit = Authorization {
        stage: Stage::SignIn(Approval {
            scopes: ScopeSet::default(),
            by: ApprovedBy::OwnPage,
            since: START,
        }),
        ..authorization("a")
    };
    store.begin_authorization(&visit).await.unwrap();
    let arrive = Step::Arrive {
        person: person("user_1"),
    };
    let early = step(store, &visit, &arrive, START).await;
    assert_eq!(early, Err(AuthorizationFault::AlreadyUsed));
    step(store, &visit, &TAKE, START).await.unwrap();
    let hold = Step::HoldForConfirmation {
        person: person("user_1"),
        upstream: sealed("for the browser"),
    };
    let held = step(store, &visit, &hold, START).await;
    assert_eq!(held, Err(AuthorizationFault::AlreadyUsed));
    let no_code = async || {
        let refused = store.finish_sign_in(&finish(&visit, "a"), START).await;
        assert_eq!(refused, Ok(Err(AuthorizationFault::AlreadyUsed)));
        assert_eq!(store.grants_of_user("user_1", START).await, Ok(Vec::new()));
    };
    no_code().await;
    step(store, &visit, &arrive, START).await.unwrap();
    no_code().await;
    // They stay there, whatever comes.
    for again in [&arrive, &TAKE, &Step::Decline, &Step::Fail] {
        let refused = step(store, &visit, again, START).await;
        assert_eq!(refused, Err(AuthorizationFault::AlreadyUsed));
    }
    no_code().await;
}

pub(super) async fn a_held_sign_in_waits_for_confirmation(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[approve("tools:read"), TAKE]).await;
    let (person, upstream) = (person("user_2"), sealed("for the browser"));
    let hold = Step::HoldForConfirmation {
        person: person.clone(),
        upstream: upstream.clone(),
    };
    assert!(matches!(
        step(store, &begun, &hold, START).await,
        Ok(Advanced::Moved(_))
    ));
    assert_stage(store, &begun, Stage::Confirm { person, upstream }).await;
    let again = step(store, &begun, &hold, START).await;
    assert_eq!(again, Err(AuthorizationFault::AlreadyUsed));
    let finished = store
        .finish_sign_in(&finish(&begun, "grant"), START)
        .await
        .unwrap();
    assert!(matches!(finished, Ok(Advanced::Moved(_))));
    assert_stage(
        store,
        &begun,
        Stage::Finished {
            code: code("grant").hash,
        },
    )
    .await;
}

pub(super) async fn a_declined_or_failed_sign_in_ends(subject: &Subject) {
    let store = &*subject.store;
    for (name, end, stage) in [
        ("a", Step::Decline, Stage::Denied),
        ("b", Step::Fail, Stage::Failed),
    ] {
        let begun = begun_as(store, name, &[approve("tools:read"), TAKE]).await;
        assert!(matches!(
            step(store, &begun, &end, START).await,
            Ok(Advanced::Moved(_))
        ));
        assert_stage(store, &begun, stage).await;
        let refused = store
            .finish_sign_in(&finish(&begun, "grant"), START)
            .await
            .unwrap();
        assert_eq!(refused, Err(AuthorizationFault::AlreadyUsed));
        let again = step(store, &begun, &approve("tools:read"), START).await;
        assert_eq!(again, Err(AuthorizationFault::AlreadyUsed));
    }
    let denied = begun_as(store, "c", &[DENY]).await;
    assert!(matches!(
        step(store, &denied, &DENY, START).await,
        Ok(Advanced::Repeated(_))
    ));
    assert_stage(store, &denied, Stage::Denied).await;
}

pub(super) async fn finishing_keeps_grant_code_and_consent(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[approve("tools:read"), TAKE]).await;
    let finish = finish(&begun, "grant");
    let finished = store.finish_sign_in(&finish, START).await.unwrap();
    let stage = Stage::Finished {
        code: finish.code.hash,
    };
    let after = Authorization {
        stage: stage.clone(),
        ..begun.clone()
    };
    assert_eq!(finished, Ok(Advanced::Moved(after)));
    assert_stage(store, &begun, stage).await;
    assert_eq!(
        store.grant(&finish.grant.id).await,
        Ok(Some(finish.grant.clone()))
    );
    let kept = store.code(finish.code.hash).await;
    assert_eq!(kept, Ok(Some((finish.code.clone(), finish.grant.clone()))));
    let consent = finish.remember.clone().unwrap();
    assert_eq!(
        store.remembered_consent(&consent.key).await,
        Ok(Some(consent))
    );
}

pub(super) async fn finishing_again_writes_nothing(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[approve("tools:read"), TAKE]).await;
    let first = finish(&begun, "grant");
    store.finish_sign_in(&first, START).await.unwrap().unwrap();

    let mut same_code = finish(&begun, "another grant");
    same_code.code.hash = first.code.hash;
    same_code.remember = Some(consent("user_2", "tools:read"));
    let again = store.finish_sign_in(&same_code, START).await.unwrap();
    assert!(matches!(again, Ok(Advanced::Repeated(_))));
    let other_code = finish(&begun, "another grant");
    let refused = store.finish_sign_in(&other_code, START).await.unwrap();
    assert_eq!(refused, Err(AuthorizationFault::AlreadyUsed));

    assert_eq!(store.grant(&other_code.grant.id).await, Ok(None));
    assert_eq!(
        store.code(first.code.hash).await,
        Ok(Some((first.code, first.grant)))
    );
    assert_eq!(store.remembered_consents("user_2").await, Ok(Vec::new()));
}

pub(super) async fn finishing_before_the_sign_in_is_refused(subject: &Subject) {
    let store = &*subject.store;
    let begun = begun(store, &[]).await;
    for before in [None, Some(approve("tools:read"))] {
        if let Some(before) = before {
            step(store, &begun, &before, START).await.unwrap();
        }
        let refused = store
            .finish_sign_in(&finish(&begun, "grant"), START)
            .await
            .unwrap();
        assert_eq!(refused, Err(AuthorizationFault::AlreadyUsed));
    }
    assert_eq!(store.grant(&grant("grant").id).await, Ok(None));
    assert_eq!(store.code(code("grant").hash).await, Ok(None));
}

pub(super) async fn one_of_many_concurrent_finishes_wins(subject: &Subject) {
    let begun = begun(&*subject.store, &[approve("tools:read"), TAKE]).await;
    let outcomes = subject
        .race(|store, number| {
            let finish = finish(&begun, &format!("grant {number}"));
            Box::pin(async move { store.finish_sign_in(&finish, START).await.unwrap().is_ok() })
        })
        .await;
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1);
    let grants = subject.store.grants_of_user("user_1", START).await.unwrap();
    assert_eq!(grants.len(), 1, "only the winner's grant is kept");
}
