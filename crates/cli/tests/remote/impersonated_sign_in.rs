//! Impersonators in the browser: a session that ends in minutes becomes no lasting grant.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{
    Client, HTTPS_CALLBACK, NOAH, PRIYA, borrowed, consent_page, press, tokens,
};
use crate::support::browser::Browser;
use crate::support::clerk::sign_tokens;
use crate::support::database::sql;
use crate::support::http::parameter;
use crate::support::mcp::status_with;
use crate::support::server::{CONFIG, Server};

/// Clerk's access token has run out by then, and a new one is asked for.
const LATER: Duration = Duration::from_secs(25 * 60 * 60);
const GRANTS: &str = "SELECT COUNT(*) FROM grants";

/// Opens the link that `clerk-mcp impersonate` prints, as Priya who acts as Noah.
#[track_caller]
fn impersonate(server: &Server, browser: &mut Browser) {
    let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["impersonate", NOAH, "--actor", PRIYA, "--for", "2m"])
        .args(["--reason", "ticket 4711: empty page"])
        .current_dir(&server.folder)
        .env_clear()
        .env("XDG_STATE_HOME", server.folder.join("impersonator"))
        .env("CLERK_SECRET_KEY", "sk_test_emulate")
        .env("CLERK_API_URL", &server.clerk)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("not what is granted to OAuth clients"),
        "{said}"
    );
    let link = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let response = browser.get(&link);
    let page = browser.follow(response, link, &[&server.clerk]).unwrap();
    let form = format!("{}/sign-in", server.clerk);
    let fields = page.form("/sign-in");
    let signed_in = browser.post(&form, &borrowed(&fields), &server.clerk);
    assert_eq!(signed_in.status, 303, "{}", signed_in.brief());
}

/// On from Clerk's authorization endpoint, where somebody is signed in; gives the callback's address.
#[track_caller]
fn through_clerk(server: &Server, browser: &mut Browser, url: &str) -> String {
    let response = browser.get(url);
    let page = match browser.follow(response, url.to_owned(), &[&server.clerk]) {
        Err(callback) => return callback,
        Ok(page) => page,
    };
    assert!(
        page.url.contains("/oauth/consent"),
        "{}: {}",
        page.url,
        page.words()
    );
    let mut fields = page.form("/oauth/consent");
    fields.push(("decision".to_owned(), "allow".to_owned()));
    let form = format!("{}/oauth/consent", server.clerk);
    browser
        .post(&form, &borrowed(&fields), &server.clerk)
        .location()
}

#[test]
fn an_impersonator_gets_no_grant_through_clerk() {
    for signed in [true, false] {
        let server = Server::start("impersonated", CONFIG);
        sign_tokens(&server, signed);
        let client = Client::public(&server, HTTPS_CALLBACK);
        let mut browser = client.browser();
        impersonate(&server, &mut browser);
        let page = consent_page(&server, &mut browser, &client.authorize_url());
        let to_clerk = press(&server, &mut browser, &page, "approve").location();
        let callback = through_clerk(&server, &mut browser, &to_clerk);
        let back = browser.get(&callback).location();
        let error = parameter(&back, "error");
        assert_eq!(error.as_deref(), Some("access_denied"), "{back}");
        assert_eq!(sql(&server, GRANTS), Some(0));
        server.logs("the session is an impersonation");
        // Nor is what the person allowed theirs to see and to take back.
        let to_clerk = browser.get(&server.at("/consents")).location();
        let callback = through_clerk(&server, &mut browser, &to_clerk);
        let response = browser.get(&callback);
        let page = browser.follow(response, callback, &[&server.url]).unwrap();
        assert_eq!(page.response.status, 403, "{}", page.words());
        // Noah himself signs in, in a browser of his own.
        assert_eq!(status_with(&server, &client.connect(NOAH).access), 200);
    }
}

#[test]
fn a_clerk_that_cannot_say_who_acts_signs_nobody_in() {
    let server = Server::start("impersonated-unread", CONFIG);
    sign_tokens(&server, false);
    let client = Client::public(&server, HTTPS_CALLBACK);
    server.control(
        "faults",
        &json!({ "operation": "verifyOAuthAccessToken", "status": 500 }),
    );
    let url = client.authorize_url();
    let back = crate::support::actors::sign_in(&server, &mut client.browser(), &url, NOAH);
    let error = parameter(&back, "error");
    assert_eq!(error.as_deref(), Some("temporarily_unavailable"), "{back}");
    server.clear_faults();
    assert_eq!(status_with(&server, &client.connect(NOAH).access), 200);
}

#[test]
fn a_grant_that_turns_out_to_be_an_impersonators_ends_at_the_next_refresh_at_clerk() {
    // Signed tokens, and opaque ones of which Clerk still knows the old one, or the new one alone.
    for (signed, forgotten) in [(true, false), (false, false), (false, true)] {
        let server = Server::start("impersonated-grant", CONFIG);
        sign_tokens(&server, signed);
        let client = Client::public(&server, HTTPS_CALLBACK);
        let own = client.connect(NOAH);
        let Client {
            id,
            secret,
            redirect_uri,
            address,
            ..
        } = client;
        // As one that was made before Clerk, or this server, said who acts.
        let server = server.start_again_after(CONFIG, "info", |folder| {
            let file = folder.join("state/clerk.json");
            let mut kept: Value =
                serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            for grant in kept["state"]["oauth"]["grants"].as_array_mut().unwrap() {
                grant["actor"] = json!({ "sub": PRIYA });
            }
            std::fs::write(&file, kept.to_string()).unwrap();
        });
        let client = Client {
            server: &server,
            id,
            secret,
            redirect_uri,
            address,
        };
        let second = tokens(&client.refresh(&own.refresh));
        server.advance(LATER);
        if forgotten {
            let fault = json!({ "operation": "verifyOAuthAccessToken", "status": 404, "times": 1 });
            server.control("faults", &fault);
        }
        let refused = client.refresh(&second.refresh).error();
        assert_eq!(refused, (400, "invalid_grant".to_owned()));
        server.logs("it was made in an impersonation");
    }
}
