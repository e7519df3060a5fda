//! A server put together from its configuration.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use clerk::{
    Client, Env, Transport,
    access_token::AccessTokenPolicy,
    frontend::FrontendClient,
    machine::Machine,
    oauth::{FrontendApi, OAuthClient, Provider, Secret},
};
use mcp::{
    OwnTool, Sealer, Shared,
    audit::Audit,
    rmcp_adapter::{ClerkMcpServer, PrincipalOfRequest},
};
use oauth::{
    AssertionKeys, AuthorizationServer, ClientAuthMethod, ClientId, ClientOrigin, FetchDocument,
    GrantType, Lifetimes, PlainToken, ProtectedResource, Random, ScopeSet, ServerKeys, Settings,
    SigningAlgorithm, Store, Timestamp,
};
use pages::SignInMode;
use store::{
    sessions::SessionStore, started_sessions::StartedSessionStore, tool_state::ToolStateStore,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    MCP_PATH,
    access::WRITE_SCOPE,
    app::{App, EmulatedPerson},
    authenticate::{BearerTokens, TokenSource},
    clerk_tokens::ClerkTokens,
    config::{ClerkTokens as ClerkTokensConfig, ClientConfig, Config, SignIn as SignInConfig},
    credentials::Credentials,
    ended::GrantEnds,
    front::{Front, FrontConfig, OwnedSessions, origin::Allowed},
    http_tools::{self, ApiTool, Credential, MachineConfig, SavedValues},
    impersonation::{self, Impersonations},
    listen,
    people::People,
    principals::Principals,
    rate_limit::RateLimits,
    routes::{self, Cookies},
    rust_tools,
    sign_in::{AppSignIn, ClerkOauth, SignIn},
    sse::SSE_PATH,
    sweep,
    tool_state::ToolState,
    tools,
};

/// Clerk's scope that has a person pick an organization, which their tokens then name.
const ORGANIZATION_SCOPE: &str = "user:org:read";
const USER_AGENT: &str = concat!("clerk-mcp/", env!("CARGO_PKG_VERSION"));

