//! The page of what a person allowed: whose it is, and what its forms can do.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{
    AVA, CONSENT, Client, HTTPS_CALLBACK, LUCAS, NOAH, PRIYA, RUBY, Tokens, at_clerk,
    at_clerk_pressing, borrowed, consent_page, decision, press, tokens,
};
use crate::support::browser::{Browser, Page, origin};
use crate::support::database::sql;
use crate::support::http::{Response, get, parameter, post};
use crate::support::mcp::status_with;
use crate::support::patience::until;
use crate::support::server::{CONFIG, Server, shared};

const PAGE: &str = "/consents";

/// Opens the page as `person`, who signs in for it.
#[track_caller]
fn visit(server: &Server, browser: &mut Browser, person: &str) -> Page {
    let to_clerk = browser.get(&server.at(PAGE)).location();
    let callback = at_clerk(server, browser, &to_clerk, person);
    open(server, browser, &callback)
}

#[track_caller]
fn open(server: &Server, browser: &mut Browser, url: &str) -> Page {
    let response = browser.get(url);
    let page = browser.follow(response, url.to_owned(), &[&server.url]);
    let page = page.unwrap_or_else(|beyond| panic!("not at the page, but at {beyond}"));
    assert_eq!(page.response.status, 200, "{}", page.words());
    page
}

/// Presses a button of the first form of the page.
#[track_caller]
fn press_first(server: &Server, browser: &mut Browser, page: &Page, button: &str) -> Response {
    let mut fields = page.form(PAGE);
    fields.push(("do".to_owned(), button.to_owned()));
    browser.post(&server.at(PAGE), &borrowed(&fields), &server.url)
}

/// Approves and ticks "do not ask again"; gives the browser and the client's tokens.
#[track_caller]
fn remembered(server: &Server, client: &Client<'_>, person: &str) -> (Browser, Tokens) {
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, &client.authorize_url());
    let mut fields = decision(&page, "approve");
    fields.push(("remember".to_owned(), "yes".to_owned()));
    let response = browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url);
    let callback = at_clerk(server, &mut browser, &response.location(), person);
    let code = parameter(&browser.get(&callback).location(), "code").unwrap();
    (browser, tokens(&client.redeem(&code)))
}

/// Whether this browser's person is asked about the client.
fn is_asked(server: &Server, browser: &mut Browser, client: &Client<'_>) -> bool {
    let location = browser.get(&client.authorize_url()).location();
    let is_asked = location.starts_with(CONSENT);
    assert!(
        is_asked || location.starts_with(&server.clerk),
        "{location}"
    );
    is_asked
}

#[test]
fn a_person_sees_what_they_allowed_and_forgets_it() {
    let server = &Server::start("consents", CONFIG);
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, tokens) = remembered(server, &client, NOAH);
    let loopback = Client::register(
        server,
        "http://127.0.0.1:33418/callback",
        "none",
        "Terminal",
    );
    loopback.connect(NOAH);
    assert!(!is_asked(server, &mut browser, &client));

    let page = visit(server, &mut browser, NOAH);
    let words = page.words();
    for word in [
        "Noah Tanaka",
        "An Honest Client",
        "registered itself",
        "app.example.com",
        "tools:read",
        "tools:write",
        "and remembered",
        "Terminal",
    ] {
        assert!(words.contains(word), "{word}: {words}");
    }
    assert_eq!(page.count("form"), 3, "one each, and one for all");
    // Forgotten: asked about again, and still signed in.
    let response = press_first(server, &mut browser, &page, "forget");
    let next = response.location();
    assert!(next.starts_with(&format!("{PAGE}?handle=")), "{next}");
    let page = open(server, &mut browser, &server.at(&next));
    assert!(
        page.words().contains("An Honest Client was forgotten"),
        "{}",
        page.words()
    );
    assert!(!page.words().contains("and remembered"), "{}", page.words());
    assert!(is_asked(server, &mut browser, &client));
    assert_eq!(status_with(server, &tokens.access), 200);

    // Forgotten and signed out: neither token is worth anything, at once.
    let (mut browser, tokens) = remembered(server, &client, NOAH);
    let page = visit(server, &mut browser, NOAH);
    let response = press_first(server, &mut browser, &page, "sign-out");
    assert_eq!(response.status, 303, "{}", response.brief());
    assert_eq!(status_with(server, &tokens.access), 401);
    assert_eq!(
        client.refresh(&tokens.refresh).error(),
        (400, "invalid_grant".to_owned())
    );
    assert!(is_asked(server, &mut browser, &client));
    let page = open(server, &mut browser, &server.at(&response.location()));
    assert!(page.words().contains("Terminal"), "{}", page.words());
    assert!(
        page.words().contains("An Honest Client was signed out."),
        "{}",
        page.words()
    );
    // Opened again, it is as before.
    let page = open(
        server,
        &mut browser,
        &server.at(&format!("{PAGE}?handle={}", page.form(PAGE)[0].1)),
    );
    assert!(
        !page.words().contains("An Honest Client"),
        "{}",
        page.words()
    );
}

