//! What one address may ask for, and when it may ask again.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, new_address};
use crate::support::http::{Response, get, post};
use crate::support::server::{CONFIG, CONFIGURED_SECRET, Server, shared};

#[track_caller]
fn too_many(response: &Response) -> u64 {
    assert_eq!(response.status, 429, "{}", response.brief());
    let retry_after = response.header("retry-after").parse().unwrap();
    assert!(retry_after > 0);
    retry_after
}

#[test]
fn an_address_registers_so_many_clients_an_hour() {
    let server = Server::start("registrations", CONFIG);
    let address = new_address();
    let register = |address: &str, number: u32| {
        let document = json!({
            "client_name": format!("Flood {number}"),
            "redirect_uris": [HTTPS_CALLBACK],
        });
        post(&server.at("/register"))
            .header("x-forwarded-for", address)
            .json(&document)
            .send()
    };
    for number in 0..20 {
        assert_eq!(register(&address, number).status, 201, "{number}");
    }
    let refused = register(&address, 20);
    let wait = too_many(&refused);
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    // Another address of the proxy's, and one that the client made up before it, are no way out.
    assert_eq!(register(&new_address(), 21).status, 201);
    too_many(&register(&format!("{}, {address}", new_address()), 22));
    server.advance(Duration::from_secs(wait));
    assert_eq!(register(&address, 23).status, 201);
    too_many(&register(&address, 24));
}

#[test]
fn a_client_that_is_stuck_with_dead_tokens_holds_up_nobody_at_its_address() {
    let server = shared();
    let neighbour = Client::public(server, HTTPS_CALLBACK);
    let mut tokens = neighbour.connect(NOAH);
    let stuck = Client {
        address: neighbour.address.clone(),
        ..Client::public(server, HTTPS_CALLBACK)
    };
    for number in 0..100 {
        let dead = stuck.refresh(&format!("cmr_dead-{number}"));
        assert_eq!(dead.error(), (400, "invalid_grant".to_owned()));
        assert_eq!(stuck.redeem("cmc_dead").status, 400);
    }
    let refreshed = neighbour.refresh(&tokens.refresh);
    assert_eq!(refreshed.status, 200, "{}", refreshed.brief());
    tokens = crate::support::actors::tokens(&refreshed);
    assert_eq!(neighbour.revoke(&tokens.refresh).status, 200);
    assert_eq!(neighbour.redeem(&neighbour.code(NOAH)).status, 200);
}

#[test]
fn guesses_of_a_clients_secret_are_slowed_down_and_nobody_else_is() {
    let server = &Server::start("secret-guesses", CONFIG);
    let client = Client {
        id: "configured".to_owned(),
        secret: Some(CONFIGURED_SECRET.to_owned()),
        redirect_uri: "https://configured.example/callback".to_owned(),
        ..Client::public(server, HTTPS_CALLBACK)
    };
    let guesser = Client {
        secret: Some("guess".to_owned()),
        ..client.clone()
    };
    let mut guesses = 0;
    let mut guess = || loop {
        let response = guesser.refresh("cmr_any");
        if response.status != 401 {
            break response;
        }
        guesses += 1;
        assert!(guesses < 1_000, "nobody stops the guesses");
    };
    // The right secret waits as well, or else one could go on guessing. On a slow machine the address
    // may be forgiven a guess in between.
    let refused = loop {
        let response = guess();
        if client.refresh("cmr_any").status == 429 {
            break response;
        }
    };
    assert!(guesses >= 30, "{guesses} is few for honest errors");
    let wait = too_many(&refused);
    assert_eq!(refused.header("cache-control"), "no-store");
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    // Not for the same client from elsewhere, nor for others from there, nor where no secret is named.
    let elsewhere = Client {
        address: new_address(),
        ..client.clone()
    };
    let dead = (400, "invalid_grant".to_owned());
    assert_eq!(elsewhere.refresh("cmr_any").error(), dead);
    let neighbour = Client {
        address: client.address.clone(),
        ..Client::public(server, HTTPS_CALLBACK)
    };
    assert_eq!(neighbour.redeem(&neighbour.code(NOAH)).status, 200);
    let nameless = Client {
        secret: None,
        ..client.clone()
    };
    assert_eq!(nameless.refresh("cmr_any").status, 401);
    let revoked = Client {
        secret: Some("guess".to_owned()),
        ..neighbour.clone()
    };
    assert_eq!(revoked.revoke("cmr_any").status, 401, "it has no secret");
    server.advance(Duration::from_secs(wait));
    assert_eq!(client.refresh("cmr_any").error(), dead);
}

#[test]
fn authorization_requests_of_an_address_are_bounded() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let url = client.authorize_url();
    // At the same time: two a second are let through.
    let statuses: Vec<Response> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..140)
            .map(|_| scope.spawn(|| client.browser().get(&url)))
            .collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let refused = statuses.iter().find(|response| response.status == 429);
    let refused = refused.unwrap_or_else(|| panic!("140 requests are let through"));
    too_many(refused);
    assert!(refused.header("content-type").starts_with("text/html"));
    let other = Client {
        address: new_address(),
        ..client
    };
    assert_eq!(other.browser().get(&url).status, 303);
}

#[test]
fn without_a_trusted_proxy_nobody_chooses_their_address() {
    let config = CONFIG.replace("trusted_proxies = [\"127.0.0.1\"]", "");
    let server = Server::start("no-proxy", &config);
    let statuses = (0..25).map(|number| {
        let document = json!({
            "client_name": format!("Flood {number}"),
            "redirect_uris": [HTTPS_CALLBACK],
        });
        let address = new_address();
        let request = post(&server.at("/register"))
            .header("x-forwarded-for", &address)
            .header("forwarded", &format!("for={address}"))
            .header("x-real-ip", &address);
        request.json(&document).send().status
    });
    assert_eq!(statuses.filter(|status| *status == 429).count(), 5);
    assert_eq!(get(&server.at("/healthz")).send().status, 200);
}
