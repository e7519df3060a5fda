//! What every store of tools' values promises, tried on each of them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod each_store;
mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use clerk_mcp_store::tool_state::{
    Changes, MOST_VALUES, MemoryToolState, Owner, SweptValues, TOUCHED_EVERY, ToolStateStore,
    ValueFault,
};
use each_store::for_each_store;
use oauth::Timestamp;
use serde_json::{Map, Value, json};
use support::NOW;

type Subject = each_store::Subject<dyn ToolStateStore>;

async fn memory() -> Subject {
    Subject::in_memory(Arc::new(MemoryToolState::new()))
}

async fn sqlite() -> Subject {
    Subject::in_sqlite(|store| Arc::new(store)).await
}

for_each_store! { memory sqlite: {
    values_are_kept_and_removed,
    values_belong_to_one_person_and_client,
    a_change_leaves_other_names_alone,
    concurrent_changes_lose_nothing,
    a_change_of_what_was_changed_meanwhile_is_refused_whole,
    of_many_that_change_the_same_value_each_sees_the_ones_before,
    a_change_is_all_or_nothing,
    room_is_bounded_and_can_be_made,
    of_many_that_want_the_last_place_one_gets_it,
    a_person_is_forgotten_whole,
    what_nobody_uses_is_swept,
    what_is_only_read_stays,
} }

