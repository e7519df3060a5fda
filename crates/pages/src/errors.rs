//! Pages for requests that cannot be answered.

use crate::message::Message;
use crate::text;

/// An authorization request that must not be answered by a redirect, because its client or its
/// redirect URI is not known to be right (RFC 6749, section 4.1.2.1).
#[derive(Debug, Clone)]
pub struct AuthorizeErrorPage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// OAuth error code, such as `invalid_client`.
    pub error_code: &'a str,
    /// What is wrong, naming the value.
    pub message: &'a str,
    /// What to do about it.
    pub hint: Option<&'a str>,
}

impl AuthorizeErrorPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        Message {
            server_name: self.server_name,
            heading: "This request cannot be answered".to_owned(),
            paragraphs: vec![
                text::sentence(self.message),
                "You were not sent back to the client: this server could not be sure that the \
                 request really came from it."
                    .to_owned(),
            ],
            hint: self.hint.map(text::sentence),
            facts: vec![("Error", text::name(self.error_code))],
            ..Message::default()
        }
        .render()
    }
}

/// Somebody opened an address by hand that is there for MCP clients alone.
#[derive(Debug, Clone)]
pub struct ClientsOnlyPage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// The server's home page: a path on this server or a web address.
    pub home: &'a str,
}

impl ClientsOnlyPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        Message {
            server_name: self.server_name,
            heading: "This address is for MCP clients".to_owned(),
            paragraphs: vec![
                "An MCP client opens it for you, with what it needs, when you connect it to this server. \
                 Opened by hand it does nothing."
                    .to_owned(),
            ],
            hint: Some("add this server to your client; its home page says how.".to_owned()),
            action: text::own_or_web_link(self.home)
                .map(|url| (url.to_owned(), "How to connect".to_owned())),
            ..Message::default()
        }
        .render()
    }
}

/// Nothing is at this address.
#[derive(Debug, Clone)]
pub struct NotFoundPage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// The path that was asked for.
    pub path: &'a str,
    /// The server's home page: a path on this server or a web address.
    pub home: &'a str,
}

impl NotFoundPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        Message {
            server_name: self.server_name,
            heading: "There is nothing here".to_owned(),
            paragraphs: vec![format!(
                "This server has no page at {}.",
                text::address(self.path)
            )],
            action: text::own_or_web_link(self.home)
                .map(|url| (url.to_owned(), "How to connect".to_owned())),
            ..Message::default()
        }
        .render()
    }
}

/// Any other answer of 400 and up, for a browser.
#[derive(Debug, Clone)]
pub struct ErrorPage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// HTTP status code.
    pub status: u16,
    /// What is wrong, naming the value.
    pub message: &'a str,
    /// What to do about it.
    pub hint: Option<&'a str>,
}

impl ErrorPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        Message {
            server_name: self.server_name,
            heading: heading(self.status).to_owned(),
            paragraphs: vec![text::sentence(self.message)],
            hint: self.hint.map(text::sentence),
            facts: vec![("Status", self.status.to_string())],
            ..Message::default()
        }
        .render()
    }
}

fn heading(status: u16) -> &'static str {
    match status {
        401 => "Please sign in first",
        403 => "This is not allowed",
        404 | 410 => "There is nothing here",
        405 => "This address works differently",
        408 | 504 => "This took too long",
        413 | 414 | 431 => "This request is too large",
        429 => "Too many requests",
        503 => "Not available right now",
        400..=499 => "This request is not right",
        _ => "Something went wrong here",
    }
}
