//! The pages of the demonstration's application, which stands for an owner's own.

use askama::Template;

use crate::message::Message;
use crate::security::STYLE;
use crate::text;

/// The application's name on its pages.
const SHOP: &str = "Demo shop";

/// The application's home page: the orders of whoever is signed in.
#[derive(Debug, Clone)]
pub struct DemoHomePage<'a> {
    /// Who is signed in.
    pub person: Option<DemoPerson<'a>>,
    /// Their orders, newest first.
    pub orders: Vec<DemoOrder<'a>>,
    /// Where to sign in, or as somebody else: a web address.
    pub sign_in_url: &'a str,
    /// Where the API is: a web address.
    pub api_url: &'a str,
    /// The home page of the MCP server: a web address.
    pub mcp_home: &'a str,
}

/// Somebody who is signed in at the demonstration's application.
#[derive(Debug, Clone)]
pub struct DemoPerson<'a> {
    /// Full name.
    pub name: &'a str,
    /// E-mail address; empty if there is none.
    pub email: &'a str,
    /// Who really acts, when the person is impersonated.
    pub actor: Option<&'a str>,
}

/// An order as the page shows it.
#[derive(Debug, Clone)]
pub struct DemoOrder<'a> {
    /// Its id.
    pub id: &'a str,
    /// What was ordered.
    pub product: &'a str,
    /// How many.
    pub quantity: u32,
    /// With its currency.
    pub total: String,
    /// Such as `shipped`.
    pub status: &'a str,
    /// The day, `2026-11-21`.
    pub placed_on: &'a str,
}

impl DemoHomePage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        crate::render(&DemoHomeTemplate {
            style: STYLE,
            shop: SHOP,
            page: self,
        })
    }
}

#[derive(Template)]
#[template(path = "demo_home.html")]
struct DemoHomeTemplate<'a> {
    style: &'static str,
    shop: &'static str,
    page: &'a DemoHomePage<'a>,
}

/// What the demonstration's application says in place of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoRefusal {
    /// The request at `/auth/mcp` is not of the configured MCP server.
    NotOurServer,
    /// The browser keeps no cookies, so that nobody can be signed in.
    NoCookies,
    /// Clerk could not be asked.
    ClerkUnreachable,
    /// There is no such page.
    NotFound,
}

impl DemoRefusal {
    /// The page as HTML.
    pub fn render(self) -> String {
        let (heading, what, hint) = match self {
            Self::NotOurServer => (
                "This is no sign-in of our MCP server",
                "The address asks this application to send your session somewhere else, or says too \
                 little. Nothing was sent.",
                "connect again from your client.",
            ),
            Self::NoCookies => (
                "Your browser keeps no cookies for this site",
                "You may be signed in, but this application cannot tell: what Clerk said of you did not \
                 come back.",
                "allow cookies for this address, and open it again.",
            ),
            Self::ClerkUnreachable => (
                "Clerk does not answer",
                "This application asks Clerk who is signed in, and got no answer.",
                "try again in a moment.",
            ),
            Self::NotFound => (
                "There is nothing here",
                "This application has no page at this address.",
                "begin at its home page.",
            ),
        };
        Message {
            server_name: SHOP,
            heading: heading.to_owned(),
            paragraphs: vec![what.to_owned()],
            hint: Some(hint.to_owned()),
            action: text::own_or_web_link("/").map(|url| (url.to_owned(), SHOP.to_owned())),
            ..Message::default()
        }
        .render()
    }
}
