//! Calls of an API that is slow, huge, wrong, unwilling, leading elsewhere or not there.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use clerk_mcp_server::http_tools::{FixedCredentials, Surroundings};
use mcp::Content;
use serde_json::{Value, json};

use super::{
    api::{Api, Leap, Never, Tokens, caller, saved, surroundings},
    object,
};

fn fixed() -> Surroundings {
    Surroundings {
        credentials: Arc::new(FixedCredentials),
        ..surroundings()
    }
}

fn get(path: &str) -> String {
    let timeout = match path {
        "/slow" | "/trickle" => "timeout = \"300ms\"",
        _ => "",
    };
    format!("method = \"GET\"\npath = \"{path}\"\nretries = 0\n{timeout}")
}

#[tokio::test]
async fn what_goes_wrong_has_a_code_of_its_own() {
    let api = Api::start().await;
    for (path, code, message) in [
        ("/slow", "timeout", "within 0.3 s"),
        ("/trickle", "timeout", "within 0.3 s"),
        ("/huge", "response_too_large", "65536 bytes"),
        ("/huge-chunked", "response_too_large", "65536 bytes"),
        ("/html", "unexpected_content_type", "`text/html`, not JSON"),
        ("/compressed", "invalid_response", "compressed"),
        ("/status/400", "api_refused", "(400)"),
        ("/status/403", "forbidden", "(403)"),
        ("/status/404", "not_found", "(404)"),
        ("/status/410", "not_found", "(410)"),
        ("/status/304", "invalid_response", "its status is 304"),
        ("/busy", "api_failed", "(503); it asks to wait 30 s"),
        ("/limited-to-a-date", "rate_limited", "90 s"),
        ("/breaks", "connection_lost", "broke"),
        ("/deep", "invalid_response", "recursion limit exceeded"),
        ("/status/500", "api_failed", "(500)"),
        ("/status/302", "redirect_refused", "(302)"),
        ("/limited", "rate_limited", "120 s"),
        ("/redirect-out", "redirect_refused", "not followed"),
        ("/redirect-away", "redirect_refused", "not followed"),
        ("/redirect-loop", "redirect_refused", "(302)"),
    ] {
        let error = api.call(&get(path), json!({})).await.unwrap_err();
        assert_eq!(error.code, code, "{path}");
        assert!(error.message.contains(message), "{path}: {}", error.message);
        assert!(
            error.hint.is_some() && error.to_string().len() < 600,
            "{path}"
        );
    }
    // After all that, calls go on as before.
    assert!(api.call(&get("/echo"), json!({})).await.is_ok());
}

/// Whoever reads may call again. Whoever wrote must not, before they have looked.
#[tokio::test]
async fn what_may_have_been_done_is_told_of_writes_alone() {
    let api = Api::start().await;
    for (path, hint) in [
        ("/trickle", "it may have been done"),
        ("/breaks", "it may have been done"),
        ("/huge", "it may have been done"),
        ("/redirect-out", "it may have been done"),
        ("/status/500", "it may have been done"),
        ("/busy", "it may have been done"),
        ("/html", "the API has taken the call"),
        ("/deep", "the API has taken the call"),
    ] {
        let post = get(path).replace("GET", "POST");
        let read = api.call(&get(path), json!({})).await.unwrap_err();
        let write = api.call(&post, json!({})).await.unwrap_err();
        assert_eq!(read.code, write.code, "{path}");
        let told = |error: clerk_mcp_server::ToolError| error.hint.unwrap();
        let (read, write) = (told(read), told(write));
        assert!(write.contains(hint), "{path}: {write}");
        assert!(!read.contains(hint), "{path}: {read}");
    }
    // What the API refused, or never got, was not done.
    for path in ["/status/422", "/status/404", "/limited"] {
        let post = get(path).replace("GET", "POST");
        let hint = api.call(&post, json!({})).await.unwrap_err().hint.unwrap();
        assert!(
            !hint.contains("done") && !hint.contains("taken"),
            "{path}: {hint}"
        );
    }
    // A POST that its owner says only reads is a read.
    let search = format!("{}\nannotations = {{ read_only = true }}", get("/breaks"));
    let search = search.replace("GET", "POST");
    let hint = api
        .call(&search, json!({}))
        .await
        .unwrap_err()
        .hint
        .unwrap();
    assert_eq!(hint, "try again later");
}

