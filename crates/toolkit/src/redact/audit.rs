//! Reduces a call's arguments to what an audit record may keep: which tool did what to which ids,
//! without the people's data that was read or written.

use serde_json::{Map, Value};

use super::{METADATA, REDACTION_MARKER, SECRETS, holds_ticket, is_named, squash};

/// What stands for text that says nothing to an auditor and much to a thief.
const OMITTED: &str = "…";
/// The longest identifier, role, time or key name that is kept as it is.
const LONGEST_PLAIN: usize = 64;

/// Prefixes of secrets, each with the least number of characters that follow it: Clerk's, then those
/// that the authorization server of this workspace issues.
const SECRET_PREFIXES: [(&str, usize); 8] = [
    ("sk_", 4),
    ("whsec_", 4),
    ("oat_", 12),
    ("cma_", 12),
    ("cmb_", 12),
    ("cmc_", 12),
    ("cmr_", 12),
    ("cms_", 12),
];

/// The arguments of a call as an audit record keeps them.
///
/// Ids, roles, times, limits and booleans stay. Metadata keeps its key names only; e-mail
/// addresses become `a***@example.com`, phone numbers `***12`, names `A***`, search texts and
/// sentences `…`, URLs their origin. Secrets, JWTs and ticket URLs are always replaced by
/// [`REDACTION_MARKER`], whatever they are called.
pub fn redact_arguments_for_audit(arguments: &Value) -> Value {
    reduce(arguments, Kind::Plain)
}

/// What the name of a member says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Metadata,
    Secret,
    Phone,
    /// Names of people and organizations, and other words about them.
    Name,
    /// What is searched for.
    Search,
}

impl Kind {
    /// `None` if the name says nothing; the value then is of its parent's kind.
    fn of(key: &str) -> Option<Self> {
        let name = squash(key);
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        // Operands of conditions, and ids that people chose elsewhere, are people's data.
        if is_named(
            key,
            &[
                "equals",
                "not_equals",
                "contains",
                "external_id",
                "provider_user_id",
            ],
        ) {
            Some(Self::Search)
        } else if is_named(key, &METADATA) || ends(&["metadata", "claims"]) {
            Some(Self::Metadata)
        } else if ends(&["id", "ids"]) {
            Some(Self::Plain)
        } else if is_named(key, &SECRETS)
            || name.contains("password")
            || name.contains("secret")
            || ends(&[
                "token",
                "jwt",
                "ticket",
                "code",
                "codes",
                "otp",
                "digest",
                "apikey",
                "privatekey",
            ])
        {
            Some(Self::Secret)
        } else if name.contains("phone") {
            Some(Self::Phone)
        } else if name.contains("email")
            || ends(&[
                "name",
                "names",
                "identifier",
                "birthday",
                "gender",
                "address",
                "wallet",
                "slug",
            ])
        {
            Some(Self::Name)
        } else if name == "q" || ends(&["query", "search"]) {
            Some(Self::Search)
        } else {
            None
        }
    }
}

fn reduce(value: &Value, kind: Kind) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) if kind == Kind::Metadata => OMITTED.into(),
        Value::Bool(flag) => Value::Bool(*flag),
        Value::Number(_) if kind == Kind::Secret => REDACTION_MARKER.into(),
        Value::Number(_) if kind == Kind::Search => OMITTED.into(),
        Value::Number(number) if kind == Kind::Phone => masked_number(&number.to_string()).into(),
        Value::Number(number) => Value::Number(number.clone()),
        Value::String(text) => reduce_text(text, kind).into(),
        Value::Array(_) if kind == Kind::Metadata => OMITTED.into(),
        Value::Array(items) => items.iter().map(|item| reduce(item, kind)).collect(),
        Value::Object(_) if kind == Kind::Secret => REDACTION_MARKER.into(),
        Value::Object(object) => reduce_object(object, kind),
    }
}

fn reduce_object(object: &Map<String, Value>, kind: Kind) -> Value {
    object
        .iter()
        .map(|(key, member)| {
            let member = match kind {
                // The key names of metadata are worth keeping, nothing below them is.
                Kind::Metadata if is_always_hidden(member) => REDACTION_MARKER.into(),
                Kind::Metadata => OMITTED.into(),
                _ => reduce(member, Kind::of(key).unwrap_or(kind)),
            };
            (reduce_key(key), member)
        })
        .collect()
}

fn is_always_hidden(member: &Value) -> bool {
    member
        .as_str()
        .is_some_and(|text| is_secret(text) || holds_ticket(text))
}

