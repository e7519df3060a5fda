//! Pages for a sign-in that did not come to its end.

use crate::message::Message;
use crate::text;

/// A sign-in at Clerk that failed, where the client cannot be told by a redirect or the person needs
/// to know why.
#[derive(Debug, Clone)]
pub struct SignInFailedPage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// Why it failed.
    pub reason: SignInFailure,
    /// Where to try again: a path on this server or a web address. Without it the page says to start
    /// again from the client.
    pub retry: Option<&'a str>,
}

/// Why a sign-in failed. Whoever may not be signed in goes back to the client, which is told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInFailure {
    /// The person cancelled at Clerk.
    Declined,
    /// Clerk did not answer, or answered with an error of its own.
    ClerkUnreachable,
    /// What came back does not belong to a sign-in that this browser started.
    SessionMismatch,
}

impl SignInFailedPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let (heading, what, advice) = self.reason.texts();
        let retry = self.retry.and_then(text::own_or_web_link);
        Message {
            server_name: self.server_name,
            heading: heading.to_owned(),
            paragraphs: vec![what.to_owned()],
            hint: match retry {
                Some(_) => None,
                None => Some(advice.unwrap_or(AGAIN_FROM_CLIENT).to_owned()),
            },
            action: retry.map(|url| (url.to_owned(), "Try again".to_owned())),
            ..Message::default()
        }
        .render()
    }
}

const AGAIN_FROM_CLIENT: &str = "go back to your client and connect again.";

impl SignInFailure {
    /// Heading, what happened, and what to do if that is not simply trying again.
    fn texts(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            Self::Declined => (
                "Sign-in was cancelled",
                "You did not finish signing in, so nothing was allowed.",
                None,
            ),
            Self::ClerkUnreachable => (
                "The sign-in service does not answer",
                "Clerk, which signs people in here, could not be reached. Your account is fine, and \
                 nothing was allowed.",
                Some("wait a minute, then connect again from your client."),
            ),
            Self::SessionMismatch => (
                "This sign-in was started somewhere else",
                "What came back does not belong to a sign-in that this browser started, so it was not \
                 used. That happens when a link is opened in another browser, or when cookies are \
                 blocked.",
                Some("connect again from your client, and stay in one browser until the end."),
            ),
        }
    }
}

/// A consent or sign-in link that cannot be used, or not any more.
#[derive(Debug, Clone)]
pub struct LinkExpiredPage<'a> {
    /// Name of this server.
    pub server_name: &'a str,
    /// What is wrong with the link.
    pub problem: LinkProblem,
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkProblem {
    /// It was valid for some minutes, and they are over.
    Expired,
    /// It works once, and did.
    AlreadyUsed,
    /// It belongs to another browser.
    OtherBrowser,
}

impl LinkExpiredPage<'_> {
    /// The page as HTML.
    pub fn render(&self) -> String {
        let (heading, what, advice) = match self.problem {
            LinkProblem::Expired => (
                "This link has expired",
                "It was valid for a few minutes only, so that nobody can use it later.",
                AGAIN_FROM_CLIENT,
            ),
            LinkProblem::AlreadyUsed => (
                "This link was already used",
                "It works once. If you have just approved or denied a request, that was done, and your \
                 client knows.",
                "go back to your client. If it is not connected, connect again.",
            ),
            LinkProblem::OtherBrowser => (
                "This link belongs to another browser",
                "For your safety it works only in the browser that opened it first, with cookies \
                 allowed.",
                "go back to your client and connect again, in one browser from start to end.",
            ),
        };
        Message {
            server_name: self.server_name,
            heading: heading.to_owned(),
            paragraphs: vec![what.to_owned()],
            hint: Some(advice.to_owned()),
            ..Message::default()
        }
        .render()
    }
}
