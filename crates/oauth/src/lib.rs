//! OAuth 2.1 rules for an MCP authorization server, without I/O, clock or runtime.

mod authorization;
mod base64url;
mod client;
mod environment;
mod grant;
mod pkce;
mod resource;
mod scope;
mod seal;
mod server_key;
mod store;
mod time;
mod token;

pub use authorization::{
    Advanced, Approval, ApprovedBy, Authorization, AuthorizationFault, AuthorizationId,
    AuthorizationRequest, ClientSnapshot, Decision, SignedIn, Stage, Step,
};
pub use client::{Client, ClientAuthMethod, ClientId, ClientOrigin, Fingerprint, GrantType};
pub use environment::{BoxFuture, Random};
pub use grant::{
    AccessTokenRecord, CodeFault, CodeRecord, Grant, GrantId, Lifetimes, NewRefreshToken,
    RedeemCode, RefreshFault, RefreshTokenRecord, RotateRefreshToken,
};
pub use pkce::CodeChallenge;
pub use resource::Resource;
pub use scope::{ScopeDefinition, ScopePolicy, ScopePolicyError, ScopeSet};
pub use seal::{GrantKey, Sealed, Wrapped};
pub use server_key::{ServerKey, ServerKeyError, ServerKeys};
pub use store::{
    AUTHORIZATION_KEPT, AuditRecord, CODE_KEPT, ClientDocument, ConsentKey, DOCUMENT_KEPT,
    FinishSignIn, Refused, Registered, RememberedConsent, Store, StoreError, StoreResult, Swept,
    UpstreamUpdate,
};
pub use time::Timestamp;
pub use token::{PlainToken, TokenHash, TokenKind};
