//! Clients that sign who they are (`private_key_jwt`), and whoever pretends to be one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, Tokens, VERIFIER, new_address, tokens};
use crate::support::http::{Response, get, post};
use crate::support::mcp::{at_mcp, initialize_message};
use crate::support::published::{ClientKey, Host, unsigned};
use crate::support::server::{CONFIG, Server, folder};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DOCUMENT: &str = "/oauth/client.json";
const KEYS: &str = "/oauth/jwks.json";

/// A server, and a host that it finds.
struct World {
    server: Server,
    host: Host,
}

impl World {
    fn new(name: &str) -> Self {
        let (host, folder) = (Host::start(), folder(name));
        let config = format!("{CONFIG}\n{}", host.config(&folder));
        let server = Server::start_in(folder, &config, "info");
        Self { server, host }
    }

    /// Kills the server, and starts it where it was.
    fn kill_and_start_again(self) -> Self {
        let config = format!("{CONFIG}\n{}", self.host.config(&self.server.folder));
        let server = self.server.kill_and_start_again(&config);
        Self { server, ..self }
    }

    /// Publishes a client's document at `path`.
    fn client(&self, path: &str, change: impl Fn(&mut Value)) -> Client<'_> {
        let id = self.host.url(path);
        let mut document = json!({
            "client_id": id,
            "client_name": "A client that signs",
            "redirect_uris": [HTTPS_CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": self.host.url(KEYS),
        });
        change(&mut document);
        self.host.publish(path, &document);
        Client {
            server: &self.server,
            id,
            secret: None,
            redirect_uri: HTTPS_CALLBACK.to_owned(),
            address: new_address(),
        }
    }

    fn publish(&self, keys: &[&ClientKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.host.publish(KEYS, &json!({ "keys": keys }));
    }

    /// A client whose document demands assertions by this key.
    fn signing_client(&self, key: &ClientKey) -> Client<'_> {
        self.publish(&[key]);
        self.client(DOCUMENT, |_| {})
    }
}

/// The claims of an honest client, each time with another identifier.
fn claims(client: &Client<'_>) -> Value {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    json!({
        "iss": client.id,
        "sub": client.id,
        "aud": client.server.url,
        "jti": format!("assertion {count}"),
        "iat": now,
        "exp": now + 120,
    })
}

fn signed(client: &Client<'_>, key: &ClientKey) -> String {
    key.sign(&key.header(), &claims(client))
}

/// With some claims changed.
fn signed_with(client: &Client<'_>, key: &ClientKey, changes: &[(&str, Value)]) -> String {
    let mut claims = claims(client);
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    key.sign(&key.header(), &claims)
}

/// A request with an assertion, which says whose it is, from an address of its own: wrong ones are
/// limited by it.
fn send(client: &Client<'_>, path: &str, fields: &[(&str, &str)], assertion: &str) -> Response {
    let mut fields = fields.to_vec();
    fields.push(("client_assertion_type", TYPE));
    fields.push(("client_assertion", assertion));
    let request = post(&client.server.at(path)).header("x-forwarded-for", &new_address());
    request.form(&fields).send()
}

fn redeem(client: &Client<'_>, code: &str, assertion: &str) -> Response {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &client.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    send(client, "/token", &fields, assertion)
}

fn refresh(client: &Client<'_>, token: &str, assertion: &str) -> Response {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    send(client, "/token", &fields, assertion)
}

fn connect(client: &Client<'_>, key: &ClientKey) -> Tokens {
    tokens(&redeem(client, &client.code(NOAH), &signed(client, key)))
}

#[track_caller]
fn refused(response: &Response) {
    let (status, code) = response.error();
    assert_eq!(
        (status, code.as_str()),
        (401, "invalid_client"),
        "{}",
        response.text()
    );
    assert_eq!(response.header("cache-control"), "no-store");
}

fn is_live(server: &Server, tokens: &Tokens) -> bool {
    let request = at_mcp(server, "POST", &tokens.access);
    request.json(&initialize_message()).send().status == 200
}

