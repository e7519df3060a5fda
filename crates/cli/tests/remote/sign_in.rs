//! The way to Clerk and back: `/callback` takes what Clerk sends to this browser, once.

use serde_json::json;

use crate::support::actors::{
    Client, ETHAN, HTTPS_CALLBACK, NOAH, PRIYA, at_clerk, at_clerk_pressing, consent_page, press,
    tokens,
};
use crate::support::browser::{Browser, origin};
use crate::support::http::{Response, parameter};
use crate::support::server::{CONFIG, Server, shared};

/// A page says no; nobody is sent anywhere.
#[track_caller]
fn refused(response: &Response) {
    assert_eq!(response.status, 400, "{}", response.brief());
    assert!(!response.has("location"));
}

/// Somebody who has approved and is about to go to Clerk.
fn approved(client: &Client<'_>) -> (Browser, String) {
    let mut browser = client.browser();
    let page = consent_page(client.server, &mut browser, &client.authorize_url());
    let to_clerk = press(client.server, &mut browser, &page, "approve").location();
    (browser, to_clerk)
}

/// A URL with one parameter of its query changed.
fn changed(url: &str, name: &str, value: Option<&str>) -> String {
    let mut url = url::Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let kept = pairs.iter().filter(|(known, _)| known != name);
    let mut query: Vec<(&str, &str)> = kept.map(|(name, value)| (&**name, &**value)).collect();
    query.extend(value.map(|value| (name, value)));
    url.query_pairs_mut().clear().extend_pairs(query);
    url.to_string()
}

#[track_caller]
fn is_told(back: &str, error: &str) {
    assert!(back.starts_with(HTTPS_CALLBACK), "{back}");
    assert_eq!(parameter(back, "error").as_deref(), Some(error), "{back}");
    assert_eq!(parameter(back, "iss").as_deref(), Some(&*shared().url));
    assert_eq!(parameter(back, "code"), None);
}

#[test]
fn the_state_is_made_after_consent_and_says_nothing_of_the_client() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let (_, to_clerk) = approved(&client);
    let state = parameter(&to_clerk, "state").unwrap();
    assert!(!state.contains("the-clients-state"));
    assert_eq!(
        parameter(&to_clerk, "code_challenge_method").as_deref(),
        Some("S256")
    );
    assert!(parameter(&to_clerk, "nonce").is_some());
    assert_eq!(
        parameter(&to_clerk, "redirect_uri").as_deref(),
        Some(&*shared().at("/callback"))
    );
    assert_ne!(
        parameter(&to_clerk, "code_challenge").as_deref(),
        Some(crate::support::actors::CHALLENGE)
    );
}

#[test]
fn a_forged_state_is_refused() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, to_clerk) = approved(&client);
    let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
    let state = parameter(&callback, "state").unwrap();
    let (_, other) = approved(&client);
    let other = parameter(&other, "state").unwrap();
    let (half, middle) = (state.len() / 2, &state[..8]);
    let backwards: String = state.chars().rev().collect();
    for forged in [
        "",
        "x",
        "a.b.c",
        &state[..state.len() - 4],
        &format!("{state}AAAA"),
        &backwards,
        // One authorization with the other's signature.
        &format!("{}{}", &state[..half], &other[half..]),
        &format!("{}{}", &other[..half], &state[half..]),
        &state.replacen(middle, "AAAAAAAA", 1),
    ] {
        let response = browser.get(&changed(&callback, "state", Some(forged)));
        assert_eq!(response.status, 400, "{forged}: {}", response.brief());
    }
    refused(&browser.get(&changed(&callback, "state", None)));
    refused(&browser.get(&format!("{callback}&state={state}")));
    // The real one still works.
    let back = browser.get(&callback).location();
    assert!(parameter(&back, "code").is_some(), "{back}");
}

#[test]
fn another_browsers_callback_is_refused() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    // The attacker signs in as themselves and sends the victim the link: the victim's client would
    // act as the attacker; or catches the victim's link and opens it.
    let (mut attacker, to_clerk) = approved(&client);
    let link = at_clerk(server, &mut attacker, &to_clerk, PRIYA);
    let (mut victim, _) = approved(&client);
    refused(&victim.get(&link));
    refused(&client.browser().get(&link));
    assert!(parameter(&attacker.get(&link).location(), "code").is_some());
}

