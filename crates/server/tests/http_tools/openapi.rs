//! OpenAPI files as tools.

use std::fmt::Write as _;

use clerk_mcp_server::http_tools::{HttpTools, Values};
use serde_json::{Map, json};

use super::{object, read};

const SHOP: &str = r##"
openapi: 3.0.3
info: { title: Shop, version: "1" }
paths:
  /orders:
    parameters:
      - { name: X-Trace, in: header, schema: { type: string } }
    get:
      operationId: orders.list
      tags: [orders]
      summary: List orders
      parameters:
        - { name: "filter[status]", in: query, schema: { type: string, nullable: true } }
        - { name: ids, in: query, explode: false, schema: { type: array, items: { type: integer } } }
        - { name: session, in: cookie, schema: { type: string } }
      responses: { "200": { content: { application/json: {} } } }
    post:
      operationId: orders.create
      tags: [orders]
      requestBody:
        required: true
        content:
          application/json:
            schema: { $ref: "#/components/schemas/Order" }
      responses: { "201": {} }
  /orders/{id}:
    parameters:
      - $ref: "#/components/parameters/Id"
    delete:
      operationId: orders.delete
      tags: [orders]
      responses: { "204": {} }
    put:
      tags: [orders]
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema:
              type: object
              required: [note]
              properties: { note: { type: string }, id: { type: string } }
      responses: { "200": { content: { image/png: {} } } }
components:
  parameters:
    Id: { name: id, in: path, required: true, schema: { type: string } }
  schemas:
    Order:
      type: object
      required: [id, total]
      properties:
        id: { type: string, readOnly: true }
        total: { type: number, minimum: 0, exclusiveMinimum: true }
        parent: { $ref: "#/components/schemas/Order" }
        note: { type: string, nullable: true, example: x }
"##;

