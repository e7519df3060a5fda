//! A server, a clock that stands where it is put, and clients and people that behave.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clerk_mcp_oauth::{
    Answer, Authorization, AuthorizationServer, AuthorizeFault, BoxFuture, Callback, ClientId,
    ClientKeys, ConsentPage, FetchDocument, FetchFault, FetchedDocument, Grant, MemoryStore, Next,
    Parameters, PlainToken, PublicKey, Random, RefreshCheck, RefreshRefusal, ScopeSet, Sealed,
    ServerKey, ServerKeys, Settings, SignedIn, StepFault, Timestamp, TokenError, TokenKind,
    TokenResponse, UpstreamRequest,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const ISSUER: &str = "https://mcp.example.com";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const CALLBACK: &str = "https://app.example.com/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const START: Timestamp = Timestamp(1_790_000_000_000);

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const DAY: Duration = seconds(24 * 60 * 60);

/// Bytes that repeat in every run and never within one.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self
                .0
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&next.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Documents by URL, and how often they were asked for.
#[derive(Default)]
pub(crate) struct Web {
    pub(crate) documents: Mutex<HashMap<String, FetchedDocument>>,
    pub(crate) fetched: AtomicU64,
    pub(crate) key_sets_fetched: AtomicU64,
    /// How long to wait with a client's secret, if at all.
    pub(crate) secrets_wait: Mutex<Option<Duration>>,
    /// Whether no host answers.
    pub(crate) is_down: AtomicBool,
}

impl Web {
    pub(crate) fn serve(&self, url: &str, cache_control: Option<&str>, body: &Value) {
        let document = FetchedDocument {
            content_type: Some("application/json; charset=utf-8".to_owned()),
            cache_control: cache_control.map(str::to_owned),
            body: body.to_string().into_bytes(),
        };
        self.put(url, document);
    }

    pub(crate) fn put(&self, url: &str, document: FetchedDocument) {
        let mut documents = self.documents.lock().unwrap();
        documents.insert(url.to_owned(), document);
    }

    fn find(&self, url: &url::Url) -> Result<FetchedDocument, FetchFault> {
        let fault = |message: &str, is_temporary| FetchFault {
            message: message.to_owned(),
            is_temporary,
        };
        if self.is_down.load(Ordering::Relaxed) {
            return Err(fault("no answer", true));
        }
        let found = self.documents.lock().unwrap().get(url.as_str()).cloned();
        found.ok_or_else(|| fault("status 404", false))
    }
}

/// A signature that everybody can make who has the public key: what is tested is whose key counts.
pub(crate) fn toy_signature(key: &[u8], message: &[u8]) -> Vec<u8> {
    Sha256::new()
        .chain_update(key)
        .chain_update(message)
        .finalize()
        .to_vec()
}

impl ClientKeys for Web {
    fn presented_secret(&self, _client: &ClientId, _is_right: bool) -> Option<Duration> {
        *self.secrets_wait.lock().unwrap()
    }

    fn document<'a>(
        &'a self,
        url: &'a url::Url,
    ) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        self.fetch(url)
    }

    fn key_set<'a>(
        &'a self,
        url: &'a url::Url,
    ) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        self.key_sets_fetched.fetch_add(1, Ordering::Relaxed);
        let found = self.find(url);
        Box::pin(async move { found })
    }

    fn has_signed<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, bool> {
        let bytes = match key {
            PublicKey::Rsa { n, .. } => n.as_slice(),
            PublicKey::P256 { x, .. } => x,
        };
        let right = toy_signature(bytes, message) == signature;
        Box::pin(async move { right })
    }
}

impl FetchDocument for Web {
    fn fetch<'a>(
        &'a self,
        url: &'a url::Url,
    ) -> BoxFuture<'a, Result<FetchedDocument, FetchFault>> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        let found = self.find(url);
        Box::pin(async move { found })
    }
}

/// What Clerk says about the person at each refresh, and what it was asked with.
#[derive(Default)]
pub(crate) struct People {
    pub(crate) answer: Mutex<Option<Result<Option<Vec<u8>>, RefreshRefusal>>>,
    pub(crate) asked: Mutex<Vec<Option<Vec<u8>>>>,
}

impl RefreshCheck for People {
    fn check<'a>(
        &'a self,
        _grant: &'a Grant,
        upstream: Option<Vec<u8>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, RefreshRefusal>> {
        self.asked.lock().unwrap().push(upstream);
        let answer = self.answer.lock().unwrap().clone().unwrap_or(Ok(None));
        Box::pin(async move { answer })
    }

