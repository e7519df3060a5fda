//! Text from profiles and metadata is data, not layout: characters that cannot be seen, or that
//! reorder what can be seen, are written out as `\u{200b}` before a model or a person reads them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Inclusive ranges of characters that are written out, in ascending order.
///
/// The emoji variation selector U+FE0F is absent on purpose: it only asks for a colour glyph.
const INVISIBLE: &[(char, char)] = &[
    ('\u{0000}', '\u{0008}'),
    ('\u{000b}', '\u{001f}'),
    ('\u{007f}', '\u{009f}'),
    // Soft hyphen, combining grapheme joiner, Arabic letter mark.
    ('\u{00ad}', '\u{00ad}'),
    ('\u{034f}', '\u{034f}'),
    ('\u{061c}', '\u{061c}'),
    // Fillers and inherent vowels that draw nothing.
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    // Zero width, joiners, direction marks; separators and bidirectional embeddings; word joiner,
    // invisible operators, isolates and the deprecated format characters after them.
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0e}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    // Unassigned invisible characters and interlinear annotations.
    ('\u{fff0}', '\u{fffb}'),
    // Shorthand and musical format controls.
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    // Tag characters, variation selectors supplement, and the rest of that invisible block.
    ('\u{e0000}', '\u{e0fff}'),
];