#[test]
fn a_client_that_signs_is_let_in_with_either_kind_of_key_and_not_without() {
    for key in [ClientKey::rsa("rsa"), ClientKey::p256("p256")] {
        let world = World::new("signs");
        let client = world.signing_client(&key);
        let metadata = world.server.at("/.well-known/oauth-authorization-server");
        let metadata = get(&metadata).send().json();
        for endpoint in ["token", "revocation"] {
            let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
            let methods = methods.as_array().unwrap();
            assert!(methods.contains(&json!("private_key_jwt")), "{metadata}");
            let algorithms = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
            assert_eq!(metadata[algorithms], json!(["RS256", "ES256"]));
        }
        let code = client.code(NOAH);
        refused(&client.redeem(&code));
        let first = tokens(&redeem(&client, &code, &signed(&client, &key)));
        assert!(is_live(&world.server, &first));
        refused(&client.refresh(&first.refresh));
        let assertion = signed(&client, &key);
        let second = tokens(&refresh(&client, &first.refresh, &assertion));
        refused(&client.revoke(&second.refresh));
        assert!(is_live(&world.server, &second));
        let revoke = |assertion: &str| {
            let fields = [("token", second.refresh.as_str())];
            send(&client, "/revoke", &fields, assertion)
        };
        refused(&revoke(&assertion));
        assert_eq!(revoke(&signed(&client, &key)).status, 200);
        assert!(!is_live(&world.server, &second));
        assert_eq!(world.host.asked_for(KEYS), 1);
        world.server.never_writes(&[&assertion]);
    }
}

#[test]
fn a_document_that_offers_both_may_use_either_and_a_failed_assertion_never_counts_as_none() {
    let world = World::new("either");
    let key = ClientKey::rsa("rsa");
    world.publish(&[&key]);
    // As a well-known client publishes it.
    let client = world.client(DOCUMENT, |document| {
        document["token_endpoint_auth_methods_supported"] = json!(["none", "private_key_jwt"]);
        document["token_endpoint_auth_signing_alg"] = "RS256".into();
    });
    let own = tokens(&client.redeem(&client.code(NOAH)));
    let own = tokens(&refresh(&client, &own.refresh, &signed(&client, &key)));
    let own = tokens(&client.refresh(&own.refresh));
    let thief = ClientKey::rsa("rsa");
    let other_algorithm = ClientKey::p256("p256");
    for assertion in [
        signed(&client, &thief),
        signed(&client, &other_algorithm),
        "not.an.assertion".to_owned(),
        "x".to_owned(),
    ] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", own.refresh.as_str()),
            ("client_id", &client.id),
        ];
        refused(&send(&client, "/token", &fields, &assertion));
    }
    assert_eq!(client.refresh(&own.refresh).status, 200);
}

#[test]
fn a_replayed_assertion_is_refused_and_of_many_at_once_exactly_one_wins() {
    let world = World::new("replay");
    let key = ClientKey::p256("key");
    let client = world.signing_client(&key);
    let own = connect(&client, &key);
    for _ in 0..3 {
        let assertion = signed(&client, &key);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| refresh(&client, &own.refresh, &assertion).status))
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        let won = statuses.iter().filter(|status| **status == 200).count();
        let refused = statuses.iter().filter(|status| **status == 401).count();
        assert_eq!((won, refused), (1, 15), "{statuses:?}");
    }
    // A fresh assertion that says the same identifier is no other.
    let twice = |jti: &str| signed_with(&client, &key, &[("jti", jti.into())]);
    assert_eq!(refresh(&client, &own.refresh, &twice("same")).status, 200);
    refused(&refresh(&client, &own.refresh, &twice("same")));
    // Another client's identifiers are its own.
    let neighbour = world.client("/neighbour.json", |_| {});
    let code = neighbour.code(NOAH);
    let same = signed_with(&neighbour, &key, &[("jti", "same".into())]);
    assert_eq!(redeem(&neighbour, &code, &same).status, 200);
}