fn import(more: &str, file: &str) -> Result<HttpTools, Vec<String>> {
    let toml = format!(
        "[api]\nbase_url = \"https://api.example.com\"\ncredential = \"session\"\nopenapi = \"openapi.yaml\"\n{more}\n"
    );
    let found = read(&toml, &[("openapi.yaml", file)]);
    found.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn names(tools: &HttpTools) -> Vec<&str> {
    tools.tools.iter().map(|tool| tool.name()).collect()
}

#[test]
fn operations_become_tools() {
    let tools = import("", SHOP).unwrap();
    assert_eq!(
        names(&tools),
        [
            "orders_list",
            "orders_create",
            "put_orders_id",
            "orders_delete"
        ]
    );
    let input = |index: usize| {
        tools.tools[index]
            .definition()
            .input_schema
            .as_ref()
            .clone()
    };
    assert_eq!(
        json!(input(0)["properties"]),
        json!({
            "X-Trace": {"type": "string"},
            "filter_status_": {"type": ["string", "null"]},
            "ids": {"type": "array", "items": {"type": "integer"}},
        })
    );
    assert_eq!(
        json!(input(1)["$defs"]["Order"]),
        json!({
            "type": "object",
            "required": ["total"],
            "properties": {
                "total": {"type": "number", "exclusiveMinimum": 0},
                "parent": {"$ref": "#/$defs/Order"},
                "note": {"type": ["string", "null"]},
            },
        })
    );
    assert_eq!(json!(input(2)["required"]), json!(["id", "note"]));
    let create = &tools.tools[1];
    assert!(
        create
            .check(&object(
                json!({"body": {"total": 1, "parent": {"total": 2}}})
            ))
            .is_ok()
    );
    assert!(
        create
            .check(&object(json!({"body": {"total": 0}})))
            .is_err()
    );
    assert!(
        create
            .check(&object(json!({"body": {"total": 1, "parent": {}}})))
            .is_err()
    );
    assert!(tools.tools[3].definition().hints.destructive);
}

#[test]
fn headers_that_the_server_sends_are_no_arguments() {
    let file = r#"
openapi: 3.1.0
paths:
  /orders:
    get:
      operationId: list
      parameters:
        - { name: X-Api-Key, in: header, required: true, schema: { type: string } }
        - { name: x-tenant, in: header, schema: { type: string } }
        - { name: X-Trace, in: header, schema: { type: string } }
        - { name: Host, in: header, schema: { type: string } }
      responses: { "200": {} }
"#;
    let toml = "[api]\nbase_url = \"https://api.example.com\"\nopenapi = \"openapi.yaml\"\n\
                headers = { X-Tenant = \"acme\" }\n\
                credential = { header = \"X-API-Key\", secret_env = \"API_KEY\" }\n";
    let tools = read(toml, &[("openapi.yaml", file)]).unwrap();
    let schema = &tools.tools[0].definition().input_schema;
    let arguments: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(arguments, ["X-Trace"]);
    assert!(tools.tools[0].check(&Map::new()).is_ok());
}

#[test]
fn requests_are_those_of_the_file() {
    let tools = import("", SHOP).unwrap();
    let build = |index: usize, arguments| {
        let (arguments, state) = (object(arguments), Map::new());
        let values = Values {
            arguments: &arguments,
            state: &state,
        };
        tools.tools[index].build(values).unwrap()
    };
    let list = build(
        0,
        json!({"filter_status_": "a b", "ids": [1, 2], "X-Trace": "t"}),
    );
    assert_eq!(
        list.uri().to_string(),
        "https://api.example.com/orders?filter%5Bstatus%5D=a%20b&ids=1,2"
    );
    assert_eq!(list.headers()["x-trace"], "t");
    let create = build(1, json!({"body": {"total": 5}}));
    assert_eq!(&create.body()[..], br#"{"total":5}"#);
    let put = build(2, json!({"id": "7", "note": "a&b", "id_form": "8"}));
    assert_eq!(
        (put.uri().path(), &put.body()[..]),
        ("/orders/7", &b"note=a%26b&id=8"[..])
    );
}

#[test]
fn tools_are_chosen_and_changed() {
    let chosen = |more: &str| import(more, SHOP).map(|tools| names(&tools).join(" "));
    assert_eq!(
        chosen("include = [\"orders.*\"]\nexclude = [\"orders.delete\"]").unwrap(),
        "orders_list orders_create put_orders_id"
    );
    assert_eq!(
        chosen("include = [\"orders.list\", \"put_orders_id\"]").unwrap(),
        "orders_list put_orders_id"
    );
    let faults = chosen("include = [\"order.*\"]").unwrap_err();
    assert!(
        faults[0].starts_with("clerk-mcp.toml:5 (/api/include/0): "),
        "{faults:?}"
    );
    assert!(faults[0].contains("did you mean `orders.*`"), "{faults:?}");

    let entry = "[[tools]]\noperation = \"orders.list\"\nname = \"listOrders\"\ndescription = \"Mine.\"\nscopes = [\"orders:read\"]\noutput = { pointer = \"/data\" }";
    let tools = import(entry, SHOP).unwrap();
    let list = tools
        .tools
        .iter()
        .find(|tool| tool.name() == "listOrders")
        .unwrap();
    assert_eq!(
        (list.path(), &*list.definition().description),
        ("/orders", "Mine.")
    );
    assert_eq!(
        (list.scopes(), &*list.definition().title),
        (&["orders:read".to_owned()][..], "List orders")
    );
    for (entry, expected) in [
        (
            "[[tools]]\noperation = \"orders.lst\"",
            "did you mean `orders.list`",
        ),
        (
            "[[tools]]\noperation = \"orders.list\"\npath = \"/x\"",
            "says this of an operation",
        ),
    ] {
        assert!(import(entry, SHOP).unwrap_err()[0].contains(expected));
    }
}

#[test]
fn faults_name_the_file_and_the_line() {
    for (from, to, expected) in [
        (
            "#/components/schemas/Order\" }\n      responses",
            "#/components/schemas/Odrer\" }\n      responses",
            "openapi.yaml:24 (/paths/~1orders/post/requestBody/content/application~1json/schema/$ref): the reference `#/components/schemas/Odrer` leads to nothing",
        ),
        (
            "\"#/components/parameters/Id\"",
            "\"other.yaml#/Id\"",
            "leads out of this file",
        ),
        (
            "\"#/components/parameters/Id\"",
            "\"#/paths/~1orders~1{id}/parameters/0\"",
            "in a circle",
        ),
        (
            "in: cookie",
            "in: cookie, required: true",
            "the cookie `session` cannot be sent",
        ),
        (
            "application/json:\n            schema",
            "multipart/form-data:\n            schema",
            "`multipart/form-data` cannot be made",
        ),
        ("/orders/{id}:", "/orders/{order}:", "the path has {order}"),
        (
            "openapi: 3.0.3",
            "openapi: 4.0.0",
            "OpenAPI `4.0.0` is not read",
        ),
        ("openapi: 3.0.3", "swagger: '2.0'", "Swagger 2.0"),
        ("openapi: 3.0.3", "openapi: [", "not YAML"),
        (
            "type: number, minimum",
            "type: numbr, minimum",
            "no JSON Schema",
        ),
    ] {
        let file = SHOP.replacen(from, to, 1);
        assert_ne!(file, SHOP, "{from}");
        let faults = import("", &file).unwrap_err();
        let found = faults
            .iter()
            .any(|fault| fault.contains(expected) && fault.contains("\nhint: "));
        assert!(
            found && faults[0].starts_with("openapi.yaml"),
            "{expected}: {faults:?}"
        );
    }
    assert!(import("", "").is_err());
    let faults = import("", &paths("3.1.0", "  /a: { parameters: [] }\n")).unwrap_err();
    assert!(
        faults.len() == 1
            && faults[0].starts_with("openapi.yaml:3 (/paths): there is no operation"),
        "{faults:?}"
    );
    assert!(
        import(
            "exclude = [\"orders.create\"]",
            &SHOP.replace(
                "application/json:\n            schema",
                "multipart/form-data:\n            schema"
            )
        )
        .is_ok()
    );
}

/// Two tools that share a schema, and one that has nothing to do with it.
fn shared(thing: &str) -> String {
    format!(
        r##"
openapi: 3.1.0
info: {{ title: Shared, version: "1" }}
paths:
  /things:
    post:
      operationId: create
      requestBody: {{ content: {{ application/json: {{ schema: {{ $ref: "#/components/schemas/Thing" }} }} }} }}
    put:
      operationId: replace
      requestBody: {{ content: {{ application/json: {{ schema: {{ $ref: "#/components/schemas/Thing" }} }} }} }}
    get:
      operationId: list
      parameters: [{{ name: limit, in: query, schema: {{ type: integer }} }}]
components:
  schemas:
    Thing: {thing}
"##
    )
}

/// Schemas are judged together and compiled at the first call; one that is none is found nevertheless
/// when the file is read, at each tool that has it.
#[test]
fn what_is_no_schema_is_refused_before_any_call() {
    for thing in [
        "{ type: objekt }",
        "{ properties: { a: { pattern: '(' } } }",
        "{ properties: { a: { minLength: '1' } } }",
        "{ properties: { a: { $ref: '#/components/schemas/Other' } } }",
        "{ $dynamicRef: 'https://example.com/thing' }",
        "{ allOf: [{ properties: { a: { items: { enum: 1 } } } }] }",
    ] {
        let faults = import("", &shared(thing)).unwrap_err();
        let all = faults.join("\n");
        for fault in &faults {
            let at = fault.starts_with("openapi.yaml:") && fault.contains("\nhint: ");
            assert!(at, "{thing}: {all}");
        }
        assert!(!all.contains("get"), "{thing}: {all}");
    }
}

#[test]
fn arguments_are_checked_whether_schemas_were_judged_together_or_not() {
    // A property of that name could be an address, so that each tool is compiled by itself.
    for name in ["name", "$anchor"] {
        let thing = format!(
            "{{ required: ['{name}'], properties: {{ '{name}': {{ type: string }}, other: {{ $ref: '#/components/schemas/Thing' }} }} }}"
        );
        let tools = import("", &shared(&thing)).unwrap();
        let check = |index: usize, arguments| tools.tools[index].check(&object(arguments));
        for index in [1, 2] {
            assert_eq!(tools.tools[index].method(), ["GET", "POST", "PUT"][index]);
            assert!(check(index, json!({"body": {name: "a"}})).is_ok());
            assert!(check(index, json!({"body": {name: "a", "other": {name: "b"}}})).is_ok());
            let faults = [
                json!({"body": {name: 1}}),
                json!({"body": {name: "a", "other": {}}}),
                json!({"body": {}, "limit": 1}),
            ];
            for arguments in faults {
                assert!(
                    check(index, arguments.clone()).is_err(),
                    "{name} {arguments}"
                );
            }
        }
        assert!(check(0, json!({"limit": 1})).is_ok() && check(0, json!({"limit": "1"})).is_err());
        assert!(
            tools.tools[0]
                .definition()
                .input_schema
                .get("$defs")
                .is_none()
        );
    }
}

/// A file of 200 operations over 100 schemas that refer to each other.
fn large() -> String {
    let mut file = String::from("openapi: 3.1.0\ninfo: {title: Large, version: '1'}\npaths:\n");
    for number in 0..100 {
        let _ = write!(
            file,
            "  /things{number}/{{id}}:\n    parameters:\n      - {{name: id, in: path, required: true, schema: {{type: string}}}}\n\
             \x20   get:\n      operationId: getThing{number}\n      summary: Reads a thing\n      description: Reads a thing with all that belongs to it.\n      tags: [things]\n\
             \x20     parameters:\n        - {{name: limit, in: query, description: How many, schema: {{type: integer, minimum: 1, maximum: 100}}}}\n        - {{name: status, in: query, schema: {{enum: [open, closed]}}}}\n\
             \x20     responses:\n        '200':\n          content:\n            application/json:\n              schema: {{$ref: '#/components/schemas/Thing{number}'}}\n\
             \x20   put:\n      operationId: putThing{number}\n      tags: [things]\n      requestBody:\n        required: true\n        content:\n          application/json:\n            schema: {{$ref: '#/components/schemas/Thing{number}'}}\n      responses: {{'200': {{description: Fine}}}}\n"
        );
    }
    file.push_str("components:\n  schemas:\n");
    for number in 0..100 {
        let next = number / 10 * 10 + (number + 1) % 10;
        let _ = write!(
            file,
            "    Thing{number}:\n      type: object\n      required: [name]\n      properties:\n        name: {{type: string, maxLength: 80}}\n        amount: {{type: [number, 'null']}}\n        tags: {{type: array, items: {{type: string}}}}\n        other: {{$ref: '#/components/schemas/Thing{next}'}}\n"
        );
    }
    file
}

/// How long it takes is printed, and judged by nobody: `cargo test --release -p clerk-mcp-server --test
/// http_tools two_hundred -- --nocapture`.
#[test]
fn two_hundred_operations_load() {
    let file = large();
    let json = serde_json::to_string(&serde_saphyr::from_str::<serde_json::Value>(&file).unwrap())
        .unwrap();
    for (kind, text) in [("YAML", &file), ("JSON", &json)] {
        // The fastest of a few: other tests run at the same time.
        let fastest = (0..3).map(|_| {
            let started = tokio::time::Instant::now();
            assert_eq!(import("", text).unwrap().tools.len(), 200);
            started.elapsed()
        });
        let fastest = fastest.min().unwrap();
        println!(
            "200 operations, {} KB of {kind}: {fastest:?}",
            text.len() / 1024
        );
    }
}

/// A file with these paths.
fn paths(version: &str, paths: &str) -> String {
    format!("openapi: {version}\ninfo: {{ title: T, version: \"1\" }}\npaths:\n{paths}")
}

#[test]
fn names_that_clash_are_told_with_what_to_write() {
    let file = paths(
        "3.1.0",
        "  /a: { get: { operationId: get.order } }\n  /b: { get: { operationId: get_order } }\n",
    );
    let faults = import("", &file).unwrap_err();
    assert!(
        faults[0].starts_with("openapi.yaml:5 ")
            && faults[0].contains("`get_order` is the name of /paths/~1a/get too")
            && faults[0].contains("[[tools]] with operation = \"get_order\" and name = "),
        "{faults:?}"
    );
    let entry = "[[tools]]\noperation = \"get_order\"\nname = \"getB\"";
    assert!(import(entry, &file).is_ok());
    // Which of two is meant is nobody's guess.
    let twice = file.replace("get_order", "get.order");
    let faults = import("", &twice).unwrap_err();
    assert!(
        faults[0].contains("both have the operationId `get.order`"),
        "{faults:?}"
    );
    let entry = entry.replace("get_order", "get.order");
    let faults = import(&entry, &twice).unwrap_err();
    assert!(
        faults[0].starts_with("clerk-mcp.toml:")
            && faults[0].contains("is the operationId of /paths/~1a/get and /paths/~1b/get"),
        "{faults:?}"
    );
}

#[test]
fn what_an_entry_says_wrongly_of_an_operation_is_the_entrys_fault() {
    let file = paths("3.1.0", "  /a: { post: { operationId: a } }\n");
    for (says, at, problem) in [
        (
            "output = { pointer = \"/x\" }\npagination = { kind = \"page\", parameter = \"p\", items = \"/i\" }",
            "/output",
            "cannot go with",
        ),
        ("retries = 2", "/retries", "may have run"),
        ("name = \"getUser\"", "/name", "the name of another tool"),
    ] {
        let entry = format!("[[tools]]\noperation = \"a\"\n{says}");
        let faults = import(&entry, &file).unwrap_err();
        assert!(
            faults[0].starts_with("clerk-mcp.toml:")
                && faults[0].contains(&format!("(/tools/0{at}): "))
                && faults[0].contains(problem),
            "{faults:?}"
        );
    }
    // What is wrong with the request is the file's.
    let file = paths(
        "3.1.0",
        "  /a: { get: { operationId: a, parameters: [{ name: q, in: query, schema: { type: x } }] } }\n",
    );
    let entry = "[[tools]]\noperation = \"a\"\nname = \"b\"";
    let faults = import(entry, &file).unwrap_err();
    assert!(faults[0].starts_with("openapi.yaml:4 "), "{faults:?}");
}

#[test]
fn yaml_is_that_of_version_1_2() {
    let file = paths(
        "3.1",
        "  x-notes: { get: none }
  /map:
    get:
      operationId: map
      parameters:
        - { name: y, in: query, schema: { type: string, enum: [no, yes, on, off] } }
      responses: { 200: { content: { image/png: {} } } }
",
    );
    let tools = import("", &file).unwrap().tools;
    assert_eq!(tools.len(), 1);
    let schema = &tools[0].definition().input_schema;
    assert_eq!(
        schema["properties"]["y"]["enum"],
        json!(["no", "yes", "on", "off"])
    );
}

/// Aliases that multiply are no way to keep the server busy; a large file without them is read.
#[test]
fn large_files_are_read_and_bombs_are_not() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let faults = import("", &(bomb + &paths("3.1.0", "  /a: { get: {} }\n"))).unwrap_err();
    assert!(faults[0].contains("budget"), "{faults:?}");
    let examples = "{ a: 1, b: 2, c: 3 }, ".repeat(36_000);
    let large = format!(
        "{}x-examples: [{examples}]\n",
        paths("3.1.0", "  /a: { get: {} }\n")
    );
    assert_eq!(import("", &large).unwrap().tools.len(), 1);
}

#[test]
fn what_no_request_can_hold_is_left_out_or_refused() {
    let with = |parameter: &str| {
        paths(
            "3.1.0",
            &format!(
                "  /a/{{id}}:\n    get:\n      operationId: a\n      parameters:\n        \
                 - {{ name: id, in: path, required: true, schema: {{ type: string }} }}\n        \
                 - {parameter}\n"
            ),
        )
    };
    for (parameter, problem) in [
        (
            "{ name: o, in: query, REQUIRED schema: { type: object } }",
            "`deepObject` alone",
        ),
        (
            "{ name: o, in: query, REQUIRED schema: { type: [object, 'null'] }, explode: false }",
            "`deepObject` alone",
        ),
        (
            "{ name: o, in: query, REQUIRED content: { application/json: {} } }",
            "without `schema`",
        ),
        (
            "{ name: X-O, in: header, REQUIRED schema: { type: array, items: { type: string } } }",
            "an array cannot be sent in a header",
        ),
        (
            "{ name: o, in: query, REQUIRED style: matrix, schema: { type: string } }",
            "no style of a query",
        ),
    ] {
        let file = with(&parameter.replace("REQUIRED", "required: true,"));
        let faults = import("", &file).unwrap_err();
        assert!(
            faults.len() == 1
                && faults[0].starts_with("openapi.yaml:9 ")
                && faults[0].contains(problem),
            "{faults:?}"
        );
        let tools = import("", &with(&parameter.replace("REQUIRED", ""))).unwrap();
        let schema = &tools.tools[0].definition().input_schema;
        let arguments = schema["properties"].as_object().unwrap();
        assert_eq!(arguments.keys().collect::<Vec<_>>(), ["id"], "{parameter}");
    }
    for (schema, problem) in [
        (
            "schema: { type: array }",
            "an array cannot be sent in a path",
        ),
        (
            "style: matrix, schema: { type: string }",
            "the style `matrix`",
        ),
        (
            "style: label, schema: { type: string }",
            "the style `label`",
        ),
    ] {
        let file =
            with("{ name: q, in: query, schema: {} }").replace("schema: { type: string }", schema);
        let faults = import("", &file).unwrap_err();
        assert!(
            faults.len() == 1 && faults[0].contains(problem),
            "{faults:?}"
        );
    }
    let deep = "{ name: o, in: query, style: deepObject, schema: { type: object } }";
    assert!(import("", &with(deep)).is_ok());
}

#[test]
fn of_a_form_the_fields_that_can_be_sent_are_arguments() {
    let form = |required: &str| {
        paths(
            "3.1.0",
            &format!(
                "  /a:\n    post:\n      operationId: a\n      requestBody:\n        content:\n          \
                 application/x-www-form-urlencoded:\n            schema:\n              \
                 required: [{required}]\n              \
                 properties: {{ t: {{ type: string }}, id: {{ type: string, readOnly: true }}, o: {{ type: object }} }}\n"
            ),
        )
    };
    let tools = import("", &form("t, id")).unwrap().tools;
    let schema = &tools[0].definition().input_schema;
    let arguments = schema["properties"].as_object().unwrap();
    assert_eq!(arguments.keys().collect::<Vec<_>>(), ["t"]);
    assert_eq!(schema["required"], json!(["t"]));
    let faults = import("", &form("o")).unwrap_err();
    assert!(
        faults[0].starts_with("openapi.yaml:12 ") && faults[0].contains("`o`: an object cannot be"),
        "{faults:?}"
    );
}

#[test]
fn an_operation_is_no_tool_without_the_body_that_it_has() {
    let with = |method: &str, kind: &str| {
        let body =
            format!("requestBody: {{ content: {{ {kind}: {{ schema: {{ type: object }} }} }} }}");
        paths(
            "3.1.0",
            &format!("  /a: {{ {method}: {{ operationId: a, {body} }} }}\n"),
        )
    };
    for kind in ["multipart/form-data", "application/xml", "text/plain"] {
        let faults = import("", &with("post", kind)).unwrap_err();
        assert!(
            faults.len() == 1 && faults[0].contains(&format!("a body of `{kind}` cannot be made")),
            "{faults:?}"
        );
    }
    // That of a GET is ignored, whatever it is.
    for kind in ["multipart/form-data", "application/json"] {
        let tools = import("", &with("get", kind)).unwrap().tools;
        let arguments = &tools[0].definition().input_schema["properties"];
        assert_eq!(arguments, &json!({}), "{kind}");
    }
    let empty = with("post", "application/json")
        .replace("application/json: { schema: { type: object } }", "");
    assert!(import("", &empty).is_ok());
}
