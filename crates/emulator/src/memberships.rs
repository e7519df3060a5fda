//! Memberships of users in organizations.

use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::metadata;
use crate::model::{InvitationStatus, Membership};
use crate::organizations::check_quota;
use crate::paging::Page;
use crate::query::Order;
use crate::state::State;
use crate::users::filter::Filter;
use crate::users::list::compare;
use crate::views;
use serde_json::Value;

/// What a role needs for its holder to run an organization
/// (<https://clerk.com/docs/guides/organizations/control-access/roles-and-permissions>).
pub(crate) const ADMINISTRATOR_PERMISSIONS: [&str; 3] = [
    "org:sys_memberships:manage",
    "org:sys_memberships:read",
    "org:sys_profile:delete",
];

const ORDERS: [&str; 6] = [
    "phone_number",
    "email_address",
    "created_at",
    "first_name",
    "last_name",
    "username",
];

const CREATE_PARAMS: [Param; 4] = [
    param("user_id", Kind::Text),
    param("role", Kind::Text),
    nullable("public_metadata", Kind::Object),
    nullable("private_metadata", Kind::Object),
];

const METADATA_PARAMS: [Param; 2] = [
    param("public_metadata", Kind::Object),
    param("private_metadata", Kind::Object),
];

/// `ListOrganizationMemberships`.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (query, state, now) = (&call.query, &*call.state, call.now);
    let organization = call.organization()?;
    let page = Page::of(query)?;
    let order = query.order(&ORDERS)?;
    let filter = Filter::shared(query)?;
    let roles = query.list("role")?;
    let admits = |membership: &&Membership| {
        (roles.is_empty() || roles.contains(&membership.role.as_str()))
            && state
                .user(&membership.user_id)
                .is_some_and(|user| filter.admits(state, user))
    };
    let rows = state
        .memberships_of_organization(&organization.id)
        .filter(admits)
        .collect();
    let rows = ordered(state, order, rows);
    Ok(page
        .take(rows, |row| views::membership(state, row, now))
        .counted())
}

/// `InstanceGetOrganizationMemberships`.
pub(crate) fn list_of_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let (query, state, now) = (&call.query, &*call.state, call.now);
    let (page, order) = (Page::of(query)?, query.order(&ORDERS)?);
    let rows = ordered(state, order, state.memberships().iter().collect());
    Ok(page
        .take(rows, |row| views::membership(state, row, now))
        .counted())
}

/// `UsersGetOrganizationMemberships`: newest first.
pub(crate) fn list_of_user(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let (state, now) = (&*call.state, call.now);
    let page = Page::of(&call.query)?;
    let rows = state.memberships_of_user(&call.user()?.id).rev();
    Ok(page
        .take(rows, |row| views::membership(state, row, now))
        .counted())
}

/// `CreateOrganizationMembership`.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let organization = call.organization()?;
    let body = Body::check(&given, &CREATE_PARAMS, Unknown::Ignored)?;
    let user_id = body.required_text("user_id")?;
    let role = existing_role(call.state, body.required_text("role")?)?;
    let user = call
        .state
        .user(user_id)
        .ok_or_else(|| error::user_not_found(user_id))?;
    if call.state.membership(&organization.id, &user.id).is_some() {
        return Err(error::already_a_member(user_id));
    }
    check_quota(call.state, organization, 1, call.now)?;
    let mut membership = Membership {
        id: user.id.clone(),
        organization_id: organization.id.clone(),
        user_id: user.id.clone(),
        role,
        public_metadata: body.metadata("public_metadata")?.unwrap_or_default(),
        private_metadata: body.metadata("private_metadata")?.unwrap_or_default(),
        created_at: call.now,
        updated_at: call.now,
    };
    membership.id = call.mint("orgmem");
    let answer = views::membership(call.state, &membership, call.now);
    call.state.add_membership(membership);
    Ok(answer)
}

