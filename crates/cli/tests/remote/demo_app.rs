//! The demonstration's application beside `dev`: its API is called as whoever is signed in, at Clerk or,
//! with `--sign-in app`, through the application.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{
    AVA, Client, HTTPS_CALLBACK, NOAH, PRIYA, callback_of_app, sign_in_through_app,
};
use crate::support::clerk::{Application, sign_tokens, text};
use crate::support::http::{get, parameter, post};
use crate::support::mcp::{call, initialize, is_refused, result, tool_names};
use crate::support::server::{Server, folder};

fn start(name: &str) -> Server {
    Server::start_with(folder(name), &["--sign-in", "app"], "warn")
}

/// Ava places an order, and reads what is hers; Noah does not see it. Later calls go on.
#[track_caller]
fn shops(server: &Server, ava: &str, noah: &str, later: Duration) {
    let session = initialize(server, ava);
    let tools = tool_names(server, ava, &session);
    for name in [
        "listOrders",
        "getOrder",
        "createOrder",
        "getProfile",
        "getAvatar",
        "userInfo",
    ] {
        assert!(tools.contains(&name.to_owned()), "{name}: {tools:?}");
    }
    assert!(!tools.contains(&"sayHello".to_owned()), "{tools:?}");

    let ask = |tool: &str, arguments: Value| call(server, ava, &session, tool, &arguments);
    let profile = result(&ask("getProfile", json!({})));
    assert_eq!(profile["name"], "Ava Mitchell");
    assert_eq!(profile["acting"], Value::Null);
    let order = json!({ "product": "enamel-mug", "quantity": 2, "note": "for the office" });
    let placed = result(&ask("createOrder", json!({ "body": order })));
    assert_eq!(placed["total"]["cents"], 2_800);
    let id = placed["id"].as_str().unwrap();
    assert_eq!(result(&ask("getOrder", json!({ "id": id }))), placed);
    let orders = result(&ask("listOrders", json!({ "limit": 1 })));
    assert_eq!(orders["data"], json!([placed]));
    let picture = ask("getAvatar", json!({})).rpc();
    assert_eq!(picture["result"]["content"][0]["mimeType"], "image/png");
    assert!(is_refused(&ask(
        "getOrder",
        json!({ "id": "ord_000000000000" })
    )));

    server.advance(later);
    assert_eq!(result(&ask("getOrder", json!({ "id": id }))), placed);

    let session = initialize(server, noah);
    let ask = |tool: &str, arguments: Value| call(server, noah, &session, tool, &arguments);
    let strange = ask("getOrder", json!({ "id": id }));
    assert!(is_refused(&strange), "{}", strange.brief());
    let own = ask("getProfile", json!({}));
    assert_eq!(result(&own)["name"], "Noah Tanaka");
    server.never_writes(&["eyJ"]);
}

#[test]
fn people_sign_in_at_clerk_and_shop_as_themselves() {
    let server = Server::start_with(folder("default"), &[], "warn");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let [ava, noah] = [AVA, NOAH].map(|person| client.connect(person).access);
    shops(&server, &ava, &noah, Duration::from_secs(600));
    // The access tokens of others, and what is none, open nothing.
    let other = Application::new(&server, "openid profile");
    let theirs = other.tokens(AVA, "openid profile", None);
    for signed in [true, false] {
        sign_tokens(&server, signed);
        let theirs = text(&other.tokens(AVA, "openid profile", None), "access_token");
        for (token, code) in [
            (&*theirs, "invalid_access_token"),
            ("oat_guess", "invalid_access_token"),
            (&ava, "token_malformed"),
        ] {
            let refused = get(&format!("{}/api/profile", server.app))
                .bearer(token)
                .send();
            assert_eq!(refused.status, 401, "{}", refused.brief());
            assert_eq!(refused.json()["error"]["code"], code, "{}", refused.brief());
            assert!(!refused.text().contains(token));
        }
    }
    let id_token = text(&theirs, "id_token");
    let refused = get(&format!("{}/api/profile", server.app))
        .bearer(&id_token)
        .send();
    assert_eq!(refused.status, 401, "{}", refused.brief());
    // Tokens that only Clerk can read are lent as well.
    let priya = client.connect(PRIYA).access;
    let session = initialize(&server, &priya);
    let profile = call(&server, &priya, &session, "getProfile", &json!({}));
    assert_eq!(result(&profile)["user_id"], PRIYA);
}

