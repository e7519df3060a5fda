//! A Clerk instance without Organizations: Clerk refuses to speak of memberships there, and everybody is
//! served all the same.

use std::time::Duration;

use serde_json::json;

use crate::support::actors::{Client, HTTPS_CALLBACK, tokens};
use crate::support::clerk::Application;
use crate::support::mcp::{call, initialize, result, tool_names};
use crate::support::server::{Server, folder};

const MIA: &str = "user_2EmuMiaWithoutOrganizations";

const SEED: &str = r#"
[instance]
organizations_enabled = false

[[users]]
id = "user_2EmuMiaWithoutOrganizations"
email_addresses = ["mia@example.com"]
first_name = "Mia"
public_metadata = { role = "premium" }
"#;

/// `dev` as it comes, with people signing in this way.
fn start(sign_in: &str) -> Server {
    let folder = folder(&format!("no-organizations-{sign_in}"));
    std::fs::write(folder.join("seed.toml"), SEED).unwrap();
    Server::start_with(folder, &["--sign-in", sign_in], "warn")
}

/// What a token is good for: who one is, the tools of one's role, and oneself at Clerk.
#[track_caller]
fn is_served(server: &Server, access: &str) {
    let session = initialize(server, access);
    let tools = tool_names(server, access, &session);
    assert!(tools.contains(&"generateImage".to_owned()), "{tools:?}");
    let ask = |tool: &str| call(server, access, &session, tool, &json!({}));
    let about = result(&ask("userInfo"));
    assert_eq!(about["email"], "mia@example.com", "{about}");
    assert_eq!(about["organization_id"], json!(null), "{about}");
    assert_eq!(result(&ask("getUser"))["id"], MIA);
    // A tool of organizations says what is the matter.
    let answer = ask("getUserOrganizationMembershipList").rpc();
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(answer.to_string().contains("not enabled"), "{answer}");
}

#[track_caller]
fn is_served_after_a_refresh(server: &Server, client: &Client<'_>, refresh: &str) {
    // What was known of the person is old.
    server.advance(Duration::from_secs(61));
    let own = tokens(&client.refresh(refresh));
    is_served(server, &own.access);
    assert!(
        !server.log().contains("who somebody is"),
        "{}",
        server.log()
    );
}

#[test]
fn people_sign_in_at_clerk() {
    let server = start("clerk-oauth");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(MIA);
    is_served(&server, &own.access);
    is_served_after_a_refresh(&server, &client, &own.refresh);
}

#[test]
fn people_sign_in_through_the_application() {
    let server = start("app");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect_through_app(MIA);
    is_served(&server, &own.access);
    is_served_after_a_refresh(&server, &client, &own.refresh);
}

#[test]
fn people_come_with_tokens_of_clerks() {
    let server = start("clerk-tokens");
    let client = Application::new(&server, "openid profile email offline_access");
    let access = client.connect(MIA);
    is_served(&server, &access);
    server.advance(Duration::from_secs(61));
    is_served(&server, &access);
    assert!(
        !server.log().contains("who somebody is"),
        "{}",
        server.log()
    );
}
