//! What is wrong with a file is told with its line and what to do; nothing is half configured.

use clerk_mcp_server::http_tools::{Definitions, HttpTools};

use super::read;

const API: &str = "[api]\nbase_url = \"https://api.example.com\"\ncredential = \"session\"\n";

fn faults(toml: &str) -> Vec<String> {
    let faults = read(
        toml,
        &[("bad.json", "{"), ("list.json", "[]"), ("empty", "")],
    )
    .unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

/// A tool whose last line is this one, line 9 of its file.
fn tool(line: &str) -> String {
    format!("{API}\n[[tools]]\nname = \"t\"\ndescription = \"d\"\nmethod = \"GET\"\n{line}\n")
}

#[test]
fn a_whole_file_is_read() {
    let toml = r#"
[api]
base_url = "https://api.example.com/v1/"
timeout = "3s"
max_response = "256KiB"
credential = { header = "X-Api-Key", secret_env = "API_KEY" }

[[tools]]
name = "listOrders"
title = "Orders"
description = "Lists orders."
method = "GET"
path = "/customers/{customer}/orders"
query = { status = "{status}", cursor = "{state.cursor}" }
input = { properties = { customer = { type = "string" }, status = { enum = ["open", "closed"] } }, required = ["customer"] }
output = { schema = { type = "object", properties = { id = { type = "string" } } } }
pagination = { kind = "cursor", parameter = "cursor", next = "/next", items = "/data", max_pages = 3 }
save = { cursor = "/next" }
scopes = ["orders:read"]
credential = "session"
timeout = "500ms"
retries = 4
annotations = { open_world = true }

[[tools]]
name = "deleteOrder"
description = "Deletes an order."
method = "DELETE"
path = "/orders/{id}"
input = { properties = { id = { type = "integer" } }, required = ["id"] }
"#;
    let tools = read(toml, &[]).unwrap();
    let [list, delete] = tools.tools.as_slice() else {
        panic!("two tools")
    };
    assert_eq!(list.name(), "listOrders");
    assert_eq!(list.definition().title, "Orders");
    assert_eq!(list.scopes(), ["orders:read"]);
    assert_eq!(list.credential().to_string(), "session");
    assert_eq!(list.timeout().as_millis(), 500);
    assert_eq!(list.state_read(), ["cursor"]);
    assert_eq!(list.state_written().collect::<Vec<_>>(), ["cursor"]);
    assert!(list.definition().hints.read_only && list.definition().hints.open_world);
    assert_eq!(
        list.definition().input_schema["additionalProperties"],
        false
    );
    let output = list.definition().output_schema.as_ref().unwrap();
    assert_eq!(output["properties"]["items"]["type"], "array");
    assert!(delete.definition().hints.destructive && delete.definition().hints.idempotent);
    assert_eq!(delete.definition().title, "Delete order");
    assert_eq!(delete.credential().to_string(), "header x-api-key");
    assert_eq!(delete.timeout().as_secs(), 3);
    // A secret is nowhere to be seen.
    assert!(!format!("{tools:?}").contains("s3cret-of-the-owner"));
}

#[test]
fn every_fault_has_its_line_and_a_hint() {
    for (line, expected, hint) in [
        (
            "path = \"orders\"",
            "does not begin with `/`",
            "/orders/{id}",
        ),
        (
            "path = \"/a/{id}\"",
            "`{id}` is no argument",
            "id = { type = \"string\" }",
        ),
        ("path = \"/a/../b\"", "dot segment", ""),
        (
            "path = \"/a?x=1\"",
            "characters that a path cannot have",
            "",
        ),
        ("path = \"/{a b}\"", "is no name", ""),
        ("path = 7", "this is a number, not a text", ""),
        (
            "path = \"/\"\nqery = {}",
            "`qery` is no setting",
            "did you mean `query`?",
        ),
        ("path = \"/\"\nquery = { a = \"{a\" }", "is not closed", ""),
        (
            "path = \"/\"\nquery = { a = 1 }",
            "(/tools/0/query/a): this is a number, not a text",
            "write it in quotes",
        ),
        ("path = \"/\"\nretries = 9", "`9` is not a whole number", ""),
        (
            "path = \"/\"\nheaders = { X = \"é\" }",
            "`é` is no value",
            "",
        ),
        (
            "path = \"/\"\nheaders = { X = \"a{id}\\r\\nB: c\" }",
            "is no value of a header",
            "visible ASCII",
        ),
        ("path = \"/\"\nbody = { a = 1 }", "a GET has no body", ""),
        (
            "path = \"/\"\nheaders = { Authorization = \"x\" }",
            "is for credentials",
            "credential",
        ),
        (
            "path = \"/\"\nheaders = { Host = \"x\" }",
            "not for tools",
            "",
        ),
        (
            "path = \"/\"\nheaders = { \"X-Api-Key\" = \"x\" }",
            "a secret does not belong",
            "secret_env",
        ),
        (
            "path = \"/\"\ninput = { type = \"objekt\" }",
            "no JSON Schema",
            "",
        ),
        ("path = \"/\"\ninput = \"bad.json\"", "is not JSON", ""),
        (
            "path = \"/\"\ninput = \"none.json\"",
            "cannot be read",
            "check the path",
        ),
        ("path = \"/\"\ninput = \"list.json\"", "holds no schema", ""),
        (
            "path = \"/\"\ninput = { properties = { a = {} } }",
            "used nowhere",
            "{a}",
        ),
        (
            "path = \"/{a}\"\ninput = { properties = { a = {} } }",
            "not required",
            "required = [\"a\"]",
        ),
        ("path = \"/\"\nname2 = 1", "is no setting", ""),
        (
            "path = \"/\"\noutput = { kind = \"video\" }",
            "none of the kinds",
            "json, text",
        ),
        (
            "path = \"/\"\noutput = { kind = \"text\", pointer = \"/a\" }",
            "for JSON alone",
            "",
        ),
        (
            "path = \"/\"\noutput = { pointer = \"a\" }",
            "no JSON pointer",
            "/data/0/id",
        ),
        (
            "path = \"/\"\nannotations = { destructive = true }",
            "cannot be destructive",
            "",
        ),
        ("path = \"/\"\ntimeout = \"10\"", "no duration", "10s"),
        ("path = \"/\"\nmax_response = \"1GB\"", "no size", "MiB"),
        ("path = \"/\"\nretries = 99", "from 0 to 5", ""),
        (
            "path = \"/\"\ncredential = \"bearer\"",
            "is none",
            "\"session\"",
        ),
        (
            "path = \"/\"\ncredential = { header = \"X-Key\" }",
            "needs one secret",
            "secret_env",
        ),
        (
            "path = \"/\"\ncredential = { header = \"X-Key\", secret_env = \"NONE\" }",
            "not set",
            "",
        ),
        (
            "path = \"/\"\ncredential = { header = \"X-Key\", secret_file = \"empty\" }",
            "no value",
            "",
        ),
        (
            "path = \"/\"\ncredential = { jwt_template = \"a b\" }",
            "no name of a JWT",
            "",
        ),
        (
            "path = \"/\"\npagination = { kind = \"cursor\" }",
            "is missing",
            "add ",
        ),
        (
            "path = \"/\"\npagination = { kind = \"x\", parameter = \"p\", items = \"\" }",
            "no kind",
            "",
        ),
        ("path = \"/\"\nsave = { \"a b\" = \"/x\" }", "no name", ""),
    ] {
        let found = faults(&tool(line));
        let first = &found[0];
        assert!(first.starts_with("clerk-mcp.toml:"), "{first}");
        assert!(
            first.contains(expected) && first.contains("\nhint: "),
            "{line}: {found:?}"
        );
        assert!(first.contains(hint), "{line}: {found:?}");
    }
}

#[test]
fn lines_are_those_of_the_file() {
    let found = faults(&tool("path = \"/\"\nquery = { a = \"{a\" }"));
    assert!(
        found[0].starts_with("clerk-mcp.toml:10 (/tools/0/query/a): "),
        "{found:?}"
    );
    let found = faults(&tool("path = \"x\""));
    assert!(
        found[0].starts_with("clerk-mcp.toml:9 (/tools/0/path): "),
        "{found:?}"
    );
}

#[test]
fn all_faults_come_at_once() {
    let found = faults(&format!(
        "{}timeout = \"x\"\nretries = \"y\"\n",
        tool("path = \"/{id}\"")
    ));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn tools_need_an_api_and_names_of_their_own() {
    let found = faults("[[tools]]\nname = \"t\"\n");
    assert!(found[0].contains("no API"), "{found:?}");
    let found = faults(&tool("path = \"/\"").replace("\"t\"", "\"getUser\""));
    assert!(found[0].contains("another tool"), "{found:?}");
    let found = faults(&tool("path = \"/\"").replace("\"t\"", "\"a.b\""));
    assert!(found[0].contains("no name of a tool"), "{found:?}");
    let again = tool("path = \"/\"").replace(API, "");
    let found = faults(&format!("{}{again}", tool("path = \"/\"")));
    assert!(found[0].contains("the name of /tools/0 too"), "{found:?}");
    for (api, expected) in [
        ("base_url = \"http://api.example.com\"", "plain text"),
        ("base_url = \"https://u:p@api.example.com\"", "user name"),
        ("credential = \"none\"", "`base_url` is missing"),
        (
            "base_url = \"https://a.example\"",
            "`credential` is missing",
        ),
        ("include = [\"x\"]", "no OpenAPI file"),
    ] {
        let found = faults(&format!("[api]\n{api}\n"));
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{found:?}"
        );
    }
}

/// One file serves the API that is tried and the one that is meant.
#[test]
fn a_variable_names_the_api_in_place_of_the_file() {
    let read = |toml: &str, variable: &str| {
        let found = HttpTools::read(Definitions {
            name: "clerk-mcp.toml",
            text: toml,
            read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
            env: &|name| (name == "CLERK_MCP_API_BASE_URL").then(|| variable.to_owned()),
            secret: &|_| None,
            is_taken: &|_| false,
            refuses: &|_| None,
        });
        found.map(|tools| tools.unwrap().listing(&|_| String::new()))
    };
    let local = "http://127.0.0.1:8787/api";
    let without = "[api]\ncredential = \"none\"\n";
    for toml in [API, without] {
        let listing = read(toml, local).unwrap();
        assert_eq!(listing.lines().next(), Some(local), "{toml}");
    }
    let listing = read(API, " ").unwrap();
    assert!(
        listing.starts_with("https://api.example.com\n"),
        "{listing}"
    );
    for (toml, variable, expected) in [
        (
            API,
            "http://api.example.com",
            "CLERK_MCP_API_BASE_URL: `http://api.example.com`",
        ),
        (without, "", "set CLERK_MCP_API_BASE_URL"),
    ] {
        let faults = read(toml, variable).unwrap_err();
        let told = faults.iter().map(ToString::to_string).collect::<String>();
        assert!(faults.len() == 1 && told.contains(expected), "{told}");
    }
}

#[test]
fn only_what_may_run_twice_is_repeated() {
    let post = |more: &str| {
        let line = format!("path = \"/\"\nretries = 1\n{more}");
        tool(&line).replace("GET", "POST")
    };
    assert!(faults(&post(""))[0].contains("may have run"));
    assert!(read(&post("annotations = { idempotent = true }"), &[]).is_ok());
}

#[test]
fn tools_are_listed() {
    let line = "path = \"/orders\"\nscopes = [\"orders:read\", \"tools:read\"]";
    let tools = read(&tool(line), &[]).unwrap();
    assert_eq!(
        tools.listing(&|name| format!("everyone who has {name}")),
        "https://api.example.com\n\
         TOOL  METHOD  PATH     SCOPES                  CREDENTIAL  WHO\n\
         t     GET     /orders  orders:read tools:read  session     everyone who has t\n"
    );
    let catalogue = tools.catalogue();
    assert_eq!((&*catalogue[0].category, &*catalogue[0].name), ("api", "t"));
    assert!(catalogue[0].read_only && catalogue[0].own);
}
