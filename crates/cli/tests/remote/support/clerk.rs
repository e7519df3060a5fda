//! OAuth clients of Clerk's own, machines, and API keys, where Clerk is the authorization server.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::actors::{CHALLENGE, HTTPS_CALLBACK, VERIFIER, at_clerk, new_address};
use super::browser::Browser;
use super::http::{encode, parameter, post, request};
use super::server::Server;

/// A seed: machines that may ask for tokens for the first one.
pub(crate) const MACHINES: &str = r#"
[[machines]]
id = "mch_2EmuServer00000000000000000"
name = "server"

[[machines]]
id = "mch_2EmuOrders00000000000000000"
name = "orders"
secret_key = "ak_orders"
scopes = ["server"]

[[machines]]
id = "mch_2EmuBilling0000000000000000"
name = "billing"
secret_key = "ak_billing"
scopes = ["server"]
"#;

/// A server that takes Clerk's tokens, if they are for it.
pub(crate) const CONFIG: &str = r#"
name = "Attacked"
trusted_proxies = ["127.0.0.1"]

[sign_in]
mode = "clerk-tokens"
audience = "resource"

[demo]
tools = true

[audit]
file = "audit.jsonl"

[[access]]
everyone = true
tools = ["userInfo", "add", "users", "organizations", "invitations"]

[[access]]
role = "admin"
tools = ["generateImage"]
"#;

/// An OAuth application at Clerk.
#[derive(Clone)]
pub(crate) struct Application<'a> {
    server: &'a Server,
    pub(crate) client_id: String,
    secret: String,
}

impl<'a> Application<'a> {
    /// One that may ask for these scopes.
    pub(crate) fn new(server: &'a Server, scopes: &str) -> Self {
        let body = json!({
            "name": "A client of Clerk's",
            "redirect_uris": [HTTPS_CALLBACK],
            "scopes": scopes,
        });
        let made = server
            .clerk_api("POST", "/oauth_applications", &body)
            .json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            server,
            client_id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    /// What the token endpoint answers for `person`, who allows these scopes for `resource`.
    #[track_caller]
    pub(crate) fn tokens(&self, person: &str, scope: &str, resource: Option<&str>) -> Value {
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", HTTPS_CALLBACK),
            ("state", "the-clients-state"),
            ("scope", scope),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        query.extend(resource.map(|resource| ("resource", resource)));
        let url = format!("{}/oauth/authorize?{}", self.server.clerk, encode(&query));
        let mut browser = Browser::at(&new_address());
        let back = at_clerk(self.server, &mut browser, &url, person);
        let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"));
        let answer = post(&format!("{}/oauth/token", self.server.clerk))
            .form(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", HTTPS_CALLBACK),
                ("code_verifier", VERIFIER),
                ("client_id", &self.client_id),
                ("client_secret", &self.secret),
            ])
            .send();
        assert_eq!(answer.status, 200, "{}", answer.brief());
        answer.json()
    }

    /// An access token for this server.
    #[track_caller]
    pub(crate) fn connect(&self, person: &str) -> String {
        self.connect_for(person, "openid profile")
    }

    #[track_caller]
    pub(crate) fn connect_for(&self, person: &str, scope: &str) -> String {
        let resource = self.server.mcp();
        text(&self.tokens(person, scope, Some(&resource)), "access_token")
    }

    /// Revokes a token at Clerk, and what belongs to it.
    pub(crate) fn revoke(&self, token: &str) {
        let fields = [
            ("client_id", &*self.client_id),
            ("client_secret", &self.secret),
            ("token", token),
        ];
        let url = format!("{}/oauth/token/revoke", self.server.clerk);
        let answer = post(&url).form(&fields).send();
        assert_eq!(answer.status, 200, "{}", answer.brief());
    }
}

/// Has Clerk give out tokens that only it can read, or signed ones again.
pub(crate) fn sign_tokens(server: &Server, signed: bool) {
    let body = json!({ "oauth_jwt_access_tokens": signed });
    server.clerk_api("PATCH", "/instance/oauth_application_settings", &body);
}

/// A token of the machine with this secret key, `opaque` or `jwt`.
#[track_caller]
pub(crate) fn machine_token(server: &Server, key: &str, format: &str) -> String {
    let answer = request("POST", &format!("{}/v1/m2m_tokens", server.clerk))
        .bearer(key)
        .json(&json!({ "token_format": format }))
        .send();
    assert_eq!(answer.status, 201, "{}", answer.brief());
    text(&answer.json(), "token")
}

/// A machine that may talk to these: its id and secret key.
pub(crate) fn machine(server: &Server, name: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": name, "scoped_machines": scopes });
    let made = server.clerk_api("POST", "/machines", &body).json();
    (text(&made, "id"), text(&made, "secret_key"))
}

/// An API key of a user or an organization: its id and its secret.
pub(crate) fn api_key(server: &Server, subject: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": "A key", "subject": subject, "scopes": scopes });
    let made = server.clerk_api("POST", "/api_keys", &body).json();
    (text(&made, "id"), text(&made, "secret"))
}

/// A token of a session of this person's.
pub(crate) fn session_token(server: &Server, person: &str) -> String {
    let session = server.clerk_api("POST", "/sessions", &json!({ "user_id": person }));
    let path = format!("/sessions/{}/tokens", text(&session.json(), "id"));
    text(&server.clerk_api("POST", &path, &json!({})).json(), "jwt")
}

/// The token with these claims besides its own, signed as the local Clerk signs: its key is public. So
/// tokens can be tried that it makes in no other way.
pub(crate) fn signed_again(token: &str, claims: &Value) -> String {
    let (head, rest) = token.split_once('.').unwrap();
    let body = URL_SAFE_NO_PAD.decode(rest.split_once('.').unwrap().0);
    let mut body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    let own = body.as_object_mut().unwrap();
    own.extend(claims.as_object().unwrap().clone());
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(body.to_string()));
    let key = RsaKeyPair::from_der(&emulators_key()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// As it stands in the emulator's source.
fn emulators_key() -> Vec<u8> {
    let source = include_str!("../../../../emulator/src/signing.rs");
    let (_, rest) = source
        .split_once("const EMULATOR_ONLY_KEY: &str = \"")
        .unwrap();
    let (text, _) = rest.split_once('"').unwrap();
    let text: String = text
        .chars()
        .filter(|character| !matches!(character, '\\' | '\n'))
        .collect();
    STANDARD.decode(text).unwrap()
}

#[track_caller]
pub(crate) fn text(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}
