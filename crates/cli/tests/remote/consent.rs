//! The consent page: whose it is, what it shows, and what a form can make of it.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{
    CONSENT, Client, HTTPS_CALLBACK, LOOPBACK_CALLBACK, NOAH, PRIYA, at_clerk, borrowed,
    consent_page, decision, press, register, sign_in, tokens,
};
use crate::support::browser::{Browser, Page, origin};
use crate::support::http::{Response, encode, get, parameter, post};
use crate::support::server::{CONFIG, Server, shared};

/// A page says no; nobody is sent anywhere.
#[track_caller]
fn refused(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.brief());
    assert!(!response.has("location"));
}

#[test]
fn each_new_client_is_asked_about_before_anybody_goes_to_clerk() {
    let server = shared();
    // Somebody who is signed in, here and at Clerk, and has just consented to another client.
    let first = Client::public(server, HTTPS_CALLBACK);
    let mut browser = first.browser();
    let page = consent_page(server, &mut browser, &first.authorize_url());
    let mut fields = decision(&page, "approve");
    fields.push(("remember".to_owned(), "yes".to_owned()));
    let response = browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url);
    let callback = at_clerk(server, &mut browser, &response.location(), NOAH);
    assert!(
        browser
            .get(&callback)
            .location()
            .starts_with(HTTPS_CALLBACK)
    );

    // A confused deputy would hand the second client a code without a word.
    let second = Client::public(server, "https://other.example.com/callback");
    let page = consent_page(server, &mut browser, &second.authorize_url());
    assert!(
        page.words().contains("other.example.com"),
        "{}",
        page.words()
    );
    // The same client at another of its redirect URIs, or asking for more, is asked about too.
    let more = first.url_with(&[("scope", "tools:read tools:write"), ("prompt", "consent")]);
    consent_page(server, &mut browser, &more);
}

#[test]
fn the_page_cannot_be_framed_scripted_or_kept() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let page = consent_page(shared(), &mut client.browser(), &client.authorize_url());
    let policy = page.response.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("base-uri 'none'"), "{policy}");
    assert!(
        !policy.contains("form-action"),
        "it would block the way to Clerk: {policy}"
    );
    assert!(!policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(page.response.header("x-frame-options"), "DENY");
    assert_eq!(page.response.header("cache-control"), "no-store");
    assert_eq!(page.response.header("x-content-type-options"), "nosniff");
    assert_eq!(
        page.count("script, iframe, object, embed, [onclick], [onload]"),
        0
    );
    // What the form carries is a handle and nothing of the request.
    let fields = page.form(CONSENT);
    let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["handle", "scope", "scope"]);
    let text = page.response.text();
    assert!(!text.contains("the-clients-state") && !text.contains("code_challenge"));
}

#[test]
fn a_hostile_client_cannot_write_on_the_page() {
    let server = shared();
    let name = "</title></h1><script>alert(1)</script><img src=x onerror=alert(1)>\
                <form action=https://evil.example><button>Approve</button></form>\u{202e}gnp.exe";
    let response = register(
        server,
        &json!({
            "client_name": name,
            "client_uri": "https://evil.example/\"><script>alert(2)</script>",
            "redirect_uris": ["https://evil.example/callback"],
            "token_endpoint_auth_method": "none",
        }),
    );
    assert_eq!(response.status, 201, "{}", response.text());
    let client = Client {
        id: response.json()["client_id"].as_str().unwrap().to_owned(),
        ..Client::public(server, "https://evil.example/callback")
    };
    let hostile = client.url_with(&[("state", "\"><script>alert(3)</script>")]);
    let page = consent_page(server, &mut client.browser(), &hostile);
    assert_eq!(page.count("script, img, iframe"), 0);
    assert_eq!(page.count("form"), 1);
    assert_eq!(page.count("form button"), 2);
    assert!(
        page.words().contains("<script>alert(1)</script>"),
        "it is text: {}",
        page.words()
    );
    assert!(
        !page.response.text().contains('\u{202e}'),
        "text that runs backwards"
    );
    assert!(page.words().contains("Not verified"), "{}", page.words());

    for (name, value) in [
        ("client_uri", "javascript:alert(1)"),
        ("logo_uri", "data:image/svg+xml,<svg onload=alert(1)>"),
        ("policy_uri", "file:///etc/passwd"),
        ("tos_uri", "ftp://evil.example/"),
    ] {
        let mut document = json!({
            "redirect_uris": ["https://evil.example/callback"],
            "token_endpoint_auth_method": "none",
        });
        document[name] = value.into();
        let error = register(server, &document).error();
        assert_eq!(error, (400, "invalid_client_metadata".to_owned()), "{name}");
    }
    // Nor on the pages of errors, with what the request names.
    let echo = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/authorize?client_id={echo}"),
        format!("/authorize/consent?handle={echo}"),
        format!("/callback?state={echo}&code={echo}"),
        format!("/callback?error={echo}&error_description={echo}"),
        format!("/{echo}"),
    ] {
        let response = client.browser().get(&server.at(&path));
        assert!(!response.text().contains("<script>"), "{path}");
    }
}

