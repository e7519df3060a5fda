//! Keeps results within what a model's context bears: measures compact JSON without building it,
//! and cuts whole items or members, never the text of one.

use std::io;

use serde_json::{Map, Value};

/// The most bytes of compact JSON that one tool result holds.
pub const RESULT_LIMIT: usize = 100 * 1024;

/// Members that say what an object is; they are never cut.
const KEPT_MEMBERS: [&str; 2] = ["id", "object"];

/// What [`cut_items`] kept and dropped, in items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Items that remain, from the start of the list.
    pub kept: usize,
    /// Items that were removed from its end.
    pub dropped: usize,
}

/// Keeps the longest prefix of `items` whose compact JSON array is at most `limit` bytes.
///
/// Keeps nothing if the first item alone does not fit; the caller then cuts inside that item
/// (see [`cut_members`]).
pub fn cut_items(items: &mut Vec<Value>, limit: usize) -> Cut {
    let mut size = "[]".len();
    let mut kept = 0;
    for item in items.iter() {
        let comma = usize::from(kept > 0);
        size = size.saturating_add(comma).saturating_add(json_size(item));
        if size > limit {
            break;
        }
        kept += 1;
    }
    let dropped = items.len() - kept;
    items.truncate(kept);
    Cut { kept, dropped }
}

/// Removes the largest members of `object` until its compact JSON is at most `limit` bytes, and
/// returns their names, largest first. `id` and `object` stay even if they alone do not fit.
pub fn cut_members(object: &mut Map<String, Value>, limit: usize) -> Vec<String> {
    let mut sizes: Vec<(usize, &String)> = object
        .iter()
        .map(|(name, value)| (member_size(name, value), name))
        .collect();
    let commas = sizes.len().saturating_sub(1);
    let mut size = "{}".len() + commas + sizes.iter().map(|(size, _)| size).sum::<usize>();
    // The sort is stable: among equals the earlier member goes first.
    sizes.sort_by_key(|(size, _)| std::cmp::Reverse(*size));

    let mut left = sizes.len();
    let mut removed = Vec::new();
    for (member, name) in sizes {
        if size <= limit {
            break;
        }
        if KEPT_MEMBERS.contains(&name.as_str()) {
            continue;
        }
        left -= 1;
        size -= member + usize::from(left > 0);
        removed.push(name.clone());
    }
    let names: std::collections::HashSet<&String> = removed.iter().collect();
    object.retain(|name, _| !names.contains(name));
    removed
}

/// The length in bytes of `value` as compact JSON, equal to that of `serde_json::to_string`.
pub fn json_size(value: &Value) -> usize {
    let mut counter = Counter(0);
    // A value holds only string keys and the counter takes every byte, so this cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// `"name":value`
fn member_size(name: &str, value: &Value) -> usize {
    let mut counter = Counter(0);
    // As in `json_size`, this cannot fail.
    let _ = serde_json::to_writer(&mut counter, name);
    counter.0 + ":".len() + json_size(value)
}

/// Counts what is written and keeps none of it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn counts_brackets_and_commas() {
        // `[11,22,33]` is ten bytes.
        for (limit, kept) in [(10, 3), (9, 2), (7, 2), (6, 1), (4, 1), (3, 0), (0, 0)] {
            let mut items = vec![json!(11), json!(22), json!(33)];
            let cut = cut_items(&mut items, limit);
            assert_eq!(
                cut,
                Cut {
                    kept,
                    dropped: 3 - kept
                },
                "limit {limit}"
            );
            assert_eq!(items.len(), kept);
        }
    }

    #[test]
    fn stops_at_the_first_item_that_does_not_fit() {
        let mut items = vec![json!("a long first item"), json!(1)];
        assert_eq!(
            cut_items(&mut items, 10),
            Cut {
                kept: 0,
                dropped: 2
            }
        );
        assert_eq!(
            cut_items(&mut items, 10),
            Cut {
                kept: 0,
                dropped: 0
            }
        );
    }

    #[test]
    fn cuts_the_largest_members_and_keeps_identity() {
        let mut value = json!({
            "id": "x".repeat(90), "object": "user", "big": "x".repeat(80),
            "bigger": "x".repeat(85), "small": 1,
        });
        let object = value.as_object_mut().unwrap();
        assert_eq!(cut_members(object, 220), ["bigger"]);
        assert_eq!(cut_members(object, 1), ["big", "small"]);
        assert_eq!(object.keys().collect::<Vec<_>>(), ["id", "object"]);
        assert!(cut_members(object, 0).is_empty());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\"\\\\\u{0}-\u{1f}é😀]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn size_is_exact(value in any_json()) {
            prop_assert_eq!(json_size(&value), serde_json::to_string(&value).unwrap().len());
        }

        #[test]
        fn keeps_the_longest_prefix(
            items in proptest::collection::vec(any_json(), 0..8),
            limit in 0usize..200,
        ) {
            let mut left = items.clone();
            let cut = cut_items(&mut left, limit);
            prop_assert_eq!(cut.kept + cut.dropped, items.len());
            prop_assert_eq!(&left[..], &items[..cut.kept]);
            prop_assert!(cut.kept == 0 || json_size(&json!(left)) <= limit);
            if cut.dropped > 0 {
                prop_assert!(json_size(&json!(items[..=cut.kept])) > limit);
            }
        }

        #[test]
        fn members_fit_or_nothing_is_left_to_cut(
            members in proptest::collection::vec(("id|object|[a-z]{0,3}", any_json()), 0..8),
            limit in 0usize..200,
        ) {
            let original: Map<String, Value> = members.into_iter().collect();
            let mut object = original.clone();
            let removed = cut_members(&mut object, limit);
            prop_assert_eq!(object.len() + removed.len(), original.len());
            prop_assert!(removed.iter().all(|name| !object.contains_key(name)));
            let only_identity = object.keys().all(|name| KEPT_MEMBERS.contains(&name.as_str()));
            prop_assert!(json_size(&json!(object)) <= limit || only_identity);
            // Nothing was cut in vain: with the last one put back it would not fit.
            if let Some(last) = removed.last() {
                object.insert(last.clone(), original[last].clone());
                prop_assert!(json_size(&json!(object)) > limit);
            }
        }
    }
}