/// What was used is written down before the tokens are made, so that no kill gives it back.
#[test]
fn an_assertion_that_was_used_is_refused_after_a_kill_too() {
    let world = World::new("replay-killed");
    let key = ClientKey::p256("key");
    let (own, used, unused) = {
        let client = world.signing_client(&key);
        let code = client.code(NOAH);
        let (used, unused) = (signed(&client, &key), signed(&client, &key));
        (tokens(&redeem(&client, &code, &used)), used, unused)
    };
    let world = world.kill_and_start_again();
    let client = world.signing_client(&key);
    refused(&refresh(&client, &own.refresh, &used));
    let fields = [("token", own.refresh.as_str())];
    refused(&send(&client, "/revoke", &fields, &used));
    assert!(is_live(&world.server, &own));
    let next = tokens(&refresh(&client, &own.refresh, &unused));
    assert!(is_live(&world.server, &next));
}

#[test]
fn times_audience_and_names_of_an_assertion_are_checked() {
    let world = World::new("claims");
    let key = ClientKey::p256("key");
    let client = world.signing_client(&key);
    let own = connect(&client, &key);
    let now = claims(&client)["iat"].as_u64().unwrap();
    let url = &world.server.url;
    let (mcp, token) = (world.server.mcp(), world.server.at("/token"));
    for (name, value) in [
        ("exp", json!(now - 120)),
        ("exp", json!(now + 3600)),
        ("exp", json!(9_999_999_999_999_u64)),
        ("exp", json!(null)),
        ("nbf", json!(now + 300)),
        ("iat", json!(now + 300)),
        ("iat", json!(now - 3600)),
        ("aud", json!("https://evil.example")),
        ("aud", json!(mcp)),
        ("aud", json!([url, "https://evil.example"])),
        ("aud", json!(format!("{url}/"))),
        ("aud", json!(null)),
        ("iss", json!("https://client.example/other.json")),
        ("sub", json!("https://client.example/other.json")),
        ("iss", json!(null)),
        ("jti", json!(null)),
        ("jti", json!("")),
    ] {
        let assertion = signed_with(&client, &key, &[(name, value.clone())]);
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", own.refresh.as_str()),
            ("client_id", &client.id),
        ];
        let response = send(&client, "/token", &fields, &assertion);
        let (status, _) = response.error();
        assert_eq!(status, 401, "{name} {value}: {}", response.text());
    }
    for value in [json!(token), json!([url])] {
        let assertion = signed_with(&client, &key, &[("aud", value)]);
        assert_eq!(refresh(&client, &own.refresh, &assertion).status, 200);
    }
}

#[test]
fn algorithms_cannot_be_confused_and_no_key_is_brought_along() {
    let world = World::new("algorithms");
    let (rsa, p256) = (ClientKey::rsa("rsa"), ClientKey::p256("p256"));
    world.publish(&[&rsa, &p256]);
    let client = world.client(DOCUMENT, |_| {});
    let own = connect(&client, &rsa);
    // The public key as the secret of an HMAC.
    let modulus = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let secrets = [
        URL_SAFE_NO_PAD.decode(&modulus).unwrap(),
        modulus.into_bytes(),
        rsa.jwk().to_string().into_bytes(),
    ];
    let mut forged: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let header = json!({ "alg": "HS256", "kid": "rsa", "typ": "JWT" });
            let message = unsigned(&header, &claims(&client));
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let signature = hmac::sign(&key, message.as_bytes());
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        })
        .collect();
    for alg in ["none", "None", "NONE", "HS256", "RS512", "PS256"] {
        let header = json!({ "alg": alg, "kid": "rsa" });
        forged.push(format!("{}.", unsigned(&header, &claims(&client))));
        forged.push(rsa.sign(&header, &claims(&client)));
    }
    // The other kind of key.
    for (key, alg) in [(&rsa, "ES256"), (&p256, "RS256")] {
        for kid in ["rsa", "p256"] {
            forged.push(key.sign(&json!({ "alg": alg, "kid": kid }), &claims(&client)));
        }
    }
    forged.push(format!("{}.", unsigned(&rsa.header(), &claims(&client))));
    // A key of the thief's own.
    let thief = ClientKey::p256("p256");
    forged.push(signed(&client, &thief));
    let their_keys = world.host.url("/thief.json");
    world
        .host
        .publish("/thief.json", &json!({ "keys": [thief.jwk()] }));
    for (name, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!(their_keys)),
        ("x5u", json!(their_keys)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["jwk"])),
    ] {
        let mut header = thief.header();
        header[name] = value;
        forged.push(thief.sign(&header, &claims(&client)));
        let mut header = p256.header();
        header[name] = "even signed by the right key".into();
        forged.push(p256.sign(&header, &claims(&client)));
    }
    for assertion in &forged {
        refused(&refresh(&client, &own.refresh, assertion));
    }
    assert_eq!(world.host.asked_for("/thief.json"), 0);
    let right = signed(&client, &p256);
    assert_eq!(refresh(&client, &own.refresh, &right).status, 200);
}

