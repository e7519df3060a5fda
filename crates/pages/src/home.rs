//! The server's home page: what it is, and how to connect each client.

use askama::Template;

use crate::allowed::ALLOWED_PATH;
use crate::connect::{ConnectGuide, connect_guides};
use crate::security::STYLE;
use crate::text;

/// What somebody sees who opens the server's address in a browser.
#[derive(Debug, Clone)]
pub struct HomePage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// Absolute address of the MCP endpoint.
    pub mcp_url: &'a str,
    /// Version of clerk-mcp.
    pub version: &'a str,
    /// How people sign in.
    pub sign_in_mode: SignInMode,
    /// The seeded people, if the server runs against the emulator.
    pub emulated: Option<Vec<EmulatedPerson<'a>>>,
}

/// How people sign in, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMode {
    /// `clerk-oauth`: at Clerk, through this server.
    ClerkOauth,
    /// `app`: at the owner's application.
    App,
    /// `clerk-tokens`: Clerk itself is the authorization server.
    ClerkTokens,
}

/// A person of the emulator's seed.
#[derive(Debug, Clone)]
pub struct EmulatedPerson<'a> {
    /// Full name.
    pub name: &'a str,
    /// E-mail address to sign in with.
    pub email: &'a str,
    /// What this person can show: a role, or a few words.
    pub role: &'a str,
    /// Whether the server's tools over the API refuse them, for they have a second factor.
    pub without_session: bool,
}

impl HomePage<'_> {
    /// Whether somebody of the list cannot use every tool.
    fn some_without_session(&self) -> bool {
        let mut people = self.emulated.iter().flatten();
        people.any(|person| person.without_session)
    }

    /// The page as HTML.
    pub fn render(&self) -> String {
        crate::render(&HomeTemplate {
            style: STYLE,
            server: text::name(self.server_name),
            guides: connect_guides(self.mcp_url),
            page: self,
        })
    }
}

impl SignInMode {
    fn sentence(self) -> &'static str {
        match self {
            Self::ClerkOauth => {
                "Your client opens a browser window. This server asks you what the client may do, and \
                 you sign in with Clerk."
            }
            Self::App => {
                "Your client opens a browser window. This server asks you what the client may do, and \
                 takes over your sign-in from the application that it belongs to."
            }
            Self::ClerkTokens => {
                "Your client opens a browser window at Clerk, where you sign in and decide what the \
                 client may do."
            }
        }
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomeTemplate<'a> {
    style: &'static str,
    server: String,
    guides: Vec<ConnectGuide>,
    page: &'a HomePage<'a>,
}
