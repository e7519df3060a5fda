//! Clients that registered, and metadata documents.

use std::sync::Arc;

use crate::client::Fingerprint;
use crate::store::{ClientDocument, Registered};

use super::Subject;
use super::rows::{DAY, MINUTE, START, client, client_id};

const FINGERPRINT: Option<Fingerprint> = Some(Fingerprint([7; 32]));

pub(super) async fn a_registered_client_is_kept_until_it_expires(subject: &Subject) {
    let store = &subject.store;
    let client = client("client");
    let end = client.expires_at.unwrap();
    assert_eq!(
        store.register_client(&client, None, START).await,
        Ok(Registered::New)
    );
    assert_eq!(
        store.client(&client.id, START).await,
        Ok(Some(client.clone()))
    );
    let last = end.before(std::time::Duration::from_millis(1));
    assert_eq!(
        store.client(&client.id, last).await,
        Ok(Some(client.clone()))
    );
    assert_eq!(store.client(&client.id, end).await, Ok(None));
    assert_eq!(store.client(&client_id("nobody"), START).await, Ok(None));
}

pub(super) async fn the_same_registration_is_the_same_client(subject: &Subject) {
    let store = &subject.store;
    let first = client("first");
    store
        .register_client(&first, FINGERPRINT, START)
        .await
        .unwrap();
    let later = START.after(DAY);
    let mut again = client("second");
    again.expires_at = Some(later.after(90 * DAY));
    let expected = crate::Client {
        expires_at: again.expires_at,
        ..first.clone()
    };
    let registered = store
        .register_client(&again, FINGERPRINT, later)
        .await
        .unwrap();
    assert_eq!(
        registered,
        Registered::Existing(expected.clone()),
        "the first, renewed"
    );
    assert_eq!(store.client(&first.id, later).await, Ok(Some(expected)));
    assert_eq!(store.client(&again.id, later).await, Ok(None));

    let other = Some(Fingerprint([8; 32]));
    assert_eq!(
        store.register_client(&again, other, later).await,
        Ok(Registered::New)
    );
}

pub(super) async fn registrations_without_fingerprint_are_always_new(subject: &Subject) {
    for name in ["first", "second"] {
        let registered = subject
            .store
            .register_client(&client(name), None, START)
            .await;
        assert_eq!(registered, Ok(Registered::New));
        assert!(
            subject
                .store
                .client(&client_id(name), START)
                .await
                .unwrap()
                .is_some()
        );
    }
}

pub(super) async fn an_expired_client_frees_its_fingerprint(subject: &Subject) {
    let store = &subject.store;
    let first = client("first");
    store
        .register_client(&first, FINGERPRINT, START)
        .await
        .unwrap();
    let later = first.expires_at.unwrap();
    let mut second = client("second");
    second.expires_at = Some(later.after(DAY));
    assert_eq!(
        store.register_client(&second, FINGERPRINT, later).await,
        Ok(Registered::New)
    );
    assert_eq!(
        store.client(&first.id, later).await,
        Ok(None),
        "it does not come back"
    );
    assert_eq!(store.client(&second.id, later).await, Ok(Some(second)));
}

pub(super) async fn one_of_many_concurrent_registrations_is_kept(subject: &Subject) {
    let outcomes = subject
        .race(|store: Arc<_>, number| {
            Box::pin(async move {
                let client = client(&format!("client {number}"));
                match store
                    .register_client(&client, FINGERPRINT, START)
                    .await
                    .unwrap()
                {
                    Registered::New => (true, client.id),
                    Registered::Existing(existing) => (false, existing.id),
                }
            })
        })
        .await;
    let new: Vec<_> = outcomes.iter().filter(|(new, _)| *new).collect();
    assert_eq!(new.len(), 1, "one is new");
    assert!(
        outcomes.iter().all(|(_, id)| *id == new[0].1),
        "the others are given that one"
    );
}

pub(super) async fn a_metadata_document_replaces_the_earlier_one(subject: &Subject) {
    let store = &subject.store;
    let mut client = client("https://app.example.com/client.json");
    client.origin = crate::ClientOrigin::MetadataDocument;
    client.expires_at = None;
    assert_eq!(store.client_document(&client.id).await, Ok(None));
    let mut document = ClientDocument {
        client,
        fresh_until: START.after(MINUTE),
    };
    for name in ["before", "after"] {
        document.client.name = Some(name.to_owned());
        document.fresh_until = document.fresh_until.after(MINUTE);
        store.put_client_document(&document).await.unwrap();
        let kept = store.client_document(&document.client.id).await;
        assert_eq!(kept, Ok(Some(document.clone())));
    }
    let registered = store.client(&document.client.id, START).await;
    assert_eq!(registered, Ok(None), "it is no registered client");
}