#[test]
fn the_page_says_who_asks_and_where_the_answer_goes() {
    let server = shared();
    let web = Client::public(server, HTTPS_CALLBACK);
    let page = consent_page(server, &mut web.browser(), &web.authorize_url()).words();
    assert!(page.contains("An Honest Client"), "{page}");
    assert!(page.contains("It registered itself"), "{page}");
    assert!(page.contains("app.example.com"), "{page}");
    assert!(
        !page.contains("This lets in a program on this computer"),
        "{page}"
    );
    let native = Client::public(server, LOOPBACK_CALLBACK);
    let page = consent_page(server, &mut native.browser(), &native.authorize_url()).words();
    assert!(
        page.contains("This lets in a program on this computer"),
        "{page}"
    );
    assert!(page.contains("127.0.0.1:33418"), "{page}");
    assert!(
        page.contains("tools:read") && page.contains("tools:write"),
        "{page}"
    );
}

#[test]
fn a_form_without_the_browsers_cookie_decides_nothing() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, &client.authorize_url());
    let fields = decision(&page, "approve");
    let url = server.at(CONSENT);
    // No cookie at all: what another site could make a program send.
    refused(
        &client.browser().post(&url, &borrowed(&fields), &server.url),
        400,
    );
    // The cookie of another browser, which has an authorization of its own.
    let mut other = client.browser();
    consent_page(server, &mut other, &client.authorize_url());
    refused(&other.post(&url, &borrowed(&fields), &server.url), 400);
    refused(&other.get(&page.url), 400);
    refused(&client.browser().get(&page.url), 400);
    // A cookie that somebody made up, and two of them.
    let mut forged = client.browser();
    forged.set_cookie(&server.url, "clerk_mcp_browser", "cmb_forged");
    refused(&forged.post(&url, &borrowed(&fields), &server.url), 400);
    let own = browser.cookie(&server.url, "clerk_mcp_browser").unwrap();
    let theirs = other.cookie(&server.url, "clerk_mcp_browser").unwrap();
    let two = format!("clerk_mcp_browser={own}; clerk_mcp_browser={theirs}");
    let request = post(&url)
        .header("cookie", &two)
        .header("origin", &server.url);
    refused(&request.form(&borrowed(&fields)).send(), 400);
    // None of it has used the page up.
    assert_eq!(
        origin(&press(server, &mut browser, &page, "approve").location()),
        server.clerk
    );
}

#[test]
fn a_form_of_another_origin_decides_nothing() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, &client.authorize_url());
    let fields = decision(&page, "approve");
    let url = server.at(CONSENT);
    let port = server.url.rsplit(':').next().unwrap();
    for foreign in [
        "https://evil.example",
        "null",
        "",
        // Allowed to call the MCP endpoint, and no more.
        "https://inspector.example",
        // On the same machine, and so with the same cookies.
        &server.clerk,
        "http://127.0.0.1",
        &format!("http://localhost:{port}"),
        &format!("https://127.0.0.1:{port}"),
        &format!("{}.evil.example", server.url),
    ] {
        refused(&browser.post(&url, &borrowed(&fields), foreign), 403);
    }
    // A name that DNS pointed here, of which the page thinks that it is its own.
    let rebound = post(&url)
        .header("host", &format!("evil.example:{port}"))
        .form(&borrowed(&fields));
    refused(&browser.send(&url, rebound), 403);
    // By GET nothing is decided.
    let query = format!("{url}?{}", encode(&borrowed(&fields)));
    let response = browser.get(&query);
    assert_eq!(response.status, 200, "the page again");
    assert_eq!(
        origin(&press(server, &mut browser, &page, "approve").location()),
        server.clerk
    );
}