/// What a server needs of the machine, and of whoever starts it.
pub struct Surroundings {
    /// The clock.
    pub env: Arc<dyn Env>,
    /// Randomness fit for secrets.
    pub random: Arc<dyn Random>,
    /// The way to Clerk.
    pub clerk: Arc<dyn Transport>,
    /// Fetches clients' metadata documents.
    pub documents: Arc<dyn FetchDocument>,
    /// Fetches clients' key sets.
    pub key_sets: Arc<dyn FetchDocument>,
    /// Where grants, clients and tokens are kept.
    pub store: Arc<dyn Store>,
    /// Where tools keep values.
    pub tool_state: Arc<dyn ToolStateStore>,
    /// Where sessions of the MCP endpoint are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Where it is kept which sessions this server has started at Clerk.
    pub started_sessions: Arc<dyn StartedSessionStore>,
    /// Where audit rows go.
    pub audit: Arc<dyn Audit>,
    /// The keys that seal cookies and state.
    pub keys: ServerKeys,
    /// What the server says of its version.
    pub version: &'static str,
    /// Whom one can sign in as, when Clerk is emulated.
    pub emulated: Vec<EmulatedPerson>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// Why a server cannot be put together: what is wrong, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUpError(pub String);

impl fmt::Display for SetUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetUpError {}

/// A server that only lacks its socket.
pub struct Server {
    app: Arc<App>,
    credentials: Arc<Credentials>,
    router: Router,
    sessions: Arc<OwnedSessions>,
    stop: Arc<CancellationToken>,
    grace: std::time::Duration,
    impersonations: Option<Impersonations>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Puts it together. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SetUpError`] for what only shows once the parts meet: a pattern that names no tool, a
    /// redirect URI that OAuth forbids.
    pub fn new(config: &Config, around: Surroundings) -> Result<Self, SetUpError> {
        let public_url = Url::parse(config.public_url.as_str()).map_err(wrong)?;
        let origins: Vec<String> = config
            .allowed_origins
            .iter()
            .map(|origin| origin.as_str().to_owned())
            .collect();
        let allowed = Allowed::new(&public_url, &origins);
        let client = clerk_client(config, &around);
        let stop = Arc::new(CancellationToken::new());
        let tool_state = ToolState::new(Arc::clone(&around.tool_state), Arc::clone(&around.env));
        let credentials = Arc::new(credentials(config, &around, &client)?);
        let mut own_tools: Vec<Arc<dyn OwnTool>> = Vec::new();
        if config.demo_tools {
            own_tools.extend(tools::demonstration());
        }
        let lent = rust_tools::Surroundings {
            credentials: Arc::clone(&credentials) as Arc<dyn Credential>,
            state: tool_state.clone(),
        };
        own_tools.extend(config.rust_tools.iter().map(|tool| {
            let tool = tool.clone().placed(lent.clone());
            Arc::new(tool) as Arc<dyn OwnTool>
        }));
        if let Some(api) = &config.http_tools {
            let surroundings = http_tools::Surroundings {
                transport: Arc::new(http_tools::HttpTransport::new()),
                credentials: Arc::clone(&credentials) as Arc<dyn Credential>,
                saved: SavedValues::new(tool_state.clone(), &api.tools),
                env: Arc::clone(&around.env),
            };
            own_tools.extend(api.tools.iter().map(|tool| {
                let tool = ApiTool::new(Arc::clone(tool), surroundings.clone());
                Arc::new(tool) as Arc<dyn OwnTool>
            }));
        }
        let acting = impersonation::call_api_as(config, &around, &client)?;
        let impersonations = acting.map(|(tool, impersonations)| {
            own_tools.push(tool);
            impersonations
        });
        let principals = principals(config, &around, &client, own_tools);
        let oauth = authorization_server(config, &around)?;
        let sign_in = sign_in(config, &around, &client)?.map(Arc::new);
        let tokens = token_source(config, &client);
        let app = Arc::new(App {
            name: config.name.clone(),
            version: around.version,
            resource: match &config.sign_in {
                SignInConfig::ClerkTokens(tokens) => clerk_resource(config, tokens, &oauth),
                _ => oauth.protected_resource(),
            },
            oauth,
            sign_in,
            sign_in_mode: match &config.sign_in {
                SignInConfig::ClerkOauth(_) => SignInMode::ClerkOauth,
                SignInConfig::App(_) => SignInMode::App,
                SignInConfig::ClerkTokens(_) => SignInMode::ClerkTokens,
            },
            people: People::new(client).forgetting(Arc::clone(&around.tool_state)),
            tool_state: around.tool_state,
            tool_state_kept: config.oauth.refresh_total_lifetime,
            audit_kept: config.audit.keep,
            ends: Arc::new(GrantEnds::default()),
            allowed: allowed.clone(),
            cookies: Cookies::new(&public_url),
            trusted_proxies: config.trusted_proxies.clone(),
            limits: RateLimits::new(config.oauth.registrations_per_hour),
            documents: around.documents,
            key_sets: around.key_sets,
            env: around.env,
            random: around.random,
            emulated: around.emulated,
            stop: Arc::clone(&stop),
            public_url,
        });
        let front = Front::new(
            BearerTokens::new(Arc::clone(&app), tokens, principals),
            ClerkMcpServer::for_principal(PrincipalOfRequest, around.version),
            FrontConfig {
                allowed,
                max_body: config.limits.max_body,
                max_sessions: config.limits.max_sessions,
                session_idle: config.limits.session_idle,
                stop: Arc::clone(&stop),
                store: around.sessions,
                env: Arc::clone(&app.env),
                bounds: config.limits.bounds,
                sse: config.sse.then(|| Arc::clone(&app.random)),
            },
        );
        let sessions = Arc::clone(front.sessions());
        Ok(Self {
            router: routes::router(Arc::clone(&app), Arc::new(front)),
            sessions,
            app,
            credentials,
            stop,
            grace: config.limits.shutdown_grace,
            impersonations,
        })
    }

    /// Serves until `stopped` is done, then finishes what is open.
    pub async fn serve(self, listener: TcpListener, stopped: impl Future<Output = ()>) {
        if let Some(impersonations) = &self.impersonations {
            impersonations.end_all().await;
        }
        let credentials = Arc::clone(&self.credentials);
        let sweeping = tokio::spawn(sweep::forever(Arc::clone(&self.app), credentials));
        let ending = tokio::spawn(sweep::idle_sessions(Arc::clone(&self.sessions)));
        let until = CancellationToken::clone(&self.stop);
        let serving = listen::serve(listener, self.router, until, self.grace);
        let stopping = async {
            stopped.await;
            self.stop.cancel();
        };
        tokio::join!(serving, stopping);
        sweeping.abort();
        ending.abort();
        self.sessions.keep_use(Duration::ZERO).await;
        self.credentials.close().await;
        if let Some(impersonations) = &self.impersonations {
            impersonations.end_all().await;
        }
    }
}

fn wrong(error: impl fmt::Display) -> SetUpError {
    SetUpError(error.to_string())
}

fn clerk_client(config: &Config, around: &Surroundings) -> Client {
    let clerk = &config.clerk;
    Client::builder(
        clerk.secret_key.clone(),
        Arc::clone(&around.clerk),
        Arc::clone(&around.env),
    )
    .api_url(clerk.api_url.clone())
    .api_version(clerk.api_version.clone())
    .user_agent(USER_AGENT.to_owned())
    .build()
}

/// What calls of the owner's API can be sent with.
fn credentials(
    config: &Config,
    around: &Surroundings,
    client: &Client,
) -> Result<Credentials, SetUpError> {
    let mut credentials = Credentials::new(client.clone(), Arc::clone(&around.started_sessions));
    if config.sign_in.ticket_sessions() {
        let frontend = frontend(config, &around.clerk)?;
        credentials = credentials.with_ticket_sessions(client.clone(), frontend);
    }
    let machine_config = config.http_tools.iter().find_map(|api| api.machine.clone());
    if let Some(machine_config) = machine_config {
        let machine = machine(config, &machine_config, &around.clerk);
        let env = Arc::clone(&around.env);
        credentials = credentials.with_machine(machine, machine_config, env);
    }
    Ok(credentials)
}

/// Clerk's Frontend API, as a native application sees it.
///
/// # Errors
/// [`SetUpError`] when its address is none.
pub fn frontend(
    config: &Config,
    transport: &Arc<dyn Transport>,
) -> Result<FrontendClient, SetUpError> {
    let api = FrontendApi::parse(config.clerk.frontend_api.as_str()).map_err(wrong)?;
    Ok(FrontendClient::new(api, Arc::clone(transport)))
}

/// The machine that this server is, to Clerk.
pub fn machine(
    config: &Config,
    machine: &MachineConfig,
    transport: &Arc<dyn Transport>,
) -> Machine {
    let clerk = &config.clerk;
    Machine::new(
        machine.key.clone(),
        Arc::clone(transport),
        clerk.api_url.clone(),
        &clerk.api_version,
    )
}

fn principals(
    config: &Config,
    around: &Surroundings,
    client: &Client,
    own_tools: Vec<Arc<dyn OwnTool>>,
) -> Principals {
    let offered = config.access.offered().iter();
    let own_names = offered
        .filter(|tool| tool.own)
        .map(|tool| tool.name.clone().into_owned());
    let of_rust_tools = config.rust_tools.iter();
    let of_rust_tools = of_rust_tools.map(|tool| (tool.name().to_owned(), tool.scopes().to_vec()));
    let mut seal = [0; 32];
    around.random.fill(&mut seal);
    Principals {
        policy: config.access.clone(),
        client: client.clone(),
        shared: Shared {
            audit: Arc::clone(&around.audit),
            sealer: Arc::new(Sealer::new(seal)),
            confirm: config.tools.confirm,
            own_names: own_names.collect(),
        },
        own_tools,
        scope_mapping: match &config.sign_in {
            SignInConfig::ClerkTokens(tokens) => Some(tokens.scopes.clone()),
            _ => None,
        },
        tool_scopes: config
            .http_tools
            .iter()
            .flat_map(|api| &api.tools)
            .map(|tool| (tool.name().to_owned(), tool.scopes().to_vec()))
            .chain(of_rust_tools)
            .collect(),
        allow_private_metadata: config.tools.allow_private_metadata,
        read_only: config.tools.read_only,
    }
}

fn authorization_server(
    config: &Config,
    around: &Surroundings,
) -> Result<AuthorizationServer, SetUpError> {
    let issuer = config.public_url.as_str();
    let resource = config.public_url.join(MCP_PATH);
    let mut settings = Settings::new(issuer, &resource, around.keys.clone()).map_err(wrong)?;
    if config.sse {
        let sse = config.public_url.join(SSE_PATH);
        settings = settings.also_at(&sse).map_err(wrong)?;
    }
    let oauth = &config.oauth;
    settings.lifetimes = Lifetimes {
        code: oauth.code_lifetime,
        access_token: oauth.access_token_lifetime,
        refresh_token: oauth.refresh_idle_lifetime,
        grant: oauth.refresh_total_lifetime,
        ..settings.lifetimes
    };
    settings.scopes = oauth.scopes.clone();
    settings.registration = oauth.dynamic_registration;
    settings.client_documents = oauth.client_id_metadata_documents;
    settings
        .private_use_schemes
        .clone_from(&oauth.private_use_schemes);
    settings.clients = oauth.clients.iter().map(configured_client).collect();
    AuthorizationServer::new(settings, Arc::clone(&around.store)).map_err(wrong)
}

fn configured_client(client: &ClientConfig) -> oauth::Client {
    let secret = client.secret.as_ref();
    oauth::Client {
        id: ClientId(client.client_id.clone()),
        origin: ClientOrigin::Configured,
        name: Some(client.name.clone()),
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        redirect_uris: client.redirect_uris.clone(),
        auth: match (secret, &client.keys) {
            (Some(_), _) => ClientAuthMethod::ClientSecretBasic,
            (None, Some(_)) => ClientAuthMethod::PrivateKeyJwt,
            (None, None) => ClientAuthMethod::None,
        },
        assertion_keys: client.keys.clone().map(|source| AssertionKeys {
            source,
            algorithms: SigningAlgorithm::ALL.to_vec(),
        }),
        secret: secret.map(|secret| PlainToken::presented(secret.expose()).hash()),
        scope: None,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        created_at: Timestamp(0),
        expires_at: None,
    }
}

/// How people sign in through this server; `None` where they do so at Clerk.
fn sign_in(
    config: &Config,
    around: &Surroundings,
    client: &Client,
) -> Result<Option<SignIn>, SetUpError> {
    Ok(match &config.sign_in {
        SignInConfig::ClerkOauth(application) => {
            let provider = provider(config, application, &around.clerk)?;
            let env = Arc::clone(&around.env);
            let clerk = ClerkOauth::new(provider, application.organizations, env);
            Some(SignIn::ClerkOauth(clerk))
        }
        SignInConfig::App(app) => Some(SignIn::App(AppSignIn::new(
            &app.url,
            config.public_url.join("/callback"),
            config.clerk.frontend_api.as_str(),
            app.authorized_parties.iter().map(ToString::to_string),
            client.clone(),
        ))),
        SignInConfig::ClerkTokens(_) => None,
    })
}

fn token_source(config: &Config, client: &Client) -> TokenSource {
    let SignInConfig::ClerkTokens(tokens) = &config.sign_in else {
        return TokenSource::Grants;
    };
    let mut policy = AccessTokenPolicy::new(config.clerk.frontend_api.as_str())
        .audiences(&tokens.audience)
        .clients(&tokens.client_ids);
    if tokens.any_client {
        policy = policy.any_client();
    }
    if let Some(machine) = &tokens.machine {
        policy = policy.machine(machine);
    }
    if tokens.api_keys {
        policy = policy.api_keys();
    }
    TokenSource::Clerk(Box::new(ClerkTokens::new(client.clone(), policy)))
}

/// What clients are told where Clerk is the authorization server. They are asked for what reading
/// needs, and may find out about everything that makes a difference here. Clerk's `user:org:read` is
/// only about what the token says.
fn clerk_resource(
    config: &Config,
    tokens: &ClerkTokensConfig,
    oauth: &AuthorizationServer,
) -> ProtectedResource {
    let organization = tokens.organizations.then(|| ORGANIZATION_SCOPE.to_owned());
    let of_tools = config.http_tools.iter().flat_map(|api| &api.tools);
    let of_rust_tools = config.rust_tools.iter().flat_map(|tool| tool.scopes());
    let of_tools = of_tools
        .flat_map(|tool| tool.scopes())
        .chain(of_rust_tools)
        .cloned();
    let first: Vec<String> = tokens
        .scopes
        .read
        .iter()
        .cloned()
        .chain(organization)
        .collect();
    let needed: Vec<String> = of_tools.chain(config.access.scopes()).collect();
    let mut supported = first.clone();
    supported.extend(tokens.scopes.asked(&[WRITE_SCOPE.to_owned()], &supported));
    supported.extend(tokens.scopes.asked(&needed, &supported));
    ProtectedResource::new(
        oauth.settings(),
        config.clerk.frontend_api.as_str(),
        // Each was read as a scope.
        ScopeSet::parse(&first.join(" ")).unwrap_or_default(),
        supported,
    )
}

/// Clerk's OAuth provider, as this configuration's client sees it.
///
/// # Errors
/// [`SetUpError`] when client id, secret or redirect URI are not of the form that OAuth allows.
pub fn provider(
    config: &Config,
    application: &crate::config::ClerkOauth,
    transport: &Arc<dyn Transport>,
) -> Result<Provider, SetUpError> {
    let frontend_api = FrontendApi::parse(config.clerk.frontend_api.as_str()).map_err(wrong)?;
    let secret = application
        .client_secret
        .as_ref()
        .map(|secret| Secret::parse(secret.expose()))
        .transpose()
        .map_err(wrong)?;
    let client = OAuthClient::new(
        &application.client_id,
        secret,
        config.public_url.join("/callback"),
    )
    .map_err(wrong)?;
    Ok(Provider::new(frontend_api, client, Arc::clone(transport)))
}

/// A key that this server made itself, kept in a file beside the database.
///
/// # Errors
/// When the file cannot be read or written.
pub fn kept_key(file: &Path, random: &dyn Random) -> io::Result<String> {
    match std::fs::read_to_string(file) {
        Ok(key) => return Ok(key.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    let key = BASE64.encode(bytes);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(file)?, key.as_bytes())?;
    Ok(key)
}
