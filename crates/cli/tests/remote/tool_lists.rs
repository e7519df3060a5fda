//! The tool list follows the person: connected clients are told when it changes, and list anew.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::actors::{Client, HTTPS_CALLBACK, LUCAS, NOAH, PRIYA, Tokens, tokens};
use crate::support::events::Events;
use crate::support::http::Request;
use crate::support::mcp::{at_mcp, call, initialize, initialize_message, message, tool_names};
use crate::support::patience::until;
use crate::support::server::{CONFIG, Server, shared};
use crate::support::sse::Stream;

/// As old as what is known of a person becomes, and a little more.
const A_MINUTE: Duration = Duration::from_secs(61);
const TOOL: &str = "generateImage";

/// Nobody is asked about at Clerk but who calls something.
fn quiet() -> String {
    CONFIG.replace("[limits]", "[limits]\npeople_per_second = 0")
}

fn told() -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" })
}

/// The next message tells of another list; gives its place.
#[track_caller]
fn news(stream: &mut Events) -> String {
    let (place, message) = stream.next().unwrap();
    assert_eq!(message, told());
    place
}

/// Everything that was ever told in the session's stream, as its events are kept: `next` is caused
/// by a change that comes after all that is looked for.
#[track_caller]
fn told_so_far(server: &Server, tokens: &Tokens, session: &str, last: &str) -> usize {
    let mut stream = Events::after(server, tokens, session, "c.0");
    let places = std::iter::from_fn(|| Some(news(&mut stream)));
    let mut count = 0;
    for place in places {
        count += 1;
        if place == last {
            break;
        }
    }
    count
}

/// A request that stands for itself.
fn stateless(server: &Server, tokens: &Tokens, method: &'static str, params: &Value) -> Request {
    let mut request = json!({ "jsonrpc": "2.0", "id": "s", "method": method, "params": params });
    request["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    at_mcp(server, "POST", &tokens.access)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", method)
        .json(&request)
}

fn listen(server: &Server, tokens: &Tokens, wanted: &Value) -> Request {
    let params = json!({ "notifications": wanted });
    stateless(server, tokens, "subscriptions/listen", &params)
}

