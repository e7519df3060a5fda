//! Invitations to join an organization.

use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::format;
use crate::ids::Id;
use crate::invitations::{MAX_AT_ONCE, expiry, statuses};
use crate::memberships::existing_role;
use crate::model::{InvitationStatus, Organization, OrganizationInvitation};
use crate::organizations::check_quota;
use crate::paging::{List, Page};
use crate::query::{Order, contains};
use crate::views;
use serde_json::{Map, Value, json};

const PARAMS: [Param; 8] = [
    param("email_address", Kind::Text),
    nullable("inviter_user_id", Kind::Text),
    param("role", Kind::Text),
    nullable("public_metadata", Kind::Object),
    nullable("private_metadata", Kind::Object),
    nullable("redirect_url", Kind::Text),
    nullable("expires_in_days", Kind::Integer),
    nullable("notify", Kind::Boolean),
];

/// `ListOrganizationInvitations`.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let organization = call.organization()?;
    let statuses = statuses(&call.query)?;
    let address = call.query.text("email_address").map(str::to_lowercase);
    let order = call.query.order(&["created_at", "email_address"])?;
    let admits = |row: &OrganizationInvitation| {
        row.organization_id == organization.id
            && (statuses.is_empty() || statuses.contains(&row.status(call.now).name()))
            && address
                .as_ref()
                .is_none_or(|address| row.email_address == *address)
    };
    Ok(page(call, order, admits, views::organization_invitation)?.counted())
}

/// `ListPendingOrganizationInvitations` (deprecated by Clerk).
pub(crate) fn list_pending(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let organization = call.organization()?;
    let admits = |row: &OrganizationInvitation| {
        row.organization_id == organization.id && row.status(call.now) == InvitationStatus::Pending
    };
    Ok(page(call, NEWEST_FIRST, admits, views::organization_invitation)?.counted())
}

/// `ListInstanceOrganizationInvitations`.
pub(crate) fn list_of_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let statuses = statuses(&call.query)?;
    let part = call.query.text("query").map(str::to_lowercase);
    let order = call.query.order(&["created_at", "email_address"])?;
    let admits = |row: &OrganizationInvitation| {
        (statuses.is_empty() || statuses.contains(&row.status(call.now).name()))
            && part
                .as_ref()
                .is_none_or(|part| contains(&row.email_address, part))
    };
    Ok(page(
        call,
        order,
        admits,
        views::organization_invitation_with_organization,
    )?
    .counted())
}

/// `UsersGetOrganizationInvitations`: those to any address of the user.
pub(crate) fn list_of_user(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let user = call.user()?;
    let statuses = statuses(&call.query)?;
    let admits = |row: &OrganizationInvitation| {
        user.has_email(&row.email_address)
            && (statuses.is_empty() || statuses.contains(&row.status(call.now).name()))
    };
    let view = views::organization_invitation_with_organization;
    Ok(page(call, NEWEST_FIRST, admits, view)?.counted())
}

/// `CreateOrganizationInvitation`.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let organization = call.organization()?.clone();
    let mut drafts = check(call, &organization, vec![given])?;
    Ok(drafts
        .pop()
        .map(|draft| save(call, draft))
        .unwrap_or_default())
}

/// `CreateOrganizationInvitationBulk`: all of them, or none.
pub(crate) fn create_many(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_objects(MAX_AT_ONCE)?;
    let organization = call.organization()?.clone();
    let drafts = check(call, &organization, given)?;
    let views: Vec<Value> = drafts.into_iter().map(|draft| save(call, draft)).collect();
    Ok(json!({ "total_count": views.len(), "data": views }))
}

/// `GetOrganizationInvitation`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let row = find(call)?;
    Ok(views::organization_invitation(
        call.state, row, call.url, call.now,
    ))
}

/// `RevokeOrganizationInvitation`: pending ones only.
pub(crate) fn revoke(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [nullable("requesting_user_id", Kind::Text)];
    let body = Body::check(&given, &params, Unknown::Ignored)?;
    let (id, organization_id, status) = {
        let row = find(call)?;
        (
            row.id.clone(),
            row.organization_id.clone(),
            row.status(call.now),
        )
    };
    check_may_invite(call, &organization_id, body.text("requesting_user_id"))?;
    if status != InvitationStatus::Pending {
        return Err(error::organization_invitation_not_pending());
    }
    if let Some(row) = call.state.organization_invitations.get_mut(&id) {
        row.stored_status = InvitationStatus::Revoked;
        row.updated_at = call.now;
    }
    get(call)
}