#[test]
fn a_form_sent_twice_leads_to_the_same_place_and_no_other() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, &client.authorize_url());
    let first = press(server, &mut browser, &page, "approve").location();
    let second = press(server, &mut browser, &page, "approve").location();
    assert_eq!(first, second);
    // Another answer than before is too late, and so is the page.
    refused(&press(server, &mut browser, &page, "deny"), 400);
    refused(&browser.get(&page.url), 400);
    // A code came of it: the form leads there once more, and once it is redeemed nowhere.
    let callback = at_clerk(server, &mut browser, &first, NOAH);
    let back = browser.get(&callback).location();
    assert_eq!(
        press(server, &mut browser, &page, "approve").location(),
        back
    );
    tokens(&client.redeem(&parameter(&back, "code").unwrap()));
    refused(&press(server, &mut browser, &page, "approve"), 400);
}

#[test]
fn who_denies_sends_the_client_access_denied() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, &client.authorize_url());
    let back = press(server, &mut browser, &page, "deny").location();
    assert!(back.starts_with(HTTPS_CALLBACK), "{back}");
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "iss").as_deref(), Some(&*server.url));
    assert_eq!(
        parameter(&back, "state").as_deref(),
        Some("the-clients-state")
    );
    refused(&press(server, &mut browser, &page, "approve"), 400);
}

#[test]
fn a_form_cannot_widen_what_was_asked_for() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let url = client.url_with(&[("scope", "tools:read")]);
    let page = consent_page(server, &mut browser, &url);
    let submit = |browser: &mut Browser, scopes: &[&str]| {
        let mut fields = decision(&page, "approve");
        fields.retain(|(name, _)| name != "scope");
        fields.extend(
            scopes
                .iter()
                .map(|scope| ("scope".to_owned(), (*scope).to_owned())),
        );
        browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url)
    };
    refused(&submit(&mut browser, &["tools:read", "tools:write"]), 400);
    refused(&submit(&mut browser, &["tools:read tools:write"]), 400);
    refused(&submit(&mut browser, &["root"]), 400);
    refused(&submit(&mut browser, &[]), 400);
    let response = submit(&mut browser, &["tools:read"]);
    let callback = at_clerk(server, &mut browser, &response.location(), NOAH);
    let back = browser.get(&callback).location();
    let answer = client.redeem(&parameter(&back, "code").unwrap());
    assert_eq!(answer.json()["scope"], "tools:read");
    // Fewer than were asked for are the person's to choose.
    let page = consent_page(server, &mut browser, &client.authorize_url());
    let mut fields = decision(&page, "approve");
    fields.retain(|(_, value)| value != "tools:write");
    let response = browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url);
    let callback = at_clerk(server, &mut browser, &response.location(), NOAH);
    let back = browser.get(&callback).location();
    let answer = client.redeem(&parameter(&back, "code").unwrap());
    assert_eq!(answer.json()["scope"], "tools:read");
}

#[test]
fn the_cookies_are_ours_alone_and_out_of_reach_of_scripts() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let response = browser.get(&client.authorize_url());
    let cookies = response.all("set-cookie");
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let page = browser.follow(response, client.authorize_url(), &[&server.url]);
    let to_clerk = press(
        server,
        &mut browser,
        &page.unwrap_or_else(|beyond| panic!("{beyond}")),
        "approve",
    );
    let callback = at_clerk(server, &mut browser, &to_clerk.location(), NOAH);
    let finished = browser.get(&callback);
    let person = finished.all("set-cookie").join("\n");
    let first = client.browser().get(&client.authorize_url());
    for (cookie, name) in [
        (first.header("set-cookie"), "clerk_mcp_browser="),
        (&*person, "clerk_mcp_person="),
    ] {
        assert!(cookie.starts_with(name), "{cookie}");
        assert!(cookie.contains("; HttpOnly"), "{cookie}");
        assert!(cookie.contains("; SameSite=Lax"), "{cookie}");
        assert!(cookie.contains("; Path=/"), "{cookie}");
        assert!(!cookie.to_ascii_lowercase().contains("domain="), "{cookie}");
    }
    assert!(
        !person.contains(NOAH),
        "who signed in can be read in the cookie"
    );
}

#[test]
fn another_loopback_name_is_redirected_before_a_cookie_is_set() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let url = client.authorize_url();
    let port = server.url.rsplit(':').next().unwrap();
    for name in ["localhost", "[::1]"] {
        let response = get(&url).header("host", &format!("{name}:{port}")).send();
        assert_eq!(response.location(), url, "to the public name");
        assert!(!response.has("set-cookie"));
    }
    for name in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
    ] {
        let response = get(&url).header("host", &format!("{name}:{port}")).send();
        refused(&response, 403);
        assert!(!response.has("set-cookie"));
    }
}

