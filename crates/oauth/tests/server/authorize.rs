//! Authorization requests: what goes to the client, what is shown, what is refused.

use clerk_mcp_oauth::{AuthorizeFault, Parameters, ShownFault};

use crate::world::{
    CALLBACK, CHALLENGE, ISSUER, RESOURCE, World, approve, finished, form, handle, query, settings,
    upstream,
};

async fn shown(world: &World, request: &Parameters) -> ShownFault {
    match world.authorize(request).await {
        Err(AuthorizeFault::Show(fault)) => fault,
        other => panic!("not shown: {other:?}"),
    }
}

#[tokio::test]
async fn success_carries_code_state_and_iss_of_rfc_9207() {
    let world = World::new();
    let client = world.register().await;
    let location = world.location(&World::request(&client, &[])).await;
    assert!(
        location.starts_with(&format!("{CALLBACK}?code=cmc_")),
        "{location}"
    );
    let answer = query(&location);
    assert_eq!(answer["iss"], ISSUER);
    assert_eq!(answer["state"], "the client's state");
}

#[tokio::test]
async fn a_redirect_uri_keeps_its_own_query() {
    let world = World::new();
    let uri = "https://app.example.com/callback?tenant=a%20b";
    let client = world.register_at(&[uri]).await;
    let request = World::request(&client, &[("redirect_uri", Some(uri)), ("state", None)]);
    let location = world.location(&request).await;
    assert!(
        location.starts_with(&format!("{uri}&code=cmc_")),
        "{location}"
    );
    assert!(!query(&location).contains_key("state"));
}

#[tokio::test]
async fn errors_are_shown_until_client_and_redirect_uri_are_validated() {
    let world = World::new();
    let client = world.register().await;
    let evil = "https://evil.example/callback";
    let request = |changes: &[(&str, Option<&str>)]| World::request(&client, changes);
    assert_eq!(
        shown(&world, &request(&[("client_id", None)])).await,
        ShownFault::NoClient
    );
    assert_eq!(
        shown(&world, &request(&[("client_id", Some("nobody"))])).await,
        ShownFault::UnknownClient
    );
    assert_eq!(
        shown(&world, &request(&[("redirect_uri", Some(evil))])).await,
        ShownFault::OtherRedirectUri
    );
    // Also when everything else is wrong.
    let wrong = request(&[
        ("redirect_uri", Some(evil)),
        ("response_type", Some("token")),
    ]);
    assert_eq!(shown(&world, &wrong).await, ShownFault::OtherRedirectUri);
    let twice = form(&[
        ("client_id", client.as_str()),
        ("redirect_uri", CALLBACK),
        ("redirect_uri", evil),
    ]);
    assert!(matches!(
        shown(&world, &twice).await,
        ShownFault::Repeated(_)
    ));
    let twice = form(&[("client_id", client.as_str()), ("client_id", "nobody")]);
    assert!(matches!(
        shown(&world, &twice).await,
        ShownFault::Repeated(_)
    ));
}

#[tokio::test]
async fn later_errors_go_to_the_client_with_state_and_iss() {
    let world = World::new();
    let client = world.register().await;
    for (changes, code) in [
        (("response_type", None), "invalid_request"),
        (
            ("response_type", Some("token")),
            "unsupported_response_type",
        ),
        (
            ("response_type", Some("code id_token")),
            "unsupported_response_type",
        ),
        (("response_mode", Some("fragment")), "invalid_request"),
        (("request", Some("eyJ…")), "request_not_supported"),
        (
            ("request_uri", Some("https://evil.example/r")),
            "request_uri_not_supported",
        ),
        (("scope", Some("tools:admin")), "invalid_scope"),
        (("scope", Some("tools:\u{e9}")), "invalid_scope"),
        (("prompt", Some("none")), "interaction_required"),
    ] {
        let answer = world.redirected(&World::request(&client, &[changes])).await;
        assert_eq!(answer["error"], code, "{changes:?}");
        assert_eq!(answer["iss"], ISSUER);
        assert_eq!(answer["state"], "the client's state");
        assert!(!answer.contains_key("code"));
    }
}

