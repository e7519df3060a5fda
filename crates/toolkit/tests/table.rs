//! The operations table against Clerk's published OpenAPI data, and its schemas against the check
//! of arguments.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use clerk_mcp_toolkit::{
    Bound, Tool, arguments,
    operation::{Kind, ListForm, Location, Operation, Output, Run},
    operations, schema,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const NOW: u64 = 1_780_000_000_000;

/// The rows of Clerk's Backend API.
fn clerk_operations() -> Option<Vec<Value>> {
    let operations = support::clerk_data("bapi-operations.json")?;
    Some(operations.as_array().unwrap().clone())
}

fn names(rows: &Value) -> BTreeSet<String> {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_row_is_an_operation_that_clerk_publishes() {
    let Some(published) = clerk_operations() else {
        return;
    };
    // Sent by @clerk/agent-toolkit, taken by Clerk, and missing in its OpenAPI file.
    let unpublished = BTreeSet::from(["profile_image_url"]);
    for row in operations::all() {
        let Run::Requests(requests) = row.run else {
            continue;
        };
        for (index, request) in requests.iter().enumerate() {
            let found = published.iter().find(|o| o["operationId"] == request.id);
            let found =
                found.unwrap_or_else(|| panic!("{}: no operation {}", row.name, request.id));
            assert_eq!(found["path"], request.path, "{}", row.name);
            assert_eq!(
                found["method"],
                http::Method::from(request.method).as_str(),
                "{}",
                row.name
            );
            let query = names(&found["query_params"]);
            let body = names(&found["body"]["content"]["application/json"]["params"]);
            for parameter in row.parameters {
                let wire = parameter.wire;
                match parameter.location {
                    Location::Path => assert!(request.path.contains(&format!("{{{wire}}}"))),
                    Location::Query => assert!(query.contains(wire), "{}: {wire}", row.name),
                    Location::Body(of) if of == index => {
                        let known = body.contains(wire) || unpublished.contains(wire);
                        assert!(known, "{}: {wire} is not in {body:?}", row.name);
                    }
                    Location::Body(_) | Location::Local => {}
                }
            }
        }
    }
}

#[test]
fn get_user_list_has_every_filter_and_order_that_clerk_has() {
    let Some(published) = clerk_operations() else {
        return;
    };
    let found = published
        .iter()
        .find(|o| o["operationId"] == "GetUserList")
        .unwrap();
    let tool = tool("getUserList");
    let offered: BTreeSet<String> = tool.parameters().map(|p| p.wire.to_owned()).collect();
    for name in names(&found["query_params"]) {
        assert!(offered.contains(&name), "{name}");
    }
}

#[test]
fn every_placeholder_is_filled_and_every_list_is_paged() {
    for row in operations::all() {
        let Run::Requests(requests) = row.run else {
            continue;
        };
        for request in requests {
            for placeholder in request.path.split('{').skip(1) {
                let name = placeholder.split('}').next().unwrap();
                assert!(
                    row.parameters.iter().any(|p| p.wire == name),
                    "{}: {name}",
                    row.name
                );
            }
        }
        let is_list = matches!(row.output, Output::List(ListForm::Bare | ListForm::Paged));
        let pages = Tool::new(row, Bound::default())
            .unwrap()
            .parameters()
            .any(|p| p.name == "limit");
        assert_eq!(is_list, pages, "{}", row.name);
    }
}

fn tool(name: &str) -> Tool {
    Tool::new(operations::find(name).unwrap(), Bound::default()).unwrap()
}

/// A value that the schema of this kind takes; formats that a schema cannot say are met too.
fn valid(kind: Kind) -> BoxedStrategy<Value> {
    let id =
        |prefix: &'static str| "[A-Za-z0-9]{1,27}".prop_map(move |rest| format!("{prefix}{rest}"));
    match kind {
        Kind::Id(kind) => id(kind.prefix()).prop_map(Value::from).boxed(),
        Kind::Slug => "[a-z][a-z0-9-]{0,20}".prop_map(Value::from).boxed(),
        Kind::Text => "\\PC{0,40}".prop_map(Value::from).boxed(),
        Kind::Email => "[a-z]{1,8}@[a-z]{1,8}\\.test".prop_map(Value::from).boxed(),
        Kind::Url => "https://[a-z]{1,8}\\.test/[a-z]{0,8}".prop_map(Value::from).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Integer(least, most) => (least..=most).prop_map(Value::from).boxed(),
        Kind::Time => prop_oneof![
            "[1-9]d".prop_map(Value::from),
            Just(Value::from("2026-05-12")),
            (1_000_000_000_000_u64..2_000_000_000_000).prop_map(Value::from),
        ]
        .boxed(),
        Kind::OneOf(names) => prop::sample::select(names).prop_map(Value::from).boxed(),
        Kind::OrderBy(names) => (prop::sample::select(names), "[+-]?")
            .prop_map(|(name, sign)| Value::from(format!("{sign}{name}")))
            .boxed(),
        Kind::TextList => prop::collection::vec("\\PC{0,20}", 0..5).prop_map(Value::from).boxed(),
        Kind::IdList(kind) => prop::collection::vec(("[+-]?", id(kind.prefix())), 0..5)
            .prop_map(|rows| rows.into_iter().map(|(sign, id)| format!("{sign}{id}")).collect())
            .boxed(),
        Kind::Metadata => prop_oneof![
            Just(json!({})),
            Just(json!({"camelKey": {"a": [1, null, "x"]}, "snake_key": null}))
        ]
        .boxed(),
        Kind::Pointers => prop::collection::vec("/[a-z_]{1,10}", 0..5).prop_map(Value::from).boxed(),
        Kind::Several(names) => {
            prop::collection::vec(prop::sample::select(names), 0..3).prop_map(Value::from).boxed()
        }
        Kind::Conditions => prop_oneof![
            Just(json!([])),
            Just(json!([{"pointer": "/public_metadata/plan", "equals": "pro"}])),
            Just(json!([{"pointer": "/username", "exists": false}, {"pointer": "/a", "contains": "b"}])),
        ]
        .boxed(),
    }
}

fn any_row() -> impl Strategy<Value = &'static Operation> {
    prop::sample::select(operations::all().collect::<Vec<_>>())
}

