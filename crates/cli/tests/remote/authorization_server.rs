//! The authorization request: what is refused, and who is told.

use serde_json::json;

use crate::support::actors::{
    CHALLENGE, Client, HTTPS_CALLBACK, LOOPBACK_CALLBACK, NOAH, consent_page, register, sign_in,
};
use crate::support::browser::{Page, origin};
use crate::support::http::{Response, get, parameter};
use crate::support::server::shared;

/// The server shows a page and sends nobody anywhere.
#[track_caller]
fn is_shown(response: &Response, what: &str) {
    assert_eq!(response.status, 400, "{what}: {}", response.brief());
    assert!(!response.has("location"), "{what}");
    assert!(response.header("content-type").starts_with("text/html"));
}

/// The client is told, with state and issuer, and gets no code.
#[track_caller]
fn is_told(client: &Client<'_>, response: &Response, error: &str) {
    let location = response.location();
    assert!(location.starts_with(&client.redirect_uri), "{location}");
    assert_eq!(
        parameter(&location, "error").as_deref(),
        Some(error),
        "{location}"
    );
    assert_eq!(
        parameter(&location, "iss").as_deref(),
        Some(&*client.server.url)
    );
    assert_eq!(
        parameter(&location, "state").as_deref(),
        Some("the-clients-state")
    );
    assert_eq!(parameter(&location, "code"), None);
}

#[test]
fn who_opens_the_address_by_hand_is_told_what_it_is_for() {
    let server = shared();
    for path in ["/authorize", "/authorize?"] {
        let response = get(&server.at(path)).send();
        is_shown(&response, path);
        let page = Page {
            url: server.at(path),
            response,
        };
        assert_eq!(page.count("h1"), 1);
        let words = page.words();
        assert!(words.contains("This address is for MCP clients"), "{words}");
        assert!(!words.contains("client_id"), "{words}");
        assert_eq!(page.count("a[href='/']"), 1, "{words}");
    }
    // Whoever makes a client is told what is missing.
    let response = get(&server.at("/authorize?response_type=code")).send();
    is_shown(&response, "no client");
    assert!(response.text().contains("client_id"));
}

#[test]
fn metadata_names_its_own_url_as_issuer_and_what_is_supported() {
    let server = shared();
    let answer = get(&server.at("/.well-known/oauth-authorization-server")).send();
    assert_eq!(answer.header("content-type"), "application/json");
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], *server.url);
    assert_eq!(
        metadata["code_challenge_methods_supported"],
        json!(["S256"])
    );
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(
        metadata["grant_types_supported"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    );
    for endpoint in ["authorization", "token", "registration", "revocation"] {
        let url = metadata[format!("{endpoint}_endpoint")].as_str().unwrap();
        assert_eq!(origin(url), server.url, "{endpoint}");
    }
    // There are no ID tokens, and so no OpenID configuration that would promise them.
    let openid = get(&server.at("/.well-known/openid-configuration")).send();
    assert_eq!(openid.status, 404);
}

#[test]
fn a_request_without_a_challenge_of_s256_is_refused() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let mut browser = client.browser();
    for changes in [
        &[("code_challenge", ""), ("code_challenge_method", "")][..],
        &[("code_challenge", "")],
        &[("code_challenge_method", "plain")],
        // Without a method it is `plain` (RFC 7636 section 4.3).
        &[("code_challenge_method", "")],
        &[("code_challenge", "too-short")],
        &[("code_challenge_method", "s256")],
    ] {
        is_told(
            &client,
            &browser.get(&client.url_with(changes)),
            "invalid_request",
        );
    }
}