/// `UpdateOrganizationMembership`: its role.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let membership = find(call)?.clone();
    let body = Body::check(&given, &[param("role", Kind::Text)], Unknown::Ignored)?;
    let role = existing_role(call.state, body.required_text("role")?)?;
    if !runs_organization(call.state, &role) {
        check_not_last_administrator(call.state, &membership)?;
    }
    let now = call.now;
    save(call, &membership, |row| {
        row.role = role;
        row.updated_at = now;
    })
}

/// `DeleteOrganizationMembership`: answers what was deleted.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let membership = find(call)?.clone();
    check_not_last_administrator(call.state, &membership)?;
    let answer = views::membership(call.state, &membership, call.now);
    call.state.delete_membership(&membership.id);
    Ok(answer)
}

/// `UpdateOrganizationMembershipMetadata`: a deep merge.
pub(crate) fn merge_metadata(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let membership = find(call)?.clone();
    let body = Body::check(&given, &METADATA_PARAMS, Unknown::Refused)?;
    let merged = |name: &str, current| match body.object(name) {
        Some(changes) => metadata::merged(name, current, changes).map(Some),
        None => Ok(None),
    };
    let public = merged("public_metadata", &membership.public_metadata)?;
    let private = merged("private_metadata", &membership.private_metadata)?;
    let now = call.now;
    save(call, &membership, |row| {
        if let Some(public) = public {
            row.public_metadata = public;
        }
        if let Some(private) = private {
            row.private_metadata = private;
        }
        row.updated_at = now;
    })
}

/// The key of a role that exists.
pub(crate) fn existing_role(state: &State, key: &str) -> Result<String, ApiError> {
    match state.role(key) {
        Some(role) => Ok(role.key.clone()),
        None => Err(error::role_not_found(Some("role"))),
    }
}

/// How many invitations to an organization wait for an answer.
pub(crate) fn pending_invitations(state: &State, organization_id: &str, now: u64) -> usize {
    let pending = state.organization_invitations.iter().filter(|invitation| {
        &*invitation.organization_id == organization_id
            && invitation.status(now) == InvitationStatus::Pending
    });
    pending.count()
}

/// Is there a member who can run the organization, other than the one named?
pub(crate) fn has_administrator(
    state: &State,
    organization_id: &str,
    except: Option<&str>,
) -> bool {
    state
        .memberships_of_organization(organization_id)
        .any(|membership| {
            except != Some(&*membership.id) && runs_organization(state, &membership.role)
        })
}

fn runs_organization(state: &State, role: &str) -> bool {
    ADMINISTRATOR_PERMISSIONS
        .iter()
        .all(|permission| state.role_allows(role, permission))
}

/// An organization that has somebody to run it keeps somebody.
fn check_not_last_administrator(state: &State, leaving: &Membership) -> Result<(), ApiError> {
    if runs_organization(state, &leaving.role)
        && !has_administrator(state, &leaving.organization_id, Some(&leaving.id))
    {
        return Err(error::minimum_permissions_needed());
    }
    Ok(())
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Membership, ApiError> {
    let organization = call.organization()?;
    let user = call
        .state
        .user(&call.param("user_id"))
        .ok_or_else(error::membership_not_found)?;
    call.state
        .membership(&organization.id, &user.id)
        .ok_or_else(error::membership_not_found)
}

fn save(
    call: &mut Call<'_>,
    membership: &Membership,
    change: impl FnOnce(&mut Membership),
) -> Result<Value, ApiError> {
    call.state.change_membership(&membership.id, change);
    Ok(views::membership(call.state, find(call)?, call.now))
}

/// By an attribute of the member, or by time of joining.
fn ordered<'a>(
    state: &'a State,
    order: Order,
    mut rows: Vec<&'a Membership>,
) -> Vec<&'a Membership> {
    rows.sort_by(|left, right| {
        let age = order.directed((left.created_at, &left.id).cmp(&(right.created_at, &right.id)));
        match (state.user(&left.user_id), state.user(&right.user_id)) {
            (Some(one), Some(other)) if order.by != "created_at" => {
                compare(order, one, other).then(age)
            }
            _ => age,
        }
    });
    rows
}
