//! A server put together from its configuration.

mod parts;

use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use clerk::{Env, Transport};
use mcp::{
    OwnTool,
    audit::Audit,
    rmcp_adapter::{ClerkMcpServer, PrincipalOfRequest},
};
use oauth::{FetchDocument, Random, ServerKeys, Store};
use pages::SignInMode;
use store::{
    sessions::SessionStore, started_sessions::StartedSessionStore, tool_state::ToolStateStore,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::parts::{
    authorization_server, clerk_client, clerk_resource, credentials, principals, sign_in,
    token_source,
};
pub use self::parts::{frontend, machine, provider};
use crate::{
    app::{App, EmulatedPerson},
    authenticate::BearerTokens,
    clerk_pace::ClerkPace,
    config::{Config, SignIn as SignInConfig},
    connections::{ConnectionBounds, UNREAD_FOR},
    credentials::Credentials,
    ended::GrantEnds,
    front::{Front, FrontConfig, OwnedSessions, origin::Allowed},
    http_tools::{self, ApiTool, Credential, SavedValues},
    impersonation::{self, Impersonations},
    listen,
    people::People,
    rate_limit::RateLimits,
    readiness::Readiness,
    routes::{self, Cookies},
    rust_tools, sweep,
    tool_lists::{self, ListsTools, ToolLists},
    tool_state::ToolState,
    tools,
};

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
    lists: Arc<ToolLists>,
    lists_tools: Arc<dyn ListsTools>,
    stop: Arc<CancellationToken>,
    grace: std::time::Duration,
    connections: ConnectionBounds,
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
        let lists = Arc::new(ToolLists::default());
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
            people: People::new(client)
                .of_instance(
                    config.clerk.frontend_api.as_str(),
                    Arc::clone(&around.clerk),
                )
                .forgetting(Arc::clone(&around.tool_state), Arc::clone(&around.store))
                .telling(Arc::clone(&lists)),
            tool_state: around.tool_state,
            tool_state_kept: config.oauth.refresh_total_lifetime,
            audit_kept: config.audit.keep,
            pace: Arc::new(ClerkPace::new(config.limits.people_per_second)),
            readiness: Readiness::default(),
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
        let bearer_tokens = BearerTokens::new(Arc::clone(&app), tokens, principals);
        let lists_tools = bearer_tokens.lists();
        let front = Front::new(
            bearer_tokens,
            ClerkMcpServer::for_principal(PrincipalOfRequest, around.version),
            FrontConfig {
                allowed,
                max_body: config.limits.max_body,
                max_sessions: config.limits.max_sessions,
                max_sessions_of_person: config.limits.max_sessions_of_person,
                session_idle: config.limits.session_idle,
                stop: Arc::clone(&stop),
                store: around.sessions,
                env: Arc::clone(&app.env),
                bounds: config.limits.bounds,
                tool_lists: Arc::clone(&lists),
                sse: config.sse.then(|| Arc::clone(&app.random)),
            },
        );
        let sessions = Arc::clone(front.sessions());
        Ok(Self {
            router: routes::router(Arc::clone(&app), Arc::new(front)),
            sessions,
            lists,
            lists_tools,
            app,
            credentials,
            stop,
            grace: config.limits.shutdown_grace,
            connections: ConnectionBounds {
                all: config.limits.connections,
                of_address: config.limits.connections_of_address,
                proxies: config.trusted_proxies.clone(),
                unread: UNREAD_FOR,
            },
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
        let following = tokio::spawn(tool_lists::follow(
            self.lists,
            self.lists_tools,
            Arc::clone(&self.app.env),
            Arc::clone(&self.app.pace),
        ));
        let until = CancellationToken::clone(&self.stop);
        let serving = listen::serve(listener, self.router, self.connections, until, self.grace);
        let stopping = async {
            stopped.await;
            self.stop.cancel();
        };
        tokio::join!(serving, stopping);
        sweeping.abort();
        ending.abort();
        following.abort();
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