#[tokio::test]
async fn a_parameter_sent_twice_is_invalid_request() {
    let world = World::new();
    let client = world.register().await;
    let base = format!(
        "response_type=code&client_id={client}&redirect_uri={CALLBACK}&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    for name in [
        "scope",
        "state",
        "code_challenge",
        "response_type",
        "prompt",
    ] {
        let request = Parameters::parse(format!("{base}&{name}=a&{name}=b").as_bytes());
        let answer = world.redirected(&request).await;
        assert_eq!(answer["error"], "invalid_request", "{name}");
        assert!(
            name != "state" || !answer.contains_key("state"),
            "which of the two?"
        );
    }
}

#[tokio::test]
async fn pkce_is_required_and_plain_is_refused() {
    let world = World::new();
    let client = world.register().await;
    for changes in [
        &[("code_challenge", None)][..],
        &[("code_challenge_method", None)],
        &[("code_challenge_method", Some("plain"))],
        &[("code_challenge_method", Some("s256"))],
        &[("code_challenge", Some("too short"))],
        &[("code_challenge", None), ("code_challenge_method", None)],
    ] {
        let answer = world.redirected(&World::request(&client, changes)).await;
        assert_eq!(answer["error"], "invalid_request", "{changes:?}");
    }
}

#[tokio::test]
async fn an_unknown_resource_is_invalid_target_and_an_absent_one_is_the_only_one() {
    let world = World::new();
    let client = world.register().await;
    for wrong in [
        "https://other.example.com/mcp",
        "https://mcp.example.com",
        "mcp",
    ] {
        let request = World::request(&client, &[("resource", Some(wrong))]);
        assert_eq!(
            world.redirected(&request).await["error"],
            "invalid_target",
            "{wrong}"
        );
    }
    for right in [
        None,
        Some(RESOURCE),
        Some("https://MCP.example.com:443/mcp/"),
    ] {
        let request = World::request(&client, &[("resource", right)]);
        let location = world.location(&request).await;
        let code = query(&location)["code"].clone();
        let tokens = world.redeem(&client, &code).await.unwrap();
        assert_eq!(tokens.grant.resource.as_str(), RESOURCE);
    }
}

