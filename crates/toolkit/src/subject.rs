//! What a call takes away, in words: an id alone tells the person who is asked about it nothing.
//!
//! Which one request reads that, and what of its answer is shown, are pure functions of the row and the
//! arguments; [`crate::ClerkToolkit::subject`] sends it.

use clerk::{IdError, IdKind, Request};
use http::Method;
use serde_json::Value;

use crate::{
    arguments::Arguments,
    auth_context::AuthContext,
    operation::{Kind, Location},
    request::value_of,
    text::escape_str,
    tool::Tool,
};

/// The most characters of a name or an address that are shown.
const MOST_SHOWN: usize = 100;

/// A label and what Clerk says under it, on one line.
pub type SubjectLine = (&'static str, String);

/// What a call is about, by the ids in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Organization {
        id: String,
    },
    Member {
        organization_id: String,
        user_id: String,
    },
    Invitation {
        id: String,
    },
    OrganizationInvitation {
        organization_id: String,
        id: String,
    },
}

impl Subject {
    /// `None` where the path names nothing that Clerk could be asked for.
    pub(crate) fn of(
        tool: &Tool,
        arguments: &Arguments,
        session: Option<&AuthContext>,
    ) -> Option<Self> {
        let rows = tool.operation().parameters.iter();
        let ids = rows.filter_map(|row| match (row.location, row.kind) {
            (Location::Path, Kind::Id(kind)) => {
                let id = value_of(row, arguments, session)?;
                Some((kind, id.as_str()?.to_owned()))
            }
            _ => None,
        });
        let mut ids: Vec<(IdKind, String)> = ids.collect();
        let (kind, id) = ids.pop()?;
        match (kind, ids.pop()) {
            (IdKind::Organization, None) => Some(Self::Organization { id }),
            (IdKind::Invitation, None) => Some(Self::Invitation { id }),
            (IdKind::User, Some((IdKind::Organization, organization_id))) => Some(Self::Member {
                organization_id,
                user_id: id,
            }),
            (IdKind::OrganizationInvitation, Some((IdKind::Organization, organization_id))) => {
                Some(Self::OrganizationInvitation {
                    organization_id,
                    id,
                })
            }
            _ => None,
        }
    }

    /// The request that reads it.
    ///
    /// # Errors
    /// When an id does not fit the path, which [`crate::arguments::check`] has ruled out.
    pub(crate) fn request(&self) -> Result<Request, IdError> {
        let get = |operation, path| Request::new(operation, Method::GET, path);
        match self {
            Self::Organization { id } => get("GetOrganization", "/organizations/{organization_id}")
                .path_parameter("organization_id", id),
            // The membership has the names of both.
            Self::Member {
                organization_id,
                user_id,
            } => get(
                "ListOrganizationMemberships",
                "/organizations/{organization_id}/memberships",
            )
            .path_parameter("organization_id", organization_id)
            .map(|request| request.query("user_id", user_id).query("limit", "1")),
            // A single one cannot be read.
            Self::Invitation { id } => Ok(get("ListInvitations", "/invitations")
                .query("paginated", "true")
                .query("query", id)),
            Self::OrganizationInvitation {
                organization_id,
                id,
            } => get(
                "GetOrganizationInvitation",
                "/organizations/{organization_id}/invitations/{invitation_id}",
            )
            .path_parameter("organization_id", organization_id)?
            .path_parameter("invitation_id", id),
        }
    }

    /// What is shown of the answer: nothing, should it be about something else.
    pub(crate) fn describe(&self, answer: &Value) -> Vec<SubjectLine> {
        let rows = || {
            answer
                .get("data")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let line = |label, line: Option<String>| line.map(|line| (label, line));
        let lines = match self {
            Self::Organization { id } => {
                let found = Some(answer).filter(|found| is(found, "/id", id));
                [line("organization", found.and_then(organization)), None]
            }
            Self::Member { user_id, .. } => {
                let found = rows().find(|row| is(row, "/public_user_data/user_id", user_id));
                let member = found.and_then(|row| row.get("public_user_data"));
                let of = found.and_then(|row| row.get("organization"));
                [
                    line("user", member.and_then(person)),
                    line("organization", of.and_then(organization)),
                ]
            }
            Self::Invitation { id } => {
                let found = rows().find(|row| is(row, "/id", id));
                [line("invitation", found.and_then(invitation)), None]
            }
            Self::OrganizationInvitation { id, .. } => {
                let found = Some(answer).filter(|found| is(found, "/id", id));
                [line("invitation", found.and_then(invitation)), None]
            }
        };
        lines.into_iter().flatten().collect()
    }
}

fn is(value: &Value, pointer: &str, id: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_str) == Some(id)
}

