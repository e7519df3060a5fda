//! Requests at the authorization, token and revocation endpoints.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth::{
    AssertionFault, AuthorizeFault, ClientAuthFault, ErrorResponse, Parameters, TokenError,
};
use serde_json::{Value, json};
use url::Url;

use crate::parts::{first_line, text};
use crate::world::{DOCUMENT_URL, ISSUER, NOW, Nobody, World, wait};

const CALLBACK: &str = "https://app.example.com/callback";
/// Stands in seeds for the identifier of the registered client.
const CLIENT: &str = "THE-CLIENT";

static WORLD: LazyLock<World> = LazyLock::new(|| {
    World::new(r#"["https://app.example.com/callback","http://127.0.0.1:3000/cb"]"#)
});

/// The bytes with the registered client's identifier in its place.
fn with_client(input: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(input);
    match text.contains(CLIENT) {
        true => text.replace(CLIENT, &WORLD.client).into_bytes(),
        false => input.to_vec(),
    }
}

pub(crate) const AUTHORIZATION_SEEDS: &[&str] = &[
    "response_type=code&client_id=THE-CLIENT&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=tools%3Aread&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&resource=https%3A%2F%2Fmcp.example.com%2Fmcp",
    "response_type=token&client_id=THE-CLIENT&redirect_uri=http%3A%2F%2F127.0.0.1%3A61234%2Fcb&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=plain&response_mode=fragment&request_uri=x&prompt=none",
    "client_id=https%3A%2F%2Fclient.example%2Fclient.json&redirect_uri=javascript%3Aalert(1)",
    "",
];

pub(crate) fn authorization(input: &[u8]) -> bool {
    let query = Parameters::parse(&with_client(input));
    let answer = wait(WORLD.server.validate_authorize(&query, &WORLD.web, NOW));
    let registered = |uri: &str| {
        let url = Url::parse(uri).unwrap();
        let place = (url.scheme(), url.host_str(), url.path());
        place == ("https", Some("app.example.com"), "/callback") && url.port().is_none()
            || place == ("http", Some("127.0.0.1"), "/cb")
    };
    match answer {
        Ok(_) => {
            assert!(registered(query.get("redirect_uri").unwrap().unwrap()));
            assert_eq!(query.get("code_challenge_method"), Ok(Some("S256")));
            assert_eq!(query.get("response_type"), Ok(Some("code")));
            assert_eq!(query.get("code_challenge").unwrap().unwrap().len(), 43);
            true
        }
        Err(AuthorizeFault::Redirect { location }) => {
            assert!(registered(&location), "{location}");
            let issuer = "iss=https%3A%2F%2Fmcp.example.com";
            assert!(location.contains(issuer), "{location}");
            assert!(location.contains("error="), "{location}");
            false
        }
        Err(AuthorizeFault::Show(_)) => false,
        Err(AuthorizeFault::Store(error)) => panic!("{error}"),
    }
}

pub(crate) const TOKEN_SEEDS: &[&str] = &[
    "\ngrant_type=authorization_code&client_id=THE-CLIENT&code=cmc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "\ngrant_type=refresh_token&client_id=THE-CLIENT&refresh_token=cmr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&scope=tools%3Aread&resource=https%3A%2F%2Fmcp.example.com%2Fmcp",
    "Basic VEhFLUNMSUVOVDpzZWNyZXQ=\ngrant_type=refresh_token&refresh_token=x&client_secret=y",
    "\ngrant_type=refresh_token&refresh_token=x&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.AA",
    "Bearer x\ntoken=x&token_type_hint=access_token&client_id=THE-CLIENT",
];

pub(crate) fn token(input: &[u8]) -> bool {
    let (header, form) = first_line(input);
    let header = text(header).filter(|header| !header.is_empty());
    let form = Parameters::parse(&with_client(form));
    let (server, web) = (&WORLD.server, &WORLD.web);
    let answer = wait(server.token(&form, header, web, &Nobody, NOW, &WORLD.random));
    refused(&answer.expect_err("nothing was given").response());
    match wait(server.revoke(&form, header, web, NOW)) {
        Ok(revoked) => assert_eq!(revoked, None),
        Err(error) => refused(&error.response()),
    }
    false
}

fn refused(response: &ErrorResponse) {
    assert!(matches!(response.status.as_u16(), 400 | 401));
    let known = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
    ];
    assert!(known.contains(&response.code), "{}", response.code);
    // RFC 6749 section 5.2.
    let legal = |byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    assert!(response.description.bytes().all(legal));
}