fn owner(user: &str, client: &str) -> Owner {
    Owner {
        user_id: user.to_owned(),
        client_id: client.to_owned(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl Subject {
    async fn set_at(&self, owner: &Owner, values: Value, now: Timestamp) -> Result<(), ValueFault> {
        let changes = Changes::new(object(values)).unwrap();
        let changed = self.store.change_values(owner, &changes, now).await;
        changed.unwrap()
    }

    async fn set(&self, owner: &Owner, values: Value) -> Result<(), ValueFault> {
        self.set_at(owner, values, NOW).await
    }

    async fn get_at(&self, owner: &Owner, names: &[&str], now: Timestamp) -> Value {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let values = self.store.values(owner, &names, now).await.unwrap();
        Value::Object(values)
    }

    async fn get(&self, owner: &Owner, names: &[&str]) -> Value {
        self.get_at(owner, names, NOW).await
    }
}

async fn values_are_kept_and_removed(subject: &Subject) {
    let ada = owner("user_1", "client");
    assert_eq!(subject.get(&ada, &["a"]).await, json!({}));
    let values = json!({"a": {"deep": ["ä\u{0}", 1.5, null, true]}, "b": "", "c": 0});
    subject.set(&ada, values.clone()).await.unwrap();
    assert_eq!(subject.get(&ada, &["a", "b", "c", "d"]).await, values);
    assert_eq!(subject.get(&ada, &["b"]).await, json!({"b": ""}));
    assert_eq!(subject.get(&ada, &[]).await, json!({}));
    subject
        .set(&ada, json!({"a": 2, "b": null, "never": null}))
        .await
        .unwrap();
    assert_eq!(
        subject.get(&ada, &["a", "b", "c"]).await,
        json!({"a": 2, "c": 0})
    );
}

async fn values_belong_to_one_person_and_client(subject: &Subject) {
    let ada = owner("user_1", "client");
    subject.set(&ada, json!({"a": 1})).await.unwrap();
    for other in [
        owner("user_2", "client"),
        owner("user_1", "other"),
        owner("USER_1", "client"),
        owner("user_1", "Client"),
        owner("user_1client", ""),
        owner("", "user_1client"),
        owner("user_%", "client"),
    ] {
        assert_eq!(subject.get(&other, &["a"]).await, json!({}), "{other:?}");
        subject
            .set(&other, json!({"a": "theirs", "b": null}))
            .await
            .unwrap();
    }
    assert_eq!(subject.get(&ada, &["a"]).await, json!({"a": 1}));
}

async fn a_change_leaves_other_names_alone(subject: &Subject) {
    let ada = owner("user_1", "client");
    subject.set(&ada, json!({"a": 1, "b": 1})).await.unwrap();
    subject.set(&ada, json!({"b": 2, "c": 2})).await.unwrap();
    subject.set(&ada, json!({})).await.unwrap();
    let all = subject.get(&ada, &["a", "b", "c"]).await;
    assert_eq!(all, json!({"a": 1, "b": 2, "c": 2}));
}

async fn a_change_of_what_was_changed_meanwhile_is_refused_whole(subject: &Subject) {
    let ada = owner("user_1", "client");
    let change = async |expected: Option<Value>, values: Value| {
        let changes = Changes::new(object(values)).unwrap();
        let changes = changes.if_still("a", expected);
        let changed = subject.store.change_values(&ada, &changes, NOW).await;
        changed.unwrap()
    };
    let name = "a".to_owned();
    let refused = Err(ValueFault::Changed { name });
    assert_eq!(change(Some(json!(1)), json!({"a": 2})).await, refused);
    assert_eq!(
        change(None, json!({"a": {"x": 1.5, "y": []}})).await,
        Ok(())
    );
    assert_eq!(change(None, json!({"a": 2, "b": 2})).await, refused);
    let kept = json!({"y": [], "x": 1.5});
    assert_eq!(change(Some(kept), json!({"a": 3})).await, Ok(()));
    // The value that is expected may be another than the one that is changed; null is no value.
    assert_eq!(change(Some(json!(3)), json!({"b": 3})).await, Ok(()));
    assert_eq!(change(Some(Value::Null), json!({"b": 4})).await, refused);
    assert_eq!(change(Some(json!(3)), json!({"a": null})).await, Ok(()));
    assert_eq!(change(None, json!({"c": 1})).await, Ok(()));
    let all = subject.get(&ada, &["a", "b", "c"]).await;
    assert_eq!(all, json!({"b": 3, "c": 1}));
}

async fn of_many_that_change_the_same_value_each_sees_the_ones_before(subject: &Subject) {
    let ada = owner("user_1", "client");
    let changing: Vec<_> = (0..16)
        .map(|number| {
            let (store, ada) = (Arc::clone(&subject.store), ada.clone());
            tokio::spawn(async move {
                let names = ["all".to_owned()];
                loop {
                    let kept = store.values(&ada, &names, NOW).await.unwrap();
                    let kept = kept.get("all").cloned();
                    let mut all = kept.clone().unwrap_or_else(|| json!([]));
                    all.as_array_mut().unwrap().push(json!(number));
                    let changes = Changes::new(object(json!({ "all": all }))).unwrap();
                    let changes = changes.if_still("all", kept);
                    match store.change_values(&ada, &changes, NOW).await.unwrap() {
                        Ok(()) => return,
                        Err(fault) => assert!(matches!(fault, ValueFault::Changed { .. })),
                    }
                }
            })
        })
        .collect();
    for task in changing {
        task.await.unwrap();
    }
    let all = subject.get(&ada, &["all"]).await;
    let all: BTreeSet<u64> = serde_json::from_value(all["all"].clone()).unwrap();
    assert_eq!(all.len(), 16);
}

async fn concurrent_changes_lose_nothing(subject: &Subject) {
    let ada = owner("user_1", "client");
    let changing: Vec<_> = (0..32)
        .map(|number| {
            let (store, ada) = (Arc::clone(&subject.store), ada.clone());
            tokio::spawn(async move {
                let values = json!({ format!("n{number}"): number, "both": [number, number] });
                let changes = Changes::new(object(values)).unwrap();
                store
                    .change_values(&ada, &changes, NOW)
                    .await
                    .unwrap()
                    .unwrap();
            })
        })
        .collect();
    for task in changing {
        task.await.unwrap();
    }
    for number in 0..32 {
        let name = format!("n{number}");
        assert_eq!(
            subject.get(&ada, &[&name]).await,
            json!({ name.clone(): number })
        );
    }
    let both = &subject.get(&ada, &["both"]).await["both"];
    assert_eq!(both[0], both[1]);
}

async fn a_change_is_all_or_nothing(subject: &Subject) {
    let ada = owner("user_1", "client");
    let full: Map<_, _> = (0..MOST_VALUES)
        .map(|n| (format!("n{n}"), json!(n)))
        .collect();
    subject.set(&ada, Value::Object(full)).await.unwrap();
    let changed = subject
        .set(&ada, json!({"n0": "new", "n1": null, "x": 1, "y": 1}))
        .await;
    assert_eq!(changed, Err(ValueFault::TooMany));
    let kept = subject.get(&ada, &["n0", "n1", "x", "y"]).await;
    assert_eq!(kept, json!({"n0": 0, "n1": 1}));
}

async fn room_is_bounded_and_can_be_made(subject: &Subject) {
    let ada = owner("user_1", "client");
    let full: Map<_, _> = (0..MOST_VALUES)
        .map(|n| (format!("n{n}"), json!(n)))
        .collect();
    subject.set(&ada, Value::Object(full)).await.unwrap();
    assert_eq!(
        subject.set(&ada, json!({"x": 1})).await,
        Err(ValueFault::TooMany)
    );
    subject.set(&ada, json!({"n5": "changed"})).await.unwrap();
    subject
        .set(&ada, json!({"x": 1, "n6": null}))
        .await
        .unwrap();
    // One person's values take no room from another's.
    subject
        .set(&owner("user_2", "client"), json!({"x": 1}))
        .await
        .unwrap();
    subject
        .set(&owner("user_1", "other"), json!({"x": 1}))
        .await
        .unwrap();
}

async fn of_many_that_want_the_last_place_one_gets_it(subject: &Subject) {
    let ada = owner("user_1", "client");
    let full: Map<_, _> = (1..MOST_VALUES)
        .map(|n| (format!("n{n}"), json!(n)))
        .collect();
    subject.set(&ada, Value::Object(full)).await.unwrap();
    let racing: Vec<_> = (0..16)
        .map(|number| {
            let (store, ada) = (Arc::clone(&subject.store), ada.clone());
            tokio::spawn(async move {
                let changes = Changes::new(object(json!({ format!("x{number}"): 1 })));
                let changed = store.change_values(&ada, &changes.unwrap(), NOW).await;
                changed.unwrap().is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for racer in racing {
        won += u32::from(racer.await.unwrap());
    }
    assert_eq!(won, 1);
}

async fn a_person_is_forgotten_whole(subject: &Subject) {
    let (one, two) = (owner("user_1", "client"), owner("user_1", "other"));
    let other = owner("user_12", "client");
    for owner in [&one, &two, &other] {
        subject.set(owner, json!({"a": 1, "b": 2})).await.unwrap();
    }
    assert_eq!(subject.store.forget_values("user_1").await.unwrap(), 4);
    assert_eq!(subject.store.forget_values("user_1").await.unwrap(), 0);
    assert_eq!(subject.get(&one, &["a"]).await, json!({}));
    assert_eq!(subject.get(&two, &["a"]).await, json!({}));
    assert_eq!(subject.get(&other, &["a"]).await, json!({"a": 1}));
}

async fn swept(subject: &Subject, end: Timestamp) -> u64 {
    let mut values = 0;
    loop {
        let SweptValues { values: part, more } = subject.store.sweep_values(end).await.unwrap();
        values += part;
        if !more {
            return values;
        }
    }
}

async fn what_nobody_uses_is_swept(subject: &Subject) {
    let later = NOW.after(Duration::from_secs(60));
    for number in 0..7 {
        let many: Map<_, _> = (0..MOST_VALUES)
            .map(|n| (format!("n{n}"), json!(n)))
            .collect();
        let owner = owner(&format!("user_{number}"), "client");
        subject.set(&owner, Value::Object(many)).await.unwrap();
        subject
            .set_at(&owner, json!({"n0": "written again"}), later)
            .await
            .unwrap();
    }
    assert_eq!(
        swept(subject, NOW.before(Duration::from_millis(1))).await,
        0
    );
    assert_eq!(swept(subject, NOW).await, 7 * (MOST_VALUES as u64 - 1));
    let left = subject.get(&owner("user_3", "client"), &["n0", "n1"]).await;
    assert_eq!(left, json!({"n0": "written again"}));
}

async fn what_is_only_read_stays(subject: &Subject) {
    let ada = owner("user_1", "client");
    subject
        .set(&ada, json!({"read": 1, "unread": 1}))
        .await
        .unwrap();
    let day_after = NOW.after(TOUCHED_EVERY);
    let soon = day_after.before(Duration::from_millis(1));
    // Within a day, reading writes nothing.
    subject.get_at(&ada, &["read"], soon).await;
    subject.get_at(&ada, &["read"], day_after).await;
    // A clock that is behind takes nothing back.
    subject.get_at(&ada, &["read"], NOW).await;
    let names: BTreeSet<_> = [NOW, soon, day_after].into();
    let mut counts = Vec::new();
    for end in names {
        counts.push(swept(subject, end).await);
    }
    assert_eq!(counts, [1, 0, 1]);
}
