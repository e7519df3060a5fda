//! What `tools/list` shows a model: each definition is a snapshot, so that a change is seen in
//! review, and all of them together keep to a budget of bytes.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use clerk::{BoxFuture, Client, Env, SecretKey, Transport, TransportError, TransportErrorKind};
use clerk_mcp_service::{
    Confirm, Sealer, Service, Shared, audit::TracingAudit, rmcp_adapter::ClerkMcpServer,
};
use serde_json::Value;
use toolkit::{AuthContext, ClerkToolkit};

struct Nowhere;

impl Env for Nowhere {
    fn now(&self) -> u64 {
        0
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        0
    }
}

impl Transport for Nowhere {
    fn send(
        &self,
        _: http::Request<bytes::Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, TransportError>> {
        let error = TransportError {
            kind: TransportErrorKind::Other,
            message: "nowhere".into(),
        };
        Box::pin(std::future::ready(Err(error)))
    }
}

fn definitions(session: Option<AuthContext>) -> Vec<Value> {
    let key = SecretKey::parse("sk_test_nowhere").unwrap();
    let client = Client::builder(key, Arc::new(Nowhere), Arc::new(Nowhere)).build();
    let mut builder = ClerkToolkit::builder(client);
    if let Some(session) = session {
        builder = builder.auth_context(session);
    }
    let shared = Shared {
        audit: Arc::new(TracingAudit),
        sealer: Arc::new(Sealer::new([0; 32])),
        confirm: Confirm::Auto,
        own_names: Arc::default(),
    };
    let server = ClerkMcpServer::new(Service::new(builder.build().unwrap(), shared), "0.0.0");
    server
        .definitions()
        .iter()
        .map(|tool| serde_json::to_value(tool).unwrap())
        .collect()
}

fn bound() -> AuthContext {
    AuthContext::new("user_a")
        .unwrap()
        .with_organization("org_a")
        .unwrap()
}

#[test]
fn definitions_are_as_reviewed() {
    for definition in definitions(None) {
        let name = definition["name"].as_str().unwrap().to_owned();
        insta::assert_json_snapshot!(name, definition);
    }
}

#[test]
fn definitions_of_a_bound_toolkit_are_as_reviewed() {
    for definition in definitions(Some(bound())) {
        let name = format!("bound__{}", definition["name"].as_str().unwrap());
        insta::assert_json_snapshot!(name, definition["inputSchema"]);
    }
}

#[test]
fn definitions_keep_to_their_budget() {
    let with_output = definitions(None);
    let mut without_output = with_output.clone();
    for definition in &mut without_output {
        definition
            .as_object_mut()
            .unwrap()
            .shift_remove("outputSchema");
    }
    let average = |definitions: &[Value]| {
        serde_json::to_string(definitions).unwrap().len() / definitions.len()
    };
    assert!(
        average(&without_output) <= 800,
        "{} bytes a tool",
        average(&without_output)
    );
    assert!(
        average(&with_output) <= 1_150,
        "{} bytes a tool",
        average(&with_output)
    );
}

#[test]
fn every_tool_says_what_a_model_needs() {
    let definitions = definitions(None);
    assert_eq!(definitions.len(), 27);
    let names: BTreeSet<&str> = definitions
        .iter()
        .map(|d| d["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), definitions.len(), "names are unique");
    for definition in &definitions {
        let words = definition["description"]
            .as_str()
            .unwrap()
            .split_whitespace()
            .count();
        assert!(
            (5..=60).contains(&words),
            "{}: {words} words",
            definition["name"]
        );
        assert!(
            definition["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        for hint in [
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ] {
            assert!(
                definition["annotations"][hint].is_boolean(),
                "{}: {hint}",
                definition["name"]
            );
        }
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(
                definition[schema]["type"], "object",
                "{}: {schema}",
                definition["name"]
            );
            jsonschema::meta::validate(&definition[schema]).unwrap();
        }
    }
}

#[test]
fn what_a_session_decides_is_not_in_the_schema() {
    let texts: Vec<String> = definitions(Some(bound()))
        .iter()
        .map(|d| d["inputSchema"].to_string())
        .collect();
    for name in [
        "organizationId",
        "\"slug\":{\"type\":\"string\",\"description\":\"Instead",
        "createdBy",
        "inviterUserId",
        "requestingUserId",
        "redirectUrl",
        "publicMetadata",
        "privateMetadata",
        "maxAllowedMemberships",
        "includeUrl",
    ] {
        assert!(texts.iter().all(|text| !text.contains(name)), "{name}");
    }
}