#[test]
fn implicit_and_password_grants_do_not_exist() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let mut browser = client.browser();
    for kind in ["token", "id_token", "code token", "none"] {
        let response = browser.get(&client.url_with(&[("response_type", kind)]));
        is_told(&client, &response, "unsupported_response_type");
    }
    for grant_type in [
        "password",
        "client_credentials",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let fields = [
            ("grant_type", grant_type),
            ("username", "ava@northwind.example"),
            ("password", "correct horse battery staple"),
        ];
        let error = client.post("/token", &fields).error();
        assert_eq!(
            error,
            (400, "unsupported_grant_type".to_owned()),
            "{grant_type}"
        );
    }
    let fragment = browser.get(&client.url_with(&[("response_mode", "fragment")]));
    is_told(&client, &fragment, "invalid_request");
}

#[test]
fn a_redirect_uri_that_is_not_exactly_registered_is_shown_and_never_followed() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    for uri in [
        "https://app.example.com/callback/",
        "https://app.example.com/callback/../evil",
        "https://app.example.com/callback?next=https://evil.example",
        "https://app.example.com/callbackevil",
        "https://app.example.com/",
        "https://app.example.com:8443/callback",
        "https://app.example.com.evil.example/callback",
        "https://evil.example/callback",
        "https://APP.example.com/callback",
        "http://app.example.com/callback",
        "https://app.example.com@evil.example/callback",
        "https://user@app.example.com/callback",
        "https://app.example.com/callback#fragment",
        "https://app.example.com/callback#",
        "https://app.example.com/%63allback",
        "https://app.example.com\\@evil.example/callback",
        "//app.example.com/callback",
        "javascript:alert(1)",
    ] {
        let url = client.url_with(&[("redirect_uri", uri)]);
        is_shown(&client.browser().get(&url), uri);
    }
}

#[test]
fn on_loopback_the_port_alone_is_free() {
    let client = Client::public(shared(), LOOPBACK_CALLBACK);
    let answer = |uri: &str| {
        client
            .browser()
            .get(&client.url_with(&[("redirect_uri", uri)]))
    };
    for uri in [
        LOOPBACK_CALLBACK,
        "http://127.0.0.1:1024/callback",
        "http://127.0.0.1/callback",
    ] {
        let response = answer(uri);
        assert_eq!(response.status, 303, "{uri}");
        assert!(
            response.location().starts_with("/authorize/consent?"),
            "{uri}"
        );
    }
    for uri in [
        "http://127.0.0.1:1024/other",
        "http://127.0.0.1:1024/callback?x=1",
        "http://localhost:1024/callback",
        "http://[::1]:1024/callback",
        "http://127.0.0.1.evil.example:33418/callback",
        "http://localhost.evil.example:33418/callback",
        "http://127.0.0.2:33418/callback",
        "http://0.0.0.0:33418/callback",
        "https://127.0.0.1:1024/callback",
        "http://127.0.0.1:33418@evil.example/callback",
    ] {
        is_shown(&answer(uri), uri);
    }
    // Away from loopback the port is part of the URI.
    let web = Client::public(shared(), "https://app.example.com:8443/callback");
    let other = [("redirect_uri", "https://app.example.com:8444/callback")];
    is_shown(&web.browser().get(&web.url_with(&other)), "another port");
}

#[test]
fn redirect_uris_that_lead_astray_cannot_be_registered() {
    for uri in [
        "http://app.example.com/callback",
        "http://localhost.evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://10.0.0.1/callback",
        "http://0.0.0.0:3000/callback",
        "https://user:password@app.example.com/callback",
        "http://user@127.0.0.1/callback",
        "https://app.example.com/callback#fragment",
        "javascript:alert(document.cookie)",
        "JavaScript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://app.example.com/1",
        "intent://scan/#Intent;end",
        "com.other.app:/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "/callback",
        "https:///callback",
        "https://app.example.com/\u{202e}kcabllac",
        "https://app.example.com/ callback",
        "https://app.example.com/\r\nset-cookie:a=b",
        "",
    ] {
        let document = json!({
            "redirect_uris": [uri],
            "token_endpoint_auth_method": "none",
        });
        let response = register(shared(), &document);
        assert_eq!(
            response.error(),
            (400, "invalid_redirect_uri".to_owned()),
            "{uri}"
        );
    }
    // One of the owner's list is allowed, and shown as what it is.
    let listed = Client::public(shared(), "com.example.app:/callback");
    let page = consent_page(shared(), &mut listed.browser(), &listed.authorize_url());
    let words = page.words();
    assert!(
        words.contains("Nobody can check which app receives this"),
        "{words}"
    );
    assert!(words.contains("com.example.app:"), "{words}");
}

