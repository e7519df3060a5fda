//! The one form of every page that says something and asks nothing.

use askama::Template;

use crate::security::STYLE;
use crate::text;

/// What such a page says. Texts from elsewhere are cut here; markup cannot enter (see [`crate::text`]).
#[derive(Debug, Default)]
pub(crate) struct Message<'a> {
    /// Name of the server.
    pub(crate) server_name: &'a str,
    /// The heading, and the title of the window.
    pub(crate) heading: String,
    /// What happened, a paragraph each.
    pub(crate) paragraphs: Vec<String>,
    /// What to do now.
    pub(crate) hint: Option<String>,
    /// The address to go to next, checked by whoever made the message, and its label.
    pub(crate) action: Option<(String, String)>,
    /// Names and codes for whoever helps: label and value.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Whether something went well.
    pub(crate) good: bool,
}

impl Message<'_> {
    pub(crate) fn render(&self) -> String {
        crate::render(&MessageTemplate {
            style: STYLE,
            server: text::name(self.server_name),
            message: self,
        })
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessageTemplate<'a> {
    style: &'static str,
    server: String,
    message: &'a Message<'a>,
}
