//! Signing in.

use super::{account, escape, hidden, page as layout, problem};
use crate::browser::state::CodeSignIn;
use crate::model::{Session, User};

/// What the sign-in page shows.
pub(crate) struct View<'a> {
    /// Where the browser goes then.
    pub(crate) back: &'a str,
    pub(crate) problem: Option<&'a str>,
    pub(crate) signed_in: Vec<(&'a Session, &'a User)>,
    pub(crate) people: Vec<&'a User>,
    /// How many people are not listed.
    pub(crate) hidden: usize,
    pub(crate) now: u64,
}

pub(crate) fn page(view: &View<'_>) -> String {
    let back = hidden("redirect_url", view.back);
    let mut content = format!("<h1>Sign in</h1>{}", problem(view.problem));
    if !view.signed_in.is_empty() {
        let all = view.signed_in.iter();
        let rows: String = all
            .map(|(session, user)| continue_as(session, user))
            .collect();
        content += &format!(
            "<h2>Already signed in</h2><form method=\"post\" action=\"/sign-in\">{back}<ul class=\"people\">{rows}</ul></form>\
             <form method=\"post\" action=\"/sign-out\"><input type=\"hidden\" name=\"redirect_url\" value=\"{}\">\
             <div class=\"row\"><button>Sign out of all accounts</button></div></form>\
             <h2>Use another account</h2>",
            escape(&crate::web::link(
                "/sign-in",
                &[("redirect_url", view.back)]
            ))
        );
    }
    content += &format!(
        "<form method=\"post\" action=\"/sign-in\">{back}<div class=\"field\">\
         <label for=\"email_address\">E-mail address</label>\
         <input id=\"email_address\" name=\"email_address\" type=\"email\" autocomplete=\"email\" required></div>\
         <button class=\"main\">Send a code</button> <small>It arrives in the <a href=\"/_emulator/inbox\">inbox</a>.</small></form>"
    );
    let rows: String = view
        .people
        .iter()
        .map(|user| person(user, view.now))
        .collect();
    content += &format!(
        "<h2>Or pick a person</h2><form method=\"post\" action=\"/sign-in\">{back}<ul class=\"people\">{rows}</ul></form>"
    );
    if view.hidden > 0 {
        content += &format!(
            "<p><small>{} more sign in by e-mail.</small></p>",
            view.hidden
        );
    }
    layout("Sign in", &content)
}

fn continue_as(session: &Session, user: &User) -> String {
    format!(
        "<li><button name=\"session_id\" value=\"{}\">Continue as {}</button></li>",
        escape(&session.id),
        escape(&account(user))
    )
}

fn person(user: &User, now: u64) -> String {
    let mut details: Vec<&str> = user.identifier().into_iter().collect();
    details.extend(user.role());
    if user.banned {
        details.push("banned");
    }
    if user.is_locked(now) {
        details.push("locked");
    }
    if user.has_second_factor() {
        details.push("second factor");
    }
    format!(
        "<li><button name=\"user_id\" value=\"{}\">{}<small>{}</small></button></li>",
        escape(&user.id),
        escape(&user.label()),
        escape(&details.join(" · "))
    )
}

/// The page that takes the code of a message.
pub(crate) fn code(sign_in: &CodeSignIn, back: &str, wrong: Option<&str>) -> String {
    let content = format!(
        "<h1>Check your e-mail</h1>{}<p>A code for {} is in the <a href=\"/_emulator/inbox\">inbox</a>.</p>\
         <form method=\"post\" action=\"/sign-in/code\">{}{}<div class=\"field\"><label for=\"code\">Code</label>\
         <input id=\"code\" name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" required autofocus></div>\
         <button class=\"main\">Continue</button></form><p><a href=\"{}\">Sign in another way</a></p>",
        problem(wrong),
        escape(&sign_in.email_address),
        hidden("sign_in_id", &sign_in.id),
        hidden("redirect_url", back),
        escape(&crate::web::link("/sign-in", &[("redirect_url", back)]))
    );
    layout("Check your e-mail", &content)
}

/// The page behind the link of a ticket. Looking at it uses nothing up: the button does.
pub(crate) fn ticket(ticket: &str, back: &str) -> String {
    let content = format!(
        "<h1>Sign in with this link</h1><p>It works once.</p><form method=\"post\" action=\"/sign-in\">{}{}\
         <div class=\"row\"><button class=\"main\">Continue</button></div></form>",
        hidden("ticket", ticket),
        hidden("redirect_url", back)
    );
    layout("Sign in", &content)
}