/// A browser whose person has told the server not to ask again about this client.
fn who_has_consented(server: &Server, client: &Client<'_>, url: &str, person: &str) -> Browser {
    let mut browser = client.browser();
    let page = consent_page(server, &mut browser, url);
    let mut fields = decision(&page, "approve");
    fields.push(("remember".to_owned(), "yes".to_owned()));
    let response = browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url);
    let callback = at_clerk(server, &mut browser, &response.location(), person);
    let back = browser.get(&callback).location();
    assert!(parameter(&back, "code").is_some(), "{back}");
    browser
}

#[test]
fn a_remembered_consent_is_for_the_same_person_client_redirect_and_scopes() {
    let server = shared();
    let document = json!({
        "client_name": "Two Doors",
        "redirect_uris": [HTTPS_CALLBACK, "https://app.example.com/second"],
        "token_endpoint_auth_method": "none",
    });
    let answer = register(server, &document).json();
    let client = Client {
        id: answer["client_id"].as_str().unwrap().to_owned(),
        ..Client::public(server, HTTPS_CALLBACK)
    };
    let read = client.url_with(&[("scope", "tools:read")]);
    let mut browser = who_has_consented(server, &client, &read, NOAH);
    // Asked once.
    let again = browser.get(&read).location();
    assert_eq!(origin(&again), server.clerk, "the page is left out");
    let callback = at_clerk(server, &mut browser, &again, NOAH);
    assert!(parameter(&browser.get(&callback).location(), "code").is_some());
    // Asked again: more scopes, another redirect URI, the client's wish, another browser, a cookie
    // that somebody made up.
    consent_page(server, &mut browser, &client.authorize_url());
    let second = [
        ("scope", "tools:read"),
        ("redirect_uri", "https://app.example.com/second"),
    ];
    consent_page(server, &mut browser, &client.url_with(&second));
    let wished = [("scope", "tools:read"), ("prompt", "consent")];
    consent_page(server, &mut browser, &client.url_with(&wished));
    consent_page(server, &mut client.browser(), &read);
    let mut forged = client.browser();
    forged.set_cookie(&server.url, "clerk_mcp_person", NOAH);
    consent_page(server, &mut forged, &read);
}

#[test]
fn somebody_else_who_comes_back_from_clerk_sees_the_page_before_any_code() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let mut browser = who_has_consented(server, &client, &client.authorize_url(), NOAH);
    let to_clerk = browser.get(&client.authorize_url()).location();
    assert_eq!(
        origin(&to_clerk),
        server.clerk,
        "the page is left out before sign-in"
    );
    let callback = at_clerk(server, &mut browser, &to_clerk, PRIYA);
    let back = browser.get(&callback);
    let page = browser.follow(back, callback.clone(), &[&server.url]);
    let page = page.unwrap_or_else(|beyond| panic!("a code without the page: {beyond}"));
    assert!(page.words().contains("Priya Raman"), "{}", page.words());
    // The link of the callback gives no code either.
    refused(&browser.get(&callback), 400);
    // Who denies gives nothing; another browser cannot approve.
    refused(&press(server, &mut client.browser(), &page, "approve"), 400);
    let back = press(server, &mut browser, &page, "approve").location();
    let tokens = tokens(&client.redeem(&parameter(&back, "code").unwrap()));
    let session = crate::support::mcp::initialize(server, &tokens.access);
    let info = crate::support::mcp::call(server, &tokens.access, &session, "userInfo", &json!({}));
    assert_eq!(crate::support::mcp::result(&info)["user_id"], PRIYA);

    let mut browser = who_has_consented(server, &client, &client.authorize_url(), NOAH);
    let to_clerk = browser.get(&client.authorize_url()).location();
    let callback = at_clerk(server, &mut browser, &to_clerk, PRIYA);
    let client_is_new = browser.get(&callback).location();
    assert!(
        client_is_new.starts_with("/authorize/consent"),
        "Priya did not tick the box"
    );
    let page = consent_page(server, &mut browser, &server.at(&client_is_new));
    let back = press(server, &mut browser, &page, "deny").location();
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
}

