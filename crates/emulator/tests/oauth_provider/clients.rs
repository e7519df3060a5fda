//! How clients come to be and find the endpoints.

use crate::common::browser::{
    Browser, CALLBACK, CLIENT_ID, VERIFIER, authorize_uri, challenge, request,
};
use crate::common::{AVA, Fixture, LUCAS, OLIVER, TestRandom, seed};
use clerk_mcp_emulator::{DEFAULT_URL, Emulator};
use http::Method;
use serde_json::{Value, json};

#[test]
fn clients_discover_the_endpoints() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    let document = browser.get("/.well-known/openid-configuration").ok();
    assert_eq!(document["issuer"], DEFAULT_URL);
    assert_eq!(
        document["token_endpoint"],
        format!("{DEFAULT_URL}/oauth/token")
    );
    assert_eq!(
        document["code_challenge_methods_supported"],
        json!(["S256"])
    );
    let document = browser.get("/.well-known/oauth-authorization-server").ok();
    assert_eq!(document["issuer"], DEFAULT_URL);
    assert!(document.get("registration_endpoint").is_none());
    assert!(
        document["scopes_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("user:org:read"))
    );

    fixture.patch(
        "/v1/instance/oauth_application_settings",
        json!({ "dynamic_oauth_client_registration": true, "client_id_metadata_documents_advertised": true }),
    ).ok();
    fixture
        .patch(
            "/v1/instance/organization_settings",
            json!({ "enabled": false }),
        )
        .ok();
    let document = browser.get("/.well-known/oauth-authorization-server").ok();
    assert_eq!(
        document["registration_endpoint"],
        format!("{DEFAULT_URL}/oauth/register")
    );
    assert_eq!(document["client_id_metadata_document_supported"], true);
    assert!(
        !document["scopes_supported"]
            .as_array()
            .unwrap()
            .contains(&json!("user:org:read"))
    );
}

#[test]
fn clients_register_themselves_where_the_instance_lets_them() {
    let fixture = Fixture::new();
    let browser = Browser::new(&fixture);
    let plain = Browser::plain(&fixture);
    let register = |body: Value| {
        let headers = [("content-type", "application/json")];
        plain.send(Method::POST, "/oauth/register", &body.to_string(), &headers)
    };
    let public = json!({
        "redirect_uris": ["http://127.0.0.1:9000/cb"], "client_name": "<b>Inspector</b>",
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"],
    });
    register(public.clone()).clerk_refused(422, "dynamic_client_registration_disabled");
    fixture
        .patch(
            "/v1/instance/oauth_application_settings",
            json!({ "dynamic_oauth_client_registration": true }),
        )
        .ok();
    let made = register(public);
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.json.get("client_secret").is_none());
    assert_eq!(made.json["scope"], "profile email");
    let confidential =
        register(json!({ "redirect_uris": ["https://example.com/cb"], "scope": "openid" }));
    assert_eq!(
        confidential.json["token_endpoint_auth_method"],
        "client_secret_basic"
    );
    assert!(confidential.json["client_secret"].is_string());
    register(json!({})).refused(400, "invalid_redirect_uri");
    register(json!({ "redirect_uris": ["nonsense"] })).refused(400, "invalid_redirect_uri");
    register(json!({ "redirect_uris": ["javascript:alert(1)"] }))
        .refused(400, "invalid_redirect_uri");
    register(json!({ "redirect_uris": 7 })).refused(400, "invalid_client_metadata");
    let bad = json!({ "redirect_uris": ["https://example.com/cb"], "scope": "made:up" });
    register(bad).refused(400, "invalid_client_metadata");
    let bad = json!({ "redirect_uris": ["https://example.com/cb"], "token_endpoint_auth_method": "private_key_jwt" });
    register(bad).refused(400, "invalid_client_metadata");

    // Consent is always asked, and says that nobody checked the name.
    let id = made.json["client_id"].as_str().unwrap();
    let mut parameters = request("profile");
    parameters[1].1 = id;
    parameters[2].1 = "http://127.0.0.1:9000/cb";
    assert!(
        browser
            .authorize(&parameters, AVA)
            .answer()
            .contains_key("code")
    );
    let again = browser.get(&authorize_uri(&parameters));
    let page = browser.get(again.location());
    assert!(page.text.contains("registered itself"));
    assert!(page.text.contains("&lt;b&gt;Inspector&lt;/b&gt;") && !page.text.contains("<b>"));
}

#[test]
fn browsers_may_call_the_endpoints_from_other_origins() {
    let fixture = Fixture::new();
    let browser = Browser::plain(&fixture);
    let question = browser.send(
        Method::OPTIONS,
        "/oauth/token",
        "",
        &[("origin", "http://localhost:6274")],
    );
    assert_eq!(question.status, 204);
    assert_eq!(question.headers["access-control-allow-origin"], "*");
    let refused = browser.post("/oauth/token", &[]);
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    let pages = browser.get("/sign-in");
    assert!(pages.headers.get("access-control-allow-origin").is_none());
}