#[test]
fn people_with_tokens_of_clerks_shop_in_sessions_of_their_own() {
    let server = Server::start_with(folder("tokens"), &["--sign-in", "clerk-tokens"], "warn");
    let client = Application::new(&server, "openid profile");
    let [priya, noah] = [PRIYA, NOAH].map(|person| client.connect(person));
    let ask = |token: &str, tool: &str| {
        let session = initialize(&server, token);
        call(&server, token, &session, tool, &json!({}))
    };
    assert_eq!(result(&ask(&priya, "getProfile"))["name"], "Priya Raman");
    assert_eq!(result(&ask(&noah, "getProfile"))["name"], "Noah Tanaka");
    // Later calls have new session tokens.
    server.advance(Duration::from_secs(120));
    assert_eq!(result(&ask(&noah, "getProfile"))["user_id"], NOAH);
    // She has a second factor, which this server cannot give.
    let ava = ask(&client.connect(AVA), "getProfile");
    assert!(is_refused(&ava), "{}", ava.brief());
    for said in [
        "second_factor_needed",
        "this person has a second factor",
        "sign in as one of those",
    ] {
        assert!(ava.text().contains(said), "{said}: {}", ava.brief());
    }
}

/// Wherever somebody is picked, it is told whom the shop's tools refuse, and they are not the first.
#[test]
fn whom_the_shop_refuses_is_told_before_anybody_is_picked() {
    let told = "with a second factor";
    let lent = Server::start_with(folder("told"), &["--sign-in", "clerk-tokens"], "warn");
    let home = get(&lent.at("/")).send().text();
    for (place, text) in [("banner", lent.log()), ("home page", home)] {
        let ava = text.lines().position(|line| line.contains("Ava Mitchell"));
        let noah = text.lines().position(|line| line.contains("Noah Tanaka"));
        assert!(noah < ava, "{place}: {text}");
        let ava = text.lines().nth(ava.unwrap()).unwrap();
        assert!(ava.contains("(second factor)"), "{place}: {ava}");
        assert!(text.contains(told), "{place}: {text}");
    }
    let page = get(&format!("{}/sign-in", lent.clerk)).send().text();
    assert!(page.contains("admin · second factor"), "{page}");
    // Elsewhere her session is her own, or none is needed.
    let own = start("not-told");
    let home = get(&own.at("/")).send().text();
    for text in [own.log(), home] {
        assert!(!text.contains("second factor"), "{text}");
    }
}

#[test]
fn people_sign_in_through_the_application_and_shop_as_themselves() {
    let server = start("shop");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let [ava, noah] = [AVA, NOAH].map(|person| client.connect_through_app(person).access);
    // Session tokens live a minute: later calls have new ones.
    shops(&server, &ava, &noah, Duration::from_secs(120));
}

#[test]
fn a_person_who_is_signed_in_at_the_application_sees_no_other_sign_in() {
    let server = start("known");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let first = sign_in_through_app(&server, &mut browser, &client.authorize_url(), AVA);
    assert!(parameter(&first, "code").is_some(), "{first}");
    // Nobody of this name could be picked: nobody is asked.
    let again = sign_in_through_app(&server, &mut browser, &client.authorize_url(), "nobody");
    assert!(parameter(&again, "code").is_some(), "{again}");
    let page = browser.get(&format!("{}/", server.app));
    assert!(page.text().contains("Ava Mitchell"), "{}", page.brief());
}

#[test]
fn who_acts_as_somebody_cannot_connect_a_client_as_them() {
    let server = start("acting");
    let order = json!({ "user_id": AVA, "actor": { "sub": PRIYA } });
    let link = server.clerk_api("POST", "/actor_tokens", &order).json();
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let link = link["url"].as_str().unwrap();
    let response = browser.get(link);
    let page = browser.follow(response, link.to_owned(), &[&server.clerk]);
    let page = page.unwrap_or_else(|beyond| panic!("{beyond}"));
    let form = page.form("/sign-in");
    let fields: Vec<(&str, &str)> = form.iter().map(|(n, v)| (&**n, &**v)).collect();
    browser.post(&format!("{}/sign-in", server.clerk), &fields, &server.clerk);
    let response = browser.get(&format!("{}/", server.app));
    let home = browser.follow(
        response,
        format!("{}/", server.app),
        &[&server.app, &server.clerk],
    );
    let home = home.unwrap_or_else(|beyond| panic!("{beyond}"));
    assert!(
        home.words()
            .contains("Priya Raman is signed in as Ava Mitchell"),
        "{}",
        home.words()
    );

    let back = sign_in_through_app(&server, &mut browser, &client.authorize_url(), "nobody");
    assert_eq!(
        parameter(&back, "error").as_deref(),
        Some("access_denied"),
        "{back}"
    );
}