#[test]
fn errors_are_shown_until_client_and_redirect_uri_are_known() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let mut browser = client.browser();
    let mut answer = |changes: &[(&str, &str)]| browser.get(&client.url_with(changes));
    // Each of these is wrong in another way as well, which the client would be told.
    let wrong = ("response_type", "token");
    is_shown(
        &answer(&[("client_id", "nobody"), wrong]),
        "an unknown client",
    );
    is_shown(&answer(&[("client_id", ""), wrong]), "no client");
    is_shown(
        &answer(&[("redirect_uri", "https://evil.example/"), wrong]),
        "another URI",
    );
    is_told(&client, &answer(&[wrong]), "unsupported_response_type");
    is_told(
        &client,
        &answer(&[("prompt", "none")]),
        "interaction_required",
    );
    is_told(
        &client,
        &answer(&[("scope", "root everything")]),
        "invalid_scope",
    );
    is_told(
        &client,
        &answer(&[("request", "eyJhbGciOiJub25lIn0.e30.")]),
        "request_not_supported",
    );

    // Twice is once too often: for what decides where the answer goes, nobody is told but the person.
    let twice = |name: &str, value: &str| {
        let mut pairs = client.request();
        pairs.push((name.to_owned(), value.to_owned()));
        client.browser().get(&client.url_of(&pairs))
    };
    is_shown(
        &twice("redirect_uri", "https://evil.example/"),
        "two redirect URIs",
    );
    is_shown(&twice("client_id", "nobody"), "two clients");
    is_told(
        &client,
        &twice("code_challenge", CHALLENGE),
        "invalid_request",
    );
    let location = twice("state", "another").location();
    assert_eq!(
        parameter(&location, "error").as_deref(),
        Some("invalid_request")
    );
    assert_eq!(
        parameter(&location, "state"),
        None,
        "which of the two is unknown"
    );
}

#[test]
fn the_issuer_is_named_on_success_and_on_error() {
    let client = Client::public(shared(), "https://app.example.com/callback?keep=this");
    let back = sign_in(
        shared(),
        &mut client.browser(),
        &client.authorize_url(),
        NOAH,
    );
    assert!(
        back.starts_with("https://app.example.com/callback?keep=this&"),
        "{back}"
    );
    assert_eq!(parameter(&back, "iss").as_deref(), Some(&*shared().url));
    assert_eq!(
        parameter(&back, "state").as_deref(),
        Some("the-clients-state")
    );
    assert!(parameter(&back, "code").is_some());
    assert_eq!(parameter(&back, "error"), None);
    let error = client
        .browser()
        .get(&client.url_with(&[("scope", "no-such-scope")]));
    is_told(&client, &error, "invalid_scope");
}

#[test]
fn a_resource_of_somebody_else_is_refused_before_the_person_is_asked() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let mut browser = client.browser();
    let root = shared().at("/");
    let below = shared().at("/mcp/other");
    for resource in [
        "https://other.example/mcp",
        &root,
        &below,
        "not a url",
        &format!("{}#fragment", shared().mcp()),
    ] {
        let response = browser.get(&client.url_with(&[("resource", resource)]));
        is_told(&client, &response, "invalid_target");
    }
    // Two, of which one is right, are not one audience.
    let mut pairs = client.request();
    pairs.push((
        "resource".to_owned(),
        "https://other.example/mcp".to_owned(),
    ));
    is_told(
        &client,
        &browser.get(&client.url_of(&pairs)),
        "invalid_target",
    );
    // An absent one means the server's only one.
    let response = browser.get(&client.url_with(&[("resource", "")]));
    assert!(response.location().starts_with("/authorize/consent?"));
}
