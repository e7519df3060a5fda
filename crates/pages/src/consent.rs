//! The page that asks a person whether a client may act for them.

use askama::Template;

use crate::allowed::ALLOWED_PATH;
use crate::security::STYLE;
use crate::text;

/// Asks whether a client may use this server, before anybody is sent to Clerk.
///
/// The form posts `handle`, `decision` (`approve` or `deny`), one `scope` for each scope that stays
/// ticked, and `remember` (`yes`) where that was offered. Deny comes first, so the Enter key in
/// the form never approves.
#[derive(Debug, Clone)]
pub struct ConsentPage<'a> {
    /// Name of this server, as its owner calls it.
    pub server_name: &'a str,
    /// Where the form is posted: a path on this server.
    pub action: &'a str,
    /// The single-use handle of the stored request.
    pub handle: &'a str,
    /// Who asks.
    pub client: ClientView<'a>,
    /// Where the answer goes.
    pub redirect: RedirectView<'a>,
    /// What is asked for, in the order shown.
    pub scopes: Vec<ScopeView<'a>>,
    /// Who is signed in already, by a name, an address or an id; `None` if sign-in follows.
    pub person: Option<&'a str>,
    /// Whether "do not ask again" is offered. Never for loopback and private-use redirects: the page
    /// leaves it out there whatever is passed.
    pub remembered_note: bool,
    /// Whether it was approved with nothing ticked: it says so then, and asks again.
    pub nothing_ticked: bool,
}

/// A client as its registration or its metadata document describes it. All of it is the client's word
/// but `identity`.
#[derive(Debug, Clone)]
pub struct ClientView<'a> {
    /// `client_name`.
    pub name: &'a str,
    /// What this server knows about who that is.
    pub identity: ClientIdentity<'a>,
    /// `client_uri`; shown if it is a web address.
    pub client_uri: Option<&'a str>,
    /// `policy_uri`; shown if it is a web address.
    pub policy_uri: Option<&'a str>,
    /// `tos_uri`; shown if it is a web address.
    pub tos_uri: Option<&'a str>,
}

/// How a client became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIdentity<'a> {
    /// Its metadata document was read from this host (Client ID Metadata Document).
    VerifiedDomain(&'a str),
    /// It registered itself (RFC 7591): nobody vouches for its name.
    Registered,
    /// The owner of this server configured it.
    Configured,
}

/// Where the browser goes with the answer.
#[derive(Debug, Clone)]
pub struct RedirectView<'a> {
    /// Host, and port if there is one, of the redirect URI; unused for private-use schemes.
    pub host: &'a str,
    /// What kind of redirect URI it is.
    pub kind: RedirectKind<'a>,
}

/// Kinds of redirect URIs (RFC 8252).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind<'a> {
    /// A web site.
    Https,
    /// A program on the person's own computer.
    Loopback,
    /// An app that claimed a scheme such as `cursor`; no system checks which.
    PrivateUse {
        /// The scheme without its colon.
        scheme: &'a str,
    },
}

/// One scope that is asked for.
#[derive(Debug, Clone)]
pub struct ScopeView<'a> {
    /// The scope as the form sends it, such as `tools:read`.
    pub value: &'a str,
    /// What it allows, in a few words.
    pub title: &'a str,
    /// A sentence more; may be empty.
    pub description: &'a str,
    /// Not part of what the person has allowed this client before, though they have allowed it
    /// something.
    pub is_new: bool,
}

impl ConsentPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        crate::render(&ConsentTemplate {
            style: STYLE,
            page: self,
            client: text::name(self.client.name),
            server: text::name(self.server_name),
            // To approve none of them is to approve nothing.
            has_choice: self.scopes.len() > 1,
            is_any_new: self.scopes.iter().any(|scope| scope.is_new),
            links: self.client.links(),
            may_remember: self.remembered_note && self.redirect.kind == RedirectKind::Https,
        })
    }
}

impl<'a> ClientView<'a> {
    /// The client's pages that may be linked, each with its label.
    fn links(&self) -> Vec<(&'static str, &'a str)> {
        [
            ("Web site", self.client_uri),
            ("Privacy", self.policy_uri),
            ("Terms", self.tos_uri),
        ]
        .into_iter()
        .filter_map(|(label, url)| Some((label, url.and_then(text::web_link)?)))
        .collect()
    }
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentTemplate<'a> {
    style: &'static str,
    page: &'a ConsentPage<'a>,
    client: String,
    server: String,
    links: Vec<(&'static str, &'a str)>,
    has_choice: bool,
    is_any_new: bool,
    may_remember: bool,
}
