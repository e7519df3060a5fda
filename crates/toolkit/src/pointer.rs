//! Field selection: JSON pointers (RFC 6901) with `*` for "every element or member", so that a
//! caller takes only the parts of a result that it needs.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::text::escape_str;

/// The most pointers of one selection.
pub const MAX_POINTERS: usize = 50;
/// The most tokens of one pointer.
pub const MAX_DEPTH: usize = 16;

/// Why a list of pointers is no selection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PointerError {
    /// A pointer that does not start with a slash.
    #[error("`{pointer}` is not a JSON pointer\nhint: write {hint}")]
    Form {
        /// The pointer as given.
        pointer: String,
        /// The pointer that was probably meant.
        hint: String,
    },
    /// A tilde that is not followed by 0 or 1.
    #[error(
        "the JSON pointer `{0}` has a `~` that escapes nothing\nhint: write ~0 for a tilde and ~1 \
         for a slash inside a name"
    )]
    Escape(String),
    /// A pointer with more than [`MAX_DEPTH`] tokens.
    #[error(
        "the JSON pointer `{0}` is more than {MAX_DEPTH} levels deep\nhint: select a member \
         further up"
    )]
    Depth(String),
    /// More than [`MAX_POINTERS`] pointers.
    #[error(
        "{0} JSON pointers are too many, at most {MAX_POINTERS} are allowed\nhint: select a common \
         parent, or use * for every element, as in /data/*/id"
    )]
    Count(usize),
}

