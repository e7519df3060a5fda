//! From sources to a [`Config`]: each section is read whole, so that all faults come back at once.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

use super::{
    clerk_section,
    document::Given,
    fault::{ConfigFault, Place, Warning, Wrong},
    http_tools_section::{self, http_tools},
    impersonation_section::impersonation,
    keys::{self, Keys},
    model::{AuditConfig, Config, Impersonation, Limits, SignIn, StorageConfig, TrustedProxies},
    oauth_section,
    origin::Origin,
    quantity::{duration, integer, size, switch},
    rust_tools_section::rust_tools,
    settings, sign_in_section,
    sources::{Reading, Sources, missing},
    tools_section,
};
use crate::{
    access::{self, CatalogueTool},
    front::Bounds,
    http_tools::HttpTools,
    rust_tools::RustTool,
};

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, in no particular order.
    pub fn load(sources: Sources<'_>) -> Result<(Self, Vec<Warning>), Vec<ConfigFault>> {
        Self::load_whole(&sources, false)
    }

    /// Reads a configuration for its tools alone: keys and addresses of Clerk's, and secrets of tools, may
    /// be missing. Each that is is told as a warning, and nothing works that needs it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_for_tools(sources: Sources<'_>) -> Result<(Self, Vec<Warning>), Vec<ConfigFault>> {
        Self::load_whole(&sources, true)
    }

    /// Reads where the server listens, and nothing else: whatever is wrong with the rest does not matter to
    /// whoever only wants to ask it something.
    ///
    /// # Errors
    /// What is wrong with `bind`, or with the whole file where it is no TOML.
    pub fn load_bind(sources: Sources<'_>) -> Result<SocketAddr, Vec<ConfigFault>> {
        let reading = Reading::new(&sources, false)?;
        let bind = reading.required(&settings::BIND, bind_address);
        let (faults, _) = reading.finish();
        let is_of_bind = |fault: &ConfigFault| match &fault.place {
            Place::File { key, .. } | Place::Setting(key) => key == settings::BIND.key,
            Place::Variable(name) => Some(name.as_str()) == settings::BIND.env,
            Place::Flag(flag) => Some(*flag) == settings::BIND.flag,
        };
        let faults: Vec<_> = faults.into_iter().filter(is_of_bind).collect();
        bind.filter(|_| faults.is_empty()).ok_or(faults)
    }

    fn load_whole(
        sources: &Sources<'_>,
        only_tools: bool,
    ) -> Result<(Self, Vec<Warning>), Vec<ConfigFault>> {
        let reading = Reading::new(sources, only_tools)?;
        let config = read(&reading);
        let (faults, warnings) = reading.finish();
        match config {
            Some(config) if faults.is_empty() => Ok((config, warnings)),
            _ => Err(faults),
        }
    }
}

fn read(reading: &Reading<'_>) -> Option<Config> {
    let bind = reading.required(&settings::BIND, bind_address);
    let public_url = public_url(reading, bind);
    let name = reading.required(&settings::NAME, display_name);
    let trusted_proxies = trusted_proxies(reading);
    let allowed_origins = reading.list(reading.given(&settings::ALLOWED_ORIGINS), origin);
    let storage = storage(reading);
    let keys = server_keys(reading, public_url.as_ref(), storage.as_ref());
    let clerk = clerk_section::clerk(reading);
    let sse = reading.required(&settings::TRANSPORTS_SSE, switch);
    let sign_in = sign_in_section::sign_in(reading, public_url.as_ref(), sse == Some(true));
    let oauth = oauth_section::oauth(reading);
    let cimd_test = oauth_section::cimd_test(reading, public_url.as_ref());
    let demo_tools = reading.required(&settings::DEMO_TOOLS, switch);
    let clerk_tokens = match &sign_in {
        Some(SignIn::ClerkTokens(tokens)) => Some(tokens),
        _ => None,
    };
    // Where Clerk is the authorization server, its owner defines the scopes there.
    let scopes = oauth.as_ref().map(|oauth| &oauth.scopes);
    let scopes = scopes.filter(|_| clerk_tokens.is_none());
    let machines = clerk_tokens.is_some_and(|tokens| tokens.machine.is_some());
    let http_tools = http_tools(reading, scopes, sign_in.as_ref());
    if let Some(Some(tools)) = &http_tools {
        http_tools_section::check_state(reading, tools);
    }
    // What could not be read may well have one.
    let has_machine = http_tools
        .as_ref()
        .is_none_or(|tools| tools.as_ref().is_some_and(|tools| tools.machine.is_some()));
    let rust_tools = rust_tools(reading, scopes, sign_in.as_ref(), has_machine);
    let impersonation = impersonation(reading, http_tools.as_ref(), clerk.as_ref());
    let own = own_tools(
        demo_tools,
        rust_tools.as_deref(),
        http_tools.as_ref(),
        impersonation.as_ref(),
    );
    let own = own.as_deref();
    let tools = tools_section::tools(reading, own);
    let access = tools_section::access(reading, tools.as_ref(), scopes, own, machines);
    let limits = limits(reading);
    let audit = audit(reading);
    if let (Some(bind), Some(public_url), Some(proxies)) = (bind, &public_url, &trusted_proxies) {
        warn_of_exposure(reading, bind, public_url, proxies);
    }
    Some(Config {
        public_url: public_url?,
        bind: bind?,
        name: name?,
        trusted_proxies: trusted_proxies?,
        allowed_origins: allowed_origins?,
        clerk: clerk?,
        sign_in: sign_in?,
        keys: keys?,
        storage: storage?,
        oauth: oauth?,
        cimd_test: cimd_test?,
        tools: tools?,
        access: access?,
        limits: limits?,
        audit: audit?,
        demo_tools: demo_tools?,
        sse: sse?,
        http_tools: http_tools?,
        rust_tools: rust_tools?,
        impersonation: impersonation?,
    })
}

