//! [`SqliteStore`]: which method goes to which connection and topic.

use std::path::Path;
use std::sync::Arc;

use oauth::{
    AccessTokenRecord, Advanced, AuditRecord, Authorization, AuthorizationFault, AuthorizationId,
    BoxFuture, Client, ClientDocument, ClientId, CodeFault, CodeRecord, ConsentKey, Fingerprint,
    FinishSignIn, Grant, GrantId, RedeemCode, RefreshFault, RefreshTokenRecord, Refused,
    Registered, RememberedConsent, RotateRefreshToken, Sealed, Step, Store, StoreError,
    StoreResult, Swept, Timestamp, TokenHash, UpstreamUpdate,
};
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};

use super::error::{Failure, Outcome};
use super::open::{OpenError, open};
use super::writer::Writer;
use super::{
    access_tokens, assertions, audit, authorizations, clients, codes, consents, grants, probe,
    refresh_tokens, sweep,
};

/// Keeps the OAuth state in one SQLite file, which several processes of one machine may share. It
/// needs a tokio runtime.
///
/// What a method has answered is on the disk. A caller that drops a future may have written or not,
/// but never a part.
#[derive(Debug)]
pub struct SqliteStore {
    file: Arc<Path>,
    writer: Writer,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the store's file; creates it, readable by its owner alone, when it is not there, and
    /// brings it to this version's schema. Its directory must exist.
    ///
    /// # Errors
    /// [`OpenError`] names the file, and what to do.
    pub async fn open(file: impl AsRef<Path>) -> Result<Self, OpenError> {
        let file: Arc<Path> = Arc::from(file.as_ref());
        let opened = open(&file).await?;
        Ok(Self {
            writer: Writer::start(opened.writer, file.clone()),
            readers: opened.readers,
            file,
        })
    }

    /// The store's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Finishes the writes that are waiting, and closes the file. What comes later is refused.
    pub async fn close(&self) {
        // The writer last: whoever closes the file last empties the log into it.
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.told(self.readers.acquire().await.map_err(Failure::from))
    }

    pub(super) fn told<T>(&self, outcome: Outcome<T>) -> Result<T, StoreError> {
        outcome.map_err(|failure| failure.into_store_error(&self.file))
    }

    pub(super) fn write<'s, T, F>(&'s self, transition: F) -> StoreResult<'s, T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut SqliteConnection) -> BoxFuture<'a, Outcome<T>> + Send + 'static,
    {
        Box::pin(self.writer.write(transition))
    }
}

