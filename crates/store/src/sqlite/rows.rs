//! Between columns and the values of `oauth`.

use oauth::{GrantId, Resource, ScopeSet, Sealed, Timestamp, TokenHash, Wrapped};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::error::{Failure, Outcome};
use crate::sessions::ListDigest;

/// A moment as a column keeps it. SQLite's integers are signed; what is later than the last of them,
/// in 292 million years, is kept as that.
pub(super) fn milliseconds(moment: Timestamp) -> i64 {
    i64::try_from(moment.0).unwrap_or(i64::MAX)
}

/// A token's hash as a column keeps it.
pub(super) fn bytes(hash: &TokenHash) -> &[u8] {
    hash.as_bytes().as_slice()
}

pub(super) fn timestamp(row: &SqliteRow, column: &'static str) -> Outcome<Timestamp> {
    Ok(moment(row.try_get(column)?))
}

pub(super) fn optional_timestamp(
    row: &SqliteRow,
    column: &'static str,
) -> Outcome<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(moment))
}

/// Columns hold what [`milliseconds`] made, so nothing is negative.
fn moment(milliseconds: i64) -> Timestamp {
    Timestamp(u64::try_from(milliseconds).unwrap_or_default())
}

/// A number that is never negative.
pub(super) fn count(row: &SqliteRow, column: &'static str) -> Outcome<u64> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Failure::Unreadable { what: column })
}

pub(super) fn hash(row: &SqliteRow, column: &'static str) -> Outcome<TokenHash> {
    to_hash(row.try_get(column)?, column)
}

pub(super) fn optional_hash(row: &SqliteRow, column: &'static str) -> Outcome<Option<TokenHash>> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    bytes.map(|bytes| to_hash(bytes, column)).transpose()
}

fn to_hash(bytes: &[u8], column: &'static str) -> Outcome<TokenHash> {
    let bytes: Result<[u8; 32], _> = bytes.try_into();
    Ok(TokenHash::from_bytes(
        bytes.map_err(|_| Failure::Unreadable { what: column })?,
    ))
}

pub(super) fn optional_list(row: &SqliteRow, column: &'static str) -> Outcome<Option<ListDigest>> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    let list = |bytes: &[u8]| {
        let bytes = bytes.try_into();
        bytes.map_err(|_| Failure::Unreadable { what: column })
    };
    Ok(bytes.map(list).transpose()?.map(ListDigest))
}

pub(super) fn wrapped(row: &SqliteRow, column: &'static str) -> Outcome<Wrapped> {
    Ok(Wrapped::from_bytes(row.try_get(column)?))
}

pub(super) fn optional_sealed(row: &SqliteRow, column: &'static str) -> Outcome<Option<Sealed>> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    Ok(bytes.map(Sealed::from_bytes))
}

pub(super) fn scopes(row: &SqliteRow, column: &'static str) -> Outcome<ScopeSet> {
    ScopeSet::parse(row.try_get(column)?).ok_or(Failure::Unreadable { what: column })
}

pub(super) fn resource(row: &SqliteRow, column: &'static str) -> Outcome<Resource> {
    Resource::parse(row.try_get(column)?).ok_or(Failure::Unreadable { what: column })
}

pub(super) fn grant_id(row: &SqliteRow, column: &'static str) -> Outcome<GrantId> {
    Ok(GrantId::from_text(row.try_get::<String, _>(column)?))
}

/// A whole value, as JSON.
pub(super) fn document<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Outcome<T> {
    serde_json::from_str(row.try_get(column)?).map_err(|_| Failure::Unreadable { what: column })
}

/// A whole value, as a column keeps it. `what` names it should it not be writable as JSON.
pub(super) fn to_document<T: Serialize>(value: &T, what: &'static str) -> Outcome<String> {
    serde_json::to_string(value).map_err(|_| Failure::Unreadable { what })
}
