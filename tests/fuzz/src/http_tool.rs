//! Tools over an API: the path of a definition, and the arguments of a call as JSON, on a line each.

use std::io;

use serde_json::{Map, Value};
use server::http_tools::{Definitions, HttpTools, Values};
use url::Url;

use crate::parts::{first_line, text};

pub(crate) const SEEDS: &[&str] = &[
    "/orders/{id}/lines/{line}\n{\"id\":\"o 1\",\"line\":\"7\",\"note\":\"a \\\"b\\\"\",\"any\":[1,{\"x\":null}]}",
    "/orders/{id}\n{\"id\":\"../admin\",\"line\":\"1\",\"note\":\"a\\r\\nX-Evil: 1\"}",
    "/a-{id}.{line}/x\n{\"id\":\"%2e%2e\",\"line\":\"//evil.example\"}",
    "/{{x}}/{id}\n{\"id\":\".\",\"line\":\"..\",\"any\":\"{id}\"}",
    "/orders/../{id}?x=1#y\n{\"id\":\"\u{202e}\"}",
];

pub(crate) fn run(input: &[u8]) -> bool {
    let (path, arguments) = first_line(input);
    let (Some(path), Ok(arguments)) = (text(path), serde_json::from_slice(arguments)) else {
        return false;
    };
    let arguments: Map<String, Value> = arguments;
    let Some(toml) = definition(path) else {
        return false;
    };
    let missing = |_: &std::path::Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let read = HttpTools::read(Definitions {
        name: "clerk-mcp.toml",
        text: &toml,
        read_file: &missing,
        env: &|_| None,
        secret: &|_| None,
        is_taken: &|_| false,
        refuses: &|_| None,
    });
    let tools = match read {
        Ok(tools) => tools.unwrap(),
        Err(faults) => {
            assert!(!faults.is_empty());
            return false;
        }
    };
    let tool = &tools.tools[0];
    let state = Map::new();
    let values = Values {
        arguments: &arguments,
        state: &state,
    };
    let Ok(request) = tool.build(values) else {
        return false;
    };
    let uri = request.uri();
    assert_eq!(uri.scheme_str(), Some("https"));
    assert_eq!(uri.authority().unwrap().as_str(), "api.example.com");
    // As another parser reads it, which would resolve dot segments.
    let url = Url::parse(&uri.to_string()).unwrap();
    assert_eq!(
        url.origin().ascii_serialization(),
        "https://api.example.com"
    );
    assert_eq!(url.path(), uri.path(), "{path}");
    assert!(url.path().starts_with("/v1/"), "{url}");
    let segments = |path: &str| path.matches('/').count();
    assert_eq!(segments(url.path()), segments(path) + 1, "{path} {url}");
    let names = request.headers().keys().map(|name| name.as_str());
    let known = ["accept", "content-type", "user-agent", "x-note"];
    assert!(names.into_iter().all(|name| known.contains(&name)));
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body["fixed"], true);
    assert_eq!(
        body.get("any"),
        arguments.get("any").filter(|any| !any.is_null())
    );
    true
}

/// A tool with this path. TOML's basic strings escape as JSON's do; `None` for what they cannot hold.
fn definition(path: &str) -> Option<String> {
    let path = Value::from(path).to_string();
    (!path.contains('\u{7f}')).then(|| {
        format!(
            r#"
[api]
base_url = "https://api.example.com/v1"
credential = "none"

[[tools]]
name = "fuzzed"
description = "Puts arguments in every place."
method = "POST"
path = {path}
query = {{ id = "{{id}}", line = "{{line}}" }}
headers = {{ "X-Note" = "{{note}}" }}
body = {{ fixed = true, any = "{{any}}" }}
input = {{ properties = {{ id = {{ type = "string" }}, line = {{ type = "string" }}, note = {{ type = "string" }}, any = {{}} }}, required = ["id", "line"] }}
"#
        )
    })
}