/// Header and claims, on a line each: signatures are all believed here.
pub(crate) const ASSERTION_SEEDS: &[&str] = &[
    "{\"alg\":\"ES256\",\"kid\":\"a\",\"typ\":\"JWT\"}\n{\"iss\":\"https://client.example/client.json\",\"sub\":\"https://client.example/client.json\",\"aud\":\"https://mcp.example.com\",\"exp\":1790000060,\"iat\":1790000000,\"jti\":\"1\"}",
    "{\"alg\":\"ES256\",\"typ\":\"client-authentication+jwt\"}\n{\"iss\":\"https://client.example/client.json\",\"sub\":\"https://client.example/client.json\",\"aud\":[\"https://mcp.example.com\"],\"exp\":1790000660,\"nbf\":1790000060,\"jti\":\"2\"}",
    // A second beyond each bound.
    "{\"alg\":\"ES256\"}\n{\"iss\":\"https://client.example/client.json\",\"sub\":\"https://client.example/client.json\",\"aud\":\"https://mcp.example.com/token\",\"exp\":1790000661,\"jti\":\"3\"}",
    "{\"alg\":\"ES256\"}\n{\"iss\":\"https://client.example/client.json\",\"sub\":\"https://client.example/client.json\",\"aud\":\"https://mcp.example.com/token\",\"exp\":1789999940,\"jti\":\"3\"}",
    "{\"alg\":\"ES256\"}\n{\"iss\":\"https://client.example/client.json\",\"sub\":\"https://client.example/client.json\",\"aud\":\"https://mcp.example.com/token\",\"exp\":1790000300,\"nbf\":1790000061,\"jti\":\"3\"}",
    "{\"alg\":\"ES256\"}\n{\"iss\":\"https://client.example/client.json\",\"sub\":\"https://client.example/client.json\",\"aud\":\"https://mcp.example.com/token\",\"exp\":1790000300,\"iat\":1790000061,\"jti\":\"3\"}",
    "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\"},\"jku\":\"https://evil.example\",\"crit\":[\"exp\"]}\n{\"iss\":\"x\",\"sub\":\"y\",\"aud\":[\"https://mcp.example.com/token\",\"https://evil.example\"],\"exp\":1e300,\"jti\":7}",
];

/// A server that knows a client whose keys sign. New for each input, for an identifier works once.
fn signing_world() -> World {
    let world = World::new(r#"["https://app.example.com/callback"]"#);
    let coordinate = URL_SAFE_NO_PAD.encode([7; 32]);
    let key = json!({ "kty": "EC", "crv": "P-256", "kid": "a", "x": coordinate, "y": coordinate });
    let document = json!({
        "client_id": DOCUMENT_URL,
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key] },
    });
    *world.web.0.lock().unwrap() = document.to_string().into_bytes();
    let query = [("client_id", DOCUMENT_URL), ("redirect_uri", CALLBACK)];
    let query: Parameters = query.into_iter().collect();
    // It is known from then on; that the request lacks all else does not matter.
    let answer = wait(world.server.validate_authorize(&query, &world.web, NOW));
    assert!(matches!(answer, Err(AuthorizeFault::Redirect { .. })));
    world
}

pub(crate) fn assertion(input: &[u8]) -> bool {
    let (header, claims) = first_line(input);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let assertion = format!("{}.{}.AAAA", part(header), part(claims));
    let form: Parameters = [
        ("token", "x"),
        ("client_assertion", assertion.as_str()),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
    ]
    .into_iter()
    .collect();
    let world = signing_world();
    let use_it = || wait(world.server.revoke(&form, None, &world.web, NOW));
    match use_it() {
        Ok(revoked) => {
            assert_eq!(revoked, None);
            judge(header, claims);
            let again = use_it();
            let replayed = ClientAuthFault::Assertion(AssertionFault::Replayed);
            assert_eq!(again, Err(TokenError::Client(replayed)));
            true
        }
        Err(error) => {
            refused(&error.response());
            false
        }
    }
}

/// The rules again, in other words, of an assertion that was believed.
fn judge(header: &[u8], claims: &[u8]) {
    let header: Value = serde_json::from_slice(header).unwrap();
    let claims: Value = serde_json::from_slice(claims).unwrap();
    assert_eq!(header["alg"], "ES256", "the client's key is of P-256");
    for name in ["jwk", "jku", "x5u", "x5c", "crit", "b64"] {
        assert!(header.get(name).is_none(), "{header}");
    }
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!(DOCUMENT_URL), &json!(DOCUMENT_URL))
    );
    let token_endpoint = format!("{ISSUER}/token");
    let audience = match &claims["aud"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    assert!(!audience.is_empty());
    for one in audience {
        assert!(one == ISSUER || one == token_endpoint, "{claims}");
    }
    let now = 1_790_000_000.0;
    let expires_at = claims["exp"].as_f64().unwrap();
    assert!(
        expires_at > now - 60.0 && expires_at < now + 661.0,
        "{claims}"
    );
    for name in ["iat", "nbf"] {
        if let Some(at) = claims.get(name) {
            assert!(at.as_f64().unwrap() < now + 61.0, "{claims}");
        }
    }
    assert!(!claims["jti"].as_str().unwrap().is_empty(), "{claims}");
}
