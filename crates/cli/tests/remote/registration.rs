//! Clients that register themselves, and clients whose identifier is a URL.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{
    Client, HTTPS_CALLBACK, LOOPBACK_CALLBACK, NOAH, new_address, register, sign_in, tokens,
};
use crate::support::http::{parameter, post};
use crate::support::published::Host;
use crate::support::server::{CONFIG, Server, folder, shared};

fn public(name: &str) -> Value {
    json!({
        "client_name": name,
        "redirect_uris": [HTTPS_CALLBACK],
        "token_endpoint_auth_method": "none",
    })
}

#[test]
fn the_same_document_of_a_public_client_is_the_same_client() {
    let server = shared();
    let first = register(server, &public("Twice")).json();
    let second = register(server, &public("Twice")).json();
    assert_eq!(first["client_id"], second["client_id"]);
    assert!(first.get("client_secret").is_none());
    let other = register(server, &public("Once")).json();
    assert_ne!(first["client_id"], other["client_id"]);
    // One with a secret is always new: nobody gets another's client with it.
    let confidential = json!({ "client_name": "Secretive", "redirect_uris": [HTTPS_CALLBACK] });
    let first = register(server, &confidential);
    let (first, cache) = (first.json(), first.header("cache-control").to_owned());
    let second = register(server, &confidential).json();
    assert_eq!(cache, "no-store");
    assert_ne!(first["client_id"], second["client_id"]);
    assert_ne!(first["client_secret"], second["client_secret"]);
    assert!(first["client_secret"].as_str().unwrap().len() > 40);
}

#[test]
fn nobody_chooses_their_own_id_or_secret() {
    let mut document = public("Chooser");
    document["client_id"] = "configured".into();
    document["client_secret"] = "mine".into();
    document["client_id_issued_at"] = 1.into();
    let answer = register(shared(), &document).json();
    assert_ne!(answer["client_id"], "configured");
    assert!(answer.get("client_secret").is_none());
}

#[test]
fn documents_are_bounded_and_read_strictly() {
    let server = shared();
    let uris = |count: usize| {
        let uri = |number| format!("https://app.example.com/{number}");
        json!({ "redirect_uris": (0..count).map(uri).collect::<Vec<_>>() })
    };
    let error = register(server, &uris(21)).error();
    assert_eq!(error, (400, "invalid_redirect_uri".to_owned()));
    assert_eq!(register(server, &uris(20)).status, 201);
    let mut long = public(&"x".repeat(201));
    assert_eq!(register(server, &long).error().1, "invalid_client_metadata");
    long["client_name"] = "x".into();
    long["logo_uri"] = format!("https://x.example/{}", "x".repeat(3000)).into();
    assert_eq!(register(server, &long).error().1, "invalid_client_metadata");
    let huge = public(&"x".repeat(20 * 1024));
    assert_eq!(
        register(server, &huge).error(),
        (413, "invalid_client_metadata".to_owned())
    );
    assert_eq!(
        register(server, &public(&"x".repeat(200 * 1024))).status,
        413
    );
    for (name, value) in [
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["client_credentials"])),
        ("response_types", json!(["token"])),
        ("scope", json!("a\"b")),
        ("client_name", json!(7)),
    ] {
        let mut document = public("Wrong");
        document[name] = value;
        let (status, code) = register(server, &document).error();
        assert_eq!((status, &*code), (400, "invalid_client_metadata"), "{name}");
    }
    for document in [json!({}), json!({ "redirect_uris": [] })] {
        let error = register(server, &document).error();
        assert_eq!(error, (400, "invalid_redirect_uri".to_owned()));
    }
    for body in ["", "{", "[]", "null", "redirect_uris=x"] {
        let request = post(&server.at("/register")).header("x-forwarded-for", &new_address());
        let error = request.body(body).send().error();
        assert_eq!(error, (400, "invalid_client_metadata".to_owned()), "{body}");
    }
    let deep = format!(
        "{{\"redirect_uris\":{}{}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let request = post(&server.at("/register")).header("x-forwarded-for", &new_address());
    assert_eq!(request.body(deep).send().error().0, 400);
}