#[test]
fn a_rotated_key_is_found_and_unknown_ones_do_not_make_the_server_ask_again_and_again() {
    let world = World::new("rotation");
    let (old, new) = (ClientKey::p256("old"), ClientKey::rsa("new"));
    let client = world.signing_client(&old);
    let own = connect(&client, &old);
    world.publish(&[&new]);
    for _ in 0..5 {
        refused(&refresh(&client, &own.refresh, &signed(&client, &new)));
    }
    assert_eq!(world.host.asked_for(KEYS), 1, "it was asked just now");
    world.server.advance(Duration::from_secs(31));
    let assertion = signed(&client, &new);
    assert_eq!(refresh(&client, &own.refresh, &assertion).status, 200);
    assert_eq!(world.host.asked_for(KEYS), 2);
    for _ in 0..5 {
        refused(&refresh(&client, &own.refresh, &signed(&client, &old)));
    }
    assert_eq!(world.host.asked_for(KEYS), 2);
}

#[test]
fn a_client_whose_host_is_down_is_asked_to_wait_and_loses_nothing() {
    let world = World::new("down");
    let key = ClientKey::p256("key");
    world.host.answer(KEYS, "503 Service Unavailable", "{}");
    let client = world.client(DOCUMENT, |_| {});
    let code = client.code(NOAH);
    let assertion = signed(&client, &key);
    for _ in 0..3 {
        let response = redeem(&client, &code, &assertion);
        let (status, error) = response.error();
        assert_eq!((status, error.as_str()), (503, "temporarily_unavailable"));
        assert_eq!(response.header("retry-after"), "30");
    }
    assert_eq!(world.host.asked_for(KEYS), 1, "a failure is remembered");
}

#[test]
fn an_assertion_is_its_clients_alone() {
    let world = World::new("others");
    let (key, other_key) = (ClientKey::p256("key"), ClientKey::p256("key"));
    let client = world.signing_client(&key);
    let own = connect(&client, &key);
    let other = world.client("/other.json", |document| {
        document.as_object_mut().unwrap().remove("jwks_uri");
        document["jwks"] = json!({ "keys": [other_key.jwk()] });
    });
    connect(&other, &other_key);
    // Their assertion with this client's name, or this client's with another's key.
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", own.refresh.as_str()),
        ("client_id", client.id.as_str()),
    ];
    refused(&send(
        &client,
        "/token",
        &fields,
        &signed(&other, &other_key),
    ));
    refused(&send(
        &client,
        "/token",
        &fields,
        &signed(&client, &other_key),
    ));
    // In their own name they are believed, and the token is not theirs.
    let response = refresh(&other, &own.refresh, &signed(&other, &other_key));
    assert_eq!(response.error(), (400, "invalid_grant".to_owned()));
    assert!(is_live(&world.server, &own));
    // Nor does a client that registered itself become one that signs.
    let registered = Client::public(&world.server, HTTPS_CALLBACK);
    refused(&refresh(&registered, "x", &signed(&registered, &key)));
    // Nobody becomes known at the token endpoint.
    let stranger = world.client("/stranger.json", |_| {});
    refused(&refresh(&stranger, "x", &signed(&stranger, &key)));
    assert_eq!(world.host.asked_for("/stranger.json"), 0);
}