/// Every tool that is no Clerk operation.
fn own_tools(
    demo: Option<bool>,
    rust_tools: Option<&[RustTool]>,
    http_tools: Option<&Option<HttpTools>>,
    impersonation: Option<&Option<Impersonation>>,
) -> Option<Vec<CatalogueTool>> {
    let mut own = access::own_tools(demo?);
    own.extend(rust_tools?.iter().map(RustTool::catalogue));
    own.extend(http_tools?.iter().flat_map(HttpTools::catalogue));
    own.extend(impersonation?.iter().map(|_| access::call_api_as()));
    Some(own)
}

fn public_url(reading: &Reading<'_>, bind: Option<SocketAddr>) -> Option<Origin> {
    let given = reading.optional(&settings::PUBLIC_URL, origin)?;
    if given.is_some() {
        return given;
    }
    let bind = bind?;
    let fault = |problem: &str| {
        let place = Place::Setting(settings::PUBLIC_URL.key.to_owned());
        let hint = "set CLERK_MCP_PUBLIC_URL, --public-url or `public_url` to the URL that clients \
                    use, such as https://mcp.example.com";
        reading.fault(Wrong::new(problem, hint).at(place));
        None
    };
    if !bind.ip().is_loopback() {
        return fault("it is missing, and `bind` is no loopback address that could stand for it");
    }
    if bind.port() == 0 {
        return fault("it is missing, and `bind` has port 0, which cannot stand for it");
    }
    Origin::parse(&format!("http://{bind}")).ok()
}

pub(super) fn origin(text: &str) -> Result<Origin, Wrong> {
    Origin::parse(text).map_err(|error| {
        Wrong::new(
            error.to_string(),
            "write scheme, host and port alone, such as https://mcp.example.com",
        )
    })
}

fn bind_address(text: &str) -> Result<SocketAddr, Wrong> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric.parse().map_err(|_| {
        Wrong::new(
            "it is not an address and a port",
            "write it like 127.0.0.1:8788, or 0.0.0.0:8788 for every address of this machine",
        )
    })
}

fn display_name(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let good = (1..=60).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned()).ok_or_else(|| {
        Wrong::new(
            "it is empty, too long or has control characters",
            "use 1 to 60 characters",
        )
    })
}

fn trusted_proxies(reading: &Reading<'_>) -> Option<TrustedProxies> {
    let networks = reading.list(reading.given(&settings::TRUSTED_PROXIES), |text| {
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
            .map_err(|_| {
                Wrong::new(
                    "it is no address or network",
                    "write it like 10.0.0.2 or 10.0.0.0/8",
                )
            })?;
        if network.prefix_len() == 0 {
            return Err(Wrong::new(
                "it is every address: anybody could forge theirs",
                "name the proxy's address or network",
            ));
        }
        Ok(network.trunc())
    })?;
    Some(TrustedProxies(networks))
}

fn storage(reading: &Reading<'_>) -> Option<StorageConfig> {
    let given = reading.given(&settings::DATABASE)?;
    let checked = reading.parsed(&given, |text| {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            None => Ok(()),
            Some("postgres" | "postgresql") => Err(Wrong::new(
                "PostgreSQL is not in this version",
                "name a SQLite file; PostgreSQL is planned",
            )),
            Some(_) => Err(Wrong::new("it is a URL", "name a SQLite file, as a path")),
        }
    });
    let path = checked.and_then(|()| reading.path(&given))?;
    Some(StorageConfig { path })
}

