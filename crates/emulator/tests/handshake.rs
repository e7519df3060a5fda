//! The handshake of an application's server with a browser.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::browser::{Browser, Page, claims};
use common::{AVA, FJORD, Fixture, NORTHWIND, PRIYA, QUARRY, pluck, seed};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const APP: &str = "http://localhost:3000";

fn parameters(url: &str) -> BTreeMap<String, String> {
    let (_, query) = url.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn uri(more: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("redirect_url", "http://localhost:3000/orders?page=2");
    query.extend_pairs(more);
    format!("/v1/client/handshake?{}", query.finish())
}

/// Where a handshake leads to.
#[track_caller]
fn back(page: &Page) -> String {
    assert_eq!(page.status, 307, "{}", page.text);
    let location = page.headers["location"].to_str().unwrap();
    assert!(location.starts_with("http://localhost:3000/orders?page=2&__clerk_handshake"));
    location.to_owned()
}

/// The cookies that the application is told to set; those to remove are empty.
fn cookies(directives: &Value) -> BTreeMap<String, String> {
    let all = directives.as_array().unwrap().iter();
    let pair = |directive: &Value| {
        let (pair, _) = directive.as_str().unwrap().split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    all.map(pair).collect()
}

/// What the application learns by a handshake with a nonce.
#[track_caller]
fn shake(
    fixture: &Fixture,
    browser: &Browser<'_>,
    more: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut all = vec![("format", "nonce")];
    all.extend_from_slice(more);
    let page = browser.get(&uri(&all));
    let nonce = &parameters(&back(&page))["__clerk_handshake_nonce"];
    let payload = format!("/v1/clients/handshake_payload?nonce={nonce}");
    let directives = cookies(&fixture.get(&payload).ok()["directives"]);
    fixture.get(&payload).refused(404, "resource_not_found");
    directives
}

fn sign_in(browser: &Browser<'_>, user: &str) -> Page {
    let uri = format!("/sign-in?redirect_url={APP}/orders");
    let page = browser.get(&uri);
    browser.submit("/sign-in", &page, &[("user_id", user)])
}

#[test]
fn an_application_learns_who_signs_in_and_out() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let before = shake(&fixture, &browser, &[]);
    assert_eq!((&*before["__client_uat"], &*before["__session"]), ("0", ""));

    let done = sign_in(&browser, AVA);
    let location = done.location();
    assert!(
        location.starts_with("http://localhost:3000/orders?__clerk_db_jwt="),
        "{location}"
    );
    let dev_browser = parameters(location)["__clerk_db_jwt"].clone();
    assert_eq!(dev_browser, before["__clerk_db_jwt"]);

    // Another machine's cookies do not matter: the link says which browser it is.
    let after = shake(
        &fixture,
        &Browser::new(&fixture),
        &[("__clerk_db_jwt", &dev_browser)],
    );
    let token = claims(&after["__session"]);
    assert_eq!(token["sub"], AVA);
    assert_eq!(token["azp"], APP);
    assert_eq!(after["__client_uat"], token["iat"].to_string());

    let out = browser.post("/sign-out", &[("redirect_url", APP)]);
    assert_eq!(parameters(out.location())["__clerk_db_jwt"], dev_browser);
    let gone = shake(&fixture, &browser, &[]);
    assert_eq!((&*gone["__client_uat"], &*gone["__session"]), ("0", ""));
}

#[test]
fn a_handshake_may_be_a_signed_token_and_may_choose_the_organization() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    sign_in(&browser, AVA);
    let handshake = |organization: &str| {
        let page = browser.get(&uri(&[("organization_id", organization)]));
        let token = &parameters(&back(&page))["__clerk_handshake"];
        claims(&cookies(&claims(token)["handshake"])["__session"])
    };
    assert_eq!(handshake(NORTHWIND)["o"]["id"], NORTHWIND);
    assert_eq!(handshake("quarry-and-sons")["o"]["id"], QUARRY);
    assert_eq!(handshake(FJORD)["o"]["id"], QUARRY);
    assert_eq!(handshake("").get("o"), None);
}

#[test]
fn a_nonce_is_good_for_a_minute_and_a_session_as_long_as_it_lives() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    sign_in(&browser, AVA);
    let page = browser.get(&uri(&[("format", "nonce")]));
    let nonce = parameters(&back(&page))["__clerk_handshake_nonce"].clone();
    fixture.advance(60_000);
    let payload = format!("/v1/clients/handshake_payload?nonce={nonce}");
    fixture.get(&payload).refused(404, "resource_not_found");
    fixture
        .get("/v1/clients/handshake_payload")
        .refused(422, "form_param_missing");
    let id = claims(&shake(&fixture, &browser, &[])["__session"])["sid"].clone();
    let uri = format!("/v1/sessions/{}/revoke", id.as_str().unwrap());
    fixture.post(&uri, json!({})).ok();
    assert_eq!(shake(&fixture, &browser, &[])["__session"], "");
}

#[test]
fn nobody_is_sent_to_a_stranger() {
    let allowed = "[instance]\nallowed_origins = ['https://app.example']\n[[users]]\nid = 'user_1'";
    let fixture = Fixture::seeded(&seed(allowed));
    let browser = Browser::plain(&fixture);
    for url in [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "http://localhost:3000@evil.example/",
        "http://app.example/",
        "//localhost:3000/",
        "javascript:alert(1)",
        "http://localhost.evil.example/",
        "/orders",
    ] {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("redirect_url", url).finish();
        browser
            .get(&format!("/v1/client/handshake?{query}"))
            .clerk_refused(422, "form_param_value_invalid");
        let fields = [("user_id", "user_1"), ("redirect_url", url)];
        let done = browser.post("/sign-in", &fields);
        let own = if url == "/orders" { "/orders" } else { "/" };
        assert_eq!(done.location(), own, "{url}");
    }
    let fields = [
        ("user_id", "user_1"),
        ("redirect_url", "https://app.example/x"),
    ];
    let done = browser.post("/sign-in", &fields);
    assert!(
        done.location()
            .starts_with("https://app.example/x?__clerk_db_jwt=")
    );
    browser
        .get("/v1/client/handshake")
        .clerk_refused(422, "form_param_missing");
    let format = uri(&[("format", "cookie")]);
    browser
        .get(&format)
        .clerk_refused(422, "form_param_value_invalid");
}

#[test]
fn a_development_browser_is_a_client_of_the_frontend_api_but_of_no_page() {
    let fixture = Fixture::new();
    let script = Browser::plain(&fixture);
    let made = script.send(Method::POST, "/v1/dev_browser", "", &[]).ok();
    let query = format!("__clerk_db_jwt={}", made["id"].as_str().unwrap());
    let ticket = fixture
        .post("/v1/sign_in_tokens", json!({ "user_id": PRIYA }))
        .ok();
    let fields = [
        ("strategy", "ticket"),
        ("ticket", ticket["token"].as_str().unwrap()),
    ];
    script
        .post(&format!("/v1/client/sign_ins?{query}"), &fields)
        .ok();
    let other = Browser::plain(&fixture);
    let client = other.get(&format!("/v1/client?{query}")).ok();
    assert_eq!(pluck(&client["response"]["sessions"], "user_id"), [PRIYA]);
    assert_eq!(other.get("/v1/client").ok()["response"], Value::Null);
    assert!(
        !other
            .get(&format!("/?{query}"))
            .text
            .contains("Priya Raman")
    );
}