#[test]
fn the_application_sends_the_token_to_this_server_alone() {
    let server = start("callback");
    let client = Client::public(&server, HTTPS_CALLBACK);
    let mut browser = client.browser();
    let callback = callback_of_app(&server, &mut browser, &client.authorize_url(), AVA);
    assert!(callback.starts_with(&server.at("/callback?")), "{callback}");
    for other in [
        "https://evil.example/callback".to_owned(),
        server.at("/callback/"),
    ] {
        let query = crate::support::http::encode(&[("state", "s"), ("callback_url", &other)]);
        let refused = browser.get(&format!("{}/auth/mcp?{query}", server.app));
        assert_eq!(refused.status, 400, "{other}");
        assert!(!refused.text().contains("eyJ"));
    }
}

/// Runs the binary beside the server, with what its banner exports.
fn run(server: &Server, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(arguments)
        .env_clear()
        .envs(server.exports.clone())
        .env("XDG_STATE_HOME", server.folder.join("operator"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[test]
fn acting_as_somebody_is_tried_against_the_application() {
    let server = start("operator");
    let api = format!("{}/api", server.app);
    let order = [
        "ava.mitchell@northwind.example",
        "--actor",
        PRIYA,
        "--reason",
        "ticket 4711",
    ];
    let token = run(
        &server,
        &[&["impersonate"][..], &order, &["--token", "--once"]].concat(),
    );
    let profile = get(&format!("{api}/profile")).bearer(token.trim()).send();
    assert_eq!(profile.status, 200, "{}", profile.brief());
    let acting = json!({ "operator": PRIYA, "as": AVA });
    assert_eq!(profile.json()["acting"], acting);

    let allowed = ["--impersonate-api", &api, "--actor", PRIYA, "--yes"];
    let asked = [
        "user=ava.mitchell@northwind.example",
        "method=GET",
        "path=/hello",
        "reason=ticket 4711",
    ];
    let answer = run(
        &server,
        &[&["call", "callApiAs"][..], &asked, &allowed].concat(),
    );
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["body"]["greeting"], "Hello, Ava Mitchell!");
    assert_eq!(answer["body"]["acting"], acting);
    // The API repeats the token; the tool does not.
    assert!(!answer.to_string().contains("eyJ"), "{answer}");
    let exposed = [
        &["call", "callApiAs"][..],
        &asked,
        &allowed,
        &["--expose-tokens"],
    ]
    .concat();
    let answer: Value = serde_json::from_str(&run(&server, &exposed)).unwrap();
    let token = answer["body"]["token"].as_str().unwrap();
    assert!(token.starts_with("eyJ"), "{answer}");
}

#[test]
fn a_configuration_that_leaves_its_application_and_api_open_gets_these() {
    let config = "[sign_in]\nmode = \"app\"\n\n[api]\ncredential = \"session\"\n\n[[tools]]\n\
        name = \"whoAmI\"\ndescription = \"Who you are to the shop.\"\nmethod = \"GET\"\n\
        path = \"/profile\"\noutput = { pointer = \"/name\" }\n\n\
        [[access]]\neveryone = true\ntools = [\"api.*\"]\n";
    let server = Server::start("open", config);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let ava = client.connect_through_app(AVA);
    let session = initialize(&server, &ava.access);
    let answer = call(&server, &ava.access, &session, "whoAmI", &json!({}));
    assert_eq!(result(&answer), json!({ "result": "Ava Mitchell" }));
}

/// Ports that are taken, and flags that contradict each other, end the program before anything starts.
#[test]
fn a_taken_port_is_named_with_its_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder: PathBuf = folder("taken");
    let dev = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["dev", "--port", "0", "--clerk-port", "0"])
            .args(arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{error}");
        error
    };
    let error = dev(&["--app-port", &port]);
    assert!(error.contains("with --app-port"), "{error}");
    std::fs::write(folder.join("x.toml"), "").unwrap();
    let error = dev(&["--config", "x.toml", "--sign-in", "app"]);
    assert!(error.contains("cannot be used with"), "{error}");
    let error = dev(&["--sign-in", "password"]);
    assert!(error.contains("clerk-oauth, app, clerk-tokens"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// What the application says of itself is what its API does.
#[test]
fn the_openapi_file_that_is_served_makes_the_tools() {
    let server = start("openapi");
    let file = get(&format!("{}/openapi.yaml", server.app)).send();
    std::fs::write(server.folder.join("openapi.yaml"), file.text()).unwrap();
    let config = "[sign_in]\nmode = \"app\"\napp_url = \"http://127.0.0.1:1\"\n\
        [api]\ncredential = \"none\"\nopenapi = \"openapi.yaml\"\n";
    let path = server.folder.join("tools.toml");
    std::fs::write(&path, config).unwrap();
    let shown = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["tools", "--config", path.to_str().unwrap()])
            .args(more)
            .env_clear()
            .envs([
                ("CLERK_SECRET_KEY", "sk_test_emulate"),
                ("CLERK_FRONTEND_API", &server.clerk),
                ("CLERK_MCP_API_BASE_URL", &format!("{}/api", server.app)),
            ])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = shown(&[]);
    assert_eq!(text.lines().count(), 8, "{text}");
    assert!(text.starts_with(&format!("{}/api\n", server.app)), "{text}");
    // As clients see them.
    let tools: Vec<Value> = serde_json::from_str(&shown(&["--json"])).unwrap();
    assert_eq!(tools.len(), 6);
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        assert!(text.contains(name), "{name}");
        assert!(
            tool["description"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert!(tool["annotations"]["readOnlyHint"].is_boolean(), "{name}");
    }
    // A call without a token is refused there.
    let refused = post(&format!("{}/api/orders", server.app))
        .json(&json!({}))
        .send();
    assert_eq!(refused.status, 401);
}

/// Whoever writes tools needs no key to see what they have written.
#[test]
fn tools_are_listed_without_any_key() {
    let folder = folder("tools-without-keys");
    let list = |config: &str| {
        let path = folder.join("tools.toml");
        std::fs::write(&path, config).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
            .args(["tools", "--config", path.to_str().unwrap()])
            .env_clear()
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let tool = "[[tools]]\nname = \"getOrders\"\ndescription = \"Orders.\"\nmethod = \"GET\"\n\
                path = \"/orders\"\n[[access]]\nrole = \"admin\"\ntools = [\"getOrders\"]\n";
    for (sign_in, credential, missing) in [
        ("", "\"none\"", "sign_in.client_id"),
        ("mode = \"app\"", "\"session\"", "sign_in.app_url"),
        (
            "mode = \"clerk-tokens\"\nany_client = true",
            "\"m2m\"",
            "clerk.secret_key",
        ),
        (
            "",
            "{ header = \"X-Key\", secret_env = \"SHOP_KEY\" }",
            "clerk.frontend_api",
        ),
    ] {
        let config = format!(
            "public_url = \"https://mcp.example.com\"\n[sign_in]\n{sign_in}\n\
             [api]\nbase_url = \"https://api.example.com\"\ncredential = {credential}\n{tool}"
        );
        let (is_good, listed, warned) = list(&config);
        assert!(is_good, "{warned}");
        assert!(listed.contains("getOrders"), "{listed}");
        assert!(listed.contains("admin"), "{listed}");
        let told = warned.contains(missing) && warned.contains("is not checked");
        assert!(told && warned.contains("serve --check"), "{warned}");
        assert!(
            !format!("{listed}{warned}").contains("not_given"),
            "{warned}"
        );
    }
    // What is wrong with the tools is told all the same, and a key that is given must be one.
    let (is_good, _, said) = list("[api]\nbase_url = \"https://api.example.com\"\n[[tools]]\n");
    assert!(!is_good && said.contains("hint:"), "{said}");
    let unread = "[clerk]\nsecret_key_file = \"none\"\n[api]\nbase_url = \"https://a.example\"\n";
    let (is_good, _, said) = list(&format!("{unread}{tool}"));
    assert!(!is_good && said.contains("cannot be read"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}
