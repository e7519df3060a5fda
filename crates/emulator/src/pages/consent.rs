//! Allowing a client, or not.

use super::{escape, hidden, page as layout};
use crate::model::Organization;
use crate::oauth::request::AuthorizationRequest;
use crate::oauth::scope;

/// What the consent page shows.
pub(crate) struct View<'a> {
    pub(crate) request: &'a AuthorizationRequest,
    /// Who is signed in.
    pub(crate) account: String,
    /// The organizations to choose from; empty if none is asked for.
    pub(crate) organizations: Vec<&'a Organization>,
    /// The session's active organization.
    pub(crate) active: Option<&'a str>,
}

pub(crate) fn page(view: &View<'_>) -> String {
    let request = view.request;
    let client = escape(&request.client.name);
    let scopes: String = request
        .scopes
        .iter()
        .map(|scope| scope_row(scope))
        .collect();
    let fields: String = request
        .parameters()
        .iter()
        .map(|(name, value)| hidden(name, value))
        .collect();
    let registered = if request.client.dynamically_registered {
        "<p class=\"problem\">This application registered itself. Nobody has checked its name.</p>"
    } else {
        ""
    };
    let back = request.at("/oauth/authorize", &[]);
    let content = format!(
        "<h1>{client} wants access</h1><p class=\"soft\">Signed in as {account}. \
         <a href=\"{other}\">Use another account</a></p>{registered}<h2>It will be able to</h2><ul>{scopes}</ul>\
         <form method=\"post\" action=\"/oauth/consent\">{fields}{organizations}\
         <p><small>You will go back to <code>{uri}</code></small></p>\
         <div class=\"row\"><button name=\"decision\" value=\"deny\">Deny</button>\
         <button class=\"main\" name=\"decision\" value=\"allow\">Allow</button></div></form>",
        account = escape(&view.account),
        other = escape(&crate::web::link("/sign-in", &[("redirect_url", &back)])),
        organizations = organizations(view),
        uri = escape(&request.destination.redirect_uri),
    );
    layout(&format!("{} wants access", request.client.name), &content)
}

fn scope_row(scope: &str) -> String {
    let name = escape(scope);
    match scope::description(scope) {
        Some(text) => format!(
            "<li>{} <small><code>{name}</code></small></li>",
            escape(text)
        ),
        None => format!("<li><code>{name}</code></li>"),
    }
}

fn organizations(view: &View<'_>) -> String {
    if view.organizations.is_empty() {
        return String::new();
    }
    let all = view.organizations.iter();
    let options: String = all
        .map(|organization| {
            let selected = if view.active == Some(&*organization.id) {
                " selected"
            } else {
                ""
            };
            format!(
                "<option value=\"{}\"{selected}>{}</option>",
                escape(&organization.id),
                escape(&organization.name)
            )
        })
        .collect();
    format!(
        "<div class=\"field\"><label for=\"organization_id\">Organization</label>\
         <select id=\"organization_id\" name=\"organization_id\">{options}</select></div>"
    )
}

/// The answer to a client that wants it posted. Clerk posts it by script; here a person does.
pub(crate) fn form_post(redirect_uri: &str, answer: &[(&str, &str)]) -> String {
    let fields: String = answer
        .iter()
        .map(|(name, value)| hidden(name, value))
        .collect();
    let content = format!(
        "<h1>Almost done</h1><form method=\"post\" action=\"{}\">{fields}\
         <p>The application is waiting for the answer.</p>\
         <div class=\"row\"><button class=\"main\" autofocus>Continue</button></div></form>",
        escape(redirect_uri)
    );
    layout("Almost done", &content)
}