#[test]
fn clients_that_nobody_uses_expire_and_those_in_use_stay() {
    let server = Server::start("expiry", CONFIG);
    let day = |count: u64| Duration::from_secs(count * 24 * 60 * 60);
    let unused = Client::public(&server, LOOPBACK_CALLBACK);
    let used = Client::public(&server, HTTPS_CALLBACK);
    let mut latest = used.connect(NOAH);
    for _ in 0..6 {
        server.advance(day(20));
        latest = tokens(&used.refresh(&latest.refresh));
    }
    let gone = unused.browser().get(&unused.authorize_url());
    assert_eq!(gone.status, 400, "{}", gone.brief());
    assert!(gone.text().contains("not known here"), "{}", gone.brief());
    assert_eq!(
        unused.redeem("cmc_x").error(),
        (401, "invalid_client".to_owned())
    );
    let back = sign_in(&server, &mut used.browser(), &used.authorize_url(), NOAH);
    assert!(parameter(&back, "code").is_some());
}

#[test]
fn registration_and_documents_can_be_switched_off() {
    let config = CONFIG.replace(
        "[oauth]",
        "[oauth]\ndynamic_registration = false\nclient_id_metadata_documents = false",
    );
    let server = Server::start("switched-off", &config);
    let (status, _) = register(&server, &public("Late")).error();
    assert_eq!(status, 403);
    let metadata = server.at("/.well-known/oauth-authorization-server");
    let metadata = crate::support::http::get(&metadata).send().json();
    assert!(
        metadata.get("registration_endpoint").is_none(),
        "{metadata}"
    );
    assert_ne!(metadata["client_id_metadata_document_supported"], true);
}

#[test]
fn a_document_is_kept_as_long_as_its_host_says_and_seven_days_at_most() {
    let (host, folder) = (Host::start(), folder("document-cache"));
    let config = format!("{CONFIG}\n{}", host.config(&folder));
    let mut server = Server::start_in(folder, &config, "warn");
    for (path, cache_control, seconds) in [
        ("/short/client.json", "max-age=600", 600),
        ("/long/client.json", "max-age=99999999", 7 * 24 * 60 * 60),
    ] {
        let document = json!({
            "client_id": host.url(path),
            "client_name": "A client with a document",
            "redirect_uris": [HTTPS_CALLBACK],
            "token_endpoint_auth_method": "none",
        });
        host.publish_for(path, cache_control, &document);
        let visit = |server: &Server| {
            let client = Client {
                server,
                id: host.url(path),
                secret: None,
                redirect_uri: HTTPS_CALLBACK.to_owned(),
                address: new_address(),
            };
            let page = client.browser().get(&client.authorize_url());
            assert_eq!(page.status, 303, "{path}: {}", page.brief());
            host.asked_for(path)
        };
        assert_eq!(visit(&server), 1, "{path}");
        // Whatever the process remembers goes with it; what is kept stays.
        server = server.start_again(&config, "warn");
        server.advance(Duration::from_secs(seconds - 60));
        assert_eq!(visit(&server), 1, "{path} is fresh");
        server.advance(Duration::from_secs(120));
        assert_eq!(visit(&server), 2, "{path} is stale");
    }
}

#[test]
fn a_document_is_fetched_from_public_addresses_alone() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    let clerk = server.clerk.strip_prefix("http://").unwrap();
    for id in [
        // This machine and its neighbours, in every spelling.
        &format!("https://{clerk}/client.json"),
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://[::1]/client.json",
        "https://[::ffff:127.0.0.1]/client.json",
        "https://[64:ff9b::7f00:1]/client.json",
        "https://[2002:7f00:1::]/client.json",
        "https://0.0.0.0/client.json",
        "https://10.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/latest",
        "https://[fe80::1]/client.json",
        "https://2130706433/client.json",
        "https://0x7f.1/client.json",
        // URLs that are no client identifiers.
        "https://client.example",
        "https://client.example/",
        "http://client.example/client.json",
        "https://user@client.example/client.json",
        "https://client.example/client.json#fragment",
        "https://client.example/a/../client.json",
        "file:///etc/passwd",
    ] {
        let response = client.browser().get(&client.url_with(&[("client_id", id)]));
        assert_eq!(response.status, 400, "{id}: {}", response.brief());
        assert!(!response.has("location"), "{id}");
    }
}
