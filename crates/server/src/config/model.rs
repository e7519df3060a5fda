//! What a configuration says once it is read: every value checked, every default filled in.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clerk::{ApiUrl, ApiVersion, SecretKey};
use ipnet::IpNet;
use mcp::{impersonation::Policy, owners_api::BaseUrl};
use oauth::{KeySource, ScopePolicy};
use toolkit::pattern::Patterns;
use url::Url;

use super::{keys::Keys, origin::Origin, secret::Secret};
use crate::{
    access::AccessPolicy, front::Bounds, http_tools::HttpTools, rust_tools::RustTool,
    scope_mapping::ScopeMapping,
};

/// The configuration of `clerk-mcp serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients reach the server: issuer, audience and the base of every URL it names.
    pub public_url: Origin,
    /// The address it listens on.
    pub bind: SocketAddr,
    /// What pages call it.
    pub name: String,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Origins besides `public_url` whose pages may call the MCP endpoint.
    pub allowed_origins: Vec<Origin>,
    /// The Clerk instance.
    pub clerk: ClerkConfig,
    /// How people sign in.
    pub sign_in: SignIn,
    /// The keys that seal cookies and state; from `COOKIE_ENCRYPTION_KEY`.
    pub keys: Keys,
    /// Where grants, clients and audit rows are kept.
    pub storage: StorageConfig,
    /// The authorization server.
    pub oauth: OAuthConfig,
    /// Client ID Metadata Documents of test hosts; only ever set when `public_url` is loopback.
    pub cimd_test: Option<CimdTest>,
    /// Which tools exist here, whoever asks.
    pub tools: ToolsConfig,
    /// Who may see and call which of them.
    pub access: AccessPolicy,
    /// Bounds on what clients can make the server hold.
    pub limits: Limits,
    /// Where audit rows go.
    pub audit: AuditConfig,
    /// The demo tools `add` and `generateImage`.
    pub demo_tools: bool,
    /// Whether HTTP+SSE is served.
    pub sse: bool,
    /// The tools over the owner's API; `None` when there is no `[api]`.
    pub http_tools: Option<HttpTools>,
    /// Tools written in Rust, which the program brought along.
    pub rust_tools: Vec<RustTool>,
    /// The tool that calls the owner's API as somebody else; `None` when nobody may.
    pub impersonation: Option<Impersonation>,
}

/// Acting as somebody else at the owner's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impersonation {
    /// Where the API is.
    pub api: BaseUrl,
    /// How long a session may last, and where.
    pub policy: Policy,
    /// The JWT template whose tokens the API takes.
    pub template: Option<String>,
}

/// Whose `Forwarded` and `X-Forwarded-*` headers are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    /// Whether this peer is one of them. An IPv4 address mapped into IPv6, as a dual-stack socket
    /// reports it, is that IPv4 address.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&peer))
    }
}

/// The Clerk instance.
#[derive(Clone, Debug)]
pub struct ClerkConfig {
    /// The Backend API.
    pub api_url: ApiUrl,
    /// The version asked for.
    pub api_version: ApiVersion,
    /// The Frontend API, also the OAuth issuer: an origin, `https` or `http` on loopback.
    pub frontend_api: Url,
    /// The instance's key for the Backend API.
    pub secret_key: SecretKey,
}

/// How people sign in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// `clerk-oauth`: this server is an OAuth client of Clerk.
    ClerkOauth(ClerkOauth),
    /// `app`: the owner's application lends its people's sessions.
    App(OwnersApp),
    /// `clerk-tokens`: Clerk is the authorization server, and this server takes its tokens.
    ClerkTokens(ClerkTokens),
}

impl SignIn {
    /// Whether Clerk sessions are started for tools over the owner's API.
    #[must_use]
    pub fn ticket_sessions(&self) -> bool {
        match self {
            Self::ClerkOauth(oauth) => oauth.ticket_sessions,
            Self::ClerkTokens(tokens) => tokens.ticket_sessions,
            Self::App(_) => false,
        }
    }
}

/// Which of Clerk's tokens count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClerkTokens {
    /// Whom tokens of OAuth clients must be for, one of these; empty when that does not matter.
    pub audience: Vec<String>,
    /// The OAuth clients; empty when that does not matter. If both are, then only by `any_client`.
    pub client_ids: Vec<String>,
    /// Whether the tokens of every client count.
    pub any_client: bool,
    /// The machine that this server is at Clerk: M2M tokens for it count.
    pub machine: Option<String>,
    /// Whether API keys of users count.
    pub api_keys: bool,
    /// Whether clients are told to ask for `user:org:read`.
    pub organizations: bool,
    /// Whether a Clerk session is started for a person and client whose tools need one.
    pub ticket_sessions: bool,
    /// Clerk's scopes in place of this server's.
    pub scopes: ScopeMapping,
}