#[test]
fn loopback_and_private_use_redirects_are_never_remembered() {
    let server = shared();
    for uri in [LOOPBACK_CALLBACK, "com.example.app:/callback"] {
        let client = Client::public(server, uri);
        let url = client.authorize_url();
        let mut browser = client.browser();
        let page = consent_page(server, &mut browser, &url);
        assert_eq!(page.count("[name=remember]"), 0, "{uri}");
        // A form can say it all the same.
        let mut fields = decision(&page, "approve");
        fields.push(("remember".to_owned(), "yes".to_owned()));
        let response = browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url);
        let callback = at_clerk(server, &mut browser, &response.location(), NOAH);
        assert!(browser.get(&callback).status < 400);
        consent_page(server, &mut browser, &url);
    }
}

#[test]
fn schemes_of_well_known_clients_are_let_in_as_unverified_and_never_remembered() {
    const LISTED: &str = "private_use_schemes = [\"com.example.app\"]\n";
    let cursor = "cursor://anysphere.cursor-mcp/oauth/callback";
    let server = Server::start("known-schemes", &CONFIG.replace(LISTED, ""));
    for (scheme, uri) in [
        ("cursor", cursor),
        ("claude", "claude://claude.ai/mcp-auth-callback/sdk"),
        (
            "vscode",
            "vscode://saoudrizwan.claude-dev/mcp-auth/callback/1",
        ),
    ] {
        let client = Client::public(&server, uri);
        let mut browser = client.browser();
        let page = consent_page(&server, &mut browser, &client.authorize_url());
        let words = page.words();
        assert!(words.contains(&format!("{scheme}: links")), "{words}");
        assert!(words.contains("Nobody can check which app"), "{words}");
        assert_eq!(page.count("[name=remember]"), 0);
        let mut fields = decision(&page, "approve");
        fields.push(("remember".to_owned(), "yes".to_owned()));
        let response = browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url);
        let callback = at_clerk(&server, &mut browser, &response.location(), NOAH);
        let done = browser.get(&callback);
        assert_eq!(done.status, 200, "{}", done.brief());
        assert!(done.header("refresh").contains(uri), "{}", done.brief());
        consent_page(&server, &mut browser, &client.authorize_url());
    }
    let registers = |server: &Server, uri: &str| {
        let document = json!({ "client_name": "App", "redirect_uris": [uri] });
        register(server, &document).status
    };
    assert_eq!(registers(&server, "com.example.app:/callback"), 400);
    assert_eq!(registers(&server, "evil:/callback"), 400);
    let server = Server::start(
        "no-schemes",
        &CONFIG.replace(LISTED, "private_use_schemes = []\n"),
    );
    assert_eq!(registers(&server, cursor), 400);
}

#[test]
fn nothing_of_the_way_lives_longer_than_ten_minutes() {
    let server = Server::start("ten-minutes", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let page = consent_page(&server, &mut browser, &client.authorize_url());
    let mut second = client.browser();
    let other = consent_page(&server, &mut second, &client.authorize_url());
    let to_clerk = press(&server, &mut second, &other, "approve").location();
    let callback = at_clerk(&server, &mut second, &to_clerk, NOAH);
    server.advance(Duration::from_secs(10 * 60 + 1));
    refused(&press(&server, &mut browser, &page, "approve"), 400);
    refused(&second.get(&callback), 400);
    let back = sign_in(&server, &mut browser, &client.authorize_url(), NOAH);
    assert!(parameter(&back, "code").is_some());
}

#[test]
fn who_approves_with_nothing_ticked_is_asked_again() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    for button in ["approve", "deny"] {
        let mut browser = client.browser();
        let page = consent_page(server, &mut browser, &client.authorize_url());
        let mut fields = decision(&page, "approve");
        fields.retain(|(name, _)| name != "scope");
        let url = server.at(CONSENT);
        let asked = browser.post(&url, &borrowed(&fields), &server.url);
        assert_eq!(asked.status, 400, "{}", asked.brief());
        let again = Page {
            url: page.url,
            response: asked,
        };
        assert!(
            again
                .words()
                .contains("Nothing that it asks for was ticked.")
        );
        assert_eq!(again.count("input[name=scope][checked]"), 2);
        // The page goes on from there.
        let next = press(server, &mut browser, &again, button).location();
        match button {
            "approve" => assert!(next.starts_with(&server.clerk), "{next}"),
            _ => assert_eq!(parameter(&next, "error").as_deref(), Some("access_denied")),
        }
    }
}
