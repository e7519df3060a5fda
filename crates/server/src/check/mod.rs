//! What only shows once Clerk and the database are asked: `clerk-mcp serve --check`, and
//! [`Serve::check`](crate::Serve::check).

pub(crate) mod instance;
mod people;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use clerk::{
    Client, HttpTransport, Request, Transport,
    oauth::{
        ApplicationFault, OAuthApplication, OAuthError, Provider, Secret, list_oauth_applications,
    },
};
use http::Method;

use crate::{
    MCP_PATH,
    config::{ClerkOauth, ClerkTokens, Config, OwnersApp, SignIn},
    process::{self, Machine},
    server,
    sign_in::{self, APP_ROUTE},
};

/// What was found: each a text for a person. A fault may have a hint on lines of its own.
///
/// `Display` has a line `ok     …`, `skip   …` or `fault  …` for each, the faults last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Checked {
    /// What is in order.
    pub good: Vec<String>,
    /// What could not be tried because of one of the faults.
    pub skipped: Vec<String>,
    /// What is not.
    pub faults: Vec<String>,
}

/// Asks Clerk, the owner's application and the database whether a server with this configuration could
/// do its work. Nothing is made and nothing is changed, there or here.
pub async fn check(config: &Config) -> Checked {
    let mut report = Checked::default();
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new());
    report.good(format!(
        "configuration: serves {} on {}",
        config.public_url.join(MCP_PATH),
        config.bind
    ));
    machine(config, &mut report).await;
    let client = Client::builder(
        config.clerk.secret_key.clone(),
        Arc::clone(&transport),
        Arc::new(Machine),
    )
    .api_url(config.clerk.api_url.clone())
    .api_version(config.clerk.api_version.clone())
    .build();
    let backend = backend(config, &client, &mut report).await;
    let frontend = match &config.sign_in {
        SignIn::ClerkOauth(application) => {
            let frontend = provider(config, application, &transport, &mut report).await;
            if report.after(&[backend, frontend], "Clerk's keys") {
                same_instance(config, &client, &transport, &mut report).await;
            }
            if report.after(&[backend], "OAuth application") {
                let at = (&client, &transport);
                oauth_application(config, application, at, frontend, &mut report).await;
            }
            frontend
        }
        SignIn::App(app) => {
            if report.after(&[backend], "Clerk's keys") {
                same_instance(config, &client, &transport, &mut report).await;
            }
            app_route(config, app, &transport, &mut report).await;
            FRONTEND
        }
        SignIn::ClerkTokens(tokens) => {
            let frontend =
                authorization_server(config, &client, backend, &transport, &mut report).await;
            let named = !tokens.client_ids.is_empty() || tokens.machine.is_some();
            if named && report.after(&[backend], "sign_in.client_ids, sign_in.machine") {
                clients_and_machine(tokens, &client, &mut report).await;
            }
            frontend
        }
    };
    credentials(config, frontend, &transport, &mut report).await;
    report
}

/// What others are tried at, and whether it answers.
#[derive(Clone, Copy)]
struct Basis {
    name: &'static str,
    answers: bool,
}

const BACKEND: Basis = Basis {
    name: "Clerk's Backend API",
    answers: true,
};
const FRONTEND: Basis = Basis {
    name: "Clerk's Frontend API",
    answers: true,
};

impl Basis {
    fn broken(self) -> Self {
        Self {
            answers: false,
            ..self
        }
    }
}

/// With the secret key, and what is read of people with it.
async fn backend(config: &Config, client: &Client, report: &mut Checked) -> Basis {
    let instance = Request::new("GetInstance", Method::GET, "/instance");
    match client.send(&instance).await {
        Ok(answer) => {
            let kind = answer
                .body
                .get("environment_type")
                .and_then(|kind| kind.as_str());
            let kind = kind.unwrap_or("unknown");
            report.good(format!("{}: a {kind} instance", BACKEND.name));
            people::check(config, client, report).await;
            BACKEND
        }
        Err(error) => {
            report.fault(format!("{}: {error}", BACKEND.name));
            BACKEND.broken()
        }
    }
}

impl Checked {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    fn good(&mut self, line: String) {
        self.good.push(line);
    }

    fn fault(&mut self, line: String) {
        self.faults.push(line);
    }

    /// Whether all of them answer. One that does not is a fault already, and whatever is tried at it
    /// would only repeat that.
    fn after(&mut self, all: &[Basis], what: &str) -> bool {
        let broken = all.iter().find(|basis| !basis.answers);
        if let Some(broken) = broken {
            let line = format!("{what}: {} has to answer first", broken.name);
            self.skipped.push(line);
        }
        broken.is_none()
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let good = self.good.iter().map(|line| ("ok     ", line));
        let skipped = self.skipped.iter().map(|line| ("skip   ", line));
        let faults = self.faults.iter().map(|line| ("fault  ", line));
        for (place, (what, line)) in good.chain(skipped).chain(faults).enumerate() {
            let end = if place == 0 { "" } else { "\n" };
            write!(f, "{end}{what}{line}")?;
        }
        Ok(())
    }
}