    fn unkept(&self, _: &Grant, _: Vec<u8>, _: Sealed) {
        unreachable!("a store in memory keeps everything");
    }
}

pub(crate) struct World {
    pub(crate) server: AuthorizationServer,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) web: Web,
    pub(crate) people: People,
    pub(crate) random: Counter,
    pub(crate) browser: PlainToken,
    now: AtomicU64,
}

pub(crate) fn keys() -> ServerKeys {
    ServerKeys::new(ServerKey::from_bytes([7; 32]), Vec::new())
}

pub(crate) fn settings() -> Settings {
    Settings::new(ISSUER, RESOURCE, keys()).unwrap()
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> Parameters {
    pairs.iter().copied().collect()
}

/// The query of an address, as its receiver reads it.
pub(crate) fn query(location: &str) -> HashMap<String, String> {
    let url = url::Url::parse(location).unwrap();
    url.query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let store = Arc::new(MemoryStore::new());
        let random = Counter::default();
        Self {
            server: AuthorizationServer::new(settings, store.clone()).unwrap(),
            store,
            web: Web::default(),
            people: People::default(),
            browser: PlainToken::generate(TokenKind::BrowserSecret, &random),
            random,
            now: AtomicU64::new(START.0),
        }
    }

    /// The same store behind other settings.
    pub(crate) fn reconfigured(self, settings: Settings) -> Self {
        let server = AuthorizationServer::new(settings, self.store.clone()).unwrap();
        Self { server, ..self }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn wait(&self, duration: Duration) {
        self.now
            .store(self.now().after(duration).0, Ordering::Relaxed);
    }

    pub(crate) fn other_browser(&self) -> PlainToken {
        PlainToken::generate(TokenKind::BrowserSecret, &self.random)
    }

    /// Registers a public client that may refresh.
    pub(crate) async fn register(&self) -> ClientId {
        self.register_at(&[CALLBACK]).await
    }

    pub(crate) async fn register_at(&self, redirect_uris: &[&str]) -> ClientId {
        let document = json!({
            "client_name": "A client",
            "redirect_uris": redirect_uris,
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let body = document.to_string();
        let registered = self
            .server
            .register(body.as_bytes(), self.now(), &self.random)
            .await;
        registered.unwrap().client.id
    }

    /// The authorization request of a client that behaves, with changes: another value, or none.
    pub(crate) fn request(client: &ClientId, changes: &[(&str, Option<&str>)]) -> Parameters {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", client.as_str()),
            ("redirect_uri", CALLBACK),
            ("scope", "tools:read tools:write"),
            ("state", "the client's state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", RESOURCE),
        ];
        for (name, value) in changes {
            pairs.retain(|(one, _)| one != name);
            pairs.extend(value.map(|value| (*name, value)));
        }
        pairs.into_iter().collect()
    }

    pub(crate) async fn authorize(&self, request: &Parameters) -> Result<Next, AuthorizeFault> {
        self.authorize_as(request, None).await
    }

    /// With a cookie that names a person.
    pub(crate) async fn authorize_as(
        &self,
        request: &Parameters,
        remembered: Option<&str>,
    ) -> Result<Next, AuthorizeFault> {
        let valid = self
            .server
            .validate_authorize(request, &self.web, self.now())
            .await?;
        let begun = self
            .server
            .begin(valid, &self.browser, remembered, self.now(), &self.random)
            .await;
        begun.map_err(AuthorizeFault::Store)
    }

    /// The address to which a fault is redirected.
    pub(crate) async fn redirected(&self, request: &Parameters) -> HashMap<String, String> {
        match self.authorize(request).await {
            Err(AuthorizeFault::Redirect { location }) => {
                assert!(location.starts_with(CALLBACK), "{location}");
                query(&location)
            }
            other => panic!("not redirected: {other:?}"),
        }
    }

    pub(crate) async fn decide(&self, handle: &str, answer: Answer) -> Result<Next, StepFault> {
        self.server
            .decide(handle, &self.browser, answer, self.now(), &self.random)
            .await
    }

    /// Goes to Clerk and comes back as `user_id`.
    pub(crate) async fn sign_in(
        &self,
        upstream: &UpstreamRequest,
        user_id: &str,
    ) -> Result<Next, StepFault> {
        let state = &upstream.state;
        match self
            .server
            .take_callback(state, &self.browser, self.now())
            .await?
        {
            Callback::Redeem { authorization, .. } => {
                let kept = Some(b"tokens of Clerk".to_vec());
                let (browser, now) = (&self.browser, self.now());
                let person = person(user_id);
                self.server
                    .finish(&authorization, person, kept, browser, now, &self.random)
                    .await
            }
            Callback::Repeated { location } => Ok(Next::Finished {
                location,
                user_id: None,
            }),
        }
    }

    /// Everything from the request to the address with the code.
    pub(crate) async fn location(&self, request: &Parameters) -> String {
        let handle = handle(self.authorize(request).await.unwrap());
        let next = self
            .decide(&handle, approve("tools:read tools:write"))
            .await
            .unwrap();
        finished(self.sign_in(&upstream(next), "user_1").await.unwrap())
    }

    /// A code for a client that behaves.
    pub(crate) async fn code(&self, client: &ClientId) -> String {
        query(&self.location(&Self::request(client, &[])).await)["code"].clone()
    }

    pub(crate) async fn token(&self, pairs: &[(&str, &str)]) -> Result<TokenResponse, TokenError> {
        self.token_with(pairs, None).await
    }

    pub(crate) async fn token_with(
        &self,
        pairs: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<TokenResponse, TokenError> {
        let form = form(pairs);
        self.server
            .token(
                &form,
                authorization,
                &self.web,
                &self.people,
                self.now(),
                &self.random,
            )
            .await
    }

    pub(crate) async fn redeem(
        &self,
        client: &ClientId,
        code: &str,
    ) -> Result<TokenResponse, TokenError> {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("client_id", client.as_str()),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    pub(crate) async fn refresh(
        &self,
        client: &ClientId,
        token: &PlainToken,
    ) -> Result<TokenResponse, TokenError> {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("client_id", client.as_str()),
            ("refresh_token", token.reveal()),
        ])
        .await
    }

    /// Registers, authorizes, signs in and redeems.
    pub(crate) async fn signed_in(&self) -> (ClientId, TokenResponse) {
        let client = self.register().await;
        let code = self.code(&client).await;
        let tokens = self.redeem(&client, &code).await.unwrap();
        (client, tokens)
    }

    /// What the consent page shows in a browser whose cookie names `remembered_user`.
    pub(crate) async fn page(
        &self,
        authorization: &Authorization,
        remembered_user: Option<&str>,
    ) -> ConsentPage {
        let page = self
            .server
            .consent_page(authorization, remembered_user, self.now());
        page.await.unwrap()
    }

    /// Whether an access token is let in.
    pub(crate) async fn lets_in(&self, token: &PlainToken) -> bool {
        self.server
            .check_access_token(token, self.now())
            .await
            .is_ok()
    }
}

pub(crate) fn person(user_id: &str) -> SignedIn {
    SignedIn {
        user_id: user_id.to_owned(),
        session_id: None,
        organization_id: Some("org_1".to_owned()),
        display_name: Some(format!("The person {user_id}")),
    }
}

pub(crate) fn approve(scopes: &str) -> Answer {
    let scopes = scopes.split_whitespace().map(str::to_owned).collect();
    Answer::Approve {
        scopes,
        remember: false,
    }
}

pub(crate) fn approve_and_remember(scopes: &str) -> Answer {
    let scopes = scopes.split_whitespace().map(str::to_owned).collect();
    Answer::Approve {
        scopes,
        remember: true,
    }
}

/// The handle of a consent page.
pub(crate) fn handle(next: Next) -> String {
    match next {
        Next::Consent(authorization) => authorization.id.as_str().to_owned(),
        other => panic!("no consent page: {other:?}"),
    }
}

/// What goes to Clerk.
pub(crate) fn upstream(next: Next) -> UpstreamRequest {
    match next {
        Next::SignIn { upstream, .. } => upstream,
        other => panic!("no redirect to Clerk: {other:?}"),
    }
}

/// The address with the code.
pub(crate) fn finished(next: Next) -> String {
    match next {
        Next::Finished { location, .. } => location,
        other => panic!("not finished: {other:?}"),
    }
}

pub(crate) fn refresh_token(tokens: &TokenResponse) -> &PlainToken {
    tokens.refresh_token.as_ref().unwrap()
}

pub(crate) fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// Status and code of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, TokenError>) -> (u16, &'static str) {
    let response = answer.unwrap_err().response();
    (response.status.as_u16(), response.code)
}
