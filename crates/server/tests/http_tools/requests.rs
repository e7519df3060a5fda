//! Whatever the arguments hold, the request is the tool's.

use bytes::Bytes;
use clerk_mcp_server::http_tools::{ArgumentFault, HttpTool, ToolFault, Values};
use http::Response;
use mcp::{Content, ToolResult};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{object, tool};

const EVERYWHERE: &str = r##"
[api]
base_url = "https://api.example.com/v1"
credential = "none"
headers = { "X-Client" = "clerk-mcp" }

[[tools]]
name = "everywhere"
description = "Puts arguments in every place."
method = "POST"
path = "/orders/{id}/lines/{line}"
query = { status = "{status}", text = "is:{status}" }
headers = { "X-Note" = "{note}" }
body = { fixed = true, note = "{note}", wrapped = "<{note}>", any = "{any}" }
input = { properties = { id = { type = "string" }, line = { type = "string" }, status = { type = "string" }, note = { type = "string" }, any = {} }, required = ["id", "line"] }
"##;

fn build(tool: &HttpTool, arguments: &Value) -> Result<http::Request<Bytes>, ArgumentFault> {
    let state = Map::new();
    let arguments = arguments.as_object().unwrap();
    tool.build(Values {
        arguments,
        state: &state,
    })
}

/// JSON Schema takes `5.0` for an integer; the API behind an address would not.
#[test]
fn whole_numbers_are_written_as_such() {
    let tool = tool(
        "[api]\nbase_url = \"https://api.example.com\"\ncredential = \"none\"\n[[tools]]\nname = \"t\"\n\
         description = \"d\"\nmethod = \"GET\"\npath = \"/{n}\"\nquery = { n = \"{n}\" }\n\
         input = { properties = { n = { type = \"number\" } }, required = [\"n\"] }\n",
    );
    for (number, text) in [
        (json!(5.0), "5"),
        (json!(-3.0), "-3"),
        (json!(5.5), "5.5"),
        (json!(1e21), "1e%2B21"),
        (
            json!(18_446_744_073_709_551_615_u64),
            "18446744073709551615",
        ),
    ] {
        let request = build(&tool, &json!({ "n": number })).unwrap();
        let expected = format!("https://api.example.com/{text}?n={text}");
        assert_eq!(request.uri().to_string(), expected);
    }
}

#[test]
fn every_place_is_filled() {
    let tool = tool(EVERYWHERE);
    let arguments = json!({
        "id": "o 1", "line": "7", "status": "open&closed", "note": "a \"b\"", "any": [1, {"x": null}],
    });
    let request = build(&tool, &arguments).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(
        request.uri().to_string(),
        "https://api.example.com/v1/orders/o%201/lines/7?status=open%26closed&text=is%3Aopen%26closed"
    );
    assert_eq!(request.headers()["x-note"], "a \"b\"");
    assert_eq!(request.headers()["x-client"], "clerk-mcp");
    assert_eq!(request.headers()["accept"], "application/json");
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        body,
        json!({"fixed": true, "note": "a \"b\"", "wrapped": "<a \"b\">", "any": [1, {"x": null}]})
    );
}

#[test]
fn what_is_absent_is_left_out() {
    let request = build(&tool(EVERYWHERE), &json!({"id": "1", "line": "2"})).unwrap();
    assert_eq!(request.uri().query(), None);
    assert!(!request.headers().contains_key("x-note"));
    assert_eq!(&request.body()[..], br#"{"fixed":true}"#);
}

/// Texts that were made to break out, and any others.
fn hostile() -> impl Strategy<Value = String> {
    let known = [
        "../admin",
        "..",
        ".",
        "",
        "/",
        "//evil.example",
        "@evil.example",
        "a/../../b",
        "%2e%2e%2f",
        "%252e%252e",
        "..%2f..%2fadmin",
        "\\..\\x",
        "?admin=1",
        "#x",
        "a;b",
        "a\r\nX-Evil: 1",
        "a\nHost: evil.example",
        "\0",
        "https://evil.example/",
        ":8443",
        "a&admin=true",
        "a=b",
        "\",\"admin\":true,\"x\":\"",
        "{id}",
        "{{",
        "\u{202e}\u{200b}",
        "é",
        "\u{ff0f}",
        "\u{2028}",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        any::<String>(),
        "[./%@:\\\\?#&=2ef]{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_argument_changes_where_a_request_goes(
        id in hostile(), line in hostile(), status in hostile(), note in hostile(),
    ) {
        let tool = tool(EVERYWHERE);
        let arguments = json!({"id": id, "line": line, "status": status, "note": note, "any": note});
        if let Ok(request) = build(&tool, &arguments) {
            let uri = request.uri();
            prop_assert_eq!(uri.scheme_str(), Some("https"));
            prop_assert_eq!(uri.authority().unwrap().as_str(), "api.example.com");
            // As another parser reads it.
            let url = url::Url::parse(&uri.to_string()).unwrap();
            prop_assert_eq!(url.host_str(), Some("api.example.com"));
            prop_assert_eq!(url.port(), None);
            let segments: Vec<&str> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 5);
            prop_assert_eq!([segments[0], segments[1], segments[3]], ["v1", "orders", "lines"]);
            let pairs: Vec<_> = url.query_pairs().collect();
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&*pairs[0].1, status.as_str());
            let expected = format!("is:{status}");
            prop_assert_eq!(&*pairs[1].1, expected.as_str());
            let mut names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
            names.sort_unstable();
            prop_assert_eq!(names, ["accept", "content-type", "user-agent", "x-client", "x-note"]);
            prop_assert_eq!(request.headers()["x-note"].as_bytes(), note.as_bytes());
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let expected = json!({
                "any": note, "fixed": true, "note": note, "wrapped": format!("<{note}>"),
            });
            prop_assert_eq!(body, expected);
        }
    }
}

