use serde_json::Value;

use crate::{arguments::Arguments, error::ArgumentError, pointer};

/// What `without` can name.
pub const WITHOUT: &[&str] = &[
    "organization",
    "email",
    "verified_email",
    "phone",
    "username",
    "password",
    "two_factor",
    "external_account",
    "sign_in",
];

/// The most conditions in one call.
const MOST_CONDITIONS: usize = 20;

/// One condition on a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pointer: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(Value),
    NotEquals(Value),
    Contains(String),
    Exists(bool),
}

impl Condition {
    /// Reads the `where` argument.
    ///
    /// # Errors
    /// The first fault, named by a JSON pointer into the argument.
    pub fn parse_all(value: &Value) -> Result<Vec<Self>, ArgumentError> {
        let rows = value
            .as_array()
            .ok_or_else(|| fault("", "expected a list of conditions"))?;
        if rows.len() > MOST_CONDITIONS {
            return Err(fault("", format!("at most {MOST_CONDITIONS} conditions")));
        }
        rows.iter()
            .enumerate()
            .map(|(index, row)| Self::parse(&format!("/{index}"), row))
            .collect()
    }

    fn parse(name: &str, row: &Value) -> Result<Self, ArgumentError> {
        const TESTS: &str = "exactly one of equals, notEquals, contains, exists";
        let row = row.as_object().ok_or_else(|| {
            fault(
                name,
                r#"expected an object like {"pointer":"/public_metadata/plan","equals":"pro"}"#,
            )
        })?;
        let pointer = row
            .get("pointer")
            .and_then(Value::as_str)
            .ok_or_else(|| fault(name, "needs a pointer, like /public_metadata/plan"))?;
        if let Err(error) = pointer::Selection::parse(&[pointer.to_owned()]) {
            return Err(fault(
                &format!("{name}/pointer"),
                error.to_string().replace("\nhint:", "; hint:"),
            ));
        }
        let mut tests = Vec::new();
        for (member, value) in row {
            tests.push(match (member.as_str(), value) {
                ("pointer", _) => continue,
                ("equals", value) => Test::Equals(value.clone()),
                ("notEquals", value) => Test::NotEquals(value.clone()),
                ("contains", Value::String(text)) => Test::Contains(text.to_lowercase()),
                ("contains", _) => return Err(fault(&format!("{name}/contains"), "expected text")),
                ("exists", Value::Bool(exists)) => Test::Exists(*exists),
                ("exists", _) => {
                    return Err(fault(&format!("{name}/exists"), "expected true or false"));
                }
                (other, _) => {
                    let message = format!("is unknown; expected pointer and {TESTS}");
                    return Err(fault(&format!("{name}/{other}"), message));
                }
            });
        }
        match (tests.pop(), tests.is_empty()) {
            (Some(test), true) => Ok(Self {
                pointer: pointer.to_owned(),
                test,
            }),
            _ => Err(fault(name, format!("needs {TESTS}"))),
        }
    }

    /// Whether the user meets it. Null counts as missing; `*` in the pointer means any element.
    #[must_use]
    pub fn holds(&self, user: &Value) -> bool {
        let mut found = pointer::lookup(user, &self.pointer);
        found.retain(|value| !value.is_null());
        match &self.test {
            Test::Equals(Value::Null) => found.is_empty(),
            Test::Equals(wanted) => found.contains(&wanted),
            Test::NotEquals(Value::Null) => !found.is_empty(),
            Test::NotEquals(unwanted) => !found.contains(&unwanted),
            Test::Contains(text) => found.iter().any(|value| contains(value, text)),
            Test::Exists(exists) => found.is_empty() != *exists,
        }
    }
}

fn is_private(pointer: &str) -> bool {
    pointer == "/private_metadata" || pointer.starts_with("/private_metadata/")
}

/// A text contains a text, without regard to case; a list contains a text as an element.
fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value.to_lowercase().contains(text),
        Value::Array(rows) => rows
            .iter()
            .any(|row| row.as_str().is_some_and(|row| row.to_lowercase() == text)),
        _ => false,
    }
}

/// Everything that a user must meet.
pub(super) struct Wanted {
    conditions: Vec<Condition>,
    without: Vec<String>,
}