#[test]
fn the_server_beside_the_emulator_brings_its_own_redirect_uri() {
    let fixture = Fixture::new();
    let emulator = &fixture.emulator;
    assert_eq!(emulator.publishable_key(), "pk_test_MTI3LjAuMC4xOjg3ODkk");
    let uri = "http://127.0.0.1:9999/callback";
    emulator
        .ensure_oauth_application(CLIENT_ID, Some("another-secret"), &[uri])
        .unwrap();
    emulator
        .ensure_oauth_application("mine", None, &[uri])
        .unwrap();
    let found = fixture
        .get(&format!("/v1/oauth_applications?name_query={CLIENT_ID}"))
        .ok();
    assert_eq!(found["total_count"], 1);
    assert_eq!(
        found["data"][0]["redirect_uris"].as_array().unwrap().len(),
        3
    );
    let mine = fixture.get("/v1/oauth_applications?name_query=mine").ok();
    assert_eq!(mine["data"][0]["public"], true);
    fixture.post("/_emulator/reset", json!({})).ok();
    let mine = fixture.get("/v1/oauth_applications?name_query=mine").ok();
    assert_eq!(
        mine["data"][0]["redirect_uris"],
        json!([uri]),
        "a reset keeps it"
    );
    let wrong = emulator
        .ensure_oauth_application("bad", None, &["nonsense"])
        .unwrap_err();
    assert!(wrong.to_string().contains("nonsense"));

    let people = emulator.people();
    assert_eq!(people.len(), 30);
    assert_eq!(people[0].user_id, AVA);
    assert_eq!(people[0].name, "Ava Mitchell");
    assert_eq!(people[0].role.as_deref(), Some("admin"));
    let premium = people
        .iter()
        .find(|person| person.role.as_deref() == Some("premium"));
    assert_eq!(premium.unwrap().user_id, LUCAS);
    assert!(
        people
            .iter()
            .find(|person| person.user_id == OLIVER)
            .unwrap()
            .barred
    );
}

#[test]
fn seeds_describe_applications_and_switches() {
    let fixture = Fixture::seeded(&seed(
        r#"
        [instance]
        dynamic_oauth_client_registration = true
        oauth_jwt_access_tokens = false
        auto_sign_in = "ada@example.com"
        [[users]]
        email_addresses = ["ada@example.com"]
        [[oauth_applications]]
        name = "Mine"
        client_id = "mine"
        redirect_uris = ["http://127.0.0.1:8788/callback"]
        scopes = ["openid", "tasks:read"]
        "#,
    ));
    let settings = fixture.get("/v1/instance/oauth_application_settings").ok();
    assert_eq!(settings["dynamic_oauth_client_registration"], true);
    assert_eq!(settings["oauth_jwt_access_tokens"], false);
    let browser = Browser::new(&fixture);
    let mut parameters = request("openid tasks:read");
    parameters[1].1 = "mine";
    let value = challenge(VERIFIER);
    parameters.extend([
        ("code_challenge", value.as_str()),
        ("code_challenge_method", "S256"),
    ]);
    let answer = browser.get(&authorize_uri(&parameters)).answer();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &*answer["code"]),
        ("redirect_uri", CALLBACK),
        ("client_id", "mine"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(
        browser.post("/oauth/token", &fields).ok()["scope"],
        "openid tasks:read"
    );
}

#[test]
fn seeds_of_applications_that_cannot_be_are_named() {
    for (text, part) in [
        (
            "client_id = \"a b\"\nredirect_uris = [\"https://x.example/\"]",
            "client_id",
        ),
        ("client_id = \"a\"\nredirect_uris = []", "redirect URI"),
        (
            "client_id = \"a\"\nredirect_uris = [\"nonsense\"]",
            "nonsense",
        ),
        (
            "client_id = \"a\"\nredirect_uris = [\"https://x.example/\"]\nclient_secret = \"\"",
            "client_secret",
        ),
        (
            "client_id = \"a\"\nredirect_uris = [\"https://x.example/\"]\nscopes = [\"a b\"]",
            "scope",
        ),
    ] {
        let seed = seed(&format!("[[oauth_applications]]\nname = \"x\"\n{text}"));
        let clock = Fixture::new().clock;
        let refused = Emulator::new(&seed, clock, Box::new(TestRandom::new()))
            .err()
            .unwrap()
            .to_string();
        assert!(
            refused.contains("oauth_applications[0]") && refused.contains(part),
            "{refused}"
        );
    }
}