#[test]
fn arguments_are_checked_by_the_schema() {
    let tool = tool(EVERYWHERE);
    for arguments in [
        json!({"id": "1"}),
        json!({"id": 1, "line": "2"}),
        json!({"id": "1", "line": "2", "x": 3}),
    ] {
        assert!(tool.check(&object(arguments)).is_err());
    }
    assert!(tool.check(&object(json!({"id": "1", "line": "2"}))).is_ok());
}

#[test]
fn too_much_is_refused_before_it_is_sent() {
    let tool = tool(EVERYWHERE);
    let long = "x".repeat(9000);
    assert!(build(&tool, &json!({"id": "1", "line": "2", "status": long})).is_err());
    let large = "x".repeat(1024 * 1024);
    assert!(build(&tool, &json!({"id": "1", "line": "2", "any": large})).is_err());
}

fn output(output: &str) -> std::sync::Arc<HttpTool> {
    tool(&format!(
        "[api]\nbase_url = \"https://api.example.com\"\ncredential = \"none\"\n[[tools]]\nname = \"t\"\n\
         description = \"d\"\nmethod = \"GET\"\npath = \"/\"\noutput = {output}\n"
    ))
}

fn shape(tool: &HttpTool, kind: &str, body: &[u8]) -> Result<ToolResult, ToolFault> {
    let response = Response::builder().header("content-type", kind);
    tool.shape(&response.body(Bytes::copy_from_slice(body)).unwrap())
}

#[test]
fn json_becomes_structured_content() {
    let plain = output(r#"{ kind = "json" }"#);
    let structured = |body: &str| {
        shape(&plain, "application/json", body.as_bytes())
            .unwrap()
            .structured
    };
    assert_eq!(structured(r#"{"a": 1}"#), Some(object(json!({"a": 1}))));
    assert_eq!(structured("[1]"), Some(object(json!({"result": [1]}))));
    assert_eq!(structured("null"), Some(object(json!({"result": null}))));
    // Invisible characters are written out.
    assert_eq!(
        structured("\"a\u{202e}\""),
        Some(object(json!({"result": "a\\u{202e}"})))
    );

    let part = output(r#"{ pointer = "/data/0", schema = { type = "integer" } }"#);
    let shaped = shape(&part, "application/problem+json", br#"{"data": [5]}"#).unwrap();
    assert_eq!(shaped.structured, Some(object(json!({"result": 5}))));
    for body in [
        &br#"{"data": []}"#[..],
        br#"{"data": ["5"]}"#,
        b"{",
        b"\xff",
        b"",
    ] {
        let fault = shape(&part, "application/json", body).unwrap_err();
        assert_eq!(fault.code(), "invalid_response");
    }
}

#[test]
fn a_member_called_result_is_no_wrapping() {
    let tool = output(
        r#"{ schema = { type = "object", properties = { result = { type = "integer" } }, required = ["result"] } }"#,
    );
    let shaped = shape(&tool, "application/json", br#"{"result": 5}"#).unwrap();
    assert_eq!(shaped.structured, Some(object(json!({"result": 5}))));
}

#[test]
fn other_kinds_become_content() {
    let content = |kind: &str, mime: &str| {
        let shaped = shape(&output(&format!("{{ kind = \"{kind}\" }}")), mime, b"abc");
        shaped.map(|result| result.content[0].clone())
    };
    assert_eq!(
        content("text", "text/plain").unwrap(),
        Content::Text("abc".into())
    );
    let image = Content::Image {
        data: "YWJj".into(),
        mime_type: "image/png".into(),
    };
    assert_eq!(content("image", "image/PNG; x=y").unwrap(), image);
    let audio = Content::Audio {
        data: "YWJj".into(),
        mime_type: "audio/wav".into(),
    };
    assert_eq!(content("audio", "audio/wav").unwrap(), audio);
    assert!(matches!(
        content("file", "application/pdf").unwrap(),
        Content::Blob { mime_type, uri, .. } if mime_type == "application/pdf" && uri.starts_with("clerk-mcp://tools/t/")
    ));
    for (kind, mime) in [
        ("json", "text/html"),
        ("text", "image/png"),
        ("image", "text/html"),
        ("audio", "image/png"),
    ] {
        assert_eq!(
            content(kind, mime).unwrap_err().code(),
            "unexpected_content_type"
        );
    }
}

#[test]
fn large_lists_are_cut_and_say_so() {
    let tool = output(r#"{ kind = "json" }"#);
    let items: Vec<String> = (0..3000).map(|number| format!("{number:0>60}")).collect();
    let body = serde_json::to_vec(&items).unwrap();
    let shaped = shape(&tool, "application/json", &body).unwrap();
    assert!(shaped.text().len() <= 100 * 1024);
    let kept = shaped.structured.unwrap()["result"]
        .as_array()
        .unwrap()
        .len();
    assert!(kept > 1000 && kept < 3000);
    let Content::Text(note) = &shaped.content[1] else {
        panic!("no note")
    };
    assert!(note.contains(&format!("first {kept} of 3000")), "{note}");

    let object = serde_json::to_vec(&json!({"text": "x".repeat(200_000)})).unwrap();
    assert_eq!(
        shape(&tool, "application/json", &object)
            .unwrap_err()
            .code(),
        "response_too_large"
    );
}