/// Arguments that a well-meaning caller sends: all the required ones, some of the others.
fn arguments_of(row: &'static Operation) -> impl Strategy<Value = (Tool, Value)> {
    let tool = Tool::new(row, Bound::default()).unwrap();
    let members: Vec<_> = tool
        .parameters()
        .map(|p| {
            (
                Just(p.name),
                valid(p.kind),
                any::<bool>().prop_map(move |on| on || p.required),
            )
        })
        .collect();
    members.prop_map(move |members| {
        let given: Map<String, Value> = members
            .into_iter()
            .filter(|(_, _, given)| *given)
            .map(|(name, value, _)| (name.to_owned(), value))
            .collect();
        (tool, Value::Object(given))
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "(user|org|inv|orginv)_[a-zA-Z0-9/?#.%]{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What the schema promises is taken; only rules over several arguments may refuse it.
    #[test]
    fn well_formed_arguments_are_taken((tool, given) in any_row().prop_flat_map(arguments_of)) {
        let schema = Value::Object(schema::input(&tool));
        prop_assert!(jsonschema::is_valid(&schema, &given), "{}: {given}", tool.name());
        if let Err(errors) = arguments::check(&tool, &given, NOW) {
            let over_several = errors.iter().all(|error| {
                error.message.contains("exactly one") || error.message.contains("at least one")
            });
            prop_assert!(over_several, "{}: {given}: {errors:?}", tool.name());
        }
    }

    /// What the check takes, the schema takes: no argument slips past the published contract.
    #[test]
    fn what_is_taken_is_valid((tool, given) in any_row().prop_flat_map(arguments_of),
                              name in "[a-zA-Z]{1,12}", value in json_value(), replace in any::<bool>()) {
        let mut given = given;
        let members = given.as_object_mut().unwrap();
        let key = members.keys().next().filter(|_| replace).cloned().unwrap_or(name);
        members.insert(key, value);
        let schema = Value::Object(schema::input(&tool));
        if arguments::check(&tool, &given, NOW).is_ok() {
            prop_assert!(jsonschema::is_valid(&schema, &given), "{}: {given}", tool.name());
        }
    }

    #[test]
    fn nothing_makes_the_check_panic(row in any_row(), value in json_value()) {
        let tool = Tool::new(row, Bound::default()).unwrap();
        let _ = arguments::check(&tool, &value, NOW);
    }
}

#[test]
fn faults_name_the_argument_and_the_expected_form() {
    let errors = |name: &str, given: Value| -> Vec<String> {
        let errors = arguments::check(&tool(name), &given, NOW).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    insta::assert_debug_snapshot!([
        errors("getUser", json!({})),
        errors("getUser", json!({"userId": 7, "x": 1})),
        errors("getUser", json!({"userId": "org_2abc"})),
        errors("getUser", json!({"userId": "user_../../x"})),
        errors("getUser", json!([])),
        errors(
            "getUserList",
            json!({"limit": 0, "createdAtAfter": "yesterday", "banned": "no"})
        ),
        errors("getUserList", json!({"orderBy": "age", "userId": "user_a"})),
        errors("getOrganization", json!({})),
        errors(
            "getOrganization",
            json!({"organizationId": "org_a", "slug": "a"})
        ),
        errors("updateUser", json!({"userId": "user_a"})),
        errors("updateUser", json!({"userId": "user_a", "lastName": null})),
        errors(
            "updateUserMetadata",
            json!({"userId": "user_a", "publicMetadata": {"a": "[redacted by clerk-mcp]"}})
        ),
        errors(
            "createInvitation",
            json!({"emailAddress": "nobody", "redirectUrl": "javascript:x"})
        ),
        errors(
            "findUsers",
            json!({"where": [{"pointer": "plan", "equals": 1}], "without": ["hope"]})
        ),
        errors("getUserId", json!({"userId": "user_a"})),
    ]);
}
