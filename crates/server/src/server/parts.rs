//! Each part of a server, from the configuration.

use std::sync::Arc;

use clerk::{
    Client, Transport,
    access_token::AccessTokenPolicy,
    frontend::FrontendClient,
    machine::Machine,
    oauth::{FrontendApi, OAuthClient, Provider, Secret},
};
use mcp::{OwnTool, Sealer, Shared};
use oauth::{
    AssertionKeys, AuthorizationServer, ClientAuthMethod, ClientId, ClientOrigin, GrantType,
    Lifetimes, PlainToken, ProtectedResource, ScopeSet, Settings, SigningAlgorithm, Timestamp,
};

use super::{SetUpError, Surroundings, wrong};
use crate::{
    MCP_PATH,
    access::WRITE_SCOPE,
    authenticate::TokenSource,
    clerk_tokens::ClerkTokens,
    config::{ClerkTokens as ClerkTokensConfig, ClientConfig, Config, SignIn as SignInConfig},
    credentials::Credentials,
    http_tools::MachineConfig,
    principals::Principals,
    sign_in::{AppSignIn, ClerkOauth, SignIn},
    sse::SSE_PATH,
};

/// Clerk's scope that has a person pick an organization, which their tokens then name.
const ORGANIZATION_SCOPE: &str = "user:org:read";
const USER_AGENT: &str = concat!("clerk-mcp/", env!("CARGO_PKG_VERSION"));

pub(super) fn clerk_client(config: &Config, around: &Surroundings) -> Client {
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
pub(super) fn credentials(
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

pub(super) fn principals(
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

pub(super) fn authorization_server(
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

pub(super) fn configured_client(client: &ClientConfig) -> oauth::Client {
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
pub(super) fn sign_in(
    config: &Config,
    around: &Surroundings,
    client: &Client,
) -> Result<Option<SignIn>, SetUpError> {
    Ok(match &config.sign_in {
        SignInConfig::ClerkOauth(application) => {
            let provider = provider(config, application, &around.clerk)?;
            let env = Arc::clone(&around.env);
            let clerk = ClerkOauth::new(provider, application.organizations, client.clone(), env);
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

pub(super) fn token_source(config: &Config, client: &Client) -> TokenSource {
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
pub(super) fn clerk_resource(
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
