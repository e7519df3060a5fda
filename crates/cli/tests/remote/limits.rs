//! What one address may ask for, and when it may ask again.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{Client, HTTPS_CALLBACK, NOAH, new_address};
use crate::support::http::{Response, get, post};
use crate::support::server::{CONFIG, Server, shared};

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
fn guesses_at_the_token_endpoint_are_slowed_down() {
    let server = Server::start("guesses", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let code = client.code(NOAH);
    let guess = |number: u32| client.redeem(&format!("cmc_guess-{number}"));
    let mut number = 0;
    let refused = loop {
        let response = guess(number);
        if response.status != 400 {
            break response;
        }
        number += 1;
        assert!(number < 100, "nobody stops the guesses");
    };
    assert!(number >= 20, "{number} is few for honest errors");
    let wait = too_many(&refused);
    assert_eq!(refused.header("cache-control"), "no-store");
    // Revocation shares the limit, and a right code waits as well, but is not lost.
    too_many(&client.revoke("cmr_guess"));
    too_many(&client.redeem(&code));
    server.advance(Duration::from_secs(wait));
    assert_eq!(client.redeem(&code).status, 200);
}

#[test]
fn authorization_requests_of_an_address_are_bounded() {
    let client = Client::public(shared(), HTTPS_CALLBACK);
    let url = client.authorize_url();
    let statuses: Vec<Response> = (0..140).map(|_| client.browser().get(&url)).collect();
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