const NEWEST_FIRST: Order = Order {
    by: "created_at",
    descending: true,
};

type View = fn(&crate::state::State, &OrganizationInvitation, &str, u64) -> Value;

fn page(
    call: &Call<'_>,
    order: Order,
    admits: impl Fn(&OrganizationInvitation) -> bool,
    view: View,
) -> Result<List, ApiError> {
    let all = call.state.organization_invitations.iter();
    let mut rows: Vec<&OrganizationInvitation> = all.filter(|row| admits(row)).collect();
    rows.sort_by(|left, right| {
        let age = (left.created_at, &left.id).cmp(&(right.created_at, &right.id));
        let ordering = match order.by {
            "email_address" => left.email_address.cmp(&right.email_address).then(age),
            _ => age,
        };
        order.directed(ordering)
    });
    Ok(Page::of(&call.query)?.take(rows, |row| view(call.state, row, call.url, call.now)))
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a OrganizationInvitation, ApiError> {
    let organization = call.organization()?;
    let id = call.param("invitation_id");
    let row = call.state.organization_invitations.get(&id);
    row.filter(|row| row.organization_id == organization.id)
        .ok_or_else(|| error::invitation_not_found(&id))
}

/// Whoever invites or revokes is a member who may manage members.
fn check_may_invite(
    call: &Call<'_>,
    organization_id: &Id,
    user_id: Option<&str>,
) -> Result<Option<Id>, ApiError> {
    const NEEDED: &str = "org:sys_memberships:manage";
    let Some(user_id) = user_id else {
        return Ok(None);
    };
    let user = call
        .state
        .user(user_id)
        .ok_or_else(|| error::user_not_found(user_id))?;
    let membership = call.state.membership(organization_id, &user.id);
    let membership = membership.ok_or_else(error::not_a_member)?;
    if !call.state.role_allows(&membership.role, NEEDED) {
        return Err(error::missing_organization_permission(NEEDED));
    }
    Ok(Some(user.id.clone()))
}

/// Invitations without ids and tickets, if every one of them is allowed.
fn check(
    call: &Call<'_>,
    organization: &Organization,
    given: Vec<Map<String, Value>>,
) -> Result<Vec<OrganizationInvitation>, ApiError> {
    let now = call.now;
    let mut drafts: Vec<OrganizationInvitation> = Vec::with_capacity(given.len());
    for object in &given {
        let body = Body::check(object, &PARAMS, Unknown::Ignored)?;
        let text = body.required_text("email_address")?;
        format::email("email_address", text)?;
        let email_address = text.to_lowercase();
        let role = existing_role(call.state, body.required_text("role")?)?;
        let inviter_id = check_may_invite(call, &organization.id, body.text("inviter_user_id"))?;
        if let Some(url) = body.text("redirect_url") {
            format::redirect_url(url)?;
        }
        let owner = call.state.user_with_email(&email_address);
        if owner.is_some_and(|user| call.state.membership(&organization.id, user).is_some()) {
            return Err(error::already_a_member(&email_address));
        }
        let pending = call.state.organization_invitations.iter().any(|row| {
            row.organization_id == organization.id
                && row.email_address == email_address
                && row.status(now) == InvitationStatus::Pending
        });
        if pending
            || drafts
                .iter()
                .any(|draft| draft.email_address == email_address)
        {
            return Err(error::organization_invitation_not_unique());
        }
        drafts.push(OrganizationInvitation {
            id: "".into(),
            organization_id: organization.id.clone(),
            email_address,
            role,
            inviter_id,
            stored_status: InvitationStatus::Pending,
            public_metadata: body.metadata("public_metadata")?.unwrap_or_default(),
            private_metadata: body.metadata("private_metadata")?.unwrap_or_default(),
            ticket: String::new(),
            redirect_url: body.text("redirect_url").map(str::to_owned),
            expires_at: Some(expiry(&body, now)?),
            created_at: now,
            updated_at: now,
        });
    }
    check_quota(call.state, organization, drafts.len(), now)?;
    Ok(drafts)
}

fn save(call: &mut Call<'_>, mut draft: OrganizationInvitation) -> Value {
    draft.id = call.mint("orginv");
    draft.ticket = call.ticket();
    let view = views::organization_invitation(call.state, &draft, call.url, call.now);
    call.state.organization_invitations.insert(draft);
    view
}
