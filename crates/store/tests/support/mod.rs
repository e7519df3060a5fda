//! People who sign in, one for each number, and what a server does for them.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use clerk_mcp_store::SqliteStore;
use oauth::{
    AccessTokenRecord, Advanced, Approval, ApprovedBy, Authorization, AuthorizationId,
    AuthorizationRequest, ClientId, ClientOrigin, ClientSnapshot, CodeChallenge, CodeFault,
    CodeRecord, FinishSignIn, Grant, GrantId, NewRefreshToken, PlainToken, Random, RedeemCode,
    RefreshFault, Refused, Resource, RotateRefreshToken, ScopeSet, Sealed, Stage, Store as _,
    StoreError, Timestamp, TokenHash, Wrapped,
};
use tempfile::TempDir;

/// The time of the tests.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder with a store's file in it, which goes when the test ends.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("store.db")
    }

    pub(crate) async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.file()).await.unwrap()
    }
}

/// Everything about one person's sign-in follows from a number, so that another process knows it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Person(pub(crate) u32);

struct Numbers(u32, u8);

impl Random for Numbers {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.1);
        bytes[..4].copy_from_slice(&self.0.to_be_bytes());
    }
}

impl Person {
    fn numbers(self, what: u8) -> Numbers {
        Numbers(self.0, what)
    }

    fn hash(self, what: &str) -> TokenHash {
        PlainToken::presented(format!("{what} {}", self.0)).hash()
    }

    pub(crate) fn code(self) -> TokenHash {
        self.hash("code")
    }

    pub(crate) fn access(self, generation: u32) -> TokenHash {
        self.hash(&format!("access {generation} of"))
    }

    pub(crate) fn refresh(self, generation: u32) -> TokenHash {
        self.hash(&format!("refresh {generation} of"))
    }

    pub(crate) fn grant_id(self) -> GrantId {
        GrantId::generate(&self.numbers(1))
    }

    pub(crate) fn authorization(self) -> Authorization {
        Authorization {
            id: AuthorizationId::generate(&self.numbers(2)),
            browser: self.hash("browser"),
            request: AuthorizationRequest {
                client_id: client_id(),
                redirect_uri: "http://127.0.0.1/callback".to_owned(),
                state: Some("state".to_owned()),
                scope: scopes(),
                code_challenge: challenge(),
                resource: resource(),
            },
            client: ClientSnapshot {
                origin: ClientOrigin::Registered,
                name: Some("A client".to_owned()),
                client_uri: None,
                logo_uri: None,
                policy_uri: None,
                tos_uri: None,
            },
            created_at: NOW,
            expires_at: NOW.after(Duration::from_secs(600)),
            stage: Stage::Returned(Approval {
                scopes: scopes(),
                by: ApprovedBy::Person { remember: false },
                since: NOW,
            }),
        }
    }

    pub(crate) fn grant(self) -> Grant {
        Grant {
            id: self.grant_id(),
            client_id: client_id(),
            client_name: Some("A client".to_owned()),
            user_id: format!("user_{}", self.0),
            session_id: None,
            organization_id: None,
            resource: resource(),
            scopes: scopes(),
            created_at: NOW,
            expires_at: NOW.after(180 * DAY),
            revoked_at: None,
            upstream: Some(Sealed::from_bytes(vec![7; 900])),
            upstream_version: 0,
        }
    }

    /// Signs in: from here on the code can be redeemed.
    pub(crate) async fn sign_in(self, store: &SqliteStore) -> Result<(), StoreError> {
        let authorization = self.authorization();
        store.begin_authorization(&authorization).await?;
        let finish = FinishSignIn {
            authorization: authorization.id,
            browser: authorization.browser,
            grant: self.grant(),
            code: CodeRecord {
                hash: self.code(),
                grant_id: self.grant_id(),
                client_id: client_id(),
                redirect_uri: "http://127.0.0.1/callback".to_owned(),
                code_challenge: challenge(),
                resource: resource(),
                wrapped: wrapped(),
                expires_at: NOW.after(Duration::from_secs(60)),
                redeemed_at: None,
            },
            remember: None,
        };
        let finished = store.finish_sign_in(&finish, NOW).await?.unwrap();
        assert!(matches!(finished, Advanced::Moved(_)));
        Ok(())
    }