/// Names are kept, unless data was put in the place of a name.
fn reduce_key(key: &str) -> String {
    let name = key
        .chars()
        .all(|c| c.is_alphanumeric() || " _-:.$~".contains(c));
    if is_secret(key) || holds_ticket(key) {
        REDACTION_MARKER.to_owned()
    } else if let Some(email) = masked_email(key) {
        email
    } else if name && key.chars().count() <= LONGEST_PLAIN && !is_phone(key) {
        key.to_owned()
    } else {
        OMITTED.to_owned()
    }
}

fn reduce_text(text: &str, kind: Kind) -> String {
    if text.is_empty() {
        return String::new();
    }
    if kind == Kind::Secret || text == REDACTION_MARKER || is_secret(text) || holds_ticket(text) {
        return REDACTION_MARKER.to_owned();
    }
    if kind == Kind::Metadata {
        return OMITTED.to_owned();
    }
    if text.contains("://") {
        return origin(text).unwrap_or_else(|| OMITTED.to_owned());
    }
    if let Some(email) = masked_email(text) {
        return email;
    }
    match kind {
        Kind::Phone => masked_number(text),
        _ if is_phone(text) => masked_number(text),
        Kind::Name => masked_name(text),
        Kind::Search => OMITTED.to_owned(),
        Kind::Plain | Kind::Metadata | Kind::Secret => plain(text),
    }
}

/// An identifier, a role, a time, a path without its query; anything longer or richer is omitted.
fn plain(text: &str) -> String {
    let (path, query) = match text.find(['?', '#']) {
        Some(end) => (text.get(..end).unwrap_or_default(), true),
        None => (text, false),
    };
    let is_plain = path.len() <= LONGEST_PLAIN
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-:.,*/+~".contains(c));
    match (is_plain, query) {
        (true, false) => path.to_owned(),
        (true, true) => format!("{path}?{OMITTED}"),
        (false, _) => OMITTED.to_owned(),
    }
}

/// `https://app.example.com/…` for a URL, without user, path and query.
fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let is_host = |c: char| c.is_alphanumeric() || "-.:[]*".contains(c);
    let valid = scheme
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && scheme.len() <= LONGEST_PLAIN
        && host.len() <= 253
        && host.chars().all(is_host);
    let more = if rest.len() > authority.len() {
        "/…"
    } else {
        ""
    };
    valid.then(|| format!("{scheme}://{host}{more}"))
}

/// `a***@example.com`, `None` if the text is no e-mail address.
fn masked_email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let valid = !local.contains(char::is_whitespace)
        && !domain.is_empty()
        && domain.len() <= 253
        && domain
            .chars()
            .all(|c| c.is_alphanumeric() || "-.".contains(c));
    valid.then(|| format!("{}@{domain}", masked_name(local)))
}

fn masked_name(text: &str) -> String {
    let initial = text.chars().next().filter(|c| c.is_alphanumeric());
    initial.into_iter().chain("***".chars()).collect()
}

fn masked_number(text: &str) -> String {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let shown = if digits.len() >= 7 { 2 } else { 0 };
    "***"
        .chars()
        .chain(digits.into_iter().rev().take(shown).rev())
        .collect()
}

/// A number with a plus, or one grouped for people; dates have fewer digits, times no groups.
fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let grouped = text.contains([' ', '-', '.', '(']);
    text.chars()
        .all(|c| c.is_ascii_digit() || " -.()+/".contains(c))
        && ((text.trim_start().starts_with('+') && digits >= 6) || (grouped && digits >= 9))
}

/// Whether a Clerk secret or a JWT is anywhere in the text.
pub(crate) fn is_secret(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))
        .any(|run| {
            holds_jwt(run)
                || SECRET_PREFIXES
                    .iter()
                    .any(|prefix| holds_prefix(run, *prefix))
        })
}

/// Two neighbouring parts between dots of which the first starts as base64 of `{"` does.
fn holds_jwt(run: &str) -> bool {
    let mut parts = run.split('.').peekable();
    while let Some(part) = parts.next() {
        let header = part
            .find("eyJ")
            .is_some_and(|start| part.len() - start >= 8);
        if header && parts.peek().is_some_and(|payload| !payload.is_empty()) {
            return true;
        }
    }
    false
}