#[tokio::test]
async fn a_byte_order_mark_is_not_part_of_an_answer() {
    let api = Api::start().await;
    let json = api.call(&get("/marked"), json!({})).await.unwrap();
    assert_eq!(json.structured, Some(object(json!({"ok": true}))));
    let entry = format!("{}\noutput = {{ kind = \"text\" }}", get("/marked"));
    let text = api.call(&entry, json!({})).await.unwrap();
    assert_eq!(text.content, [Content::Text(r#"{"ok": true}"#.to_owned())]);
}

#[tokio::test]
async fn whom_an_api_does_not_allow_it_is_told_as_it_is() {
    let api = Api::start().await;
    let refused = api.call(&get("/status/403"), json!({})).await.unwrap_err();
    assert!(refused.message.contains("this person"), "{refused}");
    let entry = format!("{}\ncredential = \"none\"", get("/status/403"));
    let refused = api.call_with(&entry, json!({}), fixed()).await.unwrap_err();
    assert!(refused.message.contains("this server"), "{refused}");
    assert!(!refused.to_string().contains("person"), "{refused}");
}

#[tokio::test]
async fn an_api_that_is_not_there_is_unreachable() {
    // Nobody's: a free port could be another test's in a moment.
    let gone = Api::start().await.moved_to(([127, 0, 0, 1], 1).into());
    let error = gone.call(&get("/echo"), json!({})).await.unwrap_err();
    assert_eq!(error.code, "unreachable");
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn what_an_api_says_is_cut_and_escaped() {
    let api = Api::start().await;
    let error = api.call(&get("/status/422"), json!({})).await.unwrap_err();
    assert!(error.message.contains("It said: "), "{}", error.message);
    assert!(!error.message.contains('\u{202e}'));
}

#[tokio::test]
async fn redirects_are_followed_below_the_base_url_alone() {
    let api = Api::start().await;
    let result = api.call(&get("/redirect-in"), json!({})).await.unwrap();
    assert_eq!(result.structured, Some(object(json!({"ok": true}))));
    api.call(&get("/redirect-out"), json!({}))
        .await
        .unwrap_err();
    let post = "method = \"POST\"\npath = \"/see-other\"\nbody = { a = 1 }";
    api.call(post, json!({})).await.unwrap();
    let post = "method = \"POST\"\npath = \"/redirect-in\"\nbody = { a = 1 }";
    let error = api.call(post, json!({})).await.unwrap_err();
    assert_eq!(error.code, "redirect_refused");
    let lines: Vec<String> = api.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/redirect-in",
            "GET /v1/echo?followed=1",
            "GET /v1/redirect-out",
            "POST /v1/see-other",
            "GET /v1/echo",
            "POST /v1/redirect-in",
        ]
    );
    assert_eq!(api.asked()[4].body, "");
}

#[tokio::test]
async fn a_refused_credential_is_renewed_once() {
    let api = Api::start().await;
    let shared = surroundings();
    let call = |path: &'static str| {
        let (api, shared) = (&api, shared.clone());
        async move { api.call_with(&get(path), json!({}), shared).await }
    };
    call("/whoami").await.unwrap();
    let sent = |asked: Vec<super::api::Asked>| -> Vec<String> {
        asked
            .into_iter()
            .filter_map(|asked| asked.authorization)
            .collect()
    };
    assert_eq!(sent(api.asked()), ["Bearer token-0", "Bearer token-1"]);
    // What was renewed is kept.
    call("/whoami").await.unwrap();
    assert_eq!(api.asked().len(), 3);
    let error = call("/status/401").await.unwrap_err();
    assert_eq!(error.code, "sign_in_again");
    assert!(error.hint.unwrap().contains("authorizedParties"));
    assert_eq!(api.asked().len(), 5);
}

#[tokio::test]
async fn an_api_that_takes_no_oauth_tokens_is_told_with_what_it_has_to_accept() {
    let api = Api::start().await;
    let entry = format!("{}\ncredential = \"oauth\"", get("/status/401"));
    let error = api.call(&entry, json!({})).await.unwrap_err();
    assert_eq!(error.code, "sign_in_again");
    let hint = error.hint.unwrap();
    assert!(
        hint.contains("oauth_token") && !hint.contains("authorizedParties"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_credential_that_the_api_repeats_is_not_shown() {
    let api = Api::start().await;
    let shared = Surroundings {
        credentials: Arc::new(Tokens(AtomicUsize::new(4_000_000))),
        ..surroundings()
    };
    let (path, text) = ("/headers", "Bearer (a credential, not shown)");
    let result = api.call_with(&get(path), json!({}), shared.clone()).await;
    let structured = result.unwrap().structured.unwrap();
    assert_eq!(structured["you"]["sent"], text);
    let path = "/refuses-with-headers";
    let error = api.call_with(&get(path), json!({}), shared).await;
    let message = error.unwrap_err().message;
    assert!(
        message.contains(text) && !message.contains("4000000"),
        "{message}"
    );
    assert_eq!(
        api.asked()[0].authorization.as_deref(),
        Some("Bearer token-4000000")
    );
}

#[tokio::test]
async fn nobody_is_asked_to_sign_in_for_a_credential_that_is_not_theirs() {
    let api = Api::start().await;
    for credential in [
        "\"none\"",
        "{ header = \"X-Api-Key\", secret_env = \"API_KEY\" }",
    ] {
        let entry = format!("{}\ncredential = {credential}", get("/status/401"));
        let error = api.call_with(&entry, json!({}), fixed()).await.unwrap_err();
        assert_eq!(error.code, "credential_refused");
    }
    // Neither is sent again: there is nothing to renew.
    assert_eq!(api.asked().len(), 2);
    let error = api
        .call_with(&get("/echo"), json!({}), fixed())
        .await
        .unwrap_err();
    assert_eq!(error.code, "credential_unavailable");
}

/// Clerk that answers too late is not the API, and nothing was done there.
#[tokio::test]
async fn a_credential_that_does_not_come_is_no_api_that_does_not_answer() {
    let api = Api::start().await;
    let never = Surroundings {
        credentials: Arc::new(Never),
        ..surroundings()
    };
    let entry = "method = \"POST\"\npath = \"/echo\"\ntimeout = \"50ms\"";
    let error = api.call_with(entry, json!({}), never).await.unwrap_err();
    assert_eq!(error.code, "credential_unavailable");
    assert!(
        error.message.contains("within 0.05 s; nothing was sent"),
        "{error}"
    );
    assert!(api.asked().is_empty());
}

/// 303: it was done, and only the answer is elsewhere.
#[tokio::test]
async fn a_write_that_led_elsewhere_for_its_answer_is_not_sent_again() {
    for (path, code) in [
        ("/see-refused", "sign_in_again"),
        ("/see-missing", "not_found"),
    ] {
        let api = Api::start().await;
        let entry = format!("method = \"POST\"\npath = \"{path}\"");
        let error = api.call(&entry, json!({})).await.unwrap_err();
        assert_eq!(error.code, code);
        let hint = error.hint.unwrap();
        assert!(hint.contains("took the call"), "{hint}");
        let asked = api.asked();
        let methods = asked
            .iter()
            .map(|asked| asked.line.split(' ').next().unwrap());
        assert_eq!(methods.collect::<Vec<_>>(), ["POST", "GET"], "{path}");
    }
    let api = Api::start().await;
    let entry = "method = \"PUT\"\npath = \"/see-busy\"\nretries = 2";
    let error = api.call(entry, json!({})).await.unwrap_err();
    assert_eq!((error.code.as_str(), api.asked().len()), ("api_failed", 2));
    // What only reads may be sent again, with a new credential.
    let api = Api::start().await;
    let entry = "method = \"POST\"\npath = \"/see-refused\"\nannotations = { read_only = true }";
    let error = api.call(entry, json!({})).await.unwrap_err();
    assert!(!error.hint.unwrap().contains("took the call"));
    assert_eq!(api.asked().len(), 4);
}

#[tokio::test]
async fn reads_are_repeated_and_writes_are_not() {
    let api = Api::start().await;
    let flaky = "method = \"GET\"\npath = \"/flaky\"";
    assert!(api.call(flaky, json!({})).await.is_ok());
    assert_eq!(api.asked().len(), 3);
    let post = "method = \"POST\"\npath = \"/status/503\"";
    assert_eq!(
        api.call(post, json!({})).await.unwrap_err().code,
        "api_failed"
    );
    assert_eq!(api.asked().len(), 4);
}

/// The time of the call would be over before the API takes another.
#[tokio::test]
async fn what_would_come_too_late_is_not_waited_for() {
    let entry = "method = \"GET\"\npath = \"/busy-for-3-s\"\ntimeout = \"60s\"\nretries = 1";
    // After so many milliseconds the API has answered for the first time.
    for (answered_after, asked) in [(58_000, 1), (57_000, 1), (56_999, 2)] {
        let api = Api::start().await;
        let env = Arc::new(Leap::to(answered_after));
        let surroundings = Surroundings {
            env: env.clone(),
            ..surroundings()
        };
        let called = api.call_with(entry, json!({}), surroundings).await;
        let error = called.unwrap_err();
        assert_eq!(error.code, "api_failed", "{error}");
        assert!(error.message.contains("it asks to wait 3 s"), "{error}");
        assert_eq!(api.asked().len(), asked, "{answered_after}");
        let waits = vec![Duration::from_secs(3); asked - 1];
        assert_eq!(env.waits(), waits, "{answered_after}");
    }
}

#[tokio::test]
async fn pages_are_gathered_up_to_a_bound() {
    let api = Api::start().await;
    let entry = |most: u32| {
        format!(
            "{}\npagination = {{ kind = \"cursor\", parameter = \"after\", next = \"/next\", items = \"/data\", max_pages = {most} }}",
            get("/pages")
        )
    };
    let whole = api
        .call(&entry(9), json!({}))
        .await
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(
        Value::Object(whole),
        json!({"items": [0, 1, 2, 3, 4, 5, 6, 7], "more": false})
    );
    let part = api
        .call(&entry(2), json!({}))
        .await
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(
        Value::Object(part),
        json!({"items": [0, 1, 2, 3], "more": true, "next": "4"})
    );
    // Some answer an empty list with nothing.
    let empty = entry(9).replace("/pages", "/empty");
    let empty = api.call(&empty, json!({})).await.unwrap().structured;
    assert_eq!(empty, Some(object(json!({"items": [], "more": false}))));
}

#[tokio::test]
async fn values_are_kept_from_call_to_call() {
    let api = Api::start().await;
    let around = surroundings();
    let ava = caller("user_1", "client");
    let entry = format!(
        "{}\nquery = {{ after = \"{{state.at?}}\" }}\nsave = {{ at = \"/next\" }}",
        get("/pages")
    );
    // The last page has no next one, so that the fifth call begins anew.
    for next in [json!("2"), json!("4"), json!("6"), json!(null), json!("2")] {
        let called = api.call_as(&entry, json!({}), around.clone(), &ava).await;
        let page = called.unwrap().structured.unwrap();
        assert_eq!(page.get("next").cloned().unwrap_or_default(), next);
    }
    let error = api.call(&entry, json!({})).await.unwrap_err();
    assert_eq!(
        error.code, "state_unavailable",
        "nobody in particular calls"
    );
}

#[tokio::test]
async fn a_value_that_is_not_there_is_told_with_the_tool_that_saves_it() {
    let api = Api::start().await;
    let saves = api.tool(&format!("{}\nsave = {{ cart = \"/id\" }}", get("/cart")));
    let around = Surroundings {
        saved: saved(&[saves]),
        ..surroundings()
    };
    let ava = caller("user_1", "client");
    for entry in [
        get("/carts/{state.cart}"),
        format!("{}\nquery = {{ c = \"{{state.cart}}\" }}", get("/carts")),
        format!(
            "{}\nheaders = {{ X-Cart = \"{{state.cart}}\" }}",
            get("/carts")
        ),
        "method = \"POST\"\npath = \"/carts\"\nbody = { c = [\"{state.cart}\"] }".to_owned(),
    ] {
        let called = api.call_as(&entry, json!({}), around.clone(), &ava).await;
        let error = called.unwrap_err();
        assert_eq!(error.code, "state_missing", "{entry}");
        assert!(error.message.contains("`cart`"), "{error}");
        assert_eq!(error.hint.unwrap(), "first call t, which saves `cart`");
    }
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn a_saved_value_that_fits_into_no_path_is_not_the_models_fault() {
    let api = Api::start().await;
    let (around, ava) = (surroundings(), caller("user_1", "client"));
    let saves = format!("{}\nsave = {{ cart = \"/id\" }}", get("/odd"));
    let saved = api.call_as(&saves, json!({}), around.clone(), &ava).await;
    saved.unwrap();
    let uses = get("/carts/{state.cart}");
    let error = api.call_as(&uses, json!({}), around, &ava).await;
    let error = error.unwrap_err();
    assert_eq!(error.code, "state_unusable", "{error}");
    assert!(error.message.contains("`state.cart`"), "{error}");
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_saved_is_told_after_the_call() {
    let api = Api::start().await;
    let entry = format!("{}\nsave = {{ all = \"\" }}", get("/long"));
    let ava = caller("user_1", "client");
    let called = api.call_as(&entry, json!({}), surroundings(), &ava).await;
    let error = called.unwrap_err();
    assert_eq!(error.code, "state_not_saved");
    assert!(error.message.contains("more than 16384"), "{error}");
    assert_eq!(api.asked().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_when_an_argument_is_wrong() {
    let api = Api::start().await;
    let entry = "method = \"GET\"\npath = \"/orders/{id}\"\ninput = { properties = { id = { type = \"string\" } }, required = [\"id\"] }";
    for arguments in [
        json!({}),
        json!({"id": 7}),
        json!({"id": "../x"}),
        json!({"id": "a", "b": 1}),
    ] {
        let error = api.call(entry, arguments).await.unwrap_err();
        assert_eq!(error.code, "invalid_arguments");
    }
    assert!(api.asked().is_empty());
}

#[tokio::test]
async fn an_empty_answer_is_one() {
    let api = Api::start().await;
    let result = api.call(&get("/empty"), json!({})).await.unwrap();
    assert_eq!(result.structured, Some(object(json!({"status": 204}))));
}

#[tokio::test]
async fn a_dropped_call_ends_the_request() {
    let api = Api::start().await;
    let entry = "method = \"GET\"\npath = \"/slow\"\ntimeout = \"20s\"";
    let call = api.call(entry, json!({}));
    let is_asked = async {
        while api.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = call => panic!("it ends by itself: {ended:?}"),
        () = is_asked => {}
    }
    assert!(api.call(&get("/echo"), json!({})).await.is_ok());
}
