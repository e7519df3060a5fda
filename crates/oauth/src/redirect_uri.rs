//! Redirect URIs: which ones a client may register, and when the one it sends is the one it
//! registered (OAuth 2.1 section 2.3, RFC 8252).

use url::{Host, Url};

/// Schemes that never leave the browser for a program, or do harm there. No configuration allows
/// them.
const DANGEROUS_SCHEMES: [&str; 22] = [
    "about",
    "blob",
    "chrome",
    "content",
    "data",
    "dict",
    "edge",
    "file",
    "filesystem",
    "ftp",
    "gopher",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "mailto",
    "ms-appx",
    "resource",
    "smb",
    "tel",
    "vbscript",
    "view-source",
];

/// Where a redirect URI leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedirectKind {
    /// A web site.
    Https,
    /// A program on the person's own machine, behind a port of its choice.
    Loopback,
    /// A program on the person's own machine that claimed a scheme. Any program could.
    PrivateUse,
}

/// Why a redirect URI is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// It is no absolute URI.
    #[error(
        "it is no absolute URI\nhint: write it in full, as in `https://app.example.com/callback`"
    )]
    NotAbsolute,
    /// It holds a character that URIs do not, which one party could read otherwise than another.
    #[error("it holds a space, a backslash or a character that must be percent-encoded")]
    Characters,
    /// It has a fragment.
    #[error("it has a fragment\nhint: remove `#` and what follows")]
    Fragment,
    /// It has user information.
    #[error("it has a user name or password\nhint: remove what is before `@`")]
    UserInformation,
    /// It has no host.
    #[error("it has no host")]
    NoHost,
    /// Its host is written in an unusual way, behind which another could hide.
    #[error(
        "its host is not written in the usual way\nhint: write it without percent-encoding, and addresses in their common form"
    )]
    HostSpelling,
    /// `http` beyond this machine.
    #[error(
        "`http` is for loopback alone\nhint: use `https`, or `http://127.0.0.1/…` for a program on the person's machine"
    )]
    PlainHttp,
    /// The scheme is dangerous or not allowed here.
    #[error(
        "the scheme `{0}` is not allowed\nhint: use `https`, or a loopback address; private-use schemes are for those whom the server's owner listed"
    )]
    Scheme(String),
    /// It is longer than 2,048 bytes.
    #[error("it is longer than 2,048 bytes")]
    TooLong,
}

/// A redirect URI that passed every rule. It is compared as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    url: Url,
    kind: RedirectKind,
}

impl RedirectUri {
    /// Reads a redirect URI. `private_use` are the schemes beside `https` and loopback `http` that
    /// are allowed here, in lower case, for example `cursor`.
    ///
    /// # Errors
    /// [`RedirectUriError`] says which rule is broken.
    pub fn parse(text: &str, private_use: &[String]) -> Result<Self, RedirectUriError> {
        if text.len() > 2048 {
            return Err(RedirectUriError::TooLong);
        }
        // The parser would drop or mend these; what is compared must be what is used.
        let strange = |byte: u8| !(0x21..=0x7E).contains(&byte) || b"\\\"<>^`{|}".contains(&byte);
        if text.bytes().any(strange) {
            return Err(RedirectUriError::Characters);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        let kind = kind(&url, text, private_use)?;
        Ok(Self {
            text: text.to_owned(),
            url,
            kind,
        })
    }

    /// Exactly as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where it leads.
    pub fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// What people are shown of it: the host with its port, or the scheme of a private-use URI.
    pub fn shown(&self) -> String {
        match (self.kind, self.url.host_str(), self.url.port()) {
            (RedirectKind::PrivateUse, _, _) | (_, None, _) => format!("{}:", self.url.scheme()),
            (_, Some(host), Some(port)) => format!("{host}:{port}"),
            (_, Some(host), None) => host.to_owned(),
        }
    }

    /// Whether `sent` is this registered URI: the same text, or, on loopback, the same but for the
    /// port, which programs pick when they start (RFC 8252 section 7.3).
    pub fn matches(&self, sent: &Self) -> bool {
        if self.text == sent.text {
            return true;
        }
        let both_loopback = [self.kind, sent.kind] == [RedirectKind::Loopback; 2];
        both_loopback
            && match (around_port(&self.text), around_port(&sent.text)) {
                (Some(registered), Some(sent)) => registered == sent,
                _ => false,
            }
    }

    /// This URI with `parameters` added to its query.
    pub fn with_parameters<'a>(
        &self,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let separator = match self.text.rfind('?') {
            None => "?",
            Some(end) if end + 1 == self.text.len() => "",
            Some(_) => "&",
        };
        format!("{}{separator}{}", self.text, query.finish())
    }
}

fn kind(url: &Url, text: &str, private_use: &[String]) -> Result<RedirectKind, RedirectUriError> {
    let scheme = url.scheme();
    if DANGEROUS_SCHEMES.contains(&scheme) {
        return Err(RedirectUriError::Scheme(scheme.to_owned()));
    }
    let web = matches!(scheme, "http" | "https");
    if !web && !private_use.iter().any(|allowed| allowed == scheme) {
        return Err(RedirectUriError::Scheme(scheme.to_owned()));
    }
    // An `@` in the authority is user information even where the parser sees an empty one.
    if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
        return Err(RedirectUriError::UserInformation);
    }
    if !web {
        return Ok(RedirectKind::PrivateUse);
    }
    // `https:host` and `https:///host` are mended by the parser and by browsers, not by others.
    if authority(text).is_empty() {
        return Err(RedirectUriError::NoHost);
    }
    // The same for other spellings of a host: `0x7f.1`, `%6cocalhost`.
    let host = url.host_str().ok_or(RedirectUriError::NoHost)?;
    if !without_port(authority(text)).eq_ignore_ascii_case(host) {
        return Err(RedirectUriError::HostSpelling);
    }
    match (scheme, is_loopback(url)) {
        ("http", _) if ["127.0.0.1", "[::1]", "localhost"].contains(&host) => {
            Ok(RedirectKind::Loopback)
        }
        ("http", _) => Err(RedirectUriError::PlainHttp),
        (_, true) => Ok(RedirectKind::Loopback),
        (_, false) => Ok(RedirectKind::Https),
    }
}

/// Whether the host is this machine itself, whichever of its loopback names and addresses is used.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        None => false,
    }
}

/// What is between `//` and the path; empty when there is no `//` right after the scheme.
fn authority(text: &str) -> &str {
    let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest);
    let rest = after_scheme.strip_prefix("//").unwrap_or("");
    rest.split(['/', '?']).next().unwrap_or("")
}

/// The host of an authority.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The text before and after the port.
fn around_port(text: &str) -> Option<(&str, &str)> {
    let authority = authority(text);
    let start = text.find("//")? + 2;
    let host_end = start + without_port(authority).len();
    Some((text.get(..host_end)?, text.get(start + authority.len()..)?))
}