#[tokio::test]
async fn redirect_uris_match_exactly_and_on_loopback_but_for_the_port() {
    let world = World::new();
    let registered = [
        CALLBACK,
        "http://127.0.0.1:3000/cb",
        "http://[::1]/cb",
        "http://localhost/cb",
    ];
    let client = world.register_at(&registered).await;
    for right in [
        CALLBACK,
        "http://127.0.0.1/cb",
        "http://127.0.0.1:61234/cb",
        "http://[::1]:61234/cb",
        "http://localhost:61234/cb",
    ] {
        let request = World::request(&client, &[("redirect_uri", Some(right))]);
        assert!(world.authorize(&request).await.is_ok(), "{right}");
    }
    for wrong in [
        "https://app.example.com/callback/",
        "https://app.example.com:8443/callback",
        "https://app.example.com/callback?x",
        "https://app.example.com/CALLBACK",
        "https://APP.example.com/callback",
        "https://app.example.com/x/../callback",
        "https://app.example.com.evil.example/callback",
        "http://127.0.0.1:3000/other",
        "http://127.0.0.1:3000/cb?x",
        "http://localhost.evil.example/cb",
        "http://localhost.evil.example:3000/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.2/cb",
        "http://0x7f.1/cb",
        "http://2130706433/cb",
        "http://%6cocalhost/cb",
        "https://%61pp.example.com/callback",
        "http://localhost@evil.example/cb",
        "http://127.0.0.1:3000@evil.example/cb",
        "http://@127.0.0.1/cb",
        "https://127.0.0.1/cb",
        "http://127.0.0.1/cb#x",
        "http:127.0.0.1/cb",
        "http:\\\\127.0.0.1/cb",
        "javascript:alert(1)",
    ] {
        let request = World::request(&client, &[("redirect_uri", Some(wrong))]);
        assert!(
            matches!(
                world.authorize(&request).await,
                Err(AuthorizeFault::Show(_))
            ),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_lone_registered_redirect_uri_may_be_left_out() {
    let world = World::new();
    let client = world.register().await;
    let location = world
        .location(&World::request(&client, &[("redirect_uri", None)]))
        .await;
    assert!(location.starts_with(CALLBACK));
    let client = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
    let request = World::request(&client, &[("redirect_uri", None)]);
    assert_eq!(shown(&world, &request).await, ShownFault::NoRedirectUri);
}

#[tokio::test]
async fn a_private_use_scheme_that_was_taken_off_the_list_goes_nowhere() {
    let world = World::new();
    let client = world
        .register_at(&["cursor://anysphere.cursor-mcp/oauth/callback"])
        .await;
    let request = World::request(&client, &[("redirect_uri", None)]);
    let next = world.authorize(&request).await.unwrap();
    let mut strict = settings();
    strict.private_use_schemes.clear();
    let world = world.reconfigured(strict);
    assert!(matches!(
        shown(&world, &request).await,
        ShownFault::RedirectUri(_)
    ));
    let next = world
        .decide(&handle(next), approve("tools:read"))
        .await
        .unwrap();
    let location = finished(world.sign_in(&upstream(next), "user_1").await.unwrap());
    assert_eq!(location, ISSUER, "even for an authorization under way");
}

#[tokio::test]
async fn unknown_scopes_are_left_out_and_offline_access_is_accepted() {
    let world = World::new();
    let client = world.register().await;
    for (asked, offered) in [
        (
            Some("tools:admin tools:write offline_access"),
            &["tools:write"][..],
        ),
        (Some("offline_access"), &["tools:read"]),
        (Some("tools:read  tools:read"), &["tools:read"]),
        (None, &["tools:read"]),
    ] {
        let request = World::request(&client, &[("scope", asked)]);
        let valid = world
            .server
            .validate_authorize(&request, &world.web, world.now())
            .await;
        let valid = valid.unwrap();
        let scope: Vec<_> = valid.request().scope.iter().collect();
        assert_eq!(scope, offered, "{asked:?}");
    }
}

/// Clients register the scopes of the first challenge, and ask for more when a tool needs more.
#[tokio::test]
async fn what_a_client_registered_is_its_default_and_no_bound() {
    let world = World::new();
    for (registered, asked, given) in [
        (
            "tools:read",
            Some("tools:read tools:write"),
            "tools:read tools:write",
        ),
        ("tools:read", Some("tools:write"), "tools:write"),
        ("tools:write", None, "tools:write"),
        ("tools:write other", Some("offline_access"), "tools:write"),
        ("other", None, "tools:read"),
    ] {
        let body = format!(
            r#"{{"redirect_uris":["{CALLBACK}"],"scope":"{registered}","token_endpoint_auth_method":"none"}}"#
        );
        let client = world
            .server
            .register(body.as_bytes(), world.now(), &world.random)
            .await
            .unwrap()
            .client;
        let request = World::request(&client.id, &[("scope", asked)]);
        let valid = world
            .server
            .validate_authorize(&request, &world.web, world.now())
            .await
            .unwrap();
        assert_eq!(
            valid.request().scope.to_string(),
            given,
            "{registered}, {asked:?}"
        );
    }
}

#[tokio::test]
async fn scopes_that_are_not_offered_are_no_request() {
    let world = World::new();
    let client = world.register().await;
    let request = World::request(&client, &[("scope", Some("tools:admin other"))]);
    assert_eq!(world.redirected(&request).await["error"], "invalid_scope");
}
