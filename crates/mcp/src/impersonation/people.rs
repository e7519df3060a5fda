//! Who may act as whom.

use clerk::{Client, IdKind, Request, check_id};
use http::Method;
use serde_json::Value;

use super::error::ImpersonationError;

/// How many people of one e-mail address, and how many sessions of one person, are looked at: the
/// most that Clerk gives at once.
const MOST: &str = "500";

/// A user of the instance, as far as the rules go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) banned: bool,
    /// After too many wrong passwords; it ends by itself unless the instance says otherwise.
    pub(super) locked: bool,
}

/// Finds the person whom an id or an e-mail address names. An address means the person of that
/// address who signed in last; those who have shown that it is theirs go first.
pub(super) async fn find(client: &Client, named: &str) -> Result<Person, ImpersonationError> {
    let named = named.trim();
    if !named.contains('@') {
        check_id(IdKind::User, named).map_err(|error| {
            let text = error.to_string();
            ImpersonationError::invalid(
                text.lines().next().unwrap_or_default().to_owned(),
                "name a user by id (user_…) or by e-mail address",
            )
        })?;
        return get(client, named).await;
    }
    let request = Request::new("GetUserList", Method::GET, "/users")
        .query("email_address", named)
        .query("limit", MOST);
    let answer = client.send(&request).await?;
    let users = answer.body.as_array().map(Vec::as_slice);
    choose(users.unwrap_or_default(), named).ok_or_else(|| {
        ImpersonationError::refused(
            "user_not_found",
            format!("nobody has the e-mail address {}", quoted(named)),
            "check the address, or name the user by id (user_…)",
        )
    })
}

/// Reads the user of this id.
pub(super) async fn get(client: &Client, id: &str) -> Result<Person, ImpersonationError> {
    let request =
        Request::new("GetUser", Method::GET, "/users/{user_id}").path_parameter("user_id", id)?;
    let answer = client.send(&request).await?;
    person(&answer.body).ok_or_else(|| ImpersonationError::unexpected("GetUser", "id"))
}

/// The person of this address who signed in last.
fn choose(users: &[Value], address: &str) -> Option<Person> {
    let verified = |user: &Value| {
        let addresses = user.get("email_addresses")?.as_array()?;
        let own = addresses.iter().find(|own| {
            let text = own.get("email_address").and_then(Value::as_str);
            text.is_some_and(|text| text.eq_ignore_ascii_case(address))
        })?;
        let status = own.pointer("/verification/status").and_then(Value::as_str);
        Some(status == Some("verified"))
    };
    let known = users.iter().filter_map(|user| {
        let time = |name: &str| user.get(name).and_then(Value::as_u64);
        let order = (verified(user)?, time("last_sign_in_at"), time("created_at"));
        Some((order, person(user)?))
    });
    known
        .max_by_key(|(order, _)| *order)
        .map(|(_, person)| person)
}

fn person(user: &Value) -> Option<Person> {
    let is = |name: &str| user.get(name).and_then(Value::as_bool) == Some(true);
    Some(Person {
        id: user.get("id")?.as_str()?.to_owned(),
        banned: is("banned"),
        locked: is("locked"),
    })
}

/// Whether one may act as the other, as far as the two alone decide it.
pub(super) fn may_act(operator: &Person, target: &Person) -> Result<(), ImpersonationError> {
    let refused = ImpersonationError::refused;
    if operator.banned {
        return Err(refused(
            "operator_banned",
            format!("{} is banned and acts as nobody", operator.id),
            "have somebody else do it",
        ));
    }
    if operator.id == target.id {
        return Err(refused(
            "same_person",
            format!("{} cannot act as themselves", operator.id),
            "name another person, or sign in as usual",
        ));
    }
    if target.banned {
        return Err(refused(
            "user_banned",
            format!("{} is banned: nobody signs in as them", target.id),
            "lift the ban first",
        ));
    }
    // Of the operator it does not matter: they are signed in already, and anybody's wrong guesses lock them.
    if target.locked {
        return Err(refused(
            "user_locked",
            format!("{} is locked: nobody signs in as them", target.id),
            "unlock them first, or wait for the lock to end",
        ));
    }
    Ok(())
}

/// Refuses an operator whom somebody else acts as right now: it might be that somebody who asks.
pub(super) async fn check_nobody_acts_as(
    client: &Client,
    operator: &Person,
) -> Result<(), ImpersonationError> {
    let sessions = active_sessions(client, &operator.id).await?;
    if sessions.iter().any(|session| actor(session).is_some()) {
        return Err(ImpersonationError::refused(
            "chained_impersonation",
            format!("somebody acts as {} right now", operator.id),
            "an impersonated person impersonates nobody: end that session first",
        ));
    }
    Ok(())
}

/// The active sessions of a user.
pub(super) async fn active_sessions(
    client: &Client,
    user_id: &str,
) -> Result<Vec<Value>, ImpersonationError> {
    let request = Request::new("GetSessionList", Method::GET, "/sessions")
        .query("user_id", user_id)
        .query("status", "active")
        .query("limit", MOST);
    match client.send(&request).await?.body {
        Value::Array(sessions) => Ok(sessions),
        _ => Err(ImpersonationError::unexpected("GetSessionList", "sessions")),
    }
}

/// Who acts in a session that is an impersonation.
pub(super) fn actor(session: &Value) -> Option<&Value> {
    session.get("actor").filter(|actor| !actor.is_null())
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    format!("\"{}\"", toolkit::text::escape_str(&short))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn user(id: &str, status: &str, last_sign_in_at: Option<u64>) -> Value {
        json!({
            "id": id,
            "banned": false,
            "last_sign_in_at": last_sign_in_at,
            "created_at": 1,
            "email_addresses": [
                { "email_address": "other@example.com", "verification": { "status": "verified" } },
                { "email_address": "ada@example.com", "verification": { "status": status } },
            ],
        })
    }

    #[test]
    fn an_address_means_who_signed_in_last() {
        let users = [
            user("user_never", "verified", None),
            user("user_early", "verified", Some(5)),
            user("user_late", "verified", Some(9)),
            user("user_pretender", "unverified", Some(99)),
        ];
        assert_eq!(choose(&users, "Ada@Example.com").unwrap().id, "user_late");
        assert_eq!(
            choose(&users[3..], "ada@example.com").unwrap().id,
            "user_pretender"
        );
        assert_eq!(
            choose(&users[..1], "ada@example.com").unwrap().id,
            "user_never"
        );
        // Clerk's filter is not ours to trust.
        assert_eq!(choose(&users, "ada@example.org"), None);
        assert_eq!(choose(&[], "ada@example.com"), None);
    }

    #[test]
    fn nobody_acts_as_themselves_or_as_the_banned_or_locked() {
        let person = |id: &str, banned| Person {
            id: id.to_owned(),
            banned,
            locked: false,
        };
        let locked = |id: &str| Person {
            locked: true,
            ..person(id, false)
        };
        let code = |operator, target| may_act(&operator, &target).unwrap_err().code;
        let (a, b) = (person("user_a", false), person("user_b", false));
        assert_eq!(may_act(&a, &b), Ok(()));
        assert_eq!(may_act(&locked("user_a"), &b), Ok(()));
        assert_eq!(code(a.clone(), locked("user_b")), "user_locked");
        assert_eq!(code(a.clone(), a.clone()), "same_person");
        assert_eq!(code(a.clone(), person("user_b", true)), "user_banned");
        assert_eq!(code(person("user_a", true), b), "operator_banned");
    }
}
