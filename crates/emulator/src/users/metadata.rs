//! `UpdateUserMetadata` (deep merge) and `ReplaceUserMetadata`.

use crate::body::{Body, Kind, Param, Unknown, param};
use crate::call::Call;
use crate::error::ApiError;
use crate::metadata;
use crate::model::{Metadata, User};
use serde_json::Value;

const PARAMS: [Param; 3] = [
    param("public_metadata", Kind::Object),
    param("private_metadata", Kind::Object),
    param("unsafe_metadata", Kind::Object),
];

/// `UpdateUserMetadata`.
pub(crate) fn merge(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let user = call.user()?;
    let body = Body::check(&given, &PARAMS, Unknown::Refused)?;
    let merged = |name: &str, current| match body.object(name) {
        Some(changes) => metadata::merged(name, current, changes).map(Some),
        None => Ok(None),
    };
    let public = merged("public_metadata", &user.public_metadata)?;
    let private = merged("private_metadata", &user.private_metadata)?;
    let unsafe_ = merged("unsafe_metadata", &user.unsafe_metadata)?;
    let now = call.now;
    super::change(call, |user| set(user, public, private, unsafe_, now))
}

/// `ReplaceUserMetadata`.
pub(crate) fn replace(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    call.user()?;
    let body = Body::check(&given, &PARAMS, Unknown::Refused)?;
    let public = body.metadata("public_metadata")?;
    let private = body.metadata("private_metadata")?;
    let unsafe_ = body.metadata("unsafe_metadata")?;
    let now = call.now;
    super::change(call, |user| set(user, public, private, unsafe_, now))
}

/// Sets the kinds of metadata that are given.
pub(super) fn set(
    user: &mut User,
    public: Option<Metadata>,
    private: Option<Metadata>,
    unsafe_: Option<Metadata>,
    now: u64,
) {
    if let Some(public) = public {
        user.public_metadata = public;
    }
    if let Some(private) = private {
        user.private_metadata = private;
    }
    if let Some(unsafe_) = unsafe_ {
        user.unsafe_metadata = unsafe_;
    }
    user.updated_at = now;
}
