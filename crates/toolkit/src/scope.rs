//! What a bound session may do. The decisions are pure; [`authorize`] only fetches what they ask
//! for: the caller's membership, a role, another member.

use std::collections::BTreeSet;

use clerk::{Client, Request};
use http::Method;
use serde_json::Value;

use crate::{
    arguments::Arguments,
    auth_context::AuthContext,
    error::ToolError,
    operation::{MemberRule, Scope},
    tool::Tool,
};

type Permissions = BTreeSet<String>;

/// One person's place in one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Membership {
    organization_id: String,
    user_id: String,
    role: String,
    permissions: Permissions,
    /// Whether the organization lets its admins delete it.
    admin_delete_enabled: bool,
}

/// Asks Clerk whether `session` may call `tool` with these arguments, at this moment. An
/// organization that was named by its slug is named by its id afterwards, so that the check and the
/// call are about the same one.
///
/// # Errors
/// [`ToolError::NotPermitted`], or Clerk's error when it could not be asked.
pub(crate) async fn authorize(
    client: &Client,
    session: &AuthContext,
    tool: &Tool,
    arguments: &mut Arguments,
) -> Result<(), ToolError> {
    match tool.operation().scope {
        Scope::Anyone => Ok(()),
        Scope::OwnUser | Scope::OwnOrganizations => active_user(client, session).await.map(drop),
        Scope::Instance => Err(refusal(
            "this tool reads or writes the whole instance, which no signed-in user may",
            "run it with the instance's key and no --user",
        )),
        Scope::CreateOrganization => may_create_organization(client, session).await,
        Scope::Organization { permission, member } => {
            active_user(client, session).await?;
            let caller = caller_membership(client, session, arguments).await?;
            if arguments.get("slug").is_some() {
                arguments.remove("slug");
                arguments.set("organizationId", caller.organization_id.clone().into());
            }
            let target_id = arguments.text("userId").map(str::to_owned);
            let leaving =
                member == MemberRule::Removes && target_id.as_deref() == Some(session.user_id());
            if let (Some(permission), false) = (permission, leaving) {
                require(&caller, permission)?;
            }
            check_member_rule(client, &caller, member, target_id.as_deref(), arguments).await
        }
    }
}

