//! Step-up: what a client asks for beyond what it was allowed is marked on the consent page, for whoever
//! allowed it and for nobody else.

use crate::support::actors::{
    Client, HTTPS_CALLBACK, LUCAS, NOAH, PRIYA, RUBY, at_clerk, borrowed, consent_page, decision,
    press, sign_in, tokens,
};
use crate::support::browser::{Browser, Page};
use crate::support::http::parameter;
use crate::support::server::shared;

const READ: &str = "tools:read";
const NOTE: &str = "before is marked as new.";

/// The scopes that the page marks.
fn marked(page: &Page) -> Vec<String> {
    let html = page.html();
    let selector = |text| scraper::Selector::parse(text).unwrap();
    let (option, new, code) = (
        selector(".option"),
        selector(".badge.new"),
        selector("code"),
    );
    let options = html.select(&option);
    let marked = options.filter(|option| option.select(&new).next().is_some());
    let marked: Vec<String> = marked
        .map(|option| option.select(&code).next().unwrap().text().collect())
        .collect();
    assert_eq!(!marked.is_empty(), page.words().contains(NOTE));
    marked
}

/// Signs in for `scope`; gives the refresh token.
#[track_caller]
fn allow(client: &Client<'_>, browser: &mut Browser, person: &str, scope: &str) -> String {
    let url = client.url_with(&[("scope", scope)]);
    let back = sign_in(client.server, browser, &url, person);
    tokens(&client.redeem(&parameter(&back, "code").unwrap())).refresh
}

#[test]
fn what_goes_beyond_what_the_person_allowed_before_is_marked() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let both = client.authorize_url();
    // Of what is all new, nothing is newer.
    let page = consent_page(server, &mut browser, &both);
    assert!(marked(&page).is_empty());
    let refresh = allow(&client, &mut browser, NOAH, READ);
    let page = consent_page(server, &mut browser, &both);
    assert_eq!(marked(&page), ["tools:write"]);
    // As often as it is loaded; and the boxes are ticked, or the client would ask for ever.
    let again = browser.get(&page.url);
    let again = Page {
        url: page.url,
        response: again,
    };
    assert_eq!(marked(&again), ["tools:write"]);
    assert_eq!(again.count("input[name=scope][checked]"), 2);
    // What it has already is not new.
    let same = consent_page(server, &mut browser, &client.url_with(&[("scope", READ)]));
    assert!(marked(&same).is_empty());
    // Nothing is left of a grant that was taken back.
    assert_eq!(client.revoke(&refresh).status, 200);
    assert!(marked(&consent_page(server, &mut browser, &both)).is_empty());
}

#[test]
fn nothing_is_said_to_another_browser_or_of_another_client() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    allow(&client, &mut browser, NOAH, READ);
    let both = client.authorize_url();
    let mut stranger = client.browser();
    assert!(marked(&consent_page(server, &mut stranger, &both)).is_empty());
    let cookie = "clerk_mcp_person";
    let named = browser.cookie(&server.url, cookie).unwrap().to_owned();
    // A cookie that was changed names nobody.
    let at = named.len() / 2;
    let other = if named.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let forged = format!("{}{other}{}", &named[..at], &named[at + 1..]);
    stranger.set_cookie(&server.url, cookie, &forged);
    assert!(marked(&consent_page(server, &mut stranger, &both)).is_empty());
    let second = Client::public(server, HTTPS_CALLBACK);
    assert!(marked(&consent_page(server, &mut browser, &second.authorize_url())).is_empty());
    assert_eq!(
        marked(&consent_page(server, &mut browser, &both)),
        ["tools:write"]
    );
}

#[test]
fn the_page_after_the_sign_in_goes_by_who_signed_in() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let both = client.authorize_url();
    // Noah's consent is remembered: in his browser the page before the sign-in is left out.
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, &both);
    let mut fields = decision(&page, "approve");
    fields.push(("remember".to_owned(), "yes".to_owned()));
    let form = server.at(crate::support::actors::CONSENT);
    let to_clerk = browser
        .post(&form, &borrowed(&fields), &server.url)
        .location();
    let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
    browser.get(&callback).location();
    // Lucas allowed half of it elsewhere; Ruby nothing; Priya all of it, and asks for it again.
    allow(&client, &mut client.browser(), LUCAS, READ);
    allow(
        &client,
        &mut client.browser(),
        PRIYA,
        "tools:read tools:write",
    );
    for (person, new) in [
        (LUCAS, vec!["tools:write"]),
        (RUBY, vec![]),
        (PRIYA, vec![]),
    ] {
        let to_clerk = browser.get(&both).location();
        let callback = at_clerk(server, &mut browser, &to_clerk, person);
        let response = browser.get(&callback);
        let page = browser.follow(response, callback, &[&server.url]);
        let page = page.unwrap_or_else(|beyond| panic!("no page before a code: {beyond}"));
        assert!(
            page.words().contains("You are signed in as"),
            "{}",
            page.words()
        );
        assert_eq!(marked(&page), new, "{person}");
        assert!(press(server, &mut browser, &page, "deny").status < 400);
    }
}