#[test]
fn a_code_of_clerks_from_another_sign_in_is_refused() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut attacker, to_clerk) = approved(&client);
    let theirs = at_clerk(server, &mut attacker, &to_clerk, PRIYA);
    let (mut victim, to_clerk) = approved(&client);
    let own = at_clerk(server, &mut victim, &to_clerk, NOAH);
    // The victim's state with the attacker's code: PKCE towards Clerk tells them apart.
    let code = parameter(&theirs, "code").unwrap();
    let back = victim.get(&changed(&own, "code", Some(&code))).location();
    is_told(&back, "server_error");
}

#[test]
fn a_callback_opened_twice_leads_to_the_same_place_until_the_code_is_used() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, to_clerk) = approved(&client);
    let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
    let back = browser.get(&callback).location();
    assert_eq!(
        browser.get(&callback).location(),
        back,
        "a double fetch is harmless"
    );
    refused(&client.browser().get(&callback));
    tokens(&client.redeem(&parameter(&back, "code").unwrap()));
    refused(&browser.get(&callback));
}

#[test]
fn an_answer_of_another_issuer_is_refused() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    for issuer in [
        "https://evil.example",
        &format!("{}/", server.clerk),
        &server.url,
    ] {
        let (mut browser, to_clerk) = approved(&client);
        let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
        let response = browser.get(&changed(&callback, "iss", Some(issuer)));
        is_told(&response.location(), "server_error");
        // The state is used up: a second try with the right issuer is too late.
        refused(&browser.get(&callback));
    }
}

#[test]
fn who_declines_at_clerk_sends_the_client_access_denied() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, to_clerk) = approved(&client);
    let callback = at_clerk_pressing(server, &mut browser, &to_clerk, ETHAN, "deny");
    assert_eq!(
        parameter(&callback, "error").as_deref(),
        Some("access_denied")
    );
    is_told(&browser.get(&callback).location(), "access_denied");
    // Another error of Clerk's is no consent either.
    let (mut browser, to_clerk) = approved(&client);
    let state = parameter(&to_clerk, "state").unwrap();
    let callback = server.at(&format!(
        "/callback?error=invalid_scope&state={state}&iss={}",
        server.clerk
    ));
    is_told(&browser.get(&callback).location(), "server_error");
    // And without a state that was made here it leads nowhere.
    refused(&browser.get(&server.at("/callback?error=access_denied")));
    refused(&browser.get(&server.at("/callback?error=access_denied&state=forged")));
    refused(&browser.get(&server.at("/callback")));
}

#[test]
fn who_may_not_be_signed_in_gets_no_code() {
    let server = Server::start("barred", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let way = || {
        let mut browser = client.browser();
        let page = consent_page(&server, &mut browser, &client.authorize_url());
        let to_clerk = press(&server, &mut browser, &page, "approve").location();
        let callback = at_clerk(&server, &mut browser, &to_clerk, NOAH);
        (browser, callback)
    };
    // Banned between Clerk's answer and the callback.
    let (mut browser, callback) = way();
    server.clerk_api("POST", &format!("/users/{NOAH}/ban"), &json!({}));
    let back = browser.get(&callback).location();
    assert_eq!(parameter(&back, "code"), None, "{back}");
    server.clerk_api("POST", &format!("/users/{NOAH}/unban"), &json!({}));
    // Clerk does not answer: nobody is let in unseen.
    let (mut browser, callback) = way();
    server.control("faults", &json!({ "operation": "GetUser", "status": 500 }));
    let back = browser.get(&callback).location();
    assert_eq!(parameter(&back, "code"), None, "{back}");
    let error = parameter(&back, "error");
    assert_eq!(error.as_deref(), Some("temporarily_unavailable"));
}

#[test]
fn clerks_answer_reaches_no_client() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let (mut browser, to_clerk) = approved(&client);
    let callback = at_clerk(server, &mut browser, &to_clerk, NOAH);
    let response = browser.get(&callback);
    let back = response.location();
    let (code, state) = (parameter(&callback, "code"), parameter(&callback, "state"));
    assert!(!back.contains(&code.unwrap()) && !back.contains(&state.unwrap()));
    assert_eq!(response.header("referrer-policy"), "no-referrer");
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(origin(&callback), server.url);
}