fn organization(organization: &Value) -> Option<String> {
    joined([
        text(organization, "name").map(|name| quoted(&name)),
        text(organization, "slug").map(|slug| quoted(&slug)),
    ])
}

/// Of public user data, whose `identifier` is an e-mail address, a phone number or a user name.
fn person(person: &Value) -> Option<String> {
    let names = [text(person, "first_name"), text(person, "last_name")];
    let names: Vec<String> = names.into_iter().flatten().collect();
    joined([
        Some(names.join(" "))
            .filter(|name| !name.is_empty())
            .map(|name| quoted(&name)),
        text(person, "identifier").map(|identifier| quoted(&identifier)),
    ])
}

fn invitation(invitation: &Value) -> Option<String> {
    let role = text(invitation, "role").map(|role| format!("as {}", quoted(&role)));
    joined([
        text(invitation, "email_address").map(|address| quoted(&address)),
        role,
    ])
}

fn text(value: &Value, name: &str) -> Option<String> {
    let text = value.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn joined(parts: [Option<String>; 2]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Text of somebody's profile: in quotes, of a bounded length, and without a way to begin a line or to leave
/// the quotes.
fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(MOST_SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    escape_str(&Value::from(short).to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::{arguments, operations, tool::Bound};

    fn subject(name: &str, given: &Value) -> Subject {
        let tool = Tool::new(operations::find(name).unwrap(), Bound::default()).unwrap();
        let arguments = arguments::check(&tool, given, 0).unwrap();
        Subject::of(&tool, &arguments, None).unwrap()
    }

    #[test]
    fn every_call_that_takes_something_away_has_a_subject() {
        let given = json!({
            "organizationId": "org_a", "userId": "user_a", "invitationId": "inv_a",
        });
        let mut names = Vec::new();
        for row in operations::all().filter(|row| row.hints.destructive) {
            let mut given = given.clone();
            if row.name == "revokeOrganizationInvitation" {
                given["invitationId"] = "orginv_a".into();
            }
            let takes = |name: &String| row.parameters.iter().any(|known| known.name == name);
            given.as_object_mut().unwrap().retain(|name, _| takes(name));
            let request = subject(row.name, &given).request().unwrap();
            assert_eq!(request.method(), Method::GET);
            names.push(request.path_and_query().unwrap());
        }
        assert_eq!(
            names,
            [
                "/organizations/org_a",
                "/organizations/org_a/memberships?user_id=user_a&limit=1",
                "/organizations/org_a/invitations/orginv_a",
                "/invitations?paginated=true&query=inv_a",
            ]
        );
    }

    #[test]
    fn what_clerk_says_of_something_else_is_not_shown() {
        let other = json!({"id": "org_b", "name": "Other"});
        let of = subject("deleteOrganization", &json!({"organizationId": "org_a"}));
        assert_eq!(of.describe(&other), []);
        assert_eq!(of.describe(&Value::Null), []);
        let of = subject("revokeInvitation", &json!({"invitationId": "inv_a"}));
        let rows = json!({"data": [
            {"id": "inv_b", "email_address": "inv_a@b.example"},
            {"id": "inv_a", "email_address": "a@b.example"},
        ]});
        let expected = ("invitation", "\"a@b.example\"".to_owned());
        assert_eq!(of.describe(&rows), [expected]);
    }

    #[test]
    fn names_stay_on_their_line_and_in_their_quotes() {
        let of = subject("deleteOrganization", &json!({"organizationId": "org_a"}));
        let name = "A\", \"b\norganizationId: \"org_c\"\u{202e}\u{1b}[2J";
        let shown = of.describe(&json!({"id": "org_a", "name": name, "slug": null}));
        let [("organization", shown)] = &shown[..] else {
            panic!("{shown:?}")
        };
        assert_eq!(
            shown,
            r#""A\", \"b\norganizationId: \"org_c\"\u{202e}\u001b[2J""#
        );
        let long = of.describe(&json!({"id": "org_a", "name": "é".repeat(300)}));
        assert_eq!(long[0].1.chars().count(), MOST_SHOWN + 3);
        assert_eq!(of.describe(&json!({"id": "org_a", "name": " "})), []);
    }
}