fn server_keys(
    reading: &Reading<'_>,
    public_url: Option<&Origin>,
    storage: Option<&StorageConfig>,
) -> Option<Keys> {
    let setting = &settings::COOKIE_ENCRYPTION_KEY;
    let Some((place, secret)) = reading.global_secret(setting)? else {
        if !public_url?.is_loopback() && !reading.only_tools() {
            reading.fault(missing(setting, Place::Setting(setting.key.to_owned())));
            return None;
        }
        return storage.map(|storage| Keys::KeptBeside(beside(&storage.path)));
    };
    let parts: Vec<&str> = secret.expose().split(',').map(str::trim).collect();
    let mut read = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match keys::parse(part) {
            Ok(key) => read.push(key),
            Err(error) => {
                let which = if parts.len() > 1 {
                    format!("key {} of {}: ", index + 1, parts.len())
                } else {
                    String::new()
                };
                let hint = "make one with `openssl rand -base64 32`";
                let problem = format!("{which}{error}");
                reading.fault(Wrong::new(problem, hint).at(place.clone()));
            }
        }
    }
    let whole = read.len() == parts.len();
    let mut read = read.into_iter();
    let first = read.next()?;
    whole.then(|| Keys::Given(oauth::ServerKeys::new(first, read.collect())))
}

/// `clerk-mcp.db` keeps its key in `clerk-mcp.db.key`.
fn beside(database: &std::path::Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

fn limits(reading: &Reading<'_>) -> Option<Limits> {
    let count = |text: &str| integer(text, 1..=1_000_000).map(|count| count as usize);
    let max_sessions = reading.required(&settings::MAX_SESSIONS, count);
    let session_idle =
        reading.required(&settings::SESSION_IDLE, |text| duration(text, ("1s", "7d")));
    let max_body = reading.required(&settings::MAX_BODY, |text| size(text, ("1KiB", "64MiB")));
    let shutdown_grace = reading.required(&settings::SHUTDOWN_GRACE, |text| {
        duration(text, ("0s", "10m"))
    });
    let audit_queue = reading.required(&settings::AUDIT_QUEUE, count);
    let calls = reading.required(&settings::MAX_CALLS, count);
    let calls_of_person = reading.required(&settings::MAX_CALLS_PER_PERSON, count);
    let calls_per_second = reading.required(&settings::CALLS_PER_SECOND, |text| {
        integer(text, 0..=1_000_000).map(|rate| u32::try_from(rate).ok().filter(|rate| *rate > 0))
    });
    let streams = reading.required(&settings::MAX_STREAMS, count);
    let max_sessions_of_person = reading.required(&settings::MAX_SESSIONS_PER_PERSON, count);
    let streams_of_person = reading.required(&settings::MAX_STREAMS_PER_PERSON, count);
    let connections = reading.required(&settings::MAX_CONNECTIONS, count);
    let connections_of_address = reading.required(&settings::MAX_CONNECTIONS_PER_ADDRESS, count);
    let streams_of_client = reading.required(&settings::MAX_STREAMS_PER_CLIENT, count);
    let people_per_second = reading.required(&settings::PEOPLE_PER_SECOND, |text| {
        integer(text, 0..=1000).map(|rate| u32::try_from(rate).ok().filter(|rate| *rate > 0))
    });
    Some(Limits {
        max_sessions: max_sessions?,
        max_sessions_of_person: max_sessions_of_person?,
        session_idle: session_idle?,
        bounds: Bounds {
            calls: calls?,
            calls_of_person: calls_of_person?,
            calls_per_second: calls_per_second?,
            streams: streams?,
            streams_of_person: streams_of_person?,
            streams_of_client: streams_of_client?,
        },
        people_per_second: people_per_second?,
        connections: connections?,
        connections_of_address: connections_of_address?,
        max_body: max_body?,
        shutdown_grace: shutdown_grace?,
        audit_queue: audit_queue?,
    })
}

fn audit(reading: &Reading<'_>) -> Option<AuditConfig> {
    let file = match reading.given(&settings::AUDIT_FILE) {
        Some(given) => Some(reading.path(&given)?),
        None => None,
    };
    let keep = reading.required(&settings::AUDIT_KEEP, |text| match text {
        "forever" => Ok(None),
        text => duration(text, ("1d", "3650d")).map(Some),
    })?;
    Some(AuditConfig { file, keep })
}

fn warn_of_exposure(
    reading: &Reading<'_>,
    bind: SocketAddr,
    public_url: &Origin,
    proxies: &TrustedProxies,
) {
    if bind.ip().is_loopback() {
        return;
    }
    let given = |setting| {
        let given: Option<Given> = reading.given(setting);
        given.map_or_else(|| Place::Setting(String::new()), |given| given.place)
    };
    if public_url.is_loopback() {
        reading.warn(
            given(&settings::BIND),
            "other machines can connect, but the public URL is this machine's own: their requests \
             are refused",
            "set `public_url` to the URL that they use, or bind to 127.0.0.1",
        );
    } else if proxies.0.is_empty() {
        reading.warn(
            given(&settings::TRUSTED_PROXIES),
            "no proxy is trusted: limits count its address in place of its clients'",
            "name the TLS proxy's address, for example trusted_proxies = [\"10.0.0.2\"]",
        );
    }
}
