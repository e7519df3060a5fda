//! The people at Clerk, and how the server is set up.

use crate::browser::APP_URL;
use crate::owners_api::OwnersApi;
use crate::plan::{CLIENTS, SignIn};
use crate::proxy::Proxy;

pub(crate) fn person(number: usize) -> String {
    format!("user_Chaos{number:03}")
}

/// Another server that tokens of Clerk's may be for.
pub(crate) const ANOTHER: &str = "https://another.example.com/mcp";

pub(crate) fn seed_file(proxy: &Proxy, sign_in: SignIn) -> String {
    let mut seed = match sign_in {
        SignIn::ClerkTokens => format!(
            "[instance]\ndynamic_oauth_client_registration = true\n\
             oauth_jwt_access_tokens = false\n\
             oauth_resources = [\"{}/mcp\", \"{ANOTHER}\"]\n\n",
            proxy.url
        ),
        SignIn::ClerkOauth | SignIn::App => String::new(),
    };
    seed += &format!(
        "[[oauth_applications]]\nname = \"Chaos\"\nclient_id = \"chaos\"\n\
         client_secret = \"chaos-client-secret\"\nredirect_uris = [\"{}/callback\"]\n\
         scopes = [\"openid\", \"profile\", \"email\", \"offline_access\"]\n",
        proxy.url
    );
    for number in 0..CLIENTS {
        let id = person(number);
        seed += &format!(
            "\n[[users]]\nid = \"{id}\"\nemail_addresses = [\"person{number}@example.com\"]\n"
        );
    }
    seed
}

pub(crate) fn configuration(proxy: &Proxy, api: &OwnersApi, sign_in: SignIn) -> String {
    let (url, address) = (&proxy.url, api.address);
    // The API is called as the person, in a session that the server starts for them.
    let credential = match sign_in {
        SignIn::ClerkTokens => "session",
        SignIn::ClerkOauth | SignIn::App => "none",
    };
    let sign_in = match sign_in {
        SignIn::ClerkOauth => String::new(),
        SignIn::App => format!("[sign_in]\nmode = \"app\"\napp_url = \"{APP_URL}\"\n"),
        SignIn::ClerkTokens => "[sign_in]\nmode = \"clerk-tokens\"\naudience = \"resource\"\n\
                                session = \"ticket\"\n"
            .to_owned(),
    };
    format!(
        r#"bind = "127.0.0.1:0"
public_url = "{url}"
trusted_proxies = ["127.0.0.1"]

{sign_in}
[demo]
tools = true

[[access]]
everyone = true
tools = ["add", "users", "api.*"]

[api]
base_url = "http://{address}/v1"
credential = "{credential}"
timeout = "3s"

[[tools]]
name = "getOrder"
description = "Reads an order."
method = "GET"
path = "/orders/{{order}}"

[tools.input]
required = ["order"]

[tools.input.properties]
order = {{ type = "integer" }}

[[tools]]
name = "cancelOrder"
description = "Cancels an order."
method = "DELETE"
path = "/orders/{{order}}"

[tools.input]
required = ["order"]

[tools.input.properties]
order = {{ type = "integer" }}
"#
    )
}