/// `sk_live_…`, but not `risk_level`.
fn holds_prefix(run: &str, (prefix, least): (&str, usize)) -> bool {
    run.match_indices(prefix).any(|(start, _)| {
        let (before, after) = run.split_at(start);
        !before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && after.len() >= prefix.len() + least
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const SECRET_KEY: &str = "sk_test_AbCdEf0123456789";
    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.c2ln";
    const TICKET: &str = "https://a.example/v1/accept?__clerk_ticket=abc";

    #[test]
    fn reduces_arguments() {
        let arguments = json!({
            "user_id": "user_2abcDEF", "organization_id": "org_1", "role": "org:admin", "limit": 10,
            "skip_password_checks": true, "order_by": "-created_at", "since": "2026-05-12T10:00:00Z",
            "email_address": ["ada@example.com", "x@b.example"], "email_address_id": "idn_1",
            "phone_number": "+15551234567", "first_name": "Ada", "last_name": null, "username": "ada_l",
            "name": "Acme Inc", "slug": "acme-inc", "password": "hunter2", "code": 123456,
            "public_metadata": {"plan": "pro", "seats": 5, "deep": {"a": [1]}, "key": SECRET_KEY},
            "unsafeMetadata": "text", "query": "ada lovelace", "identifier": "ada",
            "redirect_url": "https://user:pw@app.example.com:8443/cb?state=1#x",
            "path": "/sign-in?next=1", "reason": "She asked for it", "contact": "555-123-4567",
            "actor": {"sub": "user_9"}, "note": "Ada <ada@example.com>",
        });
        assert_eq!(
            redact_arguments_for_audit(&arguments),
            json!({
                "user_id": "user_2abcDEF", "organization_id": "org_1", "role": "org:admin", "limit": 10,
                "skip_password_checks": true, "order_by": "-created_at", "since": "2026-05-12T10:00:00Z",
                "email_address": ["a***@example.com", "x***@b.example"], "email_address_id": "idn_1",
                "phone_number": "***67", "first_name": "A***", "last_name": null, "username": "a***",
                "name": "A***", "slug": "a***", "password": REDACTION_MARKER, "code": REDACTION_MARKER,
                "public_metadata": {"plan": "…", "seats": "…", "deep": "…", "key": REDACTION_MARKER},
                "unsafeMetadata": "…", "query": "…", "identifier": "a***",
                "redirect_url": "https://app.example.com:8443/…",
                "path": "/sign-in?…", "reason": "…", "contact": "***67",
                "actor": {"sub": "user_9"}, "note": "…",
            })
        );
    }

    #[test]
    fn secrets_are_replaced_whatever_they_are_called() {
        for secret in [
            SECRET_KEY,
            JWT,
            TICKET,
            "whsec_abcdef",
            "Bearer eyJhbGciOi.eyJ",
            "x=sk_live_1234;",
            "cma_2A04TuEGvWuO8TV2A_IJWi4zKkOn2Ln7l5xp2n1GKZE",
        ] {
            for key in [
                "id",
                "name",
                "query",
                "anything",
                "email_address",
                "phone",
                "redirect_url",
            ] {
                let reduced = redact_arguments_for_audit(&json!({key: secret, secret: [[secret]]}));
                assert_eq!(
                    reduced,
                    json!({key: REDACTION_MARKER, REDACTION_MARKER: [[REDACTION_MARKER]]}),
                    "{key} {secret}"
                );
            }
        }
        for text in [
            "risk_level",
            "task_12345678",
            "eyJ",
            "sk_",
            "eyJhbGciOi.",
            "oat_bran",
        ] {
            assert!(!is_secret(text), "{text}");
        }
    }

    #[test]
    fn data_in_the_place_of_names_is_reduced() {
        let metadata =
            json!({"public_metadata": {"ada@example.com": 1, "+1 555 123 4567": 2, "a\nb": 3}});
        assert_eq!(
            redact_arguments_for_audit(&metadata),
            json!({"public_metadata": {"a***@example.com": "…", "…": "…"}})
        );
    }

    fn document(leaf: &'static str) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!(leaf)),
        ];
        let key = prop_oneof![
            "name|email|phone|query|id|public_metadata|token|data|url",
            any::<String>(),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_secret_is_recorded(
            value in prop_oneof![document(SECRET_KEY), document(JWT), document(TICKET)],
        ) {
            let record = redact_arguments_for_audit(&value).to_string();
            for secret in [SECRET_KEY, JWT, "__clerk_ticket"] {
                prop_assert!(!record.contains(secret));
            }
        }

        #[test]
        fn no_address_is_recorded(value in document("lovelace@example.com")) {
            prop_assert!(!redact_arguments_for_audit(&value).to_string().contains("lovelace"));
        }

        #[test]
        fn ids_roles_limits_and_flags_stay(
            id in "(user|org|sess|inv)_[0-9A-Za-z]{1,27}", role in "org:[a-z]{1,20}", limit in any::<u32>(),
            flag in any::<bool>(),
        ) {
            let arguments = json!({"user_id": id, "ids": [id], "role": role, "limit": limit, "banned": flag});
            prop_assert_eq!(redact_arguments_for_audit(&arguments), arguments);
        }

        #[test]
        fn no_metadata_value_is_recorded(value in document("PAYLOAD")) {
            let record = redact_arguments_for_audit(&json!({"private_metadata": {"k": value}}));
            prop_assert_eq!(record, json!({"private_metadata": {"k": "…"}}));
        }
    }
}