#[test]
fn all_of_it_goes_at_once_and_nothing_of_anybody_else() {
    let server = &Server::start("consents-all", CONFIG);
    let clients = [HTTPS_CALLBACK, "https://other.example.com/callback"]
        .map(|uri| Client::public(server, uri));
    let of_noah = clients
        .each_ref()
        .map(|client| remembered(server, client, NOAH).1);
    let (mut theirs, of_priya) = remembered(server, &clients[0], PRIYA);
    let mut browser = clients[0].browser();
    let page = visit(server, &mut browser, NOAH);
    let handle = page.form(PAGE)[0].1.clone();
    let fields = [("handle", &*handle), ("entry", "*"), ("do", "sign-out")];
    let response = browser.post(&server.at(PAGE), &fields, &server.url);
    let page = open(server, &mut browser, &server.at(&response.location()));
    assert_eq!(page.count("form"), 0, "{}", page.words());
    for tokens in of_noah {
        assert_eq!(status_with(server, &tokens.access), 401);
    }
    assert_eq!(status_with(server, &of_priya.access), 200);
    assert!(!is_asked(server, &mut theirs, &clients[0]));
}

#[test]
fn a_page_of_somebody_else_forgets_nothing() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, tokens) = remembered(server, &client, LUCAS);
    let page = visit(server, &mut browser, LUCAS);
    let mut fields = page.form(PAGE);
    fields.push(("do".to_owned(), "sign-out".to_owned()));
    let url = server.at(PAGE);

    // A form on another site, in the person's own browser; and one that names no origin it can have.
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let response = browser.post(&url, &borrowed(&fields), foreign);
        assert_eq!(response.status, 403, "{foreign}");
    }
    // One that names none, and is another site's all the same.
    let unnamed = post(&url)
        .header("sec-fetch-site", "cross-site")
        .form(&borrowed(&fields));
    assert_eq!(browser.send(&url, unnamed).status, 403);
    // Whoever has seen the handle, in a browser without a cookie, and in one with their own.
    let mut stranger = client.browser();
    let response = stranger.post(&url, &borrowed(&fields), &server.url);
    assert_eq!(response.status, 400, "{}", response.brief());
    let own = visit(server, &mut stranger, AVA);
    let response = stranger.post(&url, &borrowed(&fields), &server.url);
    assert_eq!(response.status, 400, "{}", response.brief());
    // Somebody else's page does not show in their browser either: they are to sign in.
    let shown = stranger.get(&page.url);
    assert_eq!(origin(&shown.location()), server.clerk);
    // Their own handle with the other's entry names nothing.
    let own_handle = own.response.text();
    let own_handle = own_handle
        .contains("name=\"handle\"")
        .then(|| own.form(PAGE)[0].1.clone());
    let own_handle = own_handle
        .or_else(|| parameter(&own.url, "handle"))
        .unwrap();
    let mut mixed = fields.clone();
    mixed[0].1 = own_handle;
    let response = stranger.post(&url, &borrowed(&mixed), &server.url);
    assert_eq!(response.status, 303, "{}", response.brief());
    // A handle that nobody gave out, and forms that say nothing.
    for (name, value) in [
        ("handle", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("handle", "'"),
        ("entry", ""),
        ("do", "all"),
    ] {
        let mut changed = fields.clone();
        for field in &mut changed {
            if field.0 == name {
                field.1 = value.to_owned();
            }
        }
        let response = browser.post(&url, &borrowed(&changed), &server.url);
        assert_eq!(response.status, 400, "{name}={value}");
    }
    assert_eq!(status_with(server, &tokens.access), 200);
    assert!(!is_asked(server, &mut browser, &client), "still remembered");
}