fn subscription_message(method: &str, notifications: Option<&Value>) -> Value {
    let mut params = json!({ "_meta": { "io.modelcontextprotocol/subscriptionId": "s" } });
    if let Some(notifications) = notifications {
        params["notifications"] = notifications.clone();
    }
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// A subscription that was acknowledged.
#[track_caller]
fn subscribed(server: &Server, tokens: &Tokens, wanted: &Value, honored: &Value) -> Events {
    let mut stream = Events::of(listen(server, tokens, wanted).open());
    let acknowledged = "notifications/subscriptions/acknowledged";
    let first = stream.message().unwrap();
    assert_eq!(first, subscription_message(acknowledged, Some(honored)));
    stream
}

#[track_caller]
fn assert_complete(stream: &mut Events) {
    let last = stream.message().unwrap();
    assert_eq!(last["id"], "s", "{last}");
    assert_eq!(last["result"]["resultType"], "complete", "{last}");
    let meta = &last["result"]["_meta"];
    assert_eq!(
        meta["io.modelcontextprotocol/subscriptionId"], "s",
        "{last}"
    );
    assert_eq!(stream.message(), None);
}

fn sees(server: &Server, tokens: &Tokens, session: &str) -> bool {
    let names = tool_names(server, &tokens.access, session);
    names.iter().any(|name| name == TOOL)
}

/// A session that listed its tools, and its stream.
fn listening(server: &Server, tokens: &Tokens) -> (String, Events) {
    let session = initialize(server, &tokens.access);
    sees(server, tokens, &session);
    let (stream, _) = Events::standalone(server, &tokens.access, &session);
    (session, stream)
}

#[test]
fn a_role_given_or_taken_away_is_told_to_who_only_listens_and_to_nobody_else() {
    let server = Server::start("told", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let [own, others] = [PRIYA, NOAH].map(|person| client.connect(person));
    let (session, mut stream) = listening(&server, &own);
    let (other_session, mut other_stream) = listening(&server, &others);
    for (role, has_tool) in [(Some("premium"), true), (None, false)] {
        server.set_role(PRIYA, role);
        server.advance(A_MINUTE);
        let last = news(&mut stream);
        assert_eq!(sees(&server, &own, &session), has_tool, "{role:?}");
        let count = told_so_far(&server, &own, &session, &last);
        assert_eq!(count, if has_tool { 1 } else { 2 });
    }
    server.set_role(NOAH, Some("premium"));
    server.advance(A_MINUTE);
    let last = news(&mut other_stream);
    assert_eq!(told_so_far(&server, &others, &other_session, &last), 1);
}

#[test]
fn what_another_client_of_the_person_finds_out_is_told_at_once() {
    let server = Server::start("told-at-once", &quiet());
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(PRIYA);
    let other = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let (session, mut stream) = listening(&server, &own);
    let other_session = initialize(&server, &other.access);
    server.set_role(PRIYA, Some("premium"));
    server.advance(A_MINUTE);
    call(
        &server,
        &other.access,
        &other_session,
        "userInfo",
        &json!({}),
    );
    news(&mut stream);
    assert!(sees(&server, &own, &session));
    // So is what a refresh finds out, though what is known is young.
    server.set_role(PRIYA, None);
    let own = tokens(&client.refresh(&own.refresh));
    let last = news(&mut stream);
    assert!(!sees(&server, &own, &session));
    assert_eq!(told_so_far(&server, &own, &session, &last), 2);
}

#[test]
fn a_session_goes_on_after_a_kill_and_is_told_that_the_rules_are_others() {
    let server = Server::start("told-after-kill", &quiet());
    let own = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let (session, stream) = listening(&server, &own);
    let (never_listed, began) = {
        let session = initialize(&server, &own.access);
        let (_, place) = Events::standalone(&server, &own.access, &session);
        (session, place)
    };
    let (_, place) = Events::standalone(&server, &own.access, &session);
    drop(stream);
    // The same rules: nothing is told.
    let server = server.kill_and_start_again(&quiet());
    drop(Events::after(&server, &own, &session, &place));
    let others = quiet().replace(r#"role = ["admin", "premium"]"#, "everyone = true");
    assert_ne!(others, quiet());
    let server = server.kill_and_start_again(&others);
    let mut stream = Events::after(&server, &own, &session, &place);
    let told = news(&mut stream);
    drop(stream);
    // It was told, and did not list yet: resumed at its place it hears nothing twice, ...
    let server = server.kill_and_start_again(&others);
    let mut resumed = Events::after(&server, &own, &session, &told);
    // ... and in a new stream it does, for that event may be lost.
    let (mut fresh, _) = Events::standalone(&server, &own.access, &session);
    let again = news(&mut fresh);
    assert!(sees(&server, &own, &session));
    drop(fresh);
    // Back to the rules of before: all that was told are the two of above and this.
    let server = server.kill_and_start_again(&quiet());
    assert!(resumed.next().is_none(), "nothing was told twice");
    let mut stream = Events::after(&server, &own, &session, &again);
    let last = news(&mut stream);
    assert!(!sees(&server, &own, &session));
    assert_eq!(told_so_far(&server, &own, &session, &last), 3);
    // Who never listed has nothing that could be old.
    let mut unlisted = Events::after(&server, &own, &never_listed, &began);
    sees(&server, &own, &never_listed);
    let server = server.kill_and_start_again(&others);
    assert!(unlisted.next().is_none());
    let mut unlisted = Events::after(&server, &own, &never_listed, &began);
    let last = news(&mut unlisted);
    assert_eq!(told_so_far(&server, &own, &never_listed, &last), 1);
}

#[test]
fn who_is_away_finds_the_news_at_its_place_or_in_a_new_stream() {
    let server = Server::start("told-later", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let own = client.connect(PRIYA);
    let (session, stream) = listening(&server, &own);
    let (_, place) = Events::standalone(&server, &own.access, &session);
    drop(stream);
    server.set_role(PRIYA, Some("premium"));
    server.advance(A_MINUTE);
    let mut stream = Events::after(&server, &own, &session, &place);
    let told = news(&mut stream);
    drop(stream);
    // Not listed: whoever begins anew may have lost it.
    let (mut stream, _) = Events::standalone(&server, &own.access, &session);
    let last = news(&mut stream);
    assert_ne!(told, last);
    assert!(sees(&server, &own, &session));
    drop(stream);
    let (_stream, _) = Events::standalone(&server, &own.access, &session);
    server.set_role(PRIYA, None);
    server.advance(A_MINUTE);
    let mut stream = Events::after(&server, &own, &session, &last);
    let last = news(&mut stream);
    assert_eq!(told_so_far(&server, &own, &session, &last), 3);
}

#[test]
fn a_step_up_that_changes_no_list_is_no_news_and_a_grants_end_ends_the_stream() {
    let server = Server::start("told-step-up", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let narrow = client.connect_for(PRIYA, "tools:read");
    let (session, mut stream) = listening(&server, &narrow);
    let wide = client.connect_for(PRIYA, "tools:read tools:write");
    for tokens in [&wide, &narrow, &wide] {
        call(&server, &tokens.access, &session, "userInfo", &json!({}));
    }
    server.set_role(PRIYA, Some("premium"));
    server.advance(A_MINUTE);
    let last = news(&mut stream);
    assert_eq!(told_so_far(&server, &wide, &session, &last), 1);
    assert_eq!(client.revoke(&narrow.refresh).status, 200);
    assert!(stream.next().is_none());
    // The session goes on with the other grant.
    assert!(sees(&server, &wide, &session));
}

#[test]
fn a_session_of_http_sse_is_told_in_its_stream_once() {
    let server = Server::start("told-sse", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let [own, others] = [PRIYA, NOAH].map(|person| client.connect(person));
    let mut stream = Stream::ready(&server, &own);
    let mut other_stream = Stream::ready(&server, &others);
    let mut unlisted = Stream::ready(&server, &own);
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let ping = json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" });
    let sees = |stream: &mut Stream, tokens: &Tokens| {
        let answer = stream.exchange(tokens, &list);
        assert!(answer["result"]["tools"].is_array(), "{answer}");
        answer["result"]["tools"].to_string().contains(TOOL)
    };
    assert!(!sees(&mut stream, &own) && !sees(&mut other_stream, &others));
    for (role, has_tool) in [(Some("premium"), true), (None, false)] {
        server.set_role(PRIYA, role);
        server.advance(A_MINUTE);
        assert_eq!(stream.message(), told(), "{role:?}");
        assert_eq!(sees(&mut stream, &own), has_tool, "{role:?}");
    }
    // Nothing came besides: not twice, to nobody else, and not to who never listed.
    for (stream, tokens) in [
        (&mut stream, &own),
        (&mut other_stream, &others),
        (&mut unlisted, &own),
    ] {
        let answer = stream.exchange(tokens, &ping);
        assert_eq!(answer["id"], 2, "{answer}");
    }
}

#[test]
fn a_subscription_is_acknowledged_and_told() {
    let server = Server::start("told-subscribed", CONFIG);
    let client = Client::public(&server, HTTPS_CALLBACK);
    let [own, others] = [PRIYA, NOAH].map(|person| client.connect(person));
    let everything = json!({
        "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
        "resourceSubscriptions": ["clerk://anything"],
    });
    let mut stream = subscribed(
        &server,
        &own,
        &everything,
        &json!({ "toolsListChanged": true }),
    );
    let mut other_stream = subscribed(
        &server,
        &others,
        &json!({ "toolsListChanged": true }),
        &json!({ "toolsListChanged": true }),
    );
    let mut unasked = subscribed(
        &server,
        &own,
        &json!({ "promptsListChanged": true }),
        &json!({}),
    );
    for (role, has_tool) in [(Some("premium"), true), (None, false)] {
        server.set_role(PRIYA, role);
        server.advance(A_MINUTE);
        let message = stream.message().unwrap();
        assert_eq!(
            message,
            subscription_message("notifications/tools/list_changed", None)
        );
        let listed = stateless(&server, &own, "tools/list", &json!({}))
            .send()
            .rpc();
        assert!(listed["result"]["tools"].is_array(), "{listed}");
        let names = listed["result"]["tools"].to_string();
        assert_eq!(names.contains(TOOL), has_tool, "{role:?}");
    }
    // Each ends with its result, and nothing came before it that was not meant for it.
    assert_eq!(client.revoke(&others.refresh).status, 200);
    assert_complete(&mut other_stream);
    let mut server = server;
    server.terminate();
    assert_complete(&mut stream);
    assert_complete(&mut unasked);
    assert!(server.wait().success());
}

#[test]
fn subscriptions_are_streams_and_bounded_as_such() {
    let config = CONFIG.replace("[limits]", "[limits]\nmax_streams_per_client = 2");
    let server = Server::start("subscriptions-bounded", &config);
    let own = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let other = Client::public(&server, HTTPS_CALLBACK).connect(PRIYA);
    let wanted = json!({ "toolsListChanged": true });
    let first = subscribed(&server, &own, &wanted, &wanted);
    let _session = listening(&server, &own);
    let refused = listen(&server, &own, &wanted).send();
    assert_eq!(refused.status, 429, "{}", refused.brief());
    assert!(refused.has("retry-after"));
    let _other = subscribed(&server, &other, &wanted, &wanted);
    drop(first);
    // The server sees that the client is gone when it next looks.
    until("a place that is left is free", || {
        listen(&server, &own, &wanted).open().status != 429
    });
    // Calls are not counted among them.
    let listed = stateless(&server, &own, "tools/list", &json!({})).send();
    assert_eq!(listed.status, 200, "{}", listed.brief());
}

#[test]
fn what_is_no_request_to_listen_is_refused_by_the_protocols_error() {
    let server = shared();
    let own = Client::public(server, HTTPS_CALLBACK).connect(PRIYA);
    let wanted = json!({ "toolsListChanged": true });
    for (what, refused, code) in [
        (
            "nothing is asked for",
            stateless(server, &own, "subscriptions/listen", &json!({})),
            -32602,
        ),
        (
            "no switch",
            stateless(
                server,
                &own,
                "subscriptions/listen",
                &json!({ "notifications": { "toolsListChanged": "yes" } }),
            ),
            -32602,
        ),
        (
            "another method in the header",
            listen(server, &own, &wanted).header("mcp-method", "tools/list"),
            -32020,
        ),
    ] {
        let refused = refused.open();
        assert_ne!(
            refused.header("content-type"),
            "text/event-stream",
            "{what}"
        );
        let refused = refused.finish();
        assert_eq!(
            refused.json()["error"]["code"],
            code,
            "{what}: {}",
            refused.brief()
        );
    }
    // Revisions with sessions do not have it.
    let session = initialize(server, &own.access);
    let listen = json!({
        "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": { "notifications": wanted },
    });
    let answer = message(server, &own.access, &session, &listen).send().rpc();
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
}

#[test]
fn what_tells_of_changes_says_so() {
    let server = Server::start("told-declared", CONFIG);
    let tokens = Client::public(&server, HTTPS_CALLBACK).connect(LUCAS);
    let begun = at_mcp(&server, "POST", &tokens.access).json(&initialize_message());
    let begun = begun.send().rpc();
    let capabilities = &begun["result"]["capabilities"];
    assert_eq!(
        capabilities["tools"],
        json!({ "listChanged": true }),
        "{begun}"
    );
    assert_eq!(capabilities["prompts"], json!({}), "{begun}");
    let discover = json!({
        "jsonrpc": "2.0", "id": 1, "method": "server/discover",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "attacker", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    });
    let found = at_mcp(&server, "POST", &tokens.access)
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "server/discover")
        .json(&discover)
        .send()
        .rpc();
    assert_eq!(
        found["result"]["capabilities"]["tools"]["listChanged"], true,
        "{found}"
    );
}