/// What tools over the owner's API are called with, as far as trying it changes nothing.
async fn credentials(
    config: &Config,
    frontend: Basis,
    transport: &Arc<dyn Transport>,
    report: &mut Checked,
) {
    if config.sign_in.ticket_sessions() && report.after(&[frontend], "ticket sessions") {
        ticket_sessions(config, transport, report).await;
    }
    let machine = config
        .http_tools
        .iter()
        .find_map(|api| api.machine.as_ref());
    if let Some(machine) = machine {
        let machine = server::machine(config, machine, transport);
        match machine.check().await {
            Ok(()) => report.good("M2M tokens: Clerk takes the machine's secret key".to_owned()),
            Err(error) => report.fault(format!("M2M tokens: {error}")),
        }
    }
}

/// A ticket that is none: an instance that takes tickets says so, and nothing comes of it.
async fn ticket_sessions(config: &Config, transport: &Arc<dyn Transport>, report: &mut Checked) {
    let frontend = match server::frontend(config, transport) {
        Ok(frontend) => frontend,
        Err(error) => return report.fault(format!("ticket sessions: {error}")),
    };
    let nobodys = Secret::new("not-a-ticket");
    match frontend.sign_in_with_ticket(&nobodys).await {
        Err(error) if error.code() == "ticket_invalid_code" => report.good(format!(
            "ticket sessions: {} takes tickets of native applications",
            frontend.api()
        )),
        Err(error) => report.fault(format!("ticket sessions: {error}")),
        Ok(_) => report.fault(
            "ticket sessions: the Frontend API takes any ticket\n\
             hint: check CLERK_FRONTEND_API: this is not Clerk"
                .to_owned(),
        ),
    }
}

/// What a start takes of this machine.
async fn machine(config: &Config, report: &mut Checked) {
    for checked in process::check(config).await {
        match checked {
            Ok(line) => report.good.extend(line),
            Err(fault) => report.fault(fault.to_string()),
        }
    }
}

async fn provider(
    config: &Config,
    application: &ClerkOauth,
    transport: &Arc<dyn Transport>,
    report: &mut Checked,
) -> Basis {
    let provider = match server::provider(config, application, transport) {
        Ok(provider) => provider,
        Err(error) => {
            report.fault(format!("sign-in: {error}"));
            return FRONTEND.broken();
        }
    };
    match provider.metadata(Machine::now_ms()).await {
        Ok(_) => {
            let address = provider.frontend_api().as_str();
            report.good(format!("{}: {address}", FRONTEND.name));
            FRONTEND
        }
        Err(error) => {
            report.fault(format!("{}: {error}", FRONTEND.name));
            FRONTEND.broken()
        }
    }
}

/// The application may be of another team's making: not finding it is a fault all the same.
async fn oauth_application(
    config: &Config,
    application: &ClerkOauth,
    (client, transport): (&Client, &Arc<dyn Transport>),
    frontend: Basis,
    report: &mut Checked,
) {
    let client_id = &application.client_id;
    let answer = match client.send(&list_oauth_applications(client_id)).await {
        Ok(answer) => answer.body,
        Err(error) => return report.fault(format!("OAuth application: {error}")),
    };
    let Some(found) = OAuthApplication::find(&answer, client_id) else {
        return report.fault(format!(
            "OAuth application: this instance has none with the client id {client_id}\n\
             hint: make one in the Clerk dashboard (OAuth applications) with the redirect URI {}, and \
             set CLERK_CLIENT_ID and CLERK_CLIENT_SECRET",
            config.public_url.join("/callback")
        ));
    };
    let Ok(provider) = server::provider(config, application, transport) else {
        // Told with the provider.
        return;
    };
    let scopes = sign_in::scopes(application.organizations);
    let found_faults = found.faults(provider.client(), &scopes);
    let mut faults: Vec<String> = found_faults.iter().map(ToString::to_string).collect();
    // That there is none where one must be is a fault already.
    let lacks_secret = found_faults.iter().any(|fault| {
        use ApplicationFault::{SecretForPublic, SecretMissing};
        matches!(fault, SecretForPublic { .. } | SecretMissing { .. })
    });
    if !lacks_secret && report.after(&[frontend], "the OAuth application's secret") {
        faults.extend(client_fault(&provider).await);
    }
    if faults.is_empty() {
        report.good(format!("OAuth application: {} ({client_id})", found.name));
    }
    for fault in faults {
        report.fault(format!("OAuth application: {fault}"));
    }
}

