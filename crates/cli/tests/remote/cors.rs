//! What pages of other origins may read, and what they may not.

use crate::support::actors::{Client, HTTPS_CALLBACK};
use crate::support::http::{get, request};
use crate::support::server::shared;

const PAGE: &str = "https://page.example";

#[test]
fn metadata_registration_token_and_revocation_are_open_to_all() {
    let server = shared();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        let response = get(&server.at(path)).header("origin", PAGE).send();
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(
            response.header("access-control-allow-origin"),
            "*",
            "{path}"
        );
        assert!(!response.has("access-control-allow-credentials"), "{path}");
    }
    let client = Client::public(server, HTTPS_CALLBACK);
    for path in ["/token", "/revoke", "/register"] {
        // Errors are to be read as well.
        let response = client.bare(path).header("origin", PAGE).form(&[]).send();
        assert!(
            (400..500).contains(&response.status),
            "{path}: {}",
            response.brief()
        );
        assert_eq!(
            response.header("access-control-allow-origin"),
            "*",
            "{path}"
        );
        assert!(!response.has("access-control-allow-credentials"), "{path}");
        let asked = request("OPTIONS", &server.at(path))
            .header("origin", PAGE)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization, content-type",
            )
            .send();
        assert_eq!(asked.status, 204, "{path}");
        assert_eq!(asked.header("access-control-allow-origin"), "*", "{path}");
        let headers = asked
            .header("access-control-allow-headers")
            .to_ascii_lowercase();
        assert!(headers.contains("authorization") && headers.contains("content-type"));
        assert!(
            asked
                .header("access-control-allow-methods")
                .contains("POST")
        );
    }
}

#[test]
fn pages_of_other_origins_read_nothing_of_the_forms() {
    let server = shared();
    let client = Client::public(server, HTTPS_CALLBACK);
    for url in [
        client.authorize_url(),
        server.at("/authorize/consent?handle=x"),
        server.at("/callback?state=x&code=y"),
        server.at("/"),
    ] {
        let response = get(&url).header("origin", PAGE).send();
        assert!(!response.has("access-control-allow-origin"), "{url}");
        let asked = request("OPTIONS", &url)
            .header("origin", PAGE)
            .header("access-control-request-method", "POST")
            .send();
        assert!(!asked.has("access-control-allow-origin"), "{url}");
    }
}

#[test]
fn the_endpoint_is_open_to_listed_origins_alone() {
    let server = shared();
    let ask = |origin: &str| {
        request("OPTIONS", &server.mcp())
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization, mcp-session-id",
            )
            .send()
    };
    let refused = ask(PAGE);
    assert_eq!(refused.status, 403);
    assert!(!refused.has("access-control-allow-origin"));
    let listed = ask("https://inspector.example");
    assert_eq!(listed.status, 204);
    assert_eq!(
        listed.header("access-control-allow-origin"),
        "https://inspector.example"
    );
    assert_eq!(listed.header("vary"), "Origin");
    assert!(!listed.has("access-control-allow-credentials"));
    let headers = listed
        .header("access-control-allow-headers")
        .to_ascii_lowercase();
    for name in [
        "authorization",
        "mcp-session-id",
        "mcp-protocol-version",
        "last-event-id",
    ] {
        assert!(headers.contains(name), "{name}");
    }
    for method in ["GET", "POST", "DELETE"] {
        assert!(
            listed
                .header("access-control-allow-methods")
                .contains(method)
        );
    }
    // What such a page has to read of a refusal.
    let challenge = request("POST", &server.mcp())
        .header("origin", "https://inspector.example")
        .send();
    assert_eq!(challenge.status, 401);
    let exposed = challenge
        .header("access-control-expose-headers")
        .to_ascii_lowercase();
    assert!(exposed.contains("www-authenticate") && exposed.contains("mcp-session-id"));
}
