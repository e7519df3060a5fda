//! Remembered consents.

use crate::client::ClientId;
use crate::store::{ConsentKey, RememberedConsent, Store};

use super::Subject;
use super::rows::{
    MINUTE, REDIRECT_URI, START, client_id, code, consent, grant, other_resource, resource, scopes,
};

/// Remembers `consent`, by way of an authorization.
pub(super) async fn remember(store: &dyn Store, name: &str, consent: &RememberedConsent) {
    use crate::authorization::{Decision, Step};
    use crate::store::FinishSignIn;

    let authorization = super::rows::authorization(name);
    let (id, browser) = (authorization.id.clone(), authorization.browser);
    store.begin_authorization(&authorization).await.unwrap();
    let decision = Decision::Approve {
        scopes: scopes("tools:read"),
        remember: true,
    };
    for step in [Step::Decide { decision }, Step::TakeSignIn { since: START }] {
        store
            .advance_authorization(&id, browser, &step, START)
            .await
            .unwrap()
            .unwrap();
    }
    let finish = FinishSignIn {
        authorization: id,
        browser,
        grant: grant(name),
        code: code(name),
        remember: Some(consent.clone()),
    };
    store.finish_sign_in(&finish, START).await.unwrap().unwrap();
}

pub(super) async fn a_consent_is_bound_to_user_client_redirect_uri_and_resource(subject: &Subject) {
    let store = &*subject.store;
    let consent = consent("user_1", "tools:read");
    remember(store, "a", &consent).await;
    assert_eq!(
        store.remembered_consent(&consent.key).await,
        Ok(Some(consent.clone()))
    );
    let key =
        |user: &str, client: ClientId, uri: &str| ConsentKey::new(user, client, uri, &resource());
    for other in [
        key("user_2", client_id("client"), REDIRECT_URI),
        key("user_1", client_id("another"), REDIRECT_URI),
        key(
            "user_1",
            client_id("client"),
            "https://app.example.com/callback/",
        ),
        ConsentKey::new(
            "user_1",
            client_id("client"),
            REDIRECT_URI,
            &other_resource(),
        ),
    ] {
        assert_eq!(
            store.remembered_consent(&other).await,
            Ok(None),
            "{other:?}"
        );
    }
}

pub(super) async fn a_newer_consent_replaces_the_earlier_one(subject: &Subject) {
    let store = &*subject.store;
    remember(store, "a", &consent("user_1", "tools:read tools:write")).await;
    let fewer = RememberedConsent {
        remembered_at: START.after(MINUTE),
        ..consent("user_1", "tools:read")
    };
    remember(store, "b", &fewer).await;
    assert_eq!(
        store.remembered_consent(&fewer.key).await,
        Ok(Some(fewer.clone()))
    );
    assert_eq!(store.remembered_consents("user_1").await, Ok(vec![fewer]));
}

pub(super) async fn a_forgotten_consent_is_gone(subject: &Subject) {
    let store = &*subject.store;
    let consent = consent("user_1", "tools:read");
    assert_eq!(store.forget_consent(&consent.key).await, Ok(false));
    remember(store, "a", &consent).await;
    assert_eq!(store.forget_consent(&consent.key).await, Ok(true));
    assert_eq!(store.remembered_consent(&consent.key).await, Ok(None));
    assert_eq!(store.forget_consent(&consent.key).await, Ok(false));
}

pub(super) async fn consents_are_listed_newest_first(subject: &Subject) {
    let store = &*subject.store;
    let mut newest_first = Vec::new();
    for (minutes, name) in [(0, "one"), (1, "two"), (2, "three")] {
        let mut consent = consent("user_1", "tools:read");
        consent.key.client_id = client_id(name);
        consent.remembered_at = START.after(minutes * MINUTE);
        remember(store, name, &consent).await;
        newest_first.insert(0, consent);
    }
    remember(store, "stranger", &consent("user_2", "tools:read")).await;
    assert_eq!(store.remembered_consents("user_1").await, Ok(newest_first));
    assert_eq!(store.remembered_consents("nobody").await, Ok(Vec::new()));
}

pub(super) async fn every_consent_of_a_person_is_forgotten_and_nobody_elses(subject: &Subject) {
    let store = &*subject.store;
    for name in ["one", "two"] {
        let mut consent = consent("user_1", "tools:read");
        consent.key.client_id = client_id(name);
        remember(store, name, &consent).await;
    }
    let strangers = consent("user_10", "tools:read");
    remember(store, "stranger", &strangers).await;
    assert_eq!(store.forget_consents_of_user("user_1").await, Ok(2));
    assert_eq!(store.remembered_consents("user_1").await, Ok(Vec::new()));
    assert_eq!(store.forget_consents_of_user("user_1").await, Ok(0));
    assert_eq!(
        store.remembered_consents("user_10").await,
        Ok(vec![strangers])
    );
}
