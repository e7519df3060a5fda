//! Clients and browsers that hang up as soon as they have asked: what they asked for is done.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::actors::{
    CONSENT, Client, HTTPS_CALLBACK, NOAH, VERIFIER, at_clerk, borrowed, callback_of_app,
    consent_page, decision, press, tokens,
};
use crate::support::browser::Browser;
use crate::support::http::{Response, get, parameter, post};
use crate::support::mcp::{at_mcp, initialize_message};
use crate::support::patience::{PATIENCE, until};
use crate::support::server::{CONFIG, Server, shared};

/// Whoever hangs up is lucky or not: each way is gone so many times.
const TIMES: usize = 8;

fn status(server: &Server, token: &str) -> u16 {
    let request = at_mcp(server, "POST", token).json(&initialize_message());
    request.send().status
}

/// The grant of this access token ends. (No token is believed without a look at its grant for as long as
/// this waits.)
#[track_caller]
fn ends(server: &Server, token: &str) {
    until("the token is no good", || status(server, token) == 401);
}

/// What a browser gets that asks again: it may be told to wait for a moment, and to ask by itself.
#[track_caller]
fn asked_again(browser: &mut Browser, url: &str) -> Response {
    let begun = Instant::now();
    loop {
        let response = browser.get(url);
        if response.status != 409 {
            return response;
        }
        assert_eq!(response.header("refresh"), "1", "{}", response.brief());
        assert!(begun.elapsed() < PATIENCE, "{}", response.brief());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_revocation_is_done_though_its_client_hangs_up() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    for _ in 0..TIMES {
        let own = client.connect(NOAH);
        // From now on it is known, and is not looked at for a while.
        assert_eq!(status(server, &own.access), 200);
        let fields = [("client_id", &*client.id), ("token", &own.refresh)];
        client.bare("/revoke").form(&fields).abandon();
        ends(server, &own.access);
    }
}

#[test]
fn a_replayed_code_ends_the_grant_though_its_sender_hangs_up() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    for _ in 0..TIMES {
        let code = client.code(NOAH);
        let own = tokens(&client.redeem(&code));
        assert_eq!(status(server, &own.access), 200);
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", &client.id),
            ("code", &code),
            ("redirect_uri", &client.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        client.bare("/token").form(&fields).abandon();
        ends(server, &own.access);
    }
}

#[test]
fn a_guess_of_a_secret_is_counted_though_nobody_waits_for_the_answer() {
    let client = Client::register(
        shared(),
        HTTPS_CALLBACK,
        "client_secret_post",
        "Keeps a Secret",
    );
    let guess = |number: u32| {
        let guess = format!("guess-{number}");
        let fields = [
            ("token", "cmr_never"),
            ("client_id", &*client.id),
            ("client_secret", &guess),
        ];
        client.bare("/revoke").form(&fields).abandon();
    };
    (0..60).for_each(guess);
    // The right secret costs nothing, and is refused as long as there were too many wrong ones: one every
    // two seconds is forgiven, which a slow machine makes up for by guessing on.
    let begun = Instant::now();
    for number in 60.. {
        guess(number);
        if client.revoke("cmr_never").status == 429 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "guessing is cheap");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_callback_that_a_browser_gives_up_is_finished_and_leads_on_when_it_is_opened_again() {
    let server = shared();
    for _ in 0..TIMES {
        let client = Client::public(server, HTTPS_CALLBACK);
        let mut browser = client.browser();
        let page = consent_page(server, &mut browser, &client.authorize_url());
        let to_clerk = press(server, &mut browser, &page, "approve").location();
        let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
        browser.abandon(&callback, get(&callback));
        let back = asked_again(&mut browser, &callback).location();
        assert!(back.starts_with(HTTPS_CALLBACK), "{back}");
        let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"));
        assert_eq!(client.redeem(&code).status, 200);
    }
}

#[test]
fn a_callback_of_the_application_that_a_browser_gives_up_is_finished_too() {
    let config = format!("{CONFIG}\n[sign_in]\nmode = \"app\"\n");
    let server = Server::start("dropped-app", &config);
    for _ in 0..TIMES {
        let client = Client::public(&server, HTTPS_CALLBACK);
        let mut browser = client.browser();
        let callback = callback_of_app(&server, &mut browser, &client.authorize_url(), NOAH);
        browser.abandon(&callback, get(&callback));
        // The token leaves the address first.
        let mut back = asked_again(&mut browser, &callback).location();
        if back.starts_with('/') {
            back = asked_again(&mut browser, &server.at(&back)).location();
        }
        let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"));
        assert_eq!(client.redeem(&code).status, 200);
    }
}

#[test]
fn a_decision_counts_though_its_browser_hangs_up() {
    let server = shared();
    for button in ["approve", "deny"] {
        let client = Client::public(server, HTTPS_CALLBACK);
        let mut browser = client.browser();
        let page = consent_page(server, &mut browser, &client.authorize_url());
        let fields = decision(&page, button);
        let url = server.at(CONSENT);
        let form = post(&url)
            .header("origin", &server.url)
            .form(&borrowed(&fields));
        browser.abandon(&url, form);
        // The page has its answer.
        until("the page waits for no answer", || {
            browser.get(&page.url).status != 200
        });
        // The same form again leads on.
        let next = browser
            .post(&url, &borrowed(&fields), &server.url)
            .location();
        match button {
            "approve" => assert!(next.starts_with(&server.clerk), "{next}"),
            _ => assert_eq!(parameter(&next, "error").as_deref(), Some("access_denied")),
        }
    }
}

#[test]
fn a_server_that_ends_finishes_the_sign_in_of_a_browser_that_is_gone() {
    let config = CONFIG.replace("shutdown_grace = \"10s\"", "shutdown_grace = \"2m\"");
    let server = Server::start("dropped-end", &config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let page = consent_page(&server, &mut browser, &client.authorize_url());
    let to_clerk = press(&server, &mut browser, &page, "approve").location();
    let callback = at_clerk(&server, &mut browser, &to_clerk, NOAH);
    let slow = json!({ "operation": "GetUser", "latency_ms": 1_500 });
    server.control("faults", &slow);
    browser.abandon(&callback, get(&callback));
    // It has arrived: the `state` is used up (or, where everything is slow, the sign-in done).
    let status = browser.get(&callback).status;
    assert!([409, 303].contains(&status), "{status}");
    let (redirect_uri, id) = (client.redirect_uri.clone(), client.id.clone());
    let server = server.start_again(&config, "warn");
    let back = browser.get(&callback).location();
    let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"));
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &*id),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let redeemed = post(&server.at("/token")).form(&fields).send();
    assert_eq!(redeemed.status, 200, "{}", redeemed.brief());
}