/// Whether Clerk takes the client's secret: it looks at that before it looks at a code, which here is none.
async fn client_fault(provider: &Provider) -> Option<String> {
    let (code, verifier) = (
        Secret::parse("not-a-code").ok()?,
        "not-a-verifier-".repeat(3),
    );
    let asked = provider.redeem_code(&code, &verifier, Machine::now_ms());
    match asked.await {
        Err(OAuthError::Refused { error, hint, .. }) => {
            let is_of_client = ["invalid_client", "unauthorized_client"].contains(&error.as_str());
            is_of_client.then(|| {
                format!("Clerk does not take this client id and secret ({error})\nhint: {hint}")
            })
        }
        Err(error) => Some(error.to_string()),
        Ok(_) => Some(
            "its token endpoint takes any code\nhint: check CLERK_FRONTEND_API: this is not Clerk"
                .to_owned(),
        ),
    }
}

/// Without the instance's keys no token can be verified.
async fn same_instance(
    config: &Config,
    client: &Client,
    transport: &Arc<dyn Transport>,
    report: &mut Checked,
) {
    match instance::compare(config.clerk.frontend_api.as_str(), client, transport, None).await {
        Ok(()) => {
            report.good("Clerk's keys: the Frontend API has those of the instance".to_owned())
        }
        Err(fault) => report.fault(fault),
    }
}

/// Clerk as the authorization server: what clients will find there, and whether its keys are those
/// of the instance whose secret key this is.
async fn authorization_server(
    config: &Config,
    client: &Client,
    backend: Basis,
    transport: &Arc<dyn Transport>,
    report: &mut Checked,
) -> Basis {
    let (document, metadata) = match instance::metadata(config, transport).await {
        Ok(read) => read,
        Err(problem) => {
            report.fault(format!("{}: {problem}", FRONTEND.name));
            return FRONTEND.broken();
        }
    };
    if report.after(&[backend], "Clerk's keys") {
        let keys = Some(metadata.jwks_uri);
        let frontend_api = config.clerk.frontend_api.as_str();
        if let Err(fault) = instance::compare(frontend_api, client, transport, keys).await {
            report.fault(fault);
            return FRONTEND;
        }
    }
    report.good(format!(
        "authorization server: {}",
        config.clerk.frontend_api.as_str().trim_end_matches('/')
    ));
    let can_register = document.get("registration_endpoint").is_some()
        || document["client_id_metadata_document_supported"] == true;
    report.good(match can_register {
        true => "clients: may make themselves known to Clerk".to_owned(),
        // Not a fault: every client may be one that somebody has entered there.
        false => "clients: only those entered at Clerk; others need dynamic client registration or \
                  client ID metadata documents to be on in the Clerk dashboard (OAuth applications, \
                  Settings)"
            .to_owned(),
    });
    FRONTEND
}

/// What the configuration names exists at Clerk.
async fn clients_and_machine(tokens: &ClerkTokens, client: &Client, report: &mut Checked) {
    for client_id in &tokens.client_ids {
        // A client known by its document is no application there.
        if client_id.starts_with("https://") {
            continue;
        }
        match client.send(&list_oauth_applications(client_id)).await {
            Ok(answer) => match OAuthApplication::find(&answer.body, client_id) {
                Some(found) => report.good(format!("client: {} ({client_id})", found.name)),
                None => report.fault(format!(
                    "sign_in.client_ids: this instance has no OAuth application with the client id \
                     {client_id}\n\
                     hint: copy it from the Clerk dashboard (OAuth applications), or remove it"
                )),
            },
            Err(error) => report.fault(format!("sign_in.client_ids: {error}")),
        }
    }
    let Some(machine) = &tokens.machine else {
        return;
    };
    let request = Request::new("GetMachine", Method::GET, "/machines/{machine_id}");
    let asked = match request.path_parameter("machine_id", machine) {
        Ok(request) => client.send(&request).await,
        Err(error) => Err(error.into()),
    };
    match asked {
        Ok(_) => report.good(format!("machine: {machine}")),
        Err(error) => report.fault(format!("sign_in.machine: {error}")),
    }
}

/// Asked for without anybody signed in, the route may refuse or lead to the sign-in: only that it is
/// there is known.
async fn app_route(
    config: &Config,
    app: &OwnersApp,
    transport: &Arc<dyn Transport>,
    report: &mut Checked,
) {
    let route = format!("{}{APP_ROUTE}", app.url.as_str().trim_end_matches('/'));
    let guide = "docs/guides/sign-in-through-your-app.md";
    let Ok(request) = http::Request::get(&route).body(Bytes::new()) else {
        return report.fault(format!("application: {route} cannot be asked for"));
    };
    match transport.send(request).await {
        Ok(answer) if answer.status() == 404 => report.fault(format!(
            "application: {route} does not exist\n\
             hint: add the route as in {guide}, with {} as the callback that it sends tokens to",
            config.public_url.join("/callback")
        )),
        Ok(answer) if answer.status().is_server_error() => report.fault(format!(
            "application: {route} answers with {}\n\
             hint: see the application's log; {guide} has the route",
            answer.status()
        )),
        Ok(_) => report.good(format!("application: {route}")),
        Err(error) => report.fault(format!(
            "application: {route} cannot be reached: {error}\n\
             hint: start the application, or correct APP_URL"
        )),
    }
}