#[test]
fn each_window_signs_out_what_it_shows() {
    let server = &Server::start("consents-windows", CONFIG);
    let clients = [HTTPS_CALLBACK, "https://other.example.com/callback"].map(|uri| {
        let name = format!("Client at {}", uri.split('/').nth(2).unwrap());
        Client::register(server, uri, "none", &name)
    });
    let [(mut browser, one), (_, two)] = clients
        .each_ref()
        .map(|client| remembered(server, client, NOAH));
    let page = visit(server, &mut browser, NOAH);
    let handle = page.form(PAGE)[0].1.clone();
    let entries: Vec<String> = page
        .html()
        .select(&scraper::Selector::parse("input[name=entry]").unwrap())
        .filter_map(|input| input.attr("value"))
        .filter(|entry| *entry != "*")
        .map(str::to_owned)
        .collect();
    assert_eq!(entries.len(), 2, "{}", page.words());
    // The page is open in two windows: each of its forms takes effect, whichever was sent before.
    for (entry, shown) in [
        (0, "was signed out"),
        (1, "was signed out"),
        (0, "was done before"),
    ] {
        let fields = [
            ("handle", &*handle),
            ("entry", &*entries[entry]),
            ("do", "sign-out"),
        ];
        let next = browser.post(&server.at(PAGE), &fields, &server.url);
        let page = open(server, &mut browser, &server.at(&next.location()));
        assert!(page.words().contains(shown), "{}", page.words());
    }
    for tokens in [one, two] {
        assert_eq!(status_with(server, &tokens.access), 401);
    }
    for client in &clients {
        assert!(is_asked(server, &mut browser, client));
    }
}

#[test]
fn what_a_failing_store_did_not_do_is_done_by_the_same_form() {
    const FAULTS: [[&str; 2]; 2] = [
        [
            "CREATE TRIGGER full BEFORE UPDATE OF revoked_at ON grants
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
            "DROP TRIGGER full",
        ],
        [
            "CREATE TRIGGER full BEFORE DELETE ON consents
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
            "DROP TRIGGER full",
        ],
    ];
    let server = &Server::start("consents-store", CONFIG);
    for [fails, works] in FAULTS {
        let client = Client::public(server, HTTPS_CALLBACK);
        let (mut browser, own) = remembered(server, &client, NOAH);
        let page = visit(server, &mut browser, NOAH);
        sql(server, fails);
        let failed = press_first(server, &mut browser, &page, "sign-out");
        assert_eq!(failed.status, 503, "{}", failed.brief());
        sql(server, works);
        let done = press_first(server, &mut browser, &page, "sign-out");
        assert_eq!(done.status, 303, "{}", done.brief());
        assert_eq!(status_with(server, &own.access), 401);
        assert!(is_asked(server, &mut browser, &client));
    }
}

#[test]
fn the_page_is_nobodys_without_a_sign_in_for_it() {
    let server = &Server::start("consents-sign-in", CONFIG);
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, _) = remembered(server, &client, NOAH);
    // Neither the cookie that names who was here last nor a handle of a client's sign-in is enough.
    let response = browser.get(&server.at(PAGE));
    assert_eq!(origin(&response.location()), server.clerk);
    let asked = consent_page(
        server,
        &mut browser,
        &client.url_with(&[("prompt", "consent")]),
    );
    let handle = parameter(&asked.url, "handle").unwrap();
    let response = browser.get(&server.at(&format!("{PAGE}?handle={handle}")));
    assert_eq!(origin(&response.location()), server.clerk);
    let fields = [("handle", &*handle), ("entry", "*"), ("do", "sign-out")];
    assert_eq!(
        browser.post(&server.at(PAGE), &fields, &server.url).status,
        400
    );
    // The state works once and in this browser alone, and a page's handle gives no code.
    let to_clerk = browser.get(&server.at(PAGE)).location();
    let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
    assert_eq!(client.browser().get(&callback).status, 400);
    let page = open(server, &mut browser, &callback);
    let again = browser.get(&callback).location();
    assert_eq!(again, page.url, "the link leads to the same page");
    let handle = parameter(&page.url, "handle").unwrap();
    let approved = [
        ("handle", &*handle),
        ("scope", "tools:read"),
        ("decision", "approve"),
    ];
    let response = browser.post(&server.at(CONSENT), &approved, &server.url);
    assert!(
        response.status >= 400 && !response.has("location"),
        "{}",
        response.brief()
    );
    // After ten minutes one signs in again.
    server.advance(Duration::from_secs(10 * 60 + 1));
    assert_eq!(origin(&browser.get(&page.url).location()), server.clerk);
    assert_eq!(
        press_first(server, &mut browser, &page, "forget").status,
        400
    );
    assert!(!is_asked(server, &mut browser, &client), "still remembered");
}

