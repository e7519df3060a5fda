//! Takes out of results what a model must not read: private metadata, sign-in tickets, tokens and
//! secrets. What was taken out is counted, so that a hint can say so, and the marker left in its
//! place is refused when it comes back in a write.

mod audit;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub(crate) use audit::is_secret;
pub use audit::redact_arguments_for_audit;

use crate::text::is_invisible;

/// What stands in the place of a redacted value.
pub const REDACTION_MARKER: &str = "[redacted by clerk-mcp]";

/// [`REDACTION_MARKER`] as [`squash`] leaves it.
const SQUASHED_MARKER: &str = "redactedbyclerkmcp";

/// How often a text is percent-decoded in the search for what it hides: a ticket URL inside the
/// `redirect_url` of another is decoded twice.
const DECODING_ROUNDS: usize = 3;

/// The owner's own data, where a member named `token` is not Clerk's. Squashed names.
const METADATA: [&str; 3] = ["publicmetadata", "unsafemetadata", "privatemetadata"];
const PRIVATE_METADATA: [&str; 1] = ["privatemetadata"];

/// Kinds of objects whose `url` signs somebody in.
const TICKET_OBJECTS: [&str; 5] = [
    "invitation",
    "organization_invitation",
    "sign_in_token",
    "actor_token",
    "agent_task",
];

/// Query parameters that sign somebody in. Squashed names.
const TICKET_PARAMETERS: [&str; 3] = ["clerkticket", "rotatingtoken", "clerkdbjwt"];

/// Members that hold a secret. Squashed names.
const SECRETS: [&str; 15] = [
    "token",
    "jwt",
    "secret",
    "clientsecret",
    "secretkey",
    "ticket",
    "password",
    "passworddigest",
    "totpsecret",
    "backupcodes",
    "signingsecret",
    "apikey",
    "accesstoken",
    "refreshtoken",
    "nonce",
];

/// What a caller may see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Private metadata stays.
    pub private_metadata: bool,
    /// The caller asked for the URLs that sign somebody in and may have them. The `token` or
    /// `ticket` beside such a URL, which is part of it, stays too.
    pub ticket_urls: bool,
}

/// How many values were taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Private metadata that was not empty.
    pub private_metadata: usize,
    /// URLs that sign somebody in.
    pub ticket_urls: usize,
    /// Tokens, passwords and other secrets.
    pub secrets: usize,
}

