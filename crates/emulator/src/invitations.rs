//! Invitations to sign up to the application.

use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::DAY;
use crate::error::{self, ApiError};
use crate::format;
use crate::model::{Invitation, InvitationStatus};
use crate::paging::Page;
use crate::query::{Query, contains};
use crate::views;
use serde_json::{Map, Value};

/// How long an invitation is valid unless it says otherwise.
pub(crate) const DEFAULT_DAYS: u64 = 30;
pub(crate) const MAX_DAYS: u64 = 365;
pub(crate) const MAX_AT_ONCE: usize = 10;

const PARAMS: [Param; 7] = [
    param("email_address", Kind::Text),
    nullable("public_metadata", Kind::Object),
    nullable("redirect_url", Kind::Text),
    nullable("notify", Kind::Boolean),
    nullable("ignore_existing", Kind::Boolean),
    nullable("expires_in_days", Kind::Integer),
    param("template_slug", Kind::Text),
];

/// `ListInvitations`: those not revoked, unless `status` asks for revoked ones.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (query, now) = (&call.query, call.now);
    let page = Page::of(query)?;
    let statuses = statuses(query)?;
    let order = query.order(&["created_at", "email_address", "expires_at"])?;
    let text = query.text("query");
    let part = text.map(str::to_lowercase);
    let admits = |row: &&Invitation| {
        let status = row.status(now);
        let wanted = if statuses.is_empty() {
            status != InvitationStatus::Revoked
        } else {
            statuses.contains(&status.name())
        };
        wanted
            && part
                .as_ref()
                .is_none_or(|part| Some(&*row.id) == text || contains(&row.email_address, part))
    };
    let mut rows: Vec<&Invitation> = call.state.invitations.iter().filter(admits).collect();
    rows.sort_by(|left, right| {
        let attribute = match order.by {
            "email_address" => order.directed(left.email_address.cmp(&right.email_address)),
            "expires_at" => order.compare(left.expires_at, right.expires_at),
            _ => std::cmp::Ordering::Equal,
        };
        let age = (left.created_at, &left.id).cmp(&(right.created_at, &right.id));
        attribute.then(order.directed(age))
    });
    page.take(rows, |row| views::invitation(row, call.url, now))
        .bare_unless_paginated(query)
}

/// `CreateInvitation`.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let mut drafts = check(call, vec![given], true)?;
    Ok(drafts
        .pop()
        .map(|draft| save(call, draft))
        .unwrap_or_default())
}

/// `CreateBulkInvitations`: all of them, or none.
pub(crate) fn create_many(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_objects(MAX_AT_ONCE)?;
    let drafts = check(call, given, false)?;
    Ok(drafts.into_iter().map(|draft| save(call, draft)).collect())
}

/// `RevokeInvitation`.
pub(crate) fn revoke(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.param("invitation_id");
    let now = call.now;
    let row = call
        .state
        .invitations
        .get_mut(&id)
        .ok_or_else(|| error::invitation_not_found(&id))?;
    match row.status(now) {
        InvitationStatus::Accepted => return Err(error::invitation_already_accepted()),
        InvitationStatus::Revoked => return Err(error::invitation_already_revoked()),
        InvitationStatus::Pending | InvitationStatus::Expired => {}
    }
    row.stored_status = InvitationStatus::Revoked;
    row.updated_at = now;
    Ok(views::invitation(row, call.url, now))
}

/// The statuses a list of invitations is asked for.
pub(crate) fn statuses(query: &Query) -> Result<Vec<&str>, ApiError> {
    let statuses = query.list("status")?;
    match statuses
        .iter()
        .find(|status| !InvitationStatus::NAMES.contains(status))
    {
        Some(status) => Err(error::param_value_not_allowed(
            "status",
            status,
            &InvitationStatus::NAMES,
        )),
        None => Ok(statuses),
    }
}

/// When an invitation of this body ends.
pub(crate) fn expiry(body: &Body<'_>, now: u64) -> Result<u64, ApiError> {
    let days = body
        .integer("expires_in_days", 1, MAX_DAYS)?
        .unwrap_or(DEFAULT_DAYS);
    Ok(now + days * DAY)
}

/// Invitations without ids and tickets, if every one of them is allowed. A single invitation may
/// go to somebody who has an account (`ignore_existing`); those made in bulk may not.
fn check(
    call: &Call<'_>,
    given: Vec<Map<String, Value>>,
    existing_users_allowed: bool,
) -> Result<Vec<Invitation>, ApiError> {
    let now = call.now;
    let mut drafts: Vec<Invitation> = Vec::with_capacity(given.len());
    let mut duplicates = Vec::new();
    for object in &given {
        let body = Body::check(object, &PARAMS, Unknown::Refused)?;
        let text = body.required_text("email_address")?;
        format::email("email_address", text)?;
        let email_address = text.to_lowercase();
        let templates = ["invitation", "waitlist_invitation"];
        if let Some(slug) = body
            .text("template_slug")
            .filter(|slug| !templates.contains(slug))
        {
            return Err(error::param_value_not_allowed(
                "template_slug",
                slug,
                &templates,
            ));
        }
        if let Some(url) = body.text("redirect_url") {
            format::redirect_url(url)?;
        }
        let ignore_existing = body.boolean("ignore_existing") == Some(true);
        if call.state.user_with_email(&email_address).is_some()
            && !(ignore_existing && existing_users_allowed)
        {
            return Err(error::identifier_exists("email_address"));
        }
        let pending = call.state.invitations.iter().any(|row| {
            row.email_address == email_address && row.status(now) == InvitationStatus::Pending
        });
        let twice = drafts
            .iter()
            .any(|draft| draft.email_address == email_address);
        if (pending && !ignore_existing) || twice {
            duplicates.push(email_address.clone());
        }
        drafts.push(Invitation {
            id: "".into(),
            email_address,
            stored_status: InvitationStatus::Pending,
            public_metadata: body.metadata("public_metadata")?.unwrap_or_default(),
            ticket: String::new(),
            redirect_url: body.text("redirect_url").map(str::to_owned),
            expires_at: Some(expiry(&body, now)?),
            created_at: now,
            updated_at: now,
        });
    }
    if !duplicates.is_empty() {
        let duplicates: Vec<&str> = duplicates.iter().map(String::as_str).collect();
        return Err(error::duplicate_invitations(&duplicates));
    }
    Ok(drafts)
}

fn save(call: &mut Call<'_>, mut draft: Invitation) -> Value {
    draft.id = call.mint("inv");
    draft.ticket = call.ticket();
    let view = views::invitation(&draft, call.url, call.now);
    call.state.invitations.insert(draft);
    view
}
