//! The ways of a browser: signing in, `/auth/mcp`, and what goes wrong there.

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;
use serde_json::json;

use crate::world::{APP, AVA, Browser, CLERK, MCP, NOAH, PRIYA, World};

fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs).finish()
}

fn bridge(state: &str) -> String {
    let callback = format!("{MCP}/callback");
    let query = query(&[
        ("state", state),
        ("callback_url", &callback),
        ("client_name", "A <client>"),
    ]);
    format!("{APP}/auth/mcp?{query}")
}

fn parameter(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_person_signs_in_and_sees_their_orders() {
    let world = World::new();
    let mut browser = Browser::default();
    let (url, page) = browser.open(&world, &format!("{APP}/")).await;
    assert_eq!((url, page.status), (format!("{APP}/"), 200));
    assert!(page.text().contains("Nobody is signed in"));
    assert_eq!(page.header("x-frame-options"), "DENY");

    let sign_in = format!(
        "{CLERK}/sign-in?{}",
        query(&[("redirect_url", &format!("{APP}/"))])
    );
    assert!(page.text().contains(&sign_in.replace('&', "&amp;")));
    let back = browser.sign_in(&world, &sign_in, AVA).await;
    let (url, page) = browser.open(&world, &back).await;
    assert_eq!((url, page.status), (format!("{APP}/"), 200));
    assert!(page.text().contains("Ava Mitchell"));
    assert!(page.text().contains("ava.mitchell@northwind.example"));
    assert!(page.text().contains("ord_"));

    // The token of a minute ago is made fresh without anybody noticing.
    let before = browser.jar["__session"].clone();
    world.advance(61);
    let (url, page) = browser.open(&world, &format!("{APP}/")).await;
    assert_eq!((url, page.status), (format!("{APP}/"), 200));
    assert_ne!(browser.jar["__session"], before);

    // As somebody else, and as nobody.
    let back = browser.sign_in(&world, &sign_in, NOAH).await;
    let (_, page) = browser.open(&world, &back).await;
    assert!(page.text().contains("Noah Tanaka"));
    let request = Request::post("/sign-out")
        .header("cookie", format!("__client={}", browser.jar["__client"]))
        .body(Bytes::new());
    let out = world.clerk(request.unwrap());
    assert_eq!(out.status, 303);
    browser.jar.remove("__session");
    let (_, page) = browser.open(&world, &format!("{APP}/")).await;
    assert!(page.text().contains("Nobody is signed in"));
}

#[tokio::test]
async fn the_session_is_lent_to_the_mcp_server() {
    let world = World::new();
    let mut browser = Browser::default();
    let (page, _) = browser.open(&world, &bridge("s+1&x")).await;
    assert!(page.starts_with(&format!("{CLERK}/sign-in?")), "{page}");
    let way_back = parameter(&page, "redirect_url");
    assert_eq!(way_back, bridge("s+1&x"));
    let back = browser.sign_in(&world, &page, AVA).await;
    let (callback, sent) = browser.open(&world, &back).await;
    assert!(
        callback.starts_with(&format!("{MCP}/callback?state=")),
        "{callback}"
    );
    assert_eq!(parameter(&callback, "state"), "s+1&x");
    assert_eq!(sent.header("referrer-policy"), "no-referrer");
    assert_eq!(sent.header("cache-control"), "no-store");
    let token = parameter(&callback, "clerk_token");
    let profile = world
        .api(http::Method::GET, "/api/profile", &token, None)
        .await;
    assert_eq!(profile.json()["user_id"], AVA);
    assert_eq!(profile.status, 200);

    // Signed in already, the person sees no page; and the token is always good for a while.
    for seconds in [0, 35, 25, 90] {
        world.advance(seconds);
        let (callback, _) = browser.open(&world, &bridge("again")).await;
        let token = parameter(&callback, "clerk_token");
        world.advance(19);
        let good = world
            .api(http::Method::GET, "/api/orders", &token, None)
            .await;
        assert_eq!(good.status, 200, "after {seconds} s: {}", good.text());
    }
}

#[tokio::test]
async fn the_token_goes_to_no_other_callback() {
    let world = World::new();
    let mut browser = Browser::default();
    let (page, _) = browser.open(&world, &bridge("s")).await;
    let back = browser.sign_in(&world, &page, AVA).await;
    browser.open(&world, &back).await;
    let own = format!("{MCP}/callback");
    let hostile = [
        "https://evil.example/callback".to_owned(),
        format!("{own}/"),
        format!("{own}?next=https://evil.example"),
        format!("{own}#x"),
        format!("{own}@evil.example"),
        own.replace("http://", "http://evil.example@"),
        own.replace("127.0.0.1", "127.0.0.1.evil.example"),
        own.to_uppercase(),
        "//evil.example".to_owned(),
        String::new(),
    ];
    let mut queries: Vec<String> = hostile
        .iter()
        .map(|callback| query(&[("state", "s"), ("callback_url", callback)]))
        .collect();
    let evil = "https://evil.example";
    queries.extend([
        String::new(),
        query(&[("callback_url", &own)]),
        query(&[("state", "s")]),
        query(&[("state", ""), ("callback_url", &own)]),
        query(&[
            ("state", "s"),
            ("callback_url", evil),
            ("callback_url", &own),
        ]),
        query(&[
            ("state", "s"),
            ("callback_url", &own),
            ("callback_url", evil),
        ]),
        query(&[("state", "s"), ("state", "t"), ("callback_url", &own)]),
    ]);
    for query in queries {
        let got = browser
            .get(&world, &format!("{APP}/auth/mcp?{query}"))
            .await;
        assert_eq!((got.status, got.header("location")), (400, ""), "{query}");
        assert!(got.text().contains("no sign-in of our MCP server"));
    }
}

#[tokio::test]
async fn somebody_who_acts_as_somebody_is_shown_on_the_page() {
    let world = World::new();
    let mut browser = Browser::default();
    let token = world.token_as(AVA, PRIYA);
    browser.jar.insert("__session".to_owned(), token);
    let (_, page) = browser.open(&world, &format!("{APP}/")).await;
    let text = page.text();
    assert!(text.contains("Somebody else acts here"), "{text}");
    assert!(
        text.contains("<bdi>Priya Raman</bdi> is signed in as"),
        "{text}"
    );
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so() {
    let world = World::new();
    for address in [format!("{APP}/"), bridge("s")] {
        let mut browser = Browser {
            refuses_cookies: true,
            ..Browser::default()
        };
        let (_, page) = browser.open(&world, &address).await;
        assert_eq!(page.status, 400);
        assert!(page.text().contains("keeps no cookies"), "{}", page.text());
    }
}

#[tokio::test]
async fn a_handshake_works_once_and_an_outage_is_a_page() {
    let world = World::new();
    let mut browser = Browser::default();
    browser.open(&world, &format!("{APP}/")).await;
    let used = browser.visited.iter().find(|url| url.contains("nonce="));
    let used = used.unwrap().clone();
    assert!(used.contains("__clerk_handshake_nonce="), "{used}");
    // It was used; the browser begins anew, and ends where it wanted to be.
    let mut other = Browser::default();
    let (url, page) = other.open(&world, &used).await;
    assert_eq!((url, page.status), (format!("{APP}/"), 200));
    world.control(
        "faults",
        &json!({ "operation": "GetHandshakePayload", "status": 503 }),
    );
    let (_, page) = Browser::default().open(&world, &format!("{APP}/")).await;
    assert_eq!(page.status, 503, "{}", page.text());
}

#[tokio::test]
async fn what_is_not_there_is_a_page_too() {
    let world = World::new();
    let got = Browser::default()
        .get(&world, &format!("{APP}/no/such/page"))
        .await;
    assert_eq!(got.status, 404);
    assert!(got.text().contains("There is nothing here"));
}

proptest! {
    /// Whatever is asked for, browsers are sent to Clerk, to the application, or to the callback.
    #[test]
    fn browsers_are_sent_to_known_places_alone(
        path in prop_oneof![Just("/".to_owned()), Just("/auth/mcp".to_owned()), "/[ -~&&[^#?\\\\\"<>^`{|}]]{0,20}"],
        pairs in prop::collection::vec(("(state|callback_url|__clerk_db_jwt|__clerk_handshake_nonce|clerk_checked|redirect_url|x)", "(http://127.0.0.1:8788/callback|//evil.example|https://evil.example/[a-z]{0,5}|[ -~]{0,12})"), 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = World::new();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&pairs);
        let uri = format!("{path}?{}", query.finish());
        let token = world.token(AVA);
        for cookie in [String::new(), format!("__session={token}")] {
            let request = Request::get(uri.as_str()).header("cookie", cookie).body(Bytes::new());
            let Ok(request) = request else { return Ok(()) };
            let got = runtime.block_on(world.send(request));
            let location = got.header("location");
            let known = location.is_empty()
                || location.starts_with(&format!("{CLERK}/sign-in?"))
                || location.starts_with(&format!("{CLERK}/v1/client/handshake?"))
                || location.starts_with(&format!("{MCP}/callback?"))
                || (location.starts_with('/') && !location.starts_with("//"));
            prop_assert!(known, "{uri} leads to {location}");
            let callback = location.starts_with(MCP);
            prop_assert!(callback || !location.contains(&token), "{uri}: {location}");
        }
    }
}