/// The parts of a document that a caller asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pointers: Vec<Pointer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pointer {
    /// As the caller wrote it, for messages.
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`: every element or member.
    Every,
    /// A member's name, or an element's index.
    Name(String),
}

impl Selection {
    /// Reads a list of pointers: `/id`, `/data/*/email_addresses/0`, `/public_metadata/a~1b`.
    ///
    /// The empty pointer selects the whole document, and so does an empty list: who asks for no
    /// part in particular gets everything.
    ///
    /// # Errors
    ///
    /// A pointer without its leading slash or with a stray `~`, and lists beyond
    /// [`MAX_POINTERS`] and [`MAX_DEPTH`].
    pub fn parse(pointers: &[String]) -> Result<Self, PointerError> {
        if pointers.len() > MAX_POINTERS {
            return Err(PointerError::Count(pointers.len()));
        }
        let pointers = pointers
            .iter()
            .map(|text| {
                let tokens = tokens(text)?;
                if tokens.len() > MAX_DEPTH {
                    return Err(PointerError::Depth(shown(text)));
                }
                Ok(Pointer {
                    text: text.clone(),
                    tokens,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { pointers })
    }

    /// The selected parts of `value` in their place: objects keep the selected members, arrays the
    /// selected elements, both in their order and without gaps. A pointer that matches nothing
    /// adds nothing; if none does, the result is an empty object or array, or null.
    ///
    /// Applying a selection to its own result changes nothing, unless it names array indices:
    /// elements move up when those before them are left out.
    pub fn apply(&self, value: &Value) -> Value {
        if self.pointers.is_empty() {
            return value.clone();
        }
        let paths: Vec<&[Token]> = self.pointers.iter().map(|p| p.tokens.as_slice()).collect();
        select(value, &paths).unwrap_or_else(|| match value {
            Value::Object(_) => Value::Object(Map::new()),
            Value::Array(_) => Value::Array(Vec::new()),
            _ => Value::Null,
        })
    }

    /// The pointers that match nothing in `value`, as the caller wrote them.
    pub fn unmatched(&self, value: &Value) -> Vec<&str> {
        self.pointers
            .iter()
            .filter(|pointer| !matches(value, &pointer.tokens))
            .map(|pointer| pointer.text.as_str())
            .collect()
    }
}

/// Every value that `pointer` (which may hold `*`) reaches in `value`, in document order; none if
/// it is not a pointer.
pub fn lookup<'a>(value: &'a Value, pointer: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    if let Ok(tokens) = tokens(pointer) {
        collect(value, &tokens, &mut found);
    }
    found
}

/// What the paths select below `value`; `None` if nothing is there.
fn select(value: &Value, paths: &[&[Token]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    match value {
        Value::Object(object) => {
            let selected: Map<String, Value> = object
                .iter()
                .filter_map(|(name, member)| {
                    let below = advance(paths, |token| token.is_member(name));
                    select_below(member, &below).map(|part| (name.clone(), part))
                })
                .collect();
            (!selected.is_empty()).then_some(Value::Object(selected))
        }
        Value::Array(items) => {
            let selected: Vec<Value> = items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    let below = advance(paths, |token| token.is_element(index));
                    select_below(item, &below)
                })
                .collect();
            (!selected.is_empty()).then_some(Value::Array(selected))
        }
        _ => None,
    }
}

fn select_below(value: &Value, paths: &[&[Token]]) -> Option<Value> {
    if paths.is_empty() {
        None
    } else {
        select(value, paths)
    }
}

/// The rest of every path whose first token matches.
fn advance<'t>(paths: &[&'t [Token]], matches: impl Fn(&Token) -> bool) -> Vec<&'t [Token]> {
    paths
        .iter()
        .filter_map(|path| path.split_first())
        .filter(|(token, _)| matches(token))
        .map(|(_, rest)| rest)
        .collect()
}

fn matches(value: &Value, path: &[Token]) -> bool {
    match path.split_first() {
        None => true,
        Some((token, rest)) => children(value, token).any(|child| matches(child, rest)),
    }
}

fn collect<'a>(value: &'a Value, path: &[Token], found: &mut Vec<&'a Value>) {
    match path.split_first() {
        None => found.push(value),
        Some((token, rest)) => {
            children(value, token).for_each(|child| collect(child, rest, found));
        }
    }
}

/// The members or elements of `value` that `token` names.
fn children<'a>(value: &'a Value, token: &Token) -> Box<dyn Iterator<Item = &'a Value> + 'a> {
    match (value, token) {
        (Value::Object(object), Token::Every) => Box::new(object.values()),
        (Value::Array(items), Token::Every) => Box::new(items.iter()),
        (Value::Object(object), Token::Name(name)) => Box::new(object.get(name).into_iter()),
        (Value::Array(items), Token::Name(name)) => {
            Box::new(index(name).and_then(|index| items.get(index)).into_iter())
        }
        _ => Box::new(std::iter::empty()),
    }
}

impl Token {
    fn is_member(&self, member: &str) -> bool {
        match self {
            Self::Every => true,
            Self::Name(name) => name == member,
        }
    }

    fn is_element(&self, element: usize) -> bool {
        match self {
            Self::Every => true,
            Self::Name(name) => index(name) == Some(element),
        }
    }
}

/// An array index as RFC 6901, section 4 writes it: digits without leading zeros.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0"
        || (token.bytes().all(|byte| byte.is_ascii_digit()) && !token.starts_with('0'));
    if canonical { token.parse().ok() } else { None }
}

fn tokens(pointer: &str) -> Result<Vec<Token>, PointerError> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(path) = pointer.strip_prefix('/') else {
        return Err(PointerError::Form {
            pointer: shown(pointer),
            hint: meant(pointer),
        });
    };
    path.split('/')
        .map(|token| match token {
            "*" => Ok(Token::Every),
            _ => unescape(token)
                .map(Token::Name)
                .ok_or_else(|| PointerError::Escape(shown(pointer))),
        })
        .collect()
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = match part.split_at_checked(1)? {
            ("0", rest) => ('~', rest),
            ("1", rest) => ('/', rest),
            _ => return None,
        };
        name.push(escaped);
        name.push_str(rest);
    }
    Some(name)
}

/// The pointer behind `id`, `a.b`, `$.a[0].b`, `data[*].id` and `#/a/b`.
fn meant(pointer: &str) -> String {
    let path = pointer.trim().trim_start_matches(['$', '#', '.', '/']);
    let separated = if path.contains('/') {
        path.to_owned()
    } else {
        path.replace(['.', '['], "/").replace(']', "")
    };
    shown(&format!("/{separated}"))
}

/// The caller's text for a message: its first 80 characters, safe to print.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    escape_str(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn selection(pointers: &[&str]) -> Result<Selection, PointerError> {
        Selection::parse(&pointers.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>())
    }

    fn apply(pointers: &[&str], value: &Value) -> Value {
        selection(pointers).unwrap().apply(value)
    }

    #[test]
    fn keeps_the_nested_structure() {
        let value = json!({
            "total": 2, "a/b": 1, "m~n": 2, "": 3,
            "data": [
                {"id": "u1", "name": "A", "emails": [{"x": 1}, {"x": 2}]},
                {"id": "u2", "name": "B", "emails": []},
            ],
        });
        let cases = [
            (vec!["/total"], json!({"total": 2})),
            (
                vec!["/data/*/id", "/total"],
                json!({"total": 2, "data": [{"id": "u1"}, {"id": "u2"}]}),
            ),
            (vec!["/data/1/id"], json!({"data": [{"id": "u2"}]})),
            (
                vec!["/data/*/emails/1"],
                json!({"data": [{"emails": [{"x": 2}]}]}),
            ),
            (
                vec!["/data/0/id", "/data/*/name"],
                json!({"data": [{"id": "u1", "name": "A"}, {"name": "B"}]}),
            ),
            (
                vec!["/a~1b", "/m~0n", "/"],
                json!({"a/b": 1, "m~n": 2, "": 3}),
            ),
            (vec!["/data", "/data/0/id"], json!({"data": value["data"]})),
            (
                vec!["/*/*/id"],
                json!({"data": [{"id": "u1"}, {"id": "u2"}]}),
            ),
            (
                vec!["/data/01", "/data/-", "/data/7", "/no/no", "/total/x"],
                json!({}),
            ),
            (vec![""], value.clone()),
            (vec![], value.clone()),
        ];
        for (pointers, expected) in cases {
            // As text, since order matters here.
            assert_eq!(
                apply(&pointers, &value).to_string(),
                expected.to_string(),
                "{pointers:?}"
            );
        }
        assert_eq!(apply(&["/x"], &json!([1])), json!([]));
        assert_eq!(apply(&["/x"], &json!("text")), Value::Null);
    }

    #[test]
    fn names_what_matches_nothing() {
        let value = json!({"data": [{"id": 1}, {"nick": null}]});
        let selection = selection(&["/data/*/nick", "/data/*/name", "/id", ""]).unwrap();
        assert_eq!(selection.unmatched(&value), ["/data/*/name", "/id"]);
    }

    #[test]
    fn looks_up_with_wildcards() {
        let value = json!({"data": [{"id": 1}, {"id": 2}, {}], "x": {"id": 3}});
        assert_eq!(lookup(&value, "/data/*/id"), [&json!(1), &json!(2)]);
        assert_eq!(lookup(&value, "/*/id"), [&json!(3)]);
        assert_eq!(lookup(&value, ""), [&value]);
        assert!(lookup(&value, "data").is_empty());
        assert!(lookup(&value, "/data/~").is_empty());
    }

    #[test]
    fn errors_name_the_pointer_and_what_to_write() {
        let cases = [
            ("id", "`id` is not a JSON pointer\nhint: write /id"),
            (
                "data[0].id",
                "`data[0].id` is not a JSON pointer\nhint: write /data/0/id",
            ),
            (
                "$.data[*].id",
                "`$.data[*].id` is not a JSON pointer\nhint: write /data/*/id",
            ),
            ("#/id", "`#/id` is not a JSON pointer\nhint: write /id"),
            (
                "/a~2",
                "the JSON pointer `/a~2` has a `~` that escapes nothing\nhint: write ~0 for a \
                 tilde and ~1 for a slash inside a name",
            ),
        ];
        for (pointer, message) in cases {
            assert_eq!(selection(&[pointer]).unwrap_err().to_string(), message);
        }
        assert!(matches!(selection(&["/a~"]), Err(PointerError::Escape(_))));
        assert!(matches!(selection(&["/é~é"]), Err(PointerError::Escape(_))));
    }

    #[test]
    fn limits_are_exact() {
        assert!(selection(&["/a"; MAX_POINTERS]).is_ok());
        assert_eq!(
            selection(&["/a"; MAX_POINTERS + 1]),
            Err(PointerError::Count(51))
        );
        assert!(selection(&[&"/a".repeat(MAX_DEPTH)]).is_ok());
        assert!(matches!(
            selection(&[&"/a".repeat(MAX_DEPTH + 1)]),
            Err(PointerError::Depth(_))
        ));
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            (0..9).prop_map(Value::from),
            Just(json!("s"))
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[ab~/0]{0,2}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn pointers(token: &'static str) -> impl Strategy<Value = Vec<String>> {
        let pointer = proptest::collection::vec(token, 0..4)
            .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect());
        proptest::collection::vec(pointer, 0..5)
    }

    /// Every leaf (scalar or empty container) with its path.
    fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (name, member) in object {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    leaves(member, &format!("{path}/{name}"), found);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                items
                    .iter()
                    .for_each(|item| leaves(item, &format!("{path}/*"), found));
            }
            _ => found.push((path.to_owned(), value.clone())),
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(texts in proptest::collection::vec(any::<String>(), 0..4), value in document()) {
            for text in &texts {
                let _ = lookup(&value, text);
            }
            if let Ok(selection) = Selection::parse(&texts) {
                let _ = (selection.apply(&value), selection.unmatched(&value));
            }
        }

        #[test]
        fn idempotent_without_indices(value in document(), pointers in pointers("[ab]|\\*")) {
            let selection = Selection::parse(&pointers).unwrap();
            let once = selection.apply(&value);
            prop_assert_eq!(selection.apply(&once), once);
        }

        #[test]
        fn leaves_come_from_selected_paths(value in document(), pointers in pointers("[ab01]|\\*|~0|~1")) {
            let selection = Selection::parse(&pointers).unwrap();
            let result = selection.apply(&value);
            let nothing = selection.unmatched(&value).len() == pointers.len() && !pointers.is_empty();
            if nothing {
                let empty = [Value::Null, json!({}), json!([])].contains(&result);
                prop_assert!(empty, "{}", result);
                return Ok(());
            }
            let (mut selected, mut found) = (Vec::new(), Vec::new());
            for pointer in &pointers {
                for part in lookup(&value, pointer) {
                    leaves(part, "", &mut selected);
                }
            }
            leaves(&result, "", &mut found);
            for (path, leaf) in found {
                prop_assert!(lookup(&value, &path).contains(&&leaf), "{} at {}", leaf, path);
                prop_assert!(pointers.is_empty() || selected.iter().any(|(_, other)| *other == leaf));
            }
        }

        #[test]
        fn matched_pointers_reach_something(value in document(), pointers in pointers("[ab0]|\\*")) {
            let selection = Selection::parse(&pointers).unwrap();
            let unmatched = selection.unmatched(&value);
            for pointer in &pointers {
                prop_assert_eq!(lookup(&value, pointer).is_empty(), unmatched.contains(&pointer.as_str()));
            }
        }

        #[test]
        fn all_members_are_the_whole(members in proptest::collection::vec(("[ab~/*]{0,3}", document()), 0..6)) {
            let value = Value::Object(members.into_iter().collect());
            let pointers: Vec<String> = value.as_object().unwrap().keys()
                .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
                .collect();
            prop_assert_eq!(Selection::parse(&pointers).unwrap().apply(&value), value);
        }
    }
}