    /// Redeems the code for the tokens of generation 0.
    pub(crate) async fn redeem(
        self,
        store: &SqliteStore,
    ) -> Result<Result<Grant, Refused<CodeFault>>, StoreError> {
        let redeem = RedeemCode {
            code: self.code(),
            client_id: client_id(),
            redirect_uri: None,
            code_challenge: challenge(),
            resource: None,
            access: self.new_access(0),
            refresh: Some(self.new_refresh(0)),
            client_kept_until: NOW.after(90 * DAY),
        };
        store.redeem_code(&redeem, NOW).await
    }

    /// Refreshes with the token of `generation`, for those of the next.
    pub(crate) async fn refresh_from(
        self,
        store: &SqliteStore,
        generation: u32,
    ) -> Result<Result<Grant, Refused<RefreshFault>>, StoreError> {
        self.refresh_with_access(store, generation, generation + 1)
            .await
    }

    /// Refreshes with the token of `generation`, for the access token of this number.
    pub(crate) async fn refresh_with_access(
        self,
        store: &SqliteStore,
        generation: u32,
        access: u32,
    ) -> Result<Result<Grant, Refused<RefreshFault>>, StoreError> {
        let rotate = RotateRefreshToken {
            presented: self.refresh(generation),
            client_id: client_id(),
            resource: None,
            successor: self.new_refresh(generation + 1),
            access: self.new_access(access),
            client_kept_until: NOW.after(90 * DAY),
        };
        store.rotate_refresh_token(&rotate, NOW).await
    }

    /// Whether the code was redeemed. Fails when that was done half.
    pub(crate) async fn has_redeemed(self, store: &SqliteStore) -> bool {
        let Some((code, _)) = store.code(self.code()).await.unwrap() else {
            return false;
        };
        let access = store.access_token(self.access(0), NOW).await.unwrap();
        let refresh = store.refresh_token(self.refresh(0)).await.unwrap();
        let redeemed = code.redeemed_at.is_some();
        assert_eq!(
            redeemed,
            access.is_some(),
            "{self:?}: code and access token"
        );
        assert_eq!(
            redeemed,
            refresh.is_some(),
            "{self:?}: code and refresh token"
        );
        redeemed
    }

    /// Whether the refresh token of `generation` was rotated. Fails when that was done half.
    pub(crate) async fn has_refreshed(self, store: &SqliteStore, generation: u32) -> bool {
        let Some((token, _)) = store.refresh_token(self.refresh(generation)).await.unwrap() else {
            return false;
        };
        let next = store
            .refresh_token(self.refresh(generation + 1))
            .await
            .unwrap();
        let access = store
            .access_token(self.access(generation + 1), NOW)
            .await
            .unwrap();
        let rotated = token.successor.is_some();
        assert_eq!(rotated, next.is_some(), "{self:?}: token and successor");
        assert_eq!(
            rotated,
            access.is_some(),
            "{self:?}: successor and access token"
        );
        rotated
    }

    fn new_access(self, generation: u32) -> AccessTokenRecord {
        AccessTokenRecord {
            hash: self.access(generation),
            grant_id: self.grant_id(),
            scopes: scopes(),
            wrapped: wrapped(),
            expires_at: NOW.after(Duration::from_secs(900)),
        }
    }

    fn new_refresh(self, generation: u32) -> NewRefreshToken {
        NewRefreshToken {
            hash: self.refresh(generation),
            wrapped: wrapped(),
            expires_at: NOW.after(30 * DAY),
        }
    }
}

pub(crate) fn client_id() -> ClientId {
    ClientId("client".to_owned())
}

fn scopes() -> ScopeSet {
    ScopeSet::parse("tools:read tools:write").unwrap()
}

fn resource() -> Resource {
    Resource::parse("https://mcp.example.com/mcp").unwrap()
}

fn challenge() -> CodeChallenge {
    CodeChallenge::of_verifier(&"v".repeat(43)).unwrap()
}

fn wrapped() -> Wrapped {
    Wrapped::from_bytes(vec![9; 60])
}
