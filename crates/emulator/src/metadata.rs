//! Metadata: deep merge, replacement and the size limit.

use crate::error::{self, ApiError};
use crate::model::Metadata;
use serde_json::Value;

/// The most bytes that one kind of metadata takes, as JSON.
const MAX_BYTES: usize = 8 * 1024;

/// Merges `changes` into `current`: objects at every level are merged, `null` removes a key,
/// anything else replaces what was there.
pub(crate) fn merge(current: &mut Metadata, changes: &Metadata) {
    for (key, change) in changes {
        match (current.get_mut(key), change) {
            (_, Value::Null) => {
                current.shift_remove(key);
            }
            (Some(Value::Object(inner)), Value::Object(changes)) => merge(inner, changes),
            (_, Value::Object(changes)) => {
                let mut inner = Metadata::new();
                merge(&mut inner, changes);
                current.insert(key.clone(), Value::Object(inner));
            }
            _ => {
                current.insert(key.clone(), change.clone());
            }
        }
    }
}

/// The result of merging, if it is within the limit.
pub(crate) fn merged(
    param: &str,
    current: &Metadata,
    changes: &Metadata,
) -> Result<Metadata, ApiError> {
    let mut result = current.clone();
    merge(&mut result, changes);
    checked(param, result)
}

/// The metadata itself, if it is within the limit.
pub(crate) fn checked(param: &str, metadata: Metadata) -> Result<Metadata, ApiError> {
    if metadata.is_empty() {
        return Ok(metadata);
    }
    match serde_json::to_vec(&metadata) {
        Ok(bytes) if bytes.len() <= MAX_BYTES => Ok(metadata),
        _ => Err(error::param_exceeds_size(param)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Metadata {
        match value {
            Value::Object(map) => map,
            _ => unreachable!(),
        }
    }

    #[test]
    fn merge_is_deep_and_null_removes() {
        let mut current = object(json!({ "a": { "b": 1, "c": 2 }, "d": [1], "e": 5 }));
        let changes =
            object(json!({ "a": { "b": null, "x": { "y": null, "z": 1 } }, "d": [2], "e": null }));
        merge(&mut current, &changes);
        assert_eq!(
            Value::Object(current),
            json!({ "a": { "c": 2, "x": { "z": 1 } }, "d": [2] })
        );
    }

    #[test]
    fn eight_kilobytes_is_the_limit() {
        let fits = object(json!({ "a": "x".repeat(MAX_BYTES - 8) }));
        assert!(checked("public_metadata", fits).is_ok());
        let too_big = object(json!({ "a": "x".repeat(MAX_BYTES - 7) }));
        let error = checked("public_metadata", too_big).unwrap_err();
        assert_eq!(error.code, "form_param_exceeds_allowed_size");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<i8>().prop_map(|n| json!(n))];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    fn objects() -> impl Strategy<Value = Metadata> {
        prop::collection::btree_map("[a-c]", values(), 0..4)
            .prop_map(|map| map.into_iter().collect())
    }

    /// What merging means, key by key.
    fn expected(current: Option<&Value>, change: &Value) -> Option<Value> {
        match change {
            Value::Null => None,
            Value::Object(changes) => {
                let mut result = match current {
                    Some(Value::Object(map)) => map.clone(),
                    _ => Metadata::new(),
                };
                for (key, change) in changes {
                    match expected(result.get(key), change) {
                        Some(value) => drop(result.insert(key.clone(), value)),
                        None => drop(result.shift_remove(key)),
                    }
                }
                Some(Value::Object(result))
            }
            other => Some(other.clone()),
        }
    }

    proptest! {
        #[test]
        fn merge_follows_its_definition(current in objects(), changes in objects()) {
            let wanted = expected(Some(&Value::Object(current.clone())), &Value::Object(changes.clone()));
            let mut once = current;
            merge(&mut once, &changes);
            prop_assert_eq!(Some(Value::Object(once.clone())), wanted);
            let mut twice = once.clone();
            merge(&mut twice, &changes);
            prop_assert_eq!(once, twice);
        }
    }
}
