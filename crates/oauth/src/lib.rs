//! OAuth 2.1 rules for an MCP authorization server, without I/O, clock or runtime.
//!
//! * [`AuthorizationServer`] has one method for each step of each endpoint; a server crate puts HTTP
//!   around it. It is told the time ([`Timestamp`]) and given randomness ([`Random`]).
//! * Everything that is kept is kept by a [`Store`], whose methods are atomic transitions. The rules
//!   of a transition are pure functions of the rows ([`Authorization::advance`],
//!   [`CodeRecord::judge`], [`RefreshTokenRecord::judge`]), so that no two stores can differ.
//! * A client's tokens are kept as hashes; what Clerk gave is kept under a key that only the holder
//!   of one of the grant's tokens can unwrap ([`GrantKey`]).
//!
//! Standards: OAuth 2.1, RFC 6749, 6750, 7009, 7523, 7591, 7636, 8252, 8414, 8707, 9207, 9728, OAuth Client
//! ID Metadata Document, and the authorization chapter of the Model Context Protocol.
//!
//! Absent on purpose: the implicit and password grants, `plain` PKCE, request objects, response modes
//! other than `query`, OpenID Connect discovery (no ID tokens are issued), more than one audience.

mod authorization;
mod authorization_server;
mod authorize;
mod base64url;
mod client;
mod client_assertion;
mod client_authentication;
mod client_keys;
mod client_metadata;
mod client_metadata_document;
mod consent;
#[cfg(feature = "contract")]
pub mod contract;
mod environment;
mod error;
mod grant;
mod json_web_key;
mod memory;
mod parameters;
mod pkce;
mod redirect_uri;
mod resource;
mod scope;
mod seal;
mod server_key;
mod settings;
mod sign_in_state;
mod store;
mod time;
mod token;

pub use authorization::{
    Advanced, Approval, ApprovedBy, Authorization, AuthorizationFault, AuthorizationId,
    AuthorizationRequest, ClientSnapshot, Decision, SignedIn, Stage, Step,
};
pub use authorization_server::{
    Access, Allowed, Answer, AuthorizationServer, BearerFault, Callback, Forget, Forgotten,
    MAX_REGISTRATION_BYTES, Next, ProtectedResource, RefreshCheck, RefreshRefusal,
    RegistrationError, RegistrationResponse, Remembered, SignInFailure, StepFault, TokenResponse,
    Visitor,
};
pub use authorize::{AuthorizeFault, ShownFault, ValidRequest};
pub use client::{Client, ClientAuthMethod, ClientId, ClientOrigin, Fingerprint, GrantType};
pub use client_assertion::AssertionFault;
pub use client_authentication::ClientAuthFault;
pub use client_keys::{AssertionKeys, ClientKeys, KeySource, MAX_KEY_SET_BYTES};
pub use client_metadata::ClientMetadataFault;
pub use client_metadata_document::{
    DOCUMENT_TIMEOUT, DocumentFault, FetchDocument, FetchFault, FetchedDocument,
    MAX_DOCUMENT_BYTES, is_public,
};
pub use consent::{ClientIdentity, ConsentPage};
pub use environment::{BoxFuture, Random};
pub use error::{ErrorResponse, TokenError};
pub use grant::{
    AccessTokenRecord, CodeFault, CodeRecord, Grant, GrantId, Lifetimes, NewRefreshToken,
    RedeemCode, RefreshFault, RefreshTokenRecord, RotateRefreshToken,
};
pub use json_web_key::{KeySet, KeySetFault, PublicKey, SigningAlgorithm};
pub use memory::MemoryStore;
pub use parameters::{Parameters, Repeated};
pub use pkce::CodeChallenge;
pub use redirect_uri::{RedirectKind, RedirectUri, RedirectUriError};
pub use resource::Resource;
pub use scope::{ScopeDefinition, ScopePolicy, ScopePolicyError, ScopeSet};
pub use seal::{GrantKey, Sealed, Wrapped};
pub use server_key::{ServerKey, ServerKeyError, ServerKeys};
pub use settings::{KNOWN_PRIVATE_USE_SCHEMES, Settings, SettingsError};
pub use sign_in_state::UpstreamRequest;
pub use store::{
    AUTHORIZATION_KEPT, AuditRecord, CODE_KEPT, CONSENT_KEPT, ClientDocument, ConsentKey,
    DOCUMENT_KEPT, FinishSignIn, Refused, Registered, RememberedConsent, Store, StoreError,
    StoreResult, Swept, UpstreamUpdate,
};
pub use time::Timestamp;
pub use token::{PlainToken, TokenHash, TokenKind};