impl Store for SqliteStore {
    fn register_client<'a>(
        &'a self,
        client: &'a Client,
        fingerprint: Option<Fingerprint>,
        now: Timestamp,
    ) -> StoreResult<'a, Registered> {
        let client = client.clone();
        self.write(move |connection| {
            Box::pin(async move { clients::register(connection, &client, fingerprint, now).await })
        })
    }

    fn client<'a>(&'a self, id: &'a ClientId, now: Timestamp) -> StoreResult<'a, Option<Client>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(clients::client(&mut reader, id, now).await)
        })
    }

    fn put_client_document<'a>(&'a self, document: &'a ClientDocument) -> StoreResult<'a, ()> {
        let document = document.clone();
        self.write(move |connection| {
            Box::pin(async move { clients::put_document(connection, &document).await })
        })
    }

    fn client_document<'a>(&'a self, id: &'a ClientId) -> StoreResult<'a, Option<ClientDocument>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(clients::document(&mut reader, id).await)
        })
    }

    fn begin_authorization<'a>(&'a self, authorization: &'a Authorization) -> StoreResult<'a, ()> {
        let authorization = authorization.clone();
        self.write(move |connection| {
            Box::pin(async move { authorizations::begin(connection, &authorization).await })
        })
    }

    fn authorization<'a>(
        &'a self,
        id: &'a AuthorizationId,
    ) -> StoreResult<'a, Option<Authorization>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(authorizations::authorization(&mut reader, id).await)
        })
    }

    fn advance_authorization<'a>(
        &'a self,
        id: &'a AuthorizationId,
        browser: TokenHash,
        step: &'a Step,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Advanced, AuthorizationFault>> {
        let (id, step) = (id.clone(), step.clone());
        self.write(move |connection| {
            Box::pin(
                async move { authorizations::advance(connection, &id, browser, &step, now).await },
            )
        })
    }

    fn finish_sign_in<'a>(
        &'a self,
        finish: &'a FinishSignIn,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Advanced, AuthorizationFault>> {
        let finish = finish.clone();
        self.write(move |connection| {
            Box::pin(async move { authorizations::finish(connection, &finish, now).await })
        })
    }

    fn remembered_consent<'a>(
        &'a self,
        key: &'a ConsentKey,
    ) -> StoreResult<'a, Option<RememberedConsent>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(consents::consent(&mut reader, key).await)
        })
    }

    fn remembered_consents<'a>(
        &'a self,
        user_id: &'a str,
    ) -> StoreResult<'a, Vec<RememberedConsent>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(consents::of_user(&mut reader, user_id).await)
        })
    }

    fn forget_consent<'a>(&'a self, key: &'a ConsentKey) -> StoreResult<'a, bool> {
        let key = key.clone();
        self.write(move |connection| {
            Box::pin(async move { consents::forget(connection, &key).await })
        })
    }

    fn forget_consents_of_user<'a>(&'a self, user_id: &'a str) -> StoreResult<'a, u64> {
        let user_id = user_id.to_owned();
        self.write(move |connection| {
            Box::pin(async move { consents::forget_of_user(connection, &user_id).await })
        })
    }

    fn code<'a>(&'a self, code: TokenHash) -> StoreResult<'a, Option<(CodeRecord, Grant)>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(codes::code(&mut reader, code).await)
        })
    }

    fn redeem_code<'a>(
        &'a self,
        redeem: &'a RedeemCode,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Grant, Refused<CodeFault>>> {
        let redeem = redeem.clone();
        self.write(move |connection| {
            Box::pin(async move { codes::redeem(connection, &redeem, now).await })
        })
    }

    fn refresh_token<'a>(
        &'a self,
        token: TokenHash,
    ) -> StoreResult<'a, Option<(RefreshTokenRecord, Grant)>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(refresh_tokens::refresh_token(&mut reader, token).await)
        })
    }

    fn rotate_refresh_token<'a>(
        &'a self,
        rotate: &'a RotateRefreshToken,
        now: Timestamp,
    ) -> StoreResult<'a, Result<Grant, Refused<RefreshFault>>> {
        let rotate = rotate.clone();
        self.write(move |connection| {
            Box::pin(async move { refresh_tokens::rotate(connection, &rotate, now).await })
        })
    }

    fn access_token<'a>(
        &'a self,
        token: TokenHash,
        now: Timestamp,
    ) -> StoreResult<'a, Option<(AccessTokenRecord, Grant)>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(access_tokens::access_token(&mut reader, token, now).await)
        })
    }

    fn revoke_token<'a>(
        &'a self,
        token: TokenHash,
        client_id: &'a ClientId,
        now: Timestamp,
    ) -> StoreResult<'a, Option<GrantId>> {
        let client_id = client_id.clone();
        self.write(move |connection| {
            Box::pin(async move { grants::revoke_token(connection, token, &client_id, now).await })
        })
    }

    fn use_assertion(&self, assertion: TokenHash, until: Timestamp) -> StoreResult<'_, bool> {
        self.write(move |connection| {
            Box::pin(async move { assertions::use_up(connection, assertion, until).await })
        })
    }

    fn grant<'a>(&'a self, id: &'a GrantId) -> StoreResult<'a, Option<Grant>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(grants::grant(&mut reader, id).await)
        })
    }

    fn revoke_grant<'a>(&'a self, id: &'a GrantId, now: Timestamp) -> StoreResult<'a, bool> {
        let id = id.clone();
        self.write(move |connection| {
            Box::pin(async move { grants::revoke(connection, &id, now).await })
        })
    }

    fn update_upstream<'a>(
        &'a self,
        id: &'a GrantId,
        expected_version: u64,
        upstream: &'a Sealed,
        now: Timestamp,
    ) -> StoreResult<'a, UpstreamUpdate> {
        let (id, upstream) = (id.clone(), upstream.clone());
        self.write(move |connection| {
            Box::pin(async move {
                grants::update_upstream(connection, &id, expected_version, &upstream, now).await
            })
        })
    }

    fn grants_of_user<'a>(
        &'a self,
        user_id: &'a str,
        now: Timestamp,
    ) -> StoreResult<'a, Vec<Grant>> {
        Box::pin(async move {
            let mut reader = self.reader().await?;
            self.told(grants::of_user(&mut reader, user_id, now).await)
        })
    }

    fn check(&self) -> StoreResult<'_, ()> {
        Box::pin(async move {
            if !self.writer.is_open() {
                return Err(self.writer.closed());
            }
            if !self.file.exists() {
                return Err(StoreError::Unavailable {
                    message: format!(
                        "{} is gone\nhint: was it moved or deleted? Stop the server and put it back",
                        self.file.display()
                    ),
                });
            }
            let mut reader = self.reader().await?;
            let read = sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").execute(&mut *reader);
            self.told(read.await.map(drop).map_err(Failure::from))?;
            drop(reader);
            self.write(|connection| Box::pin(probe::write(connection)))
                .await
        })
    }

    fn append_audit<'a>(&'a self, records: &'a [AuditRecord]) -> StoreResult<'a, ()> {
        match self.told(audit::rows(records)) {
            Ok(rows) => self.write(move |connection| Box::pin(audit::append(connection, rows))),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn sweep_audit(&self, before: Timestamp) -> StoreResult<'_, u64> {
        self.write(move |connection| {
            Box::pin(async move { audit::sweep(connection, before).await })
        })
    }

    fn sweep(&self, now: Timestamp) -> StoreResult<'_, Swept> {
        Box::pin(async move {
            let mut swept = Swept::default();
            for part in sweep::Part::ALL {
                // A transaction for each, so that others come in between.
                let done = self.write(move |connection| {
                    Box::pin(async move { sweep::sweep(connection, part, now).await })
                });
                swept = sweep::add(swept, done.await?);
            }
            Ok(swept)
        })
    }
}
