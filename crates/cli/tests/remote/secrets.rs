//! What a client has seen of tokens, codes, cookies and secrets is in no log and in no file.

use serde_json::json;

use crate::support::actors::{
    AVA, Client, HTTPS_CALLBACK, LOOPBACK_CALLBACK, NOAH, OTHER_VERIFIER, VERIFIER, at_clerk,
    consent_page, press, tokens,
};
use crate::support::http::parameter;
use crate::support::mcp::{at_mcp, call, initialize, initialize_message};
use crate::support::server::{CONFIG, CONFIGURED_SECRET, Server, folder};

#[test]
fn no_secret_reaches_the_log_the_audit_or_the_database() {
    let mut server = Server::start_in(folder("secrets"), CONFIG, "trace");
    let mut secrets: Vec<(&str, String)> = vec![
        ("Clerk's secret key", "sk_test_emulate".to_owned()),
        ("the secret at Clerk", "emulated-client-secret".to_owned()),
        ("a configured secret", CONFIGURED_SECRET.to_owned()),
        ("a verifier", VERIFIER.to_owned()),
    ];
    for (uri, method, person) in [
        (HTTPS_CALLBACK, "none", NOAH),
        (LOOPBACK_CALLBACK, "client_secret_post", AVA),
    ] {
        let client = Client::register(&server, uri, method, "Seen");
        secrets.extend(
            client
                .secret
                .clone()
                .map(|secret| ("a client's secret", secret)),
        );
        let mut browser = client.browser();
        let page = consent_page(&server, &mut browser, &client.authorize_url());
        let to_clerk = press(&server, &mut browser, &page, "approve").location();
        secrets.push(("a state", parameter(&to_clerk, "state").unwrap()));
        secrets.push(("a nonce", parameter(&to_clerk, "nonce").unwrap()));
        let callback = at_clerk(&server, &mut browser, &to_clerk, person);
        secrets.push(("a code of Clerk's", parameter(&callback, "code").unwrap()));
        let back = browser.get(&callback).location();
        let code = parameter(&back, "code").unwrap();
        // What is refused is logged: without what it was about.
        client.redeem_with(&code, &[("code_verifier", OTHER_VERIFIER)]);
        client.redeem_with(&code, &[("redirect_uri", "https://evil.example/")]);
        let first = tokens(&client.redeem(&code));
        let second = tokens(&client.refresh(&first.refresh));
        let third = tokens(&client.refresh(&second.refresh));
        let session = initialize(&server, &third.access);
        call(&server, &third.access, &session, "userInfo", &json!({}));
        call(
            &server,
            &third.access,
            &session,
            "getUser",
            &json!({ "userId": third.access }),
        );
        let in_query = format!("{}?access_token={}", server.mcp(), third.access);
        crate::support::http::post(&in_query)
            .json(&initialize_message())
            .send();
        let garbled = at_mcp(&server, "POST", &format!("{}x", third.access));
        garbled.json(&initialize_message()).send();
        client.post(
            "/token",
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", &third.access),
            ],
        );
        // Replays of each kind, and a revocation.
        client.redeem(&code);
        client.refresh(&first.refresh);
        client.revoke(&third.refresh);
        browser.get(&callback);
        secrets.push(("a code", code));
        for issued in [first, second, third] {
            secrets.push(("an access token", issued.access));
            secrets.push(("a refresh token", issued.refresh));
        }
        let cookies = browser.cookie_values().filter(|value| value.len() > 12);
        secrets.extend(cookies.map(|value| ("a cookie", value.to_owned())));
    }
    // A grant that is alive when the server ends, so that its row is there.
    let client = Client::public(&server, HTTPS_CALLBACK);
    let alive = client.connect(NOAH);
    server.kept_by_clerk(|kept| kept["refresh_tokens"][2].is_object());
    secrets.push(("a live token", alive.access));
    secrets.push(("a live refresh token", alive.refresh));
    server.terminate();
    assert!(server.wait().success());

    let of_clerk = server.kept_by_clerk(|kept| kept["refresh_tokens"][0].is_object());
    for kind in ["codes", "access_tokens", "refresh_tokens"] {
        let rows = of_clerk[kind].as_array().into_iter().flatten();
        let ids = rows.filter_map(|row| row["id"].as_str());
        secrets.extend(ids.map(|id| ("what Clerk gave", id.to_owned())));
    }
    let key = std::fs::read_to_string(server.folder.join("state/clerk-mcp.db.key")).unwrap();
    secrets.push(("the server's key", key.trim().to_owned()));
    assert!(secrets.len() > 30, "{}", secrets.len());

    let mut places = vec![("the log".to_owned(), server.log().into_bytes())];
    assert!(
        places[0].1.len() > 1000,
        "trace logs more: {}",
        server.log()
    );
    places.push((
        "the audit log".to_owned(),
        std::fs::read(server.folder.join("audit.jsonl")).unwrap(),
    ));
    let databases = server.kept_files();
    let databases = databases.iter().filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("clerk-mcp.db") && !name.ends_with(".key")
    });
    for file in databases {
        places.push((file.display().to_string(), std::fs::read(file).unwrap()));
    }
    assert!(places.len() >= 3);
    for (place, bytes) in &places {
        for (what, secret) in &secrets {
            // The part after the prefix, too: prefixes name the kind and are no secret.
            let bare = secret.split_once('_').map_or(&**secret, |(_, bare)| bare);
            let found = bytes
                .windows(bare.len())
                .any(|window| window == bare.as_bytes());
            assert!(!found || bare.len() < 12, "{what} ({secret}) is in {place}");
        }
    }
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start("modes", CONFIG);
    Client::public(&server, HTTPS_CALLBACK).connect(NOAH);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&server.folder.join("state")), 0o700);
    let files = server.kept_files();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name != ".gitignore" {
            assert_eq!(mode(&file) & 0o077, 0, "{name}");
        }
    }
    assert_eq!(mode(&server.folder.join("audit.jsonl")), 0o600);
}
