//! The page on which a person sees what they allowed, and takes it back.

use askama::Template;
use chrono::DateTime;

use crate::consent::{ClientIdentity, ScopeView};
use crate::security::STYLE;
use crate::text;

/// Where the page is.
pub const ALLOWED_PATH: &str = "/consents";
/// The entry that stands for all of them.
pub const EVERY_ENTRY: &str = "*";

/// Lists what a person allowed, each with a form that takes it back.
///
/// Each form posts `handle`, `entry` ([`AllowedView::entry`], or [`EVERY_ENTRY`]) and `do`: `forget`
/// for what is remembered alone, or `sign-out` to end the client's sign-in too.
#[derive(Debug, Clone)]
pub struct AllowedPage<'a> {
    /// Name of this server, as its owner calls it.
    pub server_name: &'a str,
    /// Where the forms are posted: a path on this server.
    pub action: &'a str,
    /// The handle of the visit.
    pub handle: &'a str,
    /// What the form did that led here.
    pub done: Option<TakenBack<'a>>,
    /// Who is signed in, by a name, an address or an id.
    pub person: &'a str,
    /// What they allowed, in the order shown.
    pub entries: Vec<AllowedView<'a>>,
}

/// What a form of the page did, of one client, or of all of them (`client_name` is `None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenBack<'a> {
    /// Nobody is asked about no more: what was remembered is forgotten.
    Forgotten {
        /// `client_name`, the client's word.
        client_name: Option<&'a str>,
    },
    /// The client can do nothing more.
    SignedOut {
        /// `client_name`, the client's word.
        client_name: Option<&'a str>,
    },
    /// It was done before.
    Nothing,
}

impl TakenBack<'_> {
    fn sentence(self) -> String {
        match self {
            Self::Forgotten {
                client_name: Some(name),
            } => format!(
                "{} was forgotten: you are asked about it again.",
                text::name(name)
            ),
            Self::Forgotten { client_name: None } => {
                "All of them were forgotten: you are asked about each again.".to_owned()
            }
            Self::SignedOut {
                client_name: Some(name),
            } => format!("{} was signed out.", text::name(name)),
            Self::SignedOut { client_name: None } => "All of them were signed out.".to_owned(),
            Self::Nothing => "There was nothing left to do: it was done before.".to_owned(),
        }
    }
}

/// What a client was allowed. Something is remembered, or the client is signed in, or both.
#[derive(Debug, Clone)]
pub struct AllowedView<'a> {
    /// What the form names it by.
    pub entry: &'a str,
    /// `client_name`, the client's word.
    pub client_name: &'a str,
    /// What this server knows about who that is; `None` if it has forgotten the client.
    pub identity: Option<ClientIdentity<'a>>,
    /// The consent that is remembered.
    pub remembered: Option<RememberedView<'a>>,
    /// When the client was signed in last, if it still is: milliseconds since the Unix epoch.
    pub signed_in_at: Option<u64>,
}

/// A consent that is remembered: the client is not asked about again.
#[derive(Debug, Clone)]
pub struct RememberedView<'a> {
    /// Host, and port if there is one, of the redirect URI.
    pub redirect_host: &'a str,
    /// What it may do.
    pub scopes: Vec<ScopeView<'a>>,
    /// Since when: milliseconds since the Unix epoch.
    pub at: u64,
}

impl AllowedPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let signed_in = |entry: &AllowedView<'_>| entry.signed_in_at.is_some();
        crate::render(&AllowedTemplate {
            style: STYLE,
            page: self,
            server: text::name(self.server_name),
            is_any_remembered: self.entries.iter().any(|entry| entry.remembered.is_some()),
            is_any_signed_in: self.entries.iter().any(signed_in),
        })
    }
}

impl AllowedView<'_> {
    fn signed_in(&self) -> Option<Moment> {
        self.signed_in_at.and_then(Moment::of)
    }
}

impl RememberedView<'_> {
    fn since(&self) -> Option<Moment> {
        Moment::of(self.at)
    }
}

/// A moment as people and programs read it, in UTC.
struct Moment {
    shown: String,
    machine: String,
}

impl Moment {
    fn of(milliseconds: u64) -> Option<Self> {
        let at = i64::try_from(milliseconds).ok();
        let at = at.and_then(DateTime::from_timestamp_millis)?;
        Some(Self {
            shown: at.format("%-d %B %Y, %H:%M UTC").to_string(),
            machine: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    }
}

#[derive(Template)]
#[template(path = "allowed.html")]
struct AllowedTemplate<'a> {
    style: &'static str,
    page: &'a AllowedPage<'a>,
    server: String,
    is_any_remembered: bool,
    is_any_signed_in: bool,
}
