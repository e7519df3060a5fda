//! Banning and locking users.

use crate::body::{Body, Kind, Unknown, param};
use crate::call::Call;
use crate::clock::HOUR;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::views;
use serde_json::Value;

/// How long a lock lasts when the instance says nothing else.
const LOCK_DURATION: u64 = HOUR;
const MAX_AT_ONCE: usize = 50;

/// `BanUser`: also revokes their sessions.
pub(crate) fn ban(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.user()?.id.clone();
    set_banned(call, &id, true);
    super::get(call)
}

/// `UnbanUser`.
pub(crate) fn unban(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.user()?.id.clone();
    set_banned(call, &id, false);
    super::get(call)
}

/// `UsersBan`: up to 50 users; if one of them does not exist nobody is banned.
pub(crate) fn ban_many(call: &mut Call<'_>) -> Result<Value, ApiError> {
    many(call, true)
}

/// `UsersUnban`.
pub(crate) fn unban_many(call: &mut Call<'_>) -> Result<Value, ApiError> {
    many(call, false)
}

/// `LockUser`: for one hour.
pub(crate) fn lock(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = call.now;
    super::change(call, |user| {
        user.locked_until = Some(now + LOCK_DURATION);
        user.updated_at = now;
    })
}

/// `UnlockUser`.
pub(crate) fn unlock(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = call.now;
    super::change(call, |user| {
        user.locked_until = None;
        user.updated_at = now;
    })
}

fn many(call: &mut Call<'_>, banned: bool) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &[param("user_ids", Kind::Texts)], Unknown::Ignored)?;
    let names = body.texts("user_ids");
    if names.is_empty() {
        return Err(error::param_missing("user_ids"));
    }
    if names.len() > MAX_AT_ONCE {
        return Err(error::bulk_size_exceeded(MAX_AT_ONCE));
    }
    let find = |name: &str| {
        let user = call
            .state
            .user(name)
            .ok_or_else(|| error::user_not_found(name))?;
        Ok(user.id.clone())
    };
    let ids = names
        .into_iter()
        .map(find)
        .collect::<Result<Vec<Id>, ApiError>>()?;
    for id in &ids {
        set_banned(call, id, banned);
    }
    let users = ids.iter().filter_map(|id| call.state.user(id));
    Ok(users
        .map(|user| views::user(user, &call.state.instance.id, call.now))
        .collect())
}

fn set_banned(call: &mut Call<'_>, id: &str, banned: bool) {
    let now = call.now;
    call.state.change_user(id, |user| {
        user.banned = banned;
        user.updated_at = now;
    });
    if banned {
        call.state.revoke_sessions(id, now);
    }
}