#[test]
fn who_declines_at_clerk_is_told_and_not_sent_back_and_forth() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let to_clerk = browser.get(&server.at(PAGE)).location();
    let callback = at_clerk_pressing(server, &mut browser, &to_clerk, NOAH, "deny");
    let response = browser.get(&callback);
    let page = browser.follow(response, callback, &[&server.url]);
    let page = page.unwrap_or_else(|beyond| panic!("sent to {beyond}"));
    assert_eq!(page.response.status, 403);
    assert!(page.words().contains("cancelled"), "{}", page.words());
    // What the address says is a stranger's word.
    let made_up = browser.get(&server.at("/consents?error=%3Cb%3Eyou+were+hacked"));
    assert!(!made_up.text().contains("hacked"));
}

#[test]
fn the_page_is_as_closed_as_the_others() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let document =
        json!({ "client_name": "<script>alert(1)</script>", "redirect_uris": [HTTPS_CALLBACK] });
    let hostile = crate::support::actors::register(server, &document).json();
    let hostile = Client {
        id: hostile["client_id"].as_str().unwrap().to_owned(),
        secret: hostile["client_secret"].as_str().map(str::to_owned),
        ..client.clone()
    };
    let (mut browser, _) = remembered(server, &hostile, AVA);
    let page = visit(server, &mut browser, AVA);
    assert_eq!(page.count("script"), 0);
    assert!(page.words().contains("<script>"), "{}", page.words());
    let policy = page.response.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(page.response.header("cache-control").contains("no-store"));
    let port = server.url.rsplit(':').next().unwrap();
    let url = server.at(PAGE);
    let other_name = get(&url)
        .header("host", &format!("localhost:{port}"))
        .send();
    assert_eq!(other_name.location(), url, "to the public name");
    let foreign = get(&url).header("host", "evil.example").send();
    assert_eq!(foreign.status, 403);
    let asked = consent_page(server, &mut browser, &client.authorize_url());
    assert_eq!(press(server, &mut browser, &asked, "deny").status, 303);
}

#[test]
fn what_a_deleted_person_allowed_is_forgotten() {
    let server = Server::start("deleted-consents", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let (mut browser, own) = remembered(&server, &client, RUBY);
    let (mut others, bystander) = remembered(&server, &client, NOAH);
    assert!(!is_asked(&server, &mut browser, &client));
    server.clerk_api("DELETE", &format!("/users/{RUBY}"), &json!({}));
    // Within a minute, of the one clock, somebody hears of it.
    server.advance(Duration::from_secs(61));
    assert_eq!(status_with(&server, &own.access), 401);
    assert!(is_asked(&server, &mut browser, &client));
    assert_eq!(status_with(&server, &bystander.access), 200);
    assert!(!is_asked(&server, &mut others, &client));
}

#[test]
fn a_form_takes_effect_though_its_browser_hangs_up() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, own) = remembered(server, &client, LUCAS);
    let page = visit(server, &mut browser, LUCAS);
    let mut fields = page.form(PAGE);
    fields.push(("do".to_owned(), "sign-out".to_owned()));
    let url = server.at(PAGE);
    let form = post(&url)
        .header("origin", &server.url)
        .form(&borrowed(&fields));
    browser.abandon(&url, form);
    until("the client is signed out", || {
        status_with(server, &own.access) == 401
    });
    assert!(is_asked(server, &mut browser, &client));
}
