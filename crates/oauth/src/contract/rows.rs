//! Rows to test with. Hashes and sealed bytes are made up: a store looks into none of them.

use std::time::Duration;

use crate::authorization::{
    Authorization, AuthorizationId, AuthorizationRequest, ClientSnapshot, SignedIn, Stage,
};
use crate::base64url;
use crate::client::{Client, ClientAuthMethod, ClientId, ClientOrigin, GrantType};
use crate::grant::{
    AccessTokenRecord, CodeRecord, Grant, GrantId, NewRefreshToken, RedeemCode, RotateRefreshToken,
};
use crate::pkce::CodeChallenge;
use crate::resource::Resource;
use crate::scope::ScopeSet;
use crate::seal::{Sealed, Wrapped};
use crate::store::{ConsentKey, FinishSignIn, RememberedConsent, Store};
use crate::time::Timestamp;
use crate::token::{PlainToken, TokenHash};

/// The moment at which every test begins.
pub(super) const START: Timestamp = Timestamp(1_790_000_000_000);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) const REDIRECT_URI: &str = "https://app.example.com/callback";

pub(super) fn hash(name: &str) -> TokenHash {
    PlainToken::presented(name).hash()
}

pub(super) fn client_id(name: &str) -> ClientId {
    ClientId(name.to_owned())
}

pub(super) fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

pub(super) fn resource() -> Resource {
    Resource::parse("https://mcp.example.com/mcp").unwrap()
}

pub(super) fn other_resource() -> Resource {
    Resource::parse("https://other.example.com/mcp").unwrap()
}

pub(super) fn challenge(name: &str) -> CodeChallenge {
    CodeChallenge::parse(&base64url::encode(hash(name).as_bytes())).unwrap()
}

fn wrapped(name: &str) -> Wrapped {
    Wrapped::from_bytes(format!("wrapped for {name}").into_bytes())
}

pub(super) fn sealed(name: &str) -> Sealed {
    Sealed::from_bytes(format!("sealed {name}").into_bytes())
}

pub(super) fn client(name: &str) -> Client {
    Client {
        id: client_id(name),
        origin: ClientOrigin::Registered,
        name: Some("A client ✓".to_owned()),
        client_uri: Some("https://app.example.com/".to_owned()),
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        redirect_uris: vec![
            REDIRECT_URI.to_owned(),
            "http://127.0.0.1/callback".to_owned(),
        ],
        auth: ClientAuthMethod::None,
        assertion_keys: None,
        secret: None,
        scope: Some(scopes("tools:read tools:write")),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        created_at: START,
        expires_at: Some(START.after(90 * DAY)),
    }
}

fn authorization_id(name: &str) -> AuthorizationId {
    AuthorizationId::parse(&base64url::encode(&hash(name).as_bytes()[..16])).unwrap()
}

/// An authorization of the browser `browser`, which waits for consent.
pub(super) fn authorization(name: &str) -> Authorization {
    Authorization {
        id: authorization_id(name),
        browser: hash("browser"),
        request: AuthorizationRequest {
            client_id: client_id("client"),
            redirect_uri: REDIRECT_URI.to_owned(),
            state: Some("the client's state & more".to_owned()),
            scope: scopes("tools:read tools:write"),
            code_challenge: challenge("verifier"),
            resource: resource(),
        },
        client: ClientSnapshot {
            origin: ClientOrigin::Registered,
            name: Some("A client ✓".to_owned()),
            client_uri: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
        },
        created_at: START,
        expires_at: START.after(10 * MINUTE),
        stage: Stage::Consent,
    }
}

pub(super) fn person(user_id: &str) -> SignedIn {
    SignedIn {
        user_id: user_id.to_owned(),
        session_id: Some("sess_1".to_owned()),
        organization_id: None,
        display_name: Some("Ada".to_owned()),
    }
}

pub(super) fn grant(name: &str) -> Grant {
    Grant {
        id: GrantId::from_text(name),
        client_id: client_id("client"),
        client_name: Some("A client ✓".to_owned()),
        user_id: "user_1".to_owned(),
        session_id: Some("sess_1".to_owned()),
        organization_id: Some("org_1".to_owned()),
        resource: resource(),
        scopes: scopes("tools:read tools:write"),
        created_at: START,
        expires_at: START.after(180 * DAY),
        revoked_at: None,
        upstream: Some(sealed("tokens")),
        upstream_version: 0,
    }
}

