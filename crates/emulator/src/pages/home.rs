//! The home page.

use super::{account, escape, hidden, page as layout};
use crate::model::{Session, User};

pub(crate) fn page(signed_in: &[(&Session, &User)]) -> String {
    let rows: String = signed_in
        .iter()
        .map(|(session, user)| {
            format!(
                "<li><form method=\"post\" action=\"/sign-out\">{}<button>Sign out {}</button></form></li>",
                hidden("session_id", &session.id),
                escape(&account(user))
            )
        })
        .collect();
    let people = if rows.is_empty() {
        "<p>Nobody is signed in at this browser.</p>".to_owned()
    } else {
        format!("<h2>Signed in at this browser</h2><ul class=\"people\">{rows}</ul>")
    };
    let content = format!(
        "<h1>Clerk emulator</h1>{people}<p><a href=\"/sign-in\">Sign in</a></p><h2>Look at</h2><ul>\
         <li><a href=\"/_emulator/inbox\">Inbox</a>: codes that would have been e-mailed</li>\
         <li><a href=\"/_emulator/requests\">Requests</a>: the last 200</li>\
         <li><a href=\"/.well-known/openid-configuration\">OpenID configuration</a></li></ul>"
    );
    layout("Clerk emulator", &content)
}
