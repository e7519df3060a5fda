//! From flags and environment to a Clerk client and a toolkit over it.

use std::{fs, path::Path, sync::Arc};

use clerk::{ApiUrl, ApiVersion, Client, HttpTransport, SecretKey, Transport};
use emulator::{Emulator, Seed, SeedFormat};
use toolkit::{AuthContext, ClerkToolkit, pattern::Patterns};

use crate::{
    arguments::{Connection, Selection},
    emulated::{EmulatedClerk, Unconnected},
    environment::{self, CLERK_API_URL, CLERK_API_VERSION, CLERK_SECRET_KEY},
    failure::Failure,
    machine::Machine,
    printer::Printer,
};

const USER_AGENT: &str = concat!("clerk-mcp/", env!("CARGO_PKG_VERSION"));

/// The client that the flags name. Nothing is sent yet.
pub(crate) fn client(connection: &Connection, printer: &Printer) -> Result<Client, Failure> {
    let version = match environment::read(CLERK_API_VERSION)? {
        Some(text) => ApiVersion::parse(&text)
            .map_err(|error| Failure::usage(format!("{CLERK_API_VERSION}: {error}")))?,
        None => ApiVersion::default(),
    };
    let (key, api_url, transport) = if connection.emulate {
        emulated(connection.seed.as_deref())?
    } else {
        let key = secret_key(connection, printer)?;
        (
            key,
            api_url(connection)?,
            Arc::new(HttpTransport::new()) as Arc<dyn Transport>,
        )
    };
    Ok(Client::builder(key, transport, Arc::new(Machine))
        .api_url(api_url)
        .api_version(version)
        .user_agent(USER_AGENT.to_owned())
        .build())
}

/// A client that is never used to send anything.
pub(crate) fn unconnected() -> Result<Client, Failure> {
    let key = SecretKey::parse(emulator::DEFAULT_SECRET_KEY).map_err(Failure::failed)?;
    Ok(Client::builder(key, Arc::new(Unconnected), Arc::new(Machine)).build())
}

/// The toolkit that the flags select.
pub(crate) fn toolkit(selection: &Selection, client: Client) -> Result<ClerkToolkit, Failure> {
    let mut builder = ClerkToolkit::builder(client)
        .allow_private_metadata(selection.allow_private_metadata)
        .read_only(selection.read_only);
    if !selection.tools.is_empty() {
        builder = builder.patterns(Patterns::parse(&selection.tools).map_err(Failure::usage)?);
    }
    if let Some(session) = session(selection)? {
        builder = builder.auth_context(session);
    }
    builder.build().map_err(Failure::usage)
}

fn session(selection: &Selection) -> Result<Option<AuthContext>, Failure> {
    let Some(user) = &selection.user else {
        return Ok(None);
    };
    let named = |flag, error| Failure::usage(format!("{flag}: {error}"));
    let mut session = AuthContext::new(user).map_err(|error| named("--user", error))?;
    if let Some(organization) = &selection.org {
        session = session
            .with_organization(organization)
            .map_err(|error| named("--org", error))?;
    }
    if let Some(role) = &selection.role {
        session = session.with_role(role);
    }
    Ok(Some(session))
}

fn secret_key(connection: &Connection, printer: &Printer) -> Result<SecretKey, Failure> {
    let (source, text) = match &connection.secret_key {
        Some(text) => {
            printer.warn(
                "the secret key on the command line can be seen by other users of this machine\n\
                 hint: set CLERK_SECRET_KEY instead",
            );
            ("--secret-key", text.trim().to_owned())
        }
        None => match environment::read(CLERK_SECRET_KEY)? {
            Some(text) => (CLERK_SECRET_KEY, text),
            None => {
                return Err(Failure::usage(
                    "there is no Clerk secret key\n\
                     hint: set CLERK_SECRET_KEY (Clerk dashboard, API keys), or use --emulate for a \
                     local Clerk without an account",
                ));
            }
        },
    };
    SecretKey::parse(&text).map_err(|error| Failure::usage(format!("{source}: {error}")))
}

fn api_url(connection: &Connection) -> Result<ApiUrl, Failure> {
    let (source, text) = match &connection.api_url {
        Some(text) => ("--api-url", text.clone()),
        None => match environment::read(CLERK_API_URL)? {
            Some(text) => (CLERK_API_URL, text),
            None => return Ok(ApiUrl::default()),
        },
    };
    ApiUrl::parse(&text).map_err(|error| Failure::usage(format!("{source}: {error}")))
}

type Connected = (SecretKey, ApiUrl, Arc<dyn Transport>);

/// A local Clerk with its own key: a real one in the environment never reaches it.
fn emulated(seed: Option<&Path>) -> Result<Connected, Failure> {
    let (name, seed) = match seed {
        Some(path) => (path.display().to_string(), read_seed(path)?),
        None => ("the default seed".to_owned(), Seed::default()),
    };
    let emulator = Emulator::new(&seed, Arc::new(Machine), Box::new(Machine))
        .map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let key = SecretKey::parse(&emulator.secret_key()).map_err(Failure::usage)?;
    let api_url = ApiUrl::parse(emulator::DEFAULT_URL).map_err(Failure::failed)?;
    Ok((key, api_url, Arc::new(EmulatedClerk(Arc::new(emulator)))))
}

/// Reads a seed file; its ending says its format.
pub(crate) fn read_seed(path: &Path) -> Result<Seed, Failure> {
    let name = path.display();
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = extension
        .and_then(SeedFormat::from_extension)
        .ok_or_else(|| {
            Failure::usage(format!(
                "{name}: unknown seed format\nhint: name it .toml, .yaml or .json"
            ))
        })?;
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "{name}: cannot be read: {error}\nhint: check the path given with --seed"
        ))
    })?;
    Seed::parse(&text, format).map_err(|error| Failure::usage(format!("{name}: {error}")))
}
