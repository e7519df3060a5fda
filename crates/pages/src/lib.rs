//! Every HTML page of clerk-mcp: typed view in, text out.
//!
//! A view is a struct of plain values, most of them borrowed; `render` makes the page. Pure: no file,
//! no clock, no network, and it compiles for wasm32. The rules of every page:
//!
//! - **No script, no external asset.** One inline stylesheet, named by its hash in
//!   [`CONTENT_SECURITY_POLICY`]; forms are plain HTML that any HTTP client can submit.
//! - **Foreign text is data.** The templates' only escaper (`text::Visible`) writes out markup and
//!   invisible characters alike; names are cut; only `http` and `https` addresses become links.
//! - **Send it with [`headers`]**, so that a page cannot be framed, cached or sniffed.
//!
//! [`samples`] renders each page in each of its forms: for tests, and to look at them
//! (`cargo run -p clerk-mcp-pages --example samples -- <folder>`).

mod allowed;
mod connect;
mod consent;
mod demo;
mod done;
mod errors;
mod home;
mod message;
mod samples;
mod security;
mod sign_in;
mod text;

pub use allowed::{ALLOWED_PATH, AllowedPage, AllowedView, EVERY_ENTRY, RememberedView, TakenBack};
pub use connect::{ConnectGuide, ConnectStep, InstallLink, connect_guides};
pub use consent::{ClientIdentity, ClientView, ConsentPage, RedirectKind, RedirectView, ScopeView};
pub use demo::{DemoHomePage, DemoOrder, DemoPerson, DemoRefusal};
pub use done::{DonePage, Outcome};
pub use errors::{AuthorizeErrorPage, ClientsOnlyPage, ErrorPage, NotFoundPage};
pub use home::{EmulatedPerson, HomePage, SignInMode};
pub use samples::{Sample, samples};
pub use security::{CONTENT_SECURITY_POLICY, STYLE, headers};
pub use sign_in::{LinkExpiredPage, LinkProblem, SignInFailedPage, SignInFailure};

/// Renders a template.
fn render(template: &impl askama::Template) -> String {
    #[allow(
        clippy::expect_used,
        reason = "writing to a String cannot fail, and no filter of our templates returns an error"
    )]
    template
        .render()
        .expect("a template writes text to a String")
}
