//! Users.

pub(crate) mod create;
pub(crate) mod filter;
pub(crate) mod list;
pub(crate) mod metadata;
pub(crate) mod password;
pub(crate) mod standing;
pub(crate) mod update;

use crate::call::Call;
use crate::error::ApiError;
use crate::views;
use serde_json::Value;

/// `GetUser`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(views::user(call.user()?, &call.state.instance.id, call.now))
}

/// `DeleteUser`: with their memberships and sessions.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.user()?.id.clone();
    let user = call.state.delete_user(&id);
    let mut answer = views::deleted("user", &id);
    if let Some(external_id) = user.and_then(|user| user.external_id) {
        answer["external_id"] = Value::String(external_id);
    }
    Ok(answer)
}

/// Changes the user of the path and answers it.
fn change(
    call: &mut Call<'_>,
    change: impl FnOnce(&mut crate::model::User),
) -> Result<Value, ApiError> {
    let id = call.user()?.id.clone();
    call.state.change_user(&id, change);
    get(call)
}
