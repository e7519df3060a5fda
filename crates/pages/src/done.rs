//! The last page, where the browser does not leave for the client by itself.

use crate::consent::RedirectKind;
use crate::message::Message;
use crate::text;

/// Says that the person has decided, and links to the client.
#[derive(Debug, Clone)]
pub struct DonePage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// The client's own name.
    pub client_name: &'a str,
    /// What was decided.
    pub outcome: Outcome,
    /// The client's redirect URI with the answer in it.
    pub redirect_url: &'a str,
    /// What kind of address that is. It becomes a link only if it is of this kind.
    pub redirect_kind: RedirectKind<'a>,
}

/// What the person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client was let in.
    Approved,
    /// It was not.
    Denied,
}

impl DonePage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let client = text::name(self.client_name);
        let (heading, what) = match self.outcome {
            Outcome::Approved => (
                "Approved",
                format!("{client} may now act for you on this server."),
            ),
            Outcome::Denied => ("Denied", format!("{client} was not let in.")),
        };
        let link = self.link();
        let next = if link.is_some() {
            format!(
                "Use the button to return to {client}, if it is not at the front already. After \
                 that you may close this window."
            )
        } else {
            format!("Go back to {client}. You may close this window.")
        };
        Message {
            server_name: self.server_name,
            heading: heading.to_owned(),
            paragraphs: vec![what, next],
            action: link.map(|url| (url.to_owned(), format!("Return to {client}"))),
            good: self.outcome == Outcome::Approved,
            ..Message::default()
        }
        .render()
    }

    /// The redirect URL, if it is of the kind that it is said to be and safe to follow.
    fn link(&self) -> Option<&str> {
        let RedirectKind::PrivateUse { scheme } = self.redirect_kind else {
            return text::web_link(self.redirect_url);
        };
        let (actual, rest) = self.redirect_url.split_once(':')?;
        let safe = actual.eq_ignore_ascii_case(scheme)
            && !RUNS_OR_READS
                .iter()
                .any(|refused| actual.eq_ignore_ascii_case(refused))
            && !rest.is_empty()
            && self
                .redirect_url
                .bytes()
                .all(|byte| byte.is_ascii_graphic());
        safe.then_some(self.redirect_url)
    }
}

/// Schemes that run code or read files in the browser. No registration gets this far with one; the
/// page does not rely on that.
const RUNS_OR_READS: &[&str] = &[
    "javascript",
    "vbscript",
    "data",
    "blob",
    "file",
    "filesystem",
    "about",
    "view-source",
];