/// The code `code of <grant>`.
pub(super) fn code(grant: &str) -> CodeRecord {
    let name = format!("code of {grant}");
    CodeRecord {
        hash: hash(&name),
        grant_id: GrantId::from_text(grant),
        client_id: client_id("client"),
        redirect_uri: REDIRECT_URI.to_owned(),
        code_challenge: challenge("verifier"),
        resource: resource(),
        wrapped: wrapped(&name),
        expires_at: START.after(MINUTE),
        redeemed_at: None,
    }
}

pub(super) fn consent(user_id: &str, scope: &str) -> RememberedConsent {
    let key = ConsentKey::new(user_id, client_id("client"), REDIRECT_URI, &resource());
    RememberedConsent {
        key,
        scopes: scopes(scope),
        remembered_at: START,
    }
}

pub(super) fn access(token: &str, grant: &str, now: Timestamp) -> AccessTokenRecord {
    AccessTokenRecord {
        hash: hash(token),
        grant_id: GrantId::from_text(grant),
        scopes: scopes("tools:read"),
        wrapped: wrapped(token),
        expires_at: now.after(15 * MINUTE),
    }
}

pub(super) fn new_refresh(token: &str, now: Timestamp) -> NewRefreshToken {
    NewRefreshToken {
        hash: hash(token),
        wrapped: wrapped(token),
        expires_at: now.after(30 * DAY).min(START.after(180 * DAY)),
    }
}

/// Redeems the code of `grant` for the tokens `access of …` and `refresh 0 of …`.
pub(super) fn redeem(grant: &str, now: Timestamp) -> RedeemCode {
    RedeemCode {
        code: code(grant).hash,
        client_id: client_id("client"),
        redirect_uri: Some(REDIRECT_URI.to_owned()),
        code_challenge: challenge("verifier"),
        resource: Some(resource()),
        access: access(&format!("access of {grant}"), grant, now),
        refresh: Some(new_refresh(&refresh_name(grant, 0), now)),
        client_kept_until: now.after(90 * DAY),
    }
}

/// The name of a grant's refresh token R(n).
pub(super) fn refresh_name(grant: &str, n: usize) -> String {
    format!("refresh {n} of {grant}")
}

/// Presents R(n), for R(n+1) and the access token `access`.
pub(super) fn rotate(grant: &str, n: usize, token: &str, now: Timestamp) -> RotateRefreshToken {
    RotateRefreshToken {
        presented: hash(&refresh_name(grant, n)),
        client_id: client_id("client"),
        resource: None,
        successor: new_refresh(&refresh_name(grant, n + 1), now),
        access: access(token, grant, now),
        client_kept_until: now.after(90 * DAY),
    }
}

/// Keeps `grant` with its code, by way of an authorization.
pub(super) async fn keep_grant(store: &dyn Store, grant: &Grant, code: &CodeRecord) {
    use crate::authorization::{Advanced, Decision, Step};

    let authorization = authorization(&format!("for {}", grant.id));
    let (id, browser) = (authorization.id.clone(), authorization.browser);
    store.begin_authorization(&authorization).await.unwrap();
    let decision = Decision::Approve {
        scopes: scopes("tools:read"),
        remember: false,
    };
    for step in [Step::Decide { decision }, Step::TakeSignIn { since: START }] {
        let advanced = store
            .advance_authorization(&id, browser, &step, START)
            .await
            .unwrap();
        assert!(matches!(advanced, Ok(Advanced::Moved(_))));
    }
    let finish = FinishSignIn {
        authorization: id,
        browser,
        grant: grant.clone(),
        code: code.clone(),
        remember: None,
    };
    let finished = store.finish_sign_in(&finish, START).await.unwrap();
    assert!(matches!(finished, Ok(Advanced::Moved(_))));
}

/// Keeps the grant `name` with its code.
pub(super) async fn keep(store: &dyn Store, name: &str) {
    keep_grant(store, &grant(name), &code(name)).await;
}

/// Keeps the grant `name`, and redeems its code at the start.
pub(super) async fn keep_redeemed(store: &dyn Store, name: &str) {
    keep(store, name).await;
    store
        .redeem_code(&redeem(name, START), START)
        .await
        .unwrap()
        .unwrap();
}

/// Whether an access token counts.
pub(super) async fn counts(store: &dyn Store, token: &str, now: Timestamp) -> bool {
    store
        .access_token(hash(token), now)
        .await
        .unwrap()
        .is_some()
}

/// Whether a grant is live.
pub(super) async fn is_live(store: &dyn Store, name: &str, now: Timestamp) -> bool {
    let grant = store.grant(&GrantId::from_text(name)).await.unwrap();
    grant.is_some_and(|grant| grant.is_live(now))
}
