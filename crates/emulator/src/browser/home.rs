//! The emulator's home page: who is signed in, and where to look.

use super::clients;
use crate::call::Call;
use crate::error::ApiError;
use crate::pages;
use crate::reply;
use bytes::Bytes;
use http::{Response, StatusCode};

/// `GET /`.
pub(crate) fn page(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let body = pages::home::page(&clients::everybody(call));
    Ok(reply::html(StatusCode::OK, body))
}
