//! Tokens that sign somebody in: actor tokens, for impersonation, and sign-in tokens.

use crate::body::{Body, Kind, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::table::Row;
use crate::views;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Clerk's defaults, in seconds.
const ACTOR_TOKEN_LIFETIME: u64 = 3_600;
const ACTOR_SESSION_LIFETIME: u64 = 1_800;
const SIGN_IN_TOKEN_LIFETIME: u64 = 2_592_000;
/// Ten years: nothing that Clerk issues lives longer.
const MAX_LIFETIME: u64 = 315_360_000;

/// Where a ticket is in its life. Its time runs out besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TicketStatus {
    Pending,
    Accepted,
    Revoked,
}

/// An actor token or a sign-in token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub(crate) id: Id,
    pub(crate) user_id: Id,
    /// Who acts as the user; a sign-in token has none.
    pub(crate) actor: Option<Value>,
    pub(crate) organization_id: Option<Id>,
    pub(crate) token: String,
    pub(crate) status: TicketStatus,
    pub(crate) expires_at: u64,
    /// How long the session may last that an actor token starts, in milliseconds.
    pub(crate) session_lifetime: Option<u64>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Row for Ticket {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}

/// `CreateActorToken`.
pub(crate) fn create_actor_token(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        param("user_id", Kind::Text),
        param("actor", Kind::Object),
        param("expires_in_seconds", Kind::Integer),
        param("session_max_duration_in_seconds", Kind::Integer),
    ];
    let body = Body::check(&given, &params, Unknown::Refused)?;
    let user_id = find_user(call, body.required_text("user_id")?)?;
    let actor = body
        .object("actor")
        .ok_or_else(|| error::param_missing("actor"))?;
    let subject = actor.get("sub").and_then(Value::as_str);
    if subject.is_none_or(str::is_empty) {
        return Err(error::param_missing("actor.sub"));
    }
    let lifetime = body.integer("expires_in_seconds", 1, MAX_LIFETIME)?;
    let session = body.integer("session_max_duration_in_seconds", 1, MAX_LIFETIME)?;
    let now = call.now;
    let ticket = Ticket {
        id: call.mint("act"),
        user_id,
        actor: Some(Value::Object(actor.clone())),
        organization_id: None,
        token: call.ticket(),
        status: TicketStatus::Pending,
        expires_at: now + lifetime.unwrap_or(ACTOR_TOKEN_LIFETIME) * SECOND,
        session_lifetime: Some(session.unwrap_or(ACTOR_SESSION_LIFETIME) * SECOND),
        created_at: now,
        updated_at: now,
    };
    Ok(add(call, ticket))
}

/// `CreateSignInToken`.
pub(crate) fn create_sign_in_token(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let params = [
        param("user_id", Kind::Text),
        nullable("org_id", Kind::Text),
        nullable("expires_in_seconds", Kind::Integer),
    ];
    let body = Body::check(&given, &params, Unknown::Ignored)?;
    let user_id = find_user(call, body.required_text("user_id")?)?;
    let organization_id = match body.text("org_id") {
        None => None,
        Some(id) => {
            let found = call.state.organization(id).map(|found| found.id.clone());
            let member = found.filter(|id| call.state.membership(id, &user_id).is_some());
            Some(member.ok_or_else(error::organization_not_found_or_unauthorized)?)
        }
    };
    let lifetime = body.integer("expires_in_seconds", 1, MAX_LIFETIME)?;
    let now = call.now;
    let ticket = Ticket {
        id: call.mint("sit"),
        user_id,
        actor: None,
        organization_id,
        token: call.ticket(),
        status: TicketStatus::Pending,
        expires_at: now + lifetime.unwrap_or(SIGN_IN_TOKEN_LIFETIME) * SECOND,
        session_lifetime: None,
        created_at: now,
        updated_at: now,
    };
    Ok(add(call, ticket))
}

/// `RevokeActorToken`: a pending one only.
pub(crate) fn revoke_actor_token(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.param("actor_token_id");
    revoke(call, &id, true)
}

/// `RevokeSignInToken`: a pending one only.
pub(crate) fn revoke_sign_in_token(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.param("sign_in_token_id");
    revoke(call, &id, false)
}

/// The pending ticket with this text; another is refused with its reason.
pub(crate) fn pending(call: &Call<'_>, text: &str) -> Result<Ticket, ApiError> {
    let mut all = call.state.tickets.iter();
    let ticket = all
        .find(|ticket| ticket.token == text)
        .ok_or_else(error::ticket_invalid)?;
    match ticket.status {
        TicketStatus::Accepted => Err(error::ticket_already_used(ticket.actor.is_some())),
        TicketStatus::Revoked => Err(error::ticket_revoked(ticket.actor.is_some())),
        TicketStatus::Pending if call.now >= ticket.expires_at => Err(error::ticket_expired()),
        TicketStatus::Pending => Ok(ticket.clone()),
    }
}

/// Marks a ticket as used.
pub(crate) fn accept(call: &mut Call<'_>, id: &str) {
    set_status(call, id, TicketStatus::Accepted);
}

fn revoke(call: &mut Call<'_>, id: &str, actor: bool) -> Result<Value, ApiError> {
    let found = call.state.tickets.get(id);
    let found = found.filter(|ticket| ticket.actor.is_some() == actor);
    let ticket = found.ok_or_else(|| error::ticket_not_found(id))?;
    match ticket.status {
        TicketStatus::Accepted => return Err(error::ticket_already_used(actor)),
        TicketStatus::Revoked => return Err(error::ticket_revoked(actor)),
        TicketStatus::Pending => set_status(call, id, TicketStatus::Revoked),
    }
    let revoked = call.state.tickets.get(id);
    let revoked = revoked.ok_or_else(|| error::ticket_not_found(id))?;
    Ok(view(revoked, call.url))
}

fn set_status(call: &mut Call<'_>, id: &str, status: TicketStatus) {
    let now = call.now;
    if let Some(ticket) = call.state.tickets.get_mut(id) {
        ticket.status = status;
        ticket.updated_at = now;
    }
}

fn find_user(call: &Call<'_>, id: &str) -> Result<Id, ApiError> {
    let user = call.state.user(id).map(|user| user.id.clone());
    user.ok_or_else(|| error::form_resource_not_found("user_id"))
}

fn add(call: &mut Call<'_>, ticket: Ticket) -> Value {
    let view = view(&ticket, call.url);
    call.state.tickets.insert(ticket);
    view
}

/// The token and its link are told while it is pending.
fn view(ticket: &Ticket, url: &str) -> Value {
    let mut view = json!({
        "object": "sign_in_token",
        "id": ticket.id,
        "status": ticket.status,
        "user_id": ticket.user_id,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
    });
    if let Some(actor) = &ticket.actor {
        view["object"] = json!("actor_token");
        view["actor"] = actor.clone();
    }
    if ticket.status == TicketStatus::Pending {
        view["token"] = json!(ticket.token);
        view["url"] = json!(views::ticket_url(url, &ticket.token));
    }
    view
}
