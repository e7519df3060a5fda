#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use clerk::{BoxFuture, Env, SecretKey, Transport, TransportError, TransportErrorKind};
use oauth::{MemoryStore, Timestamp};
use store::tool_state::{Changes, MemoryToolState, Owner};

use super::*;

/// A Clerk that answers everything with this status and code; nothing answers when there is none.
struct Clerk(Option<(u16, &'static str)>);

impl Transport for Clerk {
    fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let answer = match self.0 {
            Some((status, code)) => {
                let body = json!({"errors": [{"code": code, "message": "m"}], "keys": []});
                let answer = http::Response::builder()
                    .status(status)
                    .header("content-type", "application/json")
                    .body(Bytes::from(body.to_string()));
                Ok(answer.unwrap())
            }
            None => Err(TransportError {
                kind: TransportErrorKind::Connect,
                message: "nobody answers".to_owned(),
            }),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// A Clerk that knows everybody, and answers about memberships with this error.
struct WithoutMemberships(u16, &'static str);

impl Transport for WithoutMemberships {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let of_memberships = request.uri().path().ends_with("/organization_memberships");
        let (status, body) = match of_memberships {
            true => (
                self.0,
                json!({"errors": [{"code": self.1, "message": "m"}]}),
            ),
            false => (200, user(json!({}))),
        };
        let answer = http::Response::builder()
            .status(status)
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()));
        Box::pin(std::future::ready(Ok(answer.unwrap())))
    }
}

fn people(clerk: impl Transport + 'static) -> People {
    let key = SecretKey::parse("sk_test_0123456789abcdefghij").unwrap();
    People::new(Client::builder(key, Arc::new(clerk), Arc::new(Noon)).build())
}

#[tokio::test]
async fn what_clerk_says_of_memberships_deletes_nobody() {
    let off = "organization_not_enabled_in_instance";
    let read = |status, code| async move {
        let people = people(WithoutMemberships(status, code));
        people.now("user_1").await
    };
    let person = read(403, off).await.unwrap();
    assert!(person.facts.memberships.is_empty());
    assert_eq!(person.facts.roles, ["admin"]);
    for (status, code) in [(403, "forbidden"), (404, "resource_not_found"), (404, off)] {
        let refused = read(status, code).await.unwrap_err();
        assert!(
            matches!(refused, PersonError::Unavailable { .. }),
            "{status} {code}: {refused:?}"
        );
    }
}

struct Noon;

impl Env for Noon {
    fn now(&self) -> u64 {
        1_800_000_000_000
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        0
    }
}

#[tokio::test]
async fn what_tools_keep_goes_with_the_person_and_only_then() {
    for (answer, left) in [
        (Some((404, "resource_not_found")), 0),
        // Of a gateway, say.
        (Some((404, "unexpected_answer")), 1),
        (Some((500, "c")), 1),
        (Some((403, "c")), 1),
        (None, 1),
    ] {
        let kept = Arc::new(MemoryToolState::new());
        for user_id in ["user_1", "user_2"] {
            let owner = Owner {
                user_id: user_id.to_owned(),
                client_id: "client".to_owned(),
            };
            let values = Map::from_iter([("cart".to_owned(), json!(1))]);
            let changes = Changes::new(values).unwrap();
            let changed = kept.change_values(&owner, &changes, Timestamp(0)).await;
            changed.unwrap().unwrap();
        }
        let store = Arc::new(MemoryStore::new());
        let people = people(Clerk(answer)).forgetting(kept.clone(), store);
        people.recent("user_1").await.unwrap_err();
        people.now("user_1").await.unwrap_err();
        assert_eq!(kept.forget_values("user_1").await, Ok(left), "{answer:?}");
        assert_eq!(kept.forget_values("user_2").await, Ok(1));
    }
}

#[tokio::test]
async fn another_instance_knows_nobody_and_is_not_believed() {
    let unknown = || Clerk(Some((404, "resource_not_found")));
    let gone = people(unknown()).recent("user_1").await;
    assert_eq!(gone, Err(PersonError::Deleted));
    let unsure = people(unknown()).of_instance("https://clerk.example.com", Arc::new(unknown()));
    let unsure = unsure.recent("user_1").await;
    assert!(matches!(unsure, Err(PersonError::Unavailable { .. })));
}

fn user(more: Value) -> Value {
    let mut user = json!({
        "id": "user_1",
        "first_name": "Ava",
        "last_name": "Mitchell",
        "primary_email_address_id": "idn_2",
        "email_addresses": [
            {"id": "idn_1", "email_address": "a@old.example", "verification": {"status": "unverified"}},
            {"id": "idn_2", "email_address": "ava@Northwind.example", "verification": {"status": "verified"}},
            {"id": "idn_3", "email_address": "a@new.example", "verification": null},
        ],
        "banned": false,
        "locked": false,
        "public_metadata": {"role": "admin"},
    });
    if let (Some(user), Value::Object(more)) = (user.as_object_mut(), more) {
        user.extend(more);
    }
    user
}

#[test]
fn facts_are_what_clerk_says() {
    let memberships = json!({"data": [
        {"role": "org:admin", "permissions": ["org:x:y"], "organization": {"id": "org_1"}},
        {"role": "org:member"},
    ]});
    let person = person("user_1", &user(json!({})), &memberships);
    assert_eq!(person.name.as_deref(), Some("Ava Mitchell"));
    assert_eq!(person.email.as_deref(), Some("ava@Northwind.example"));
    assert_eq!(person.facts.roles, ["admin"]);
    assert_eq!(person.facts.verified_email_domains, ["Northwind.example"]);
    assert_eq!(person.facts.memberships.len(), 1);
    assert_eq!(person.standing, Standing::Good);
    assert_eq!(
        person.about(Some("org_1"))["organization_role"],
        "org:admin"
    );
    assert_eq!(
        person.about(Some("org_2"))["organization_role"],
        Value::Null
    );
}

#[test]
fn banned_weighs_more_than_locked() {
    let standing = |more| person("user_1", &user(more), &json!({})).standing;
    assert_eq!(
        standing(json!({"banned": true, "locked": true})),
        Standing::Banned
    );
    assert_eq!(standing(json!({"locked": true})), Standing::Locked);
}

#[test]
fn a_role_of_another_form_is_none() {
    let roles = |role: Value| {
        person(
            "user_1",
            &user(json!({"public_metadata": {"role": role}})),
            &json!({}),
        )
        .facts
        .roles
    };
    assert_eq!(roles(json!(["admin", 3, "premium"])), ["admin", "premium"]);
    assert!(roles(json!({"admin": true})).is_empty());
    assert!(roles(json!(true)).is_empty());
}