impl Redacted {
    /// Whether nothing was taken out.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Takes private metadata, ticket URLs and secrets out of a result, at every depth.
///
/// Private metadata is removed; every other value becomes [`REDACTION_MARKER`]. Inside metadata,
/// which is the owner's own data, only nested private metadata and ticket URLs are taken.
pub fn redact(value: &mut Value, policy: &Policy) -> Redacted {
    let mut redactor = Redactor {
        policy,
        redacted: Redacted::default(),
    };
    redactor.value(value, false);
    redactor.redacted
}

/// The JSON pointer of the first key or string of `value` that holds [`REDACTION_MARKER`], also in
/// another case, escaped, spaced otherwise, or within other text.
///
/// A write that carries a marker would replace the hidden value by it, so it has to be refused.
pub fn find_marker(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => holds_marker(text).then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| Some(format!("/{index}{}", find_marker(item)?))),
        Value::Object(object) => object.iter().find_map(|(key, member)| {
            let below = if holds_marker(key) {
                String::new()
            } else {
                find_marker(member)?
            };
            Some(format!(
                "/{}{below}",
                key.replace('~', "~0").replace('/', "~1")
            ))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

struct Redactor<'p> {
    policy: &'p Policy,
    redacted: Redacted,
}

impl Redactor<'_> {
    fn value(&mut self, value: &mut Value, in_metadata: bool) {
        match value {
            Value::String(text) => {
                if !self.policy.ticket_urls && holds_ticket(text) {
                    *text = REDACTION_MARKER.to_owned();
                    self.redacted.ticket_urls += 1;
                }
            }
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.value(item, in_metadata)),
            Value::Object(object) => self.object(object, in_metadata),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, object: &mut Map<String, Value>, in_metadata: bool) {
        if !self.policy.private_metadata {
            object.retain(|key, member| {
                let private = is_named(key, &PRIVATE_METADATA);
                self.redacted.private_metadata += usize::from(private && !is_blank(member));
                !private
            });
        }
        let kind = object.get("object").and_then(Value::as_str);
        let signs_in = kind.is_some_and(|kind| TICKET_OBJECTS.contains(&kind));
        for (key, member) in object.iter_mut() {
            let secret = is_named(key, &SECRETS);
            if in_metadata || !(secret || signs_in && is_named(key, &["url"])) {
                self.value(member, in_metadata || is_named(key, &METADATA));
            } else if signs_in && is_named(key, &["url", "token", "ticket"]) {
                if !self.policy.ticket_urls {
                    self.redacted.ticket_urls += self.conceal(member);
                }
            } else {
                self.redacted.secrets += self.conceal(member);
            }
        }
    }

    /// Puts the marker in the place of a text or a list of texts; returns how many were hidden
    /// here. What is neither (a setting such as `"password": {"enabled": true}`) is looked into.
    fn conceal(&mut self, member: &mut Value) -> usize {
        match member {
            Value::String(text) if text.is_empty() || text == REDACTION_MARKER => 0,
            Value::Array(items) if !items.iter().all(Value::is_string) => {
                items.iter_mut().map(|item| self.conceal(item)).sum()
            }
            Value::Array(items)
                if (items.iter()).all(|item| is_blank(item) || item == REDACTION_MARKER) =>
            {
                0
            }
            Value::String(_) | Value::Array(_) => {
                *member = Value::String(REDACTION_MARKER.to_owned());
                1
            }
            _ => {
                self.value(member, false);
                0
            }
        }
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether `key` is one of the squashed names, in snake, camel or any other case.
fn is_named(key: &str, names: &[&str]) -> bool {
    names.iter().any(|name| squashed(key).eq(name.chars()))
}

/// Whether `text` holds a URL whose query signs somebody in.
fn holds_ticket(text: &str) -> bool {
    any_decoding(text, |text| {
        // Clerk's own parameters are unmistakable; `ticket` alone means something in a URL only.
        let in_url = text.contains("://") || text.starts_with(['/', '?']);
        text.split(['?', '&', '#', ';']).skip(1).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let ticket =
                    is_named(name, &TICKET_PARAMETERS) || (in_url && is_named(name, &["ticket"]));
                ticket && !value.is_empty()
            })
        })
    })
}

fn holds_marker(text: &str) -> bool {
    any_decoding(text, |text| {
        squash(&unescape(text)).contains(SQUASHED_MARKER)
    })
}

/// Whether `test` holds for the text or for one of its percent-decodings.
fn any_decoding(text: &str, test: impl Fn(&str) -> bool) -> bool {
    let mut text = Cow::Borrowed(text);
    for _ in 0..DECODING_ROUNDS {
        if test(&text) {
            return true;
        }
        match percent_decode(&text) {
            Some(decoded) => text = Cow::Owned(decoded),
            None => return false,
        }
    }
    test(&text)
}

/// The text with its `%20` decoded, `None` if there are none.
fn percent_decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    let mut any = false;
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(hexadecimal)
            .and_then(|code| u8::try_from(code).ok());
        match byte {
            Some(byte) => {
                decoded.push(byte);
                decoded.extend(part.bytes().skip(2));
                any = true;
            }
            None => {
                decoded.push(b'%');
                decoded.extend(part.bytes());
            }
        }
    }
    any.then(|| String::from_utf8_lossy(&decoded).into_owned())
}

/// The text with its `\u0020` and `\u{20}` decoded.
fn unescape(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("\\u");
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let mut unescaped = first.to_owned();
    for part in parts {
        let (code, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(braced) => braced,
            None => part.split_at_checked(4).unwrap_or(("", part)),
        };
        match hexadecimal(code).and_then(char::from_u32) {
            Some(character) => {
                unescaped.push(character);
                unescaped.push_str(rest);
            }
            None => unescaped.push_str(part),
        }
    }
    Cow::Owned(unescaped)
}

/// A number of hexadecimal digits only; `from_str_radix` would take a sign too.
fn hexadecimal(digits: &str) -> Option<u32> {
    let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if valid {
        u32::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// Letters and digits in lower case: `Client-Secret`, `client_secret` and `clientSecret` are one.
fn squash(text: &str) -> String {
    squashed(text).collect()
}

fn squashed(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|character| character.is_alphanumeric() && !is_invisible(*character))
        .flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests;
