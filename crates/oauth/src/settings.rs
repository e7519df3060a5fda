//! How one authorization server is set up.

use url::Url;

use crate::client::{Client, ClientAuthMethod};
use crate::grant::Lifetimes;
use crate::redirect_uri::{RedirectUri, RedirectUriError};
use crate::resource::Resource;
use crate::scope::ScopePolicy;
use crate::server_key::ServerKeys;

/// The private-use schemes of well-known MCP clients, each of which sends people back by it: Claude's
/// desktop app (`claude://claude.ai/mcp-auth-callback/sdk`), Cursor
/// (`cursor://anysphere.cursor-mcp/oauth/callback`), and Cline in whichever editor it runs
/// (`vscode://saoudrizwan.claude-dev/mcp-auth/callback/…`, the same of VS Code Insiders and Windsurf).
/// Any program can claim a scheme: the consent page says so, and consent is never remembered.
pub const KNOWN_PRIVATE_USE_SCHEMES: [&str; 5] =
    ["claude", "cursor", "vscode", "vscode-insiders", "windsurf"];

/// How one authorization server, and the resource it protects, are set up.
#[derive(Debug, Clone)]
pub struct Settings {
    issuer: String,
    resource: Resource,
    aliases: Vec<Resource>,
    /// The server's own keys.
    pub keys: ServerKeys,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// What can be granted.
    pub scopes: ScopePolicy,
    /// Whether clients may register themselves (RFC 7591).
    pub registration: bool,
    /// Whether the URL of a Client ID Metadata Document is a client identifier.
    pub client_documents: bool,
    /// The private-use redirect schemes that are allowed, in lower case.
    pub private_use_schemes: Vec<String>,
    /// The clients that the owner wrote into the configuration.
    pub clients: Vec<Client>,
}

/// Why an authorization server cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The issuer is no URL that RFC 8414 allows.
    #[error(
        "`{0}` cannot be the issuer\nhint: the server's public URL, `https` (or `http` on loopback), without query, fragment and path"
    )]
    Issuer(String),
    /// The resource is no URL that RFC 8707 allows.
    #[error("`{0}` cannot be the resource\nhint: the URL of the MCP endpoint, below the issuer")]
    Resource(String),
    /// A configured client has a redirect URI that is refused.
    #[error("client `{client}`: redirect URI `{uri}`: {fault}")]
    ClientRedirectUri {
        /// The client's identifier.
        client: String,
        /// The redirect URI.
        uri: String,
        /// What is wrong with it.
        fault: RedirectUriError,
    },
    /// A configured client has a secret or keys it may not use, or none where its method needs them.
    #[error(
        "client `{0}`: method, secret and keys do not fit\nhint: `none` with neither, `private_key_jwt` with keys, the others with a secret"
    )]
    ClientSecret(String),
    /// Two configured clients have the same identifier.
    #[error("client `{0}` is configured twice\nhint: remove one of the two")]
    ClientTwice(String),
}

impl Settings {
    /// Settings for the issuer at `issuer` (the server's public URL), whose tokens are for
    /// `resource` (the URL of its MCP endpoint). Everything else has its default and can be changed.
    ///
    /// # Errors
    /// [`SettingsError::Issuer`] or [`SettingsError::Resource`].
    pub fn new(issuer: &str, resource: &str, keys: ServerKeys) -> Result<Self, SettingsError> {
        let wrong_resource = || SettingsError::Resource(resource.to_owned());
        let issuer = read_issuer(issuer).ok_or_else(|| SettingsError::Issuer(issuer.to_owned()))?;
        let canonical = below(&issuer, resource).ok_or_else(wrong_resource)?;
        Ok(Self {
            issuer: issuer.as_str().trim_end_matches('/').to_owned(),
            resource: canonical,
            aliases: Vec::new(),
            keys,
            lifetimes: Lifetimes::default(),
            scopes: ScopePolicy::default(),
            registration: true,
            client_documents: true,
            private_use_schemes: KNOWN_PRIVATE_USE_SCHEMES.map(str::to_owned).to_vec(),
            clients: Vec::new(),
        })
    }

    /// The issuer identifier (RFC 8414), without a slash at its end.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Gives the resource another address: a client that names it gets tokens for the resource itself.
    ///
    /// # Errors
    /// [`SettingsError::Resource`].
    pub fn also_at(mut self, address: &str) -> Result<Self, SettingsError> {
        let wrong = || SettingsError::Resource(address.to_owned());
        let issuer = Url::parse(&self.issuer).map_err(|_| wrong())?;
        self.aliases
            .push(below(&issuer, address).ok_or_else(wrong)?);
        Ok(self)
    }

    /// The one resource that tokens are for.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The resource that a client means by this name: ours by any of its addresses, else what it says.
    pub(crate) fn meant(&self, named: Resource) -> Resource {
        match self.aliases.contains(&named) {
            true => self.resource.clone(),
            false => named,
        }
    }

    /// The addresses of the resource with their paths, that of the resource itself first.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (String, &Resource)> {
        let addresses = std::iter::once(&self.resource).chain(&self.aliases);
        addresses.map(|address| {
            let url = Url::parse(address.as_str()).ok();
            let path = url.as_ref().map_or("", Url::path);
            (path.trim_end_matches('/').to_owned(), address)
        })
    }

    /// Where the metadata of the protected resource at `address` is (RFC 9728 section 3.1): the
    /// well-known name goes between host and path.
    pub fn resource_metadata_url(&self, address: &Resource) -> String {
        let url = Url::parse(address.as_str()).ok();
        let path = url.as_ref().map_or("", Url::path).trim_end_matches('/');
        format!("{}/.well-known/oauth-protected-resource{path}", self.issuer)
    }

    /// Whether what the configuration says about clients makes sense.
    pub(crate) fn check_clients(&self) -> Result<(), SettingsError> {
        for (index, client) in self.clients.iter().enumerate() {
            let name = client.id.as_str().to_owned();
            if self
                .clients
                .iter()
                .take(index)
                .any(|earlier| earlier.id == client.id)
            {
                return Err(SettingsError::ClientTwice(name));
            }
            let (needs_secret, needs_keys) = match client.auth {
                ClientAuthMethod::None => (false, false),
                ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => {
                    (true, false)
                }
                ClientAuthMethod::PrivateKeyJwt => (false, true),
            };
            if needs_secret != client.secret.is_some()
                || needs_keys != client.assertion_keys.is_some()
            {
                return Err(SettingsError::ClientSecret(name));
            }
            for uri in &client.redirect_uris {
                RedirectUri::parse(uri, &self.private_use_schemes).map_err(|fault| {
                    let client = name.clone();
                    SettingsError::ClientRedirectUri {
                        client,
                        uri: uri.clone(),
                        fault,
                    }
                })?;
            }
        }
        Ok(())
    }
}

/// A resource with the issuer's origin and no query.
fn below(issuer: &Url, address: &str) -> Option<Resource> {
    let resource = Resource::parse(address)?;
    let url = Url::parse(resource.as_str()).ok()?;
    (url.origin() == issuer.origin() && url.query().is_none()).then_some(resource)
}

fn read_issuer(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        url::Host::Domain(domain) => domain == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let right = (url.scheme() == "https" || (url.scheme() == "http" && loopback))
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    right.then_some(url)
}
