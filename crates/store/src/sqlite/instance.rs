//! Which Clerk instance the people in the file belong to.

use std::path::Path;

use oauth::StoreResult;

use super::open::{OpenError, database, look_into};
use super::store::SqliteStore;

const CLAIM: &str = "INSERT INTO instance (one, frontend_api) VALUES (1, ?) ON CONFLICT DO NOTHING";
const READ: &str = "SELECT frontend_api FROM instance";

/// The origin of the Frontend API of the Clerk instance that the store's file belongs to, which must be
/// there; `None` when no server has claimed it yet. Nothing is changed.
///
/// # Errors
/// [`OpenError`] when it is no file that a server could open.
pub async fn instance_of(file: &Path) -> Result<Option<String>, OpenError> {
    let Some(mut connection) = look_into(file).await? else {
        return Ok(None);
    };
    let owner: Option<(String,)> = sqlx::query_as(READ)
        .fetch_optional(&mut connection)
        .await
        .map_err(|error| database(file, &error))?;
    Ok(owner.map(|(frontend_api,)| frontend_api))
}

impl SqliteStore {
    /// The origin of the Frontend API of the Clerk instance that this file belongs to: of `frontend_api`
    /// when nobody has said so before. User ids mean nothing to another instance, which would answer that
    /// everybody in the file has been deleted.
    ///
    /// # Errors
    /// As every write.
    pub fn claim<'a>(&'a self, frontend_api: &str) -> StoreResult<'a, String> {
        let frontend_api = frontend_api.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let claim = sqlx::query(CLAIM).bind(frontend_api);
                claim.execute(&mut *connection).await?;
                let (owner,) = sqlx::query_as(READ).fetch_one(connection).await?;
                Ok(owner)
            })
        })
    }
}