/// The owner's application.
#[derive(Clone, Debug)]
pub struct OwnersApp {
    /// Where it is: `https`, or `http` on loopback; without query and fragment.
    pub url: Url,
    /// The origins that its tokens may be made for (`azp`): its own, and those configured besides.
    pub authorized_parties: Vec<Origin>,
}

/// The OAuth application at Clerk that this server is.
#[derive(Clone, Debug)]
pub struct ClerkOauth {
    /// Its client id.
    pub client_id: String,
    /// Its client secret; `None` for a public client, which PKCE alone protects.
    pub client_secret: Option<Secret>,
    /// Whether Clerk is asked for `user:org:read`, so that the person picks an organization.
    pub organizations: bool,
    /// Whether a Clerk session is started for sign-ins whose tools need one (`session = "ticket"`).
    pub ticket_sessions: bool,
}

/// Where grants, clients and audit rows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// The SQLite file; relative to the working directory unless absolute.
    pub path: PathBuf,
}

/// The authorization server.
#[derive(Clone, Debug)]
pub struct OAuthConfig {
    /// How long an access token lives.
    pub access_token_lifetime: Duration,
    /// How long a refresh token lives when it is not used.
    pub refresh_idle_lifetime: Duration,
    /// How long a grant lives in all; never shorter than `refresh_idle_lifetime`.
    pub refresh_total_lifetime: Duration,
    /// How long an authorization code lives.
    pub code_lifetime: Duration,
    /// Whether clients may register themselves (RFC 7591).
    pub dynamic_registration: bool,
    /// How many registrations one address may make in an hour.
    pub registrations_per_hour: u32,
    /// Private-use URI schemes allowed in redirect URIs (RFC 8252 section 7.1), in small letters.
    pub private_use_schemes: Vec<String>,
    /// Whether a client id may be the URL of its metadata document.
    pub client_id_metadata_documents: bool,
    /// Every scope on offer: `tools:read` (asked for first), `tools:write`, and the configured ones.
    pub scopes: ScopePolicy,
    /// Clients that need not register.
    pub clients: Vec<ClientConfig>,
}

/// A client that need not register.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Its client id.
    pub client_id: String,
    /// What the consent page calls it.
    pub name: String,
    /// Its redirect URIs, as written: absolute URIs; `oauth` has the rules for them.
    pub redirect_uris: Vec<String>,
    /// Its secret, if it has one.
    pub secret: Option<Secret>,
    /// Where its keys are, if it authenticates by assertion. Without either it is a public client.
    pub keys: Option<KeySource>,
}

/// Hosts of Client ID Metadata Documents that are this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CimdTest {
    /// Host name to loopback address.
    pub hosts: BTreeMap<String, SocketAddr>,
    /// The certificate authority that those hosts' certificates come from, PEM; `None` when the
    /// machine's own authorities are enough.
    pub ca_pem: Option<String>,
}

/// Which tools exist here, whoever asks.
#[derive(Clone, Debug)]
pub struct ToolsConfig {
    /// The tools offered.
    pub enabled: Patterns,
    /// Whether only tools that change nothing are; wins over everything else.
    pub read_only: bool,
    /// Whether private metadata is let through in results.
    pub allow_private_metadata: bool,
    /// When a person is asked before destructive calls.
    pub confirm: mcp::Confirm,
}

/// Bounds on what clients can make the server hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// MCP sessions open at the same time.
    pub max_sessions: usize,
    /// MCP sessions of one person, through whatever clients.
    pub max_sessions_of_person: usize,
    /// How long an MCP session may be silent.
    pub session_idle: Duration,
    /// What may be under way at the same time.
    pub bounds: Bounds,
    /// About how many people Clerk is asked in a second whose clients only listen; `None`: about nobody.
    pub people_per_second: Option<u32>,
    /// Connections open at the same time.
    pub connections: usize,
    /// Connections of one address that is no proxy's.
    pub connections_of_address: usize,
    /// The largest request body, bytes.
    pub max_body: usize,
    /// How long calls in flight may take to finish at shutdown.
    pub shutdown_grace: Duration,
    /// Audit rows that wait to be written.
    pub audit_queue: usize,
}

/// Where audit rows go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditConfig {
    /// A file for JSON lines; `None` for the database.
    pub file: Option<PathBuf>,
    /// How long rows stay in the database; `None` for ever.
    pub keep: Option<Duration>,
}