impl Wanted {
    pub(super) fn parse(
        arguments: &Arguments,
        allow_private_metadata: bool,
    ) -> Result<Self, Vec<ArgumentError>> {
        let conditions = match arguments.get("where") {
            Some(value) => Condition::parse_all(value).map_err(|fault| vec![fault])?,
            None => Vec::new(),
        };
        let private = conditions.iter().position(|c| is_private(&c.pointer));
        if let (Some(index), false) = (private, allow_private_metadata) {
            return Err(vec![ArgumentError {
                name: format!("where/{index}/pointer"),
                message: "private metadata is hidden here, so it cannot be asked about".into(),
                hint: Some("start the server with --allow-private-metadata".into()),
            }]);
        }
        Ok(Self {
            conditions,
            without: arguments.texts("without"),
        })
    }

    pub(super) fn without_organization(&self) -> bool {
        self.without.iter().any(|name| name == "organization")
    }

    /// Whether the user meets all of it, but for organizations, which a user does not tell.
    pub(super) fn holds(&self, user: &Value) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.holds(user))
            && self.without.iter().all(|name| lacks(user, name))
    }
}

fn lacks(user: &Value, name: &str) -> bool {
    let is_empty = |member: &str| {
        user.get(member)
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    };
    let is_missing = |member: &str| user.get(member).is_none_or(Value::is_null);
    let is_false = |member: &str| user.get(member) != Some(&Value::Bool(true));
    match name {
        "email" => is_empty("email_addresses"),
        "verified_email" => {
            let verified = Value::from("verified");
            !pointer::lookup(user, "/email_addresses/*/verification/status").contains(&&verified)
        }
        "phone" => is_empty("phone_numbers"),
        "username" => is_missing("username"),
        "password" => is_false("password_enabled"),
        "two_factor" => is_false("two_factor_enabled"),
        "external_account" => is_empty("external_accounts"),
        "sign_in" => is_missing("last_sign_in_at"),
        _ => true,
    }
}

fn fault(name: &str, message: impl Into<String>) -> ArgumentError {
    ArgumentError {
        name: name.into(),
        message: message.into(),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: Value, user: &Value) -> bool {
        Condition::parse_all(&json!([condition])).unwrap()[0].holds(user)
    }

    #[test]
    fn tests_look_at_pointers() {
        let user =
            json!({"public_metadata": {"plan": "Pro", "tags": ["a", "B"]}, "username": null});
        assert!(holds(
            json!({"pointer": "/public_metadata/plan", "equals": "Pro"}),
            &user
        ));
        assert!(!holds(
            json!({"pointer": "/public_metadata/plan", "equals": "pro"}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/public_metadata/plan", "contains": "pr"}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/public_metadata/tags", "contains": "b"}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/public_metadata/tags/*", "equals": "a"}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/public_metadata/x", "exists": false}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/username", "exists": false}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/username", "equals": null}),
            &user
        ));
        assert!(holds(
            json!({"pointer": "/public_metadata/x", "notEquals": 1}),
            &user
        ));
    }

    #[test]
    fn faults_name_their_place() {
        for (value, name) in [
            (json!([1]), "/0"),
            (json!([{"equals": 1}]), "/0"),
            (json!([{"pointer": "plan", "equals": 1}]), "/0/pointer"),
            (json!([{"pointer": "/plan"}]), "/0"),
            (
                json!([{"pointer": "/plan", "equals": 1, "exists": true}]),
                "/0",
            ),
            (json!([{"pointer": "/plan", "like": 1}]), "/0/like"),
            (json!([{"pointer": "/plan", "exists": 1}]), "/0/exists"),
        ] {
            assert_eq!(
                Condition::parse_all(&value).unwrap_err().name,
                name,
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_lacking() {
        let user = json!({
            "email_addresses": [{"verification": {"status": "unverified"}}, {"verification": null}],
            "password_enabled": true, "last_sign_in_at": null,
        });
        assert!(lacks(&user, "verified_email") && lacks(&user, "sign_in") && lacks(&user, "phone"));
        assert!(!lacks(&user, "email") && !lacks(&user, "password"));
    }
}