#[test]
fn two_ways_of_authenticating_at_once_are_refused() {
    let world = World::new("two-ways");
    let key = ClientKey::p256("key");
    let client = world.signing_client(&key);
    let own = connect(&client, &key);
    let assertion = signed(&client, &key);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", own.refresh.as_str()),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion),
    ];
    let with = |more: &[(&str, &str)]| {
        let fields = [fields.as_slice(), more].concat();
        client.bare("/token").form(&fields)
    };
    for request in [
        with(&[("client_secret", "x")]),
        with(&[]).header("authorization", "Basic eDp5"),
        with(&[]).bearer("x"),
        with(&[("client_assertion", &assertion)]),
        with(&[("client_assertion_type", TYPE)]),
    ] {
        let response = request.send();
        assert_eq!(response.error(), (400, "invalid_request".to_owned()));
    }
    for kind in [
        "",
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
    ] {
        let mut fields = fields.to_vec();
        fields[2].1 = kind;
        refused(&client.bare("/token").form(&fields).send());
    }
    assert_eq!(with(&[]).send().status, 200, "nothing of it used it up");
}

#[test]
fn keys_are_fetched_from_public_addresses_alone() {
    let world = World::new("private-keys");
    let key = ClientKey::p256("key");
    let port = world.host.port();
    let clerk = world.server.clerk.strip_prefix("http://").unwrap();
    for (number, url) in [
        format!("https://127.0.0.1:{port}{KEYS}"),
        format!("https://localhost:{port}{KEYS}"),
        format!("https://[::1]:{port}{KEYS}"),
        format!("https://[::ffff:127.0.0.1]:{port}{KEYS}"),
        format!("https://0x7f.1:{port}{KEYS}"),
        format!("https://{clerk}/v1/jwks"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/jwks.json".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let client = world.client(&format!("/{number}.json"), |document| {
            document["jwks_uri"] = url.as_str().into();
        });
        let code = client.code(NOAH);
        let response = redeem(&client, &code, &signed(&client, &key));
        refused(&response);
        let text = response.text();
        assert!(text.contains("not on the public internet"), "{url}: {text}");
    }
    assert_eq!(world.host.asked_for(KEYS), 0);
    for url in [
        "http://client.example/jwks.json",
        "https://me@client.example/jwks.json",
        "file:///etc/passwd",
        "jwks.json",
    ] {
        let client = world.client("/wrong.json", |document| {
            document["jwks_uri"] = url.into();
        });
        let client = Client {
            id: format!("{}?{}", client.id, url.len()),
            ..client
        };
        let path = client.id.strip_prefix("https://client.example").unwrap();
        let document = json!({
            "client_id": client.id,
            "redirect_uris": [HTTPS_CALLBACK],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": url,
        });
        world.host.publish(path, &document);
        let response = client.browser().get(&client.authorize_url());
        assert_eq!(response.status, 400, "{url}");
        assert!(!response.has("location"), "{url}");
    }
}

#[test]
fn key_sets_that_are_too_large_or_no_key_sets_are_refused() {
    let world = World::new("bad-keys");
    let key = ClientKey::p256("key");
    let right = json!({ "keys": [key.jwk()] }).to_string();
    let large = format!("{right}{}", " ".repeat(32 * 1024));
    let mut private = key.jwk();
    private["d"] = "AQAB".into();
    for (number, (status, body)) in [
        ("200 OK", large.as_str()),
        ("200 OK", "{}"),
        ("200 OK", "["),
        ("200 OK", r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#),
        ("200 OK", &json!({ "keys": [private] }).to_string()),
        (
            "200 OK",
            &json!({ "keys": vec![key.jwk(); 33] }).to_string(),
        ),
        ("302 Found", &right),
        ("404 Not Found", &right),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/keys/{number}.json");
        world.host.answer(&path, status, body);
        let client = world.client(&format!("/{number}.json"), |document| {
            document["jwks_uri"] = world.host.url(&path).into();
        });
        let code = client.code(NOAH);
        let response = redeem(&client, &code, &signed(&client, &key));
        refused(&response);
        assert_eq!(world.host.asked_for(&path), 1);
    }
    assert_eq!(
        world.host.asked_for("/elsewhere"),
        0,
        "no redirect is followed"
    );
    let fits = format!("{right}{}", " ".repeat(32 * 1024 - right.len()));
    world.host.answer(KEYS, "200 OK", &fits);
    let client = world.client(DOCUMENT, |_| {});
    connect(&client, &key);
}