/// Writes out the invisible characters of every string and every object key, at every depth.
///
/// Nothing is allocated where nothing has to be escaped. If two keys of one object become equal,
/// the later escaped one is numbered (`name (2)`): no member is lost.
pub fn escape_invisible(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(escaped) = escape_str(text) {
                *text = escaped;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(escape_invisible),
        Value::Object(object) => {
            if object.keys().any(|key| first_invisible(key).is_some()) {
                escape_keys(object);
            }
            object.values_mut().for_each(escape_invisible);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `text` with its invisible characters written out, borrowed if there are none.
///
/// Line feed and tab stay; carriage return does not.
pub fn escape_str(text: &str) -> Cow<'_, str> {
    let Some(start) = first_invisible(text) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(start);
    let mut escaped = String::with_capacity(text.len() + 8);
    escaped.push_str(clean);
    for character in rest.chars() {
        if is_invisible(character) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether [`escape_str`] writes this character out.
pub fn is_invisible(character: char) -> bool {
    let after = INVISIBLE.partition_point(|(first, _)| *first <= character);
    after
        .checked_sub(1)
        .and_then(|index| INVISIBLE.get(index))
        .is_some_and(|(_, last)| character <= *last)
}

fn first_invisible(text: &str) -> Option<usize> {
    text.char_indices()
        .find(|(_, character)| is_invisible(*character))
        .map(|(index, _)| index)
}

fn escape_keys(object: &mut Map<String, Value>) {
    let members = std::mem::take(object);
    // Keys that are clean keep their name; only an escaped one is ever renumbered.
    let mut taken: HashMap<String, usize> = members
        .keys()
        .filter(|key| first_invisible(key).is_none())
        .map(|key| (key.clone(), 1))
        .collect();
    for (key, value) in members {
        let name = match escape_str(&key) {
            Cow::Borrowed(_) => key,
            Cow::Owned(escaped) => free_name(escaped, &mut taken),
        };
        object.insert(name, value);
    }
}

/// `wanted`, or `wanted (2)`, `wanted (3)` … if it is taken. The counter is kept per name, so many
/// collisions cost no more than their number.
fn free_name(wanted: String, taken: &mut HashMap<String, usize>) -> String {
    let Some(mut number) = taken.get(&wanted).copied() else {
        taken.insert(wanted.clone(), 1);
        return wanted;
    };
    let name = loop {
        number += 1;
        let candidate = format!("{wanted} ({number})");
        if !taken.contains_key(&candidate) {
            break candidate;
        }
    };
    taken.insert(wanted, number);
    taken.insert(name.clone(), 1);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn writes_out_what_cannot_be_seen() {
        let cases = [
            ("a\u{200b}b", "a\\u{200b}b"),
            ("\u{0}\u{1b}[31m", "\\u{0}\\u{1b}[31m"),
            ("\u{7f}\u{9f}\r", "\\u{7f}\\u{9f}\\u{d}"),
            ("\u{202e}gpj.exe\u{2069}", "\\u{202e}gpj.exe\\u{2069}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("\u{feff}x\u{fe0e}", "\\u{feff}x\\u{fe0e}"),
            (
                "\u{e0041}\u{e007f}\u{e0100}",
                "\\u{e0041}\\u{e007f}\\u{e0100}",
            ),
            ("\u{fff9}\u{fffb}", "\\u{fff9}\\u{fffb}"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape_str(text), expected);
        }
    }

    #[test]
    fn every_listed_character_is_invisible() {
        let listed = [
            0x200b..=0x200f,
            0x2060..=0x2064,
            0xfeff..=0xfeff,
            0xad..=0xad,
            0x34f..=0x34f,
            0x61c..=0x61c,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x3164..=0x3164,
            0xffa0..=0xffa0,
            0x202a..=0x202e,
            0x2066..=0x2069,
            0x2028..=0x2029,
            0xfe00..=0xfe0e,
            0xe0100..=0xe01ef,
            0xfff9..=0xfffb,
            0xe0000..=0xe007f,
            0x7f..=0x9f,
            0x0..=0x8,
            0xb..=0x1f,
        ];
        for code in listed.into_iter().flatten() {
            let character = char::from_u32(code).unwrap();
            assert!(is_invisible(character), "U+{code:04X}");
        }
    }

    #[test]
    fn keeps_visible_text_without_allocating() {
        for text in [
            "",
            "Zoë\n\tО’Нил 日本 ❤\u{fe0f} 👍🏽",
            "\u{a0}\u{fffd}",
            "\\u{200b}",
        ] {
            assert!(matches!(escape_str(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn escapes_keys_and_values_at_every_depth_in_order() {
        let mut value = json!({"z": [{"k\u{200b}": "v\u{202e}"}], "a\u{0}": 1, "m": null});
        escape_invisible(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"z":[{"k\\u{200b}":"v\\u{202e}"}],"a\\u{0}":1,"m":null}"#
        );
    }

    #[test]
    fn colliding_keys_lose_no_member() {
        let mut value = json!({
            "\u{200b}\u{200b}": 1, "\\u{200b}\u{200b}": 2, "\\u{200b}\\u{200b}": 3,
            "\\u{200b}\\u{200b} (2)": 4,
        });
        escape_invisible(&mut value);
        assert_eq!(
            value,
            json!({
                "\\u{200b}\\u{200b} (3)": 1, "\\u{200b}\\u{200b} (4)": 2,
                "\\u{200b}\\u{200b}": 3, "\\u{200b}\\u{200b} (2)": 4,
            })
        );
    }

    fn invisible_text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[a\\\\u{}20b\u{200b}\u{202e}\u{e0041}]{0,6}"
        ]
    }

    proptest! {
        #[test]
        fn nothing_invisible_is_left(text in invisible_text()) {
            let escaped = escape_str(&text);
            prop_assert!(!escaped.chars().any(is_invisible));
            let again = escape_str(&escaped);
            prop_assert_eq!(&again, &escaped);
            prop_assert_eq!(matches!(escape_str(&text), Cow::Owned(_)), text.chars().any(is_invisible));
        }

        #[test]
        fn no_member_is_lost(keys in proptest::collection::hash_set(invisible_text(), 0..20)) {
            let mut value: Value =
                Value::Object(keys.iter().enumerate().map(|(i, k)| (k.clone(), json!(i))).collect());
            escape_invisible(&mut value);
            let object = value.as_object().unwrap();
            let order: Vec<_> = object.values().map(|v| v.as_u64().unwrap()).collect();
            prop_assert_eq!(order, (0..keys.len() as u64).collect::<Vec<_>>());
            prop_assert!(!object.keys().any(|key| key.chars().any(is_invisible)));
        }
    }
}