/// The session's user, who must exist and not be banned: both end every session at Clerk.
async fn active_user(client: &Client, session: &AuthContext) -> Result<Value, ToolError> {
    let request = Request::new("GetUser", Method::GET, "/users/{user_id}")
        .path_parameter("user_id", session.user_id())
        .map_err(clerk::Error::from)?;
    let user = match client.send(&request).await {
        Ok(answer) => answer.body,
        Err(error) if error.status() == Some(404) => {
            return Err(refusal(
                format!("there is no user {} in this instance", session.user_id()),
                "the user was deleted, or belongs to another instance (test or live)",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if user.get("banned") == Some(&Value::Bool(true)) {
        return Err(refusal(
            "this user is banned",
            "unban the user in Clerk, if that is right",
        ));
    }
    Ok(user)
}

async fn may_create_organization(client: &Client, session: &AuthContext) -> Result<(), ToolError> {
    let user = active_user(client, session).await?;
    if user.get("create_organization_enabled") != Some(&Value::Bool(true)) {
        return Err(refusal(
            "this user may not create organizations",
            "allow it for the user in Clerk (create_organization_enabled)",
        ));
    }
    let limit = user
        .get("create_organizations_limit")
        .and_then(Value::as_u64);
    let Some(limit) = limit.filter(|limit| *limit > 0) else {
        return Ok(());
    };
    // Clerk counts what the person created; organizations they left again are not seen here.
    let created = own_membership_rows(client, session.user_id(), |row| {
        row.pointer("/organization/created_by")
            .and_then(Value::as_str)
            == Some(session.user_id())
    });
    if (created.await?.len() as u64) < limit {
        return Ok(());
    }
    Err(refusal(
        format!("this user has created as many organizations as they may ({limit})"),
        "raise the user's limit in Clerk (create_organizations_limit)",
    ))
}

async fn check_member_rule(
    client: &Client,
    caller: &Membership,
    rule: MemberRule,
    target_id: Option<&str>,
    arguments: &Arguments,
) -> Result<(), ToolError> {
    let own = target_id == Some(caller.user_id.as_str());
    match rule {
        MemberRule::None => Ok(()),
        MemberRule::Removes if own => Ok(()),
        MemberRule::Regrades if own => Err(refusal(
            "nobody can change their own role",
            "another admin of the organization can",
        )),
        MemberRule::Grants => grantable(client, caller, arguments).await,
        MemberRule::Regrades => {
            outranked(client, caller, target_id).await?;
            grantable(client, caller, arguments).await
        }
        MemberRule::Removes => outranked(client, caller, target_id).await,
    }
}

/// The role in `role` holds nothing that the caller lacks.
async fn grantable(
    client: &Client,
    caller: &Membership,
    arguments: &Arguments,
) -> Result<(), ToolError> {
    let role = arguments.text("role").unwrap_or_default();
    // Always asked for, also for the caller's own role: a session may hold less than its role does.
    let permissions = role_permissions(client, role).await?;
    may_grant(caller, role, &permissions)
}

/// The target holds nothing that the caller lacks. A user who is no member is left to Clerk's 404.
async fn outranked(
    client: &Client,
    caller: &Membership,
    target_id: Option<&str>,
) -> Result<(), ToolError> {
    let Some(target_id) = target_id else {
        return Ok(());
    };
    let target = member(client, &caller.organization_id, target_id).await?;
    target.map_or(Ok(()), |target| may_touch(caller, &target))
}

/// What Clerk asks for to delete an organization, beside the organization's own consent.
const DELETE: &str = "org:sys_profile:delete";

fn require(caller: &Membership, permission: &str) -> Result<(), ToolError> {
    if permission == DELETE && !caller.admin_delete_enabled {
        return Err(refusal(
            "this organization cannot be deleted by its members",
            "allow it for the organization in Clerk (admin_delete_enabled)",
        ));
    }
    if caller.permissions.contains(permission) {
        return Ok(());
    }
    Err(refusal(
        format!(
            "this needs the permission {permission}, which the session does not hold (member as {})",
            caller.role
        ),
        "ask an admin of the organization, or give the role that permission in Clerk",
    ))
}

fn may_grant(caller: &Membership, role: &str, permissions: &Permissions) -> Result<(), ToolError> {
    match permissions.difference(&caller.permissions).next() {
        None => Ok(()),
        Some(extra) => Err(refusal(
            format!(
                "role {role} holds {extra}, which the session does not (member as {})",
                caller.role
            ),
            "grant a role that holds no more than your own",
        )),
    }
}

fn may_touch(caller: &Membership, target: &Membership) -> Result<(), ToolError> {
    match target.permissions.difference(&caller.permissions).next() {
        None => Ok(()),
        Some(extra) => Err(refusal(
            format!(
                "{} holds {extra}, which the session does not (member as {})",
                target.user_id, caller.role
            ),
            "only somebody who holds as much can change or remove this member",
        )),
    }
}

/// The caller's membership of the organization that the session or the arguments name, narrowed by
/// the session's role.
async fn caller_membership(
    client: &Client,
    session: &AuthContext,
    arguments: &Arguments,
) -> Result<Membership, ToolError> {
    let id = session
        .organization_id()
        .or_else(|| arguments.text("organizationId"));
    let membership = match (id, arguments.text("slug")) {
        (Some(id), _) => member(client, id, session.user_id()).await?,
        (None, Some(slug)) => membership_by_slug(client, session.user_id(), slug).await?,
        (None, None) => None,
    };
    let membership = membership.ok_or_else(|| {
        let user = session.user_id();
        let hint = match session.organization_id() {
            Some(_) => "bind the session to an organization that the user belongs to",
            None => "getUserOrganizationMembershipList names the organizations of this user",
        };
        refusal(format!("{user} is not a member of this organization"), hint)
    })?;
    match session.role() {
        Some(role) if role != membership.role => {
            let narrowing = role_permissions(client, role).await?;
            Ok(narrowed(membership, &narrowing))
        }
        _ => Ok(membership),
    }
}

/// The membership with only those permissions that the role holds too. Its own role stays what it
/// is: a name that narrows is not a role that is held.
fn narrowed(membership: Membership, narrowing: &Permissions) -> Membership {
    let permissions = membership
        .permissions
        .intersection(narrowing)
        .cloned()
        .collect();
    Membership {
        permissions,
        ..membership
    }
}

/// A user's membership of an organization. One that does not exist, or an organization that does
/// not, is `None`: who is no member learns nothing about it.
async fn member(
    client: &Client,
    organization_id: &str,
    user_id: &str,
) -> Result<Option<Membership>, ToolError> {
    let request = Request::new(
        "ListOrganizationMemberships",
        Method::GET,
        "/organizations/{organization_id}/memberships",
    )
    .path_parameter("organization_id", organization_id)
    .map_err(clerk::Error::from)?
    .query("user_id", user_id)
    .query("limit", "1");
    let answer = match client.send(&request).await {
        Ok(answer) => answer.body,
        // Who has no organizations at all is to hear that, not that they are no member of one.
        Err(error) if error.is_organizations_disabled() => return Err(error.into()),
        Err(error) if matches!(error.status(), Some(403 | 404)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(rows(&answer)
        .iter()
        .filter_map(parse_membership)
        .find(|m| m.user_id == user_id && m.organization_id == organization_id))
}

async fn membership_by_slug(
    client: &Client,
    user_id: &str,
    slug: &str,
) -> Result<Option<Membership>, ToolError> {
    let rows = own_membership_rows(client, user_id, |row| {
        row.pointer("/organization/slug").and_then(Value::as_str) == Some(slug)
    })
    .await?;
    let membership = rows.first().and_then(parse_membership);
    Ok(membership.map(|membership| Membership {
        user_id: user_id.to_owned(),
        ..membership
    }))
}

/// The person's memberships that `wanted` picks.
async fn own_membership_rows(
    client: &Client,
    user_id: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Vec<Value>, ToolError> {
    const PAGE: usize = 500;
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let request = Request::new(
            "UsersGetOrganizationMemberships",
            Method::GET,
            "/users/{user_id}/organization_memberships",
        )
        .path_parameter("user_id", user_id)
        .map_err(clerk::Error::from)?
        .query("limit", PAGE.to_string())
        .query("offset", offset.to_string());
        let answer = client.send(&request).await?.body;
        let page = rows(&answer);
        found.extend(page.iter().filter(|row| wanted(row)).cloned());
        if page.len() < PAGE {
            return Ok(found);
        }
        offset += PAGE;
    }
}

async fn role_permissions(client: &Client, role: &str) -> Result<Permissions, ToolError> {
    let request = Request::new("ListOrganizationRoles", Method::GET, "/organization_roles")
        .query("limit", "500");
    let answer = client.send(&request).await?.body;
    let roles = rows(&answer);
    let found = roles
        .iter()
        .find(|row| row.get("key").and_then(Value::as_str) == Some(role));
    let Some(found) = found else {
        let keys: Vec<&str> = roles
            .iter()
            .filter_map(|row| row.get("key").and_then(Value::as_str))
            .collect();
        return Err(refusal(
            format!("there is no role {role:?} in this instance"),
            format!("its roles are {}", keys.join(", ")),
        ));
    };
    let permissions = found.get("permissions").and_then(Value::as_array);
    Ok(permissions
        .into_iter()
        .flatten()
        .filter_map(|p| p.as_str().or_else(|| p.get("key").and_then(Value::as_str)))
        .map(str::to_owned)
        .collect())
}

fn rows(answer: &Value) -> &[Value] {
    let rows = answer.get("data").unwrap_or(answer);
    rows.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn parse_membership(row: &Value) -> Option<Membership> {
    let text = |pointer: &str| {
        row.pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let permissions = row.get("permissions").and_then(Value::as_array);
    Some(Membership {
        organization_id: text("/organization/id")?,
        user_id: text("/public_user_data/user_id").unwrap_or_default(),
        role: text("/role")?,
        permissions: permissions
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        admin_delete_enabled: row.pointer("/organization/admin_delete_enabled")
            != Some(&Value::Bool(false)),
    })
}

fn refusal(message: impl Into<String>, hint: impl Into<String>) -> ToolError {
    ToolError::NotPermitted {
        message: message.into(),
        hint: hint.into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn membership(role: &str, permissions: &[&str]) -> Membership {
        Membership {
            organization_id: "org_a".into(),
            user_id: "user_a".into(),
            role: role.into(),
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
            admin_delete_enabled: true,
        }
    }

    #[test]
    fn a_role_that_holds_more_cannot_be_granted() {
        let manager = membership("org:manager", &["org:sys_memberships:manage"]);
        let admin = membership(
            "org:admin",
            &["org:sys_memberships:manage", "org:sys_profile:delete"],
        );
        assert!(may_grant(&manager, "org:admin", &admin.permissions).is_err());
        assert!(may_grant(&admin, "org:manager", &manager.permissions).is_ok());
        assert!(may_touch(&manager, &admin).is_err());
        assert!(may_touch(&admin, &manager).is_ok());
    }

    proptest! {
        #[test]
        fn narrowing_never_widens(held in proptest::collection::btree_set("[a-d]", 0..4),
                                  role in proptest::collection::btree_set("[a-d]", 0..4)) {
            let before = Membership { permissions: held.clone(), ..membership("org:admin", &[]) };
            let after = narrowed(before, &role);
            prop_assert!(after.permissions.is_subset(&held));
            prop_assert!(after.permissions.is_subset(&role));
        }
    }
}
