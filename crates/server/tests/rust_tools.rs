//! Tools written in Rust: what is done for them, and what is kept from them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{sync::Arc, time::Duration};

use clerk::{BoxFuture, Env};
use clerk_mcp_server::{
    Content, Context, Hints, Json, NoArguments, Tool, ToolError,
    http_tools::{Credential, CredentialFault, CredentialHeader, CredentialKind, FixedCredentials},
    rust_tools::{RustTool, Surroundings},
    tool_state::ToolState,
};
use mcp::{Caller, OwnTool as _, ToolResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::tool_state::MemoryToolState;

struct Noon;

impl Env for Noon {
    fn now(&self) -> u64 {
        1_800_000_000_000
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        0
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        credentials: Arc::new(FixedCredentials),
        state: ToolState::new(Arc::new(MemoryToolState::new()), Arc::new(Noon)),
    }
}

fn caller(user: &str, client: &str) -> Caller {
    Caller {
        user_id: Some(user.to_owned()),
        client_id: Some(client.to_owned()),
        scopes: vec!["tools:read".to_owned()],
        ..Caller::default()
    }
}

async fn call_as(
    tool: impl Tool,
    arguments: Value,
    caller: &Caller,
    around: &Surroundings,
) -> Result<ToolResult, ToolError> {
    let tool = RustTool::new(tool).placed(around.clone());
    let arguments = arguments.as_object().unwrap();
    tool.call(arguments, caller, &toolkit::Quiet).await
}

async fn call(tool: impl Tool, arguments: Value) -> Result<ToolResult, ToolError> {
    call_as(
        tool,
        arguments,
        &caller("user_1", "client"),
        &surroundings(),
    )
    .await
}

#[derive(Deserialize, JsonSchema)]
struct Everything {
    /// A text.
    text: String,
    #[serde(default)]
    #[schemars(range(min = 1, max = 3))]
    level: Option<u8>,
    place: Place,
}

#[derive(Deserialize, JsonSchema)]
struct Place {
    kind: Kind,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Near,
    Far,
}

struct Takes;

impl Tool for Takes {
    type Arguments = Everything;
    type Output = String;
    const NAME: &'static str = "takes_everything";
    const DESCRIPTION: &'static str = "d";
    const HINTS: Hints = Hints::READ;

    async fn call(&self, given: Everything, _: Context<'_>) -> Result<String, ToolError> {
        let kind = match given.place.kind {
            Kind::Near => "near",
            Kind::Far => "far",
        };
        Ok(format!("{} {:?} {kind}", given.text, given.level))
    }
}

#[tokio::test]
async fn arguments_are_held_to_their_type() {
    let good = json!({"text": "a\u{202e}b", "level": null, "place": {"kind": "far"}});
    let said = call(Takes, good).await.unwrap().content;
    // What people wrote is data, its invisible characters written out.
    assert_eq!(said, [Content::Text("a\\u{202e}b None far".to_owned())]);
    for (arguments, named) in [
        (json!({}), vec!["text", "place"]),
        (json!({"text": 1, "place": {"kind": "far"}}), vec!["/text"]),
        (
            json!({"text": "a", "place": {"kind": "up"}}),
            vec!["/place/kind"],
        ),
        (
            json!({"text": "a", "level": 9, "place": {"kind": "far"}}),
            vec!["/level"],
        ),
        (
            json!({"text": "a", "place": {"kind": "far"}, "other": 1}),
            vec!["other"],
        ),
        (
            json!({"text": 1, "level": "x", "place": {}}),
            vec!["/text", "/level", "kind"],
        ),
    ] {
        let error = call(Takes, arguments).await.unwrap_err();
        assert_eq!(error.code, "invalid_arguments");
        for name in named {
            assert!(error.message.contains(name), "{name}: {error}");
        }
    }
    let tool = RustTool::new(Takes).placed(surroundings());
    let definition = tool.definition();
    assert_eq!(definition.title, "Takes everything");
    assert_eq!(definition.output_schema, None);
    let schema = Value::Object((*definition.input_schema).clone());
    assert_eq!(schema["properties"]["text"]["description"], "A text.");
    assert_eq!(
        schema["properties"]["place"]["properties"]["kind"]["enum"],
        json!(["near", "far"])
    );
    assert_eq!(schema["required"], json!(["text", "place"]));
}

/// Does what it is told.
struct Does(fn(u32) -> Result<Answer, ToolError>);

#[derive(Serialize, JsonSchema)]
struct Answer {
    #[schemars(range(max = 9))]
    number: u32,
    text: String,
}

#[derive(Deserialize, JsonSchema)]
struct Number {
    number: u32,
}

impl Tool for Does {
    type Arguments = Number;
    type Output = Json<Answer>;
    const NAME: &'static str = "does";
    const DESCRIPTION: &'static str = "d";
    const HINTS: Hints = Hints::UPDATE;

    async fn call(&self, given: Number, _: Context<'_>) -> Result<Json<Answer>, ToolError> {
        (self.0)(given.number).map(Json)
    }
}

fn answer(number: u32) -> Result<Answer, ToolError> {
    let text = "x".repeat(usize::try_from(number).unwrap());
    Ok(Answer {
        number: number.min(10),
        text,
    })
}

#[tokio::test]
async fn results_are_held_to_their_type_and_bounded() {
    let result = call(Does(answer), json!({"number": 3})).await.unwrap();
    let expected = json!({"number": 3, "text": "xxx"});
    assert_eq!(Value::Object(result.structured.unwrap()), expected);
    let error = call(Does(answer), json!({"number": 10})).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("tool_failed", "the tool failed")
    );
    let long = |_| {
        answer(200_000).map(|answer| Answer {
            number: 1,
            ..answer
        })
    };
    let error = call(Does(long), json!({"number": 1})).await.unwrap_err();
    assert_eq!(error.code, "result_too_large");
}

#[tokio::test]
async fn a_failure_says_what_its_tool_says_and_no_more() {
    let told = |_| Err(ToolError::new("no_stock", "sold out").hint("ask on Monday"));
    let error = call(Does(told), json!({"number": 1})).await.unwrap_err();
    assert_eq!(error.to_string(), "sold out\nhint: ask on Monday");
    let internal = |_| Err(ToolError::internal("password=hunter2"));
    let error = call(Does(internal), json!({"number": 1}))
        .await
        .unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
    let panics = |_| panic!("password=hunter2");
    let error = call(Does(panics), json!({"number": 1})).await.unwrap_err();
    assert_eq!(error.code, "tool_failed");
    assert!(!format!("{error:?}").contains("hunter2"));
}

struct Never;

impl Tool for Never {
    type Arguments = NoArguments;
    type Output = String;
    const NAME: &'static str = "never";
    const DESCRIPTION: &'static str = "d";
    const HINTS: Hints = Hints::READ;
    const TIMEOUT: Duration = Duration::from_millis(20);

    async fn call(&self, _: NoArguments, _: Context<'_>) -> Result<String, ToolError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_call_has_an_end() {
    let error = call(Never, json!({})).await.unwrap_err();
    assert_eq!(error.code, "timeout");
}

struct List;

impl Tool for List {
    type Arguments = NoArguments;
    type Output = Json<Vec<u8>>;
    const NAME: &'static str = "list";
    const DESCRIPTION: &'static str = "d";
    const HINTS: Hints = Hints::READ;

    async fn call(&self, _: NoArguments, _: Context<'_>) -> Result<Json<Vec<u8>>, ToolError> {
        Ok(Json(vec![1, 2]))
    }
}

#[tokio::test]
async fn a_result_that_is_no_object_goes_below_a_member() {
    let result = call(List, json!({})).await.unwrap();
    assert_eq!(
        Value::Object(result.structured.unwrap()),
        json!({"result": [1, 2]})
    );
    let tool = RustTool::new(List).placed(surroundings());
    let schema = tool.definition().output_schema.clone().unwrap();
    assert_eq!(schema["required"], json!(["result"]));
}

/// Keeps, and gives back what is kept.
struct Keeps;

#[derive(Deserialize, JsonSchema)]
struct Keep {
    name: String,
    #[serde(default)]
    value: Option<u32>,
}

impl Tool for Keeps {
    type Arguments = Keep;
    type Output = Json<Option<u32>>;
    const NAME: &'static str = "keeps";
    const DESCRIPTION: &'static str = "d";
    const HINTS: Hints = Hints::CREATE;

    async fn call(&self, keep: Keep, context: Context<'_>) -> Result<Json<Option<u32>>, ToolError> {
        let before = context.state().get(&keep.name).await?;
        context.state().set(&keep.name, &keep.value).await?;
        Ok(Json(before))
    }
}

#[tokio::test]
async fn values_are_kept_for_one_person_and_client() {
    let around = surroundings();
    let keep = async |caller: &Caller, value: Value| {
        let arguments = json!({"name": "n", "value": value});
        let kept = call_as(Keeps, arguments, caller, &around).await.unwrap();
        kept.structured.unwrap()["result"].clone()
    };
    let ava = caller("user_1", "client");
    assert_eq!(keep(&ava, json!(1)).await, Value::Null);
    assert_eq!(
        keep(&caller("user_2", "client"), json!(2)).await,
        Value::Null
    );
    assert_eq!(
        keep(&caller("user_1", "other"), json!(3)).await,
        Value::Null
    );
    assert_eq!(keep(&ava, json!(null)).await, json!(1));
    assert_eq!(keep(&ava, json!(null)).await, Value::Null);

    let wrong = call_as(Keeps, json!({"name": "a b", "value": 1}), &ava, &around).await;
    assert_eq!(wrong.unwrap_err().code, "state_refused");
    let nobody = call_as(Keeps, json!({"name": "n"}), &Caller::default(), &around).await;
    assert_eq!(nobody.unwrap_err().code, "no_person");
    let other_type = [("n".to_owned(), json!("text"))].into_iter().collect();
    around.state.set(&ava, other_type).await.unwrap();
    let unreadable = call_as(Keeps, json!({"name": "n"}), &ava, &around).await;
    assert_eq!(unreadable.unwrap_err().code, "state_unreadable");
}

/// Tells the credential that it gets, and the one after that.
struct Shows;

impl Tool for Shows {
    type Arguments = NoArguments;
    type Output = String;
    const NAME: &'static str = "shows";
    const DESCRIPTION: &'static str = "d";
    const HINTS: Hints = Hints::READ;

    fn credential(&self) -> CredentialKind {
        CredentialKind::JwtTemplate("shop".to_owned())
    }

    async fn call(&self, _: NoArguments, context: Context<'_>) -> Result<String, ToolError> {
        let user = context.user_id()?;
        let first = context.credential().await?.unwrap();
        let second = context.credential_after(&first).await?.unwrap();
        let shown = [first, second].map(|header| header.value().to_str().unwrap().to_owned());
        Ok(format!(
            "{user} {} {}",
            shown.join(" "),
            context.has_scope("tools:read")
        ))
    }
}

struct Minting;

impl Credential for Minting {
    fn header<'a>(
        &'a self,
        caller: &'a Caller,
        kind: &'a CredentialKind,
        refused: Option<&'a CredentialHeader>,
    ) -> BoxFuture<'a, Result<Option<CredentialHeader>, CredentialFault>> {
        let user = caller.user_id.clone().unwrap();
        let number = u8::from(refused.is_some());
        let header = CredentialHeader::bearer(&format!("{kind}-{user}-{number}"));
        Box::pin(std::future::ready(Ok(header)))
    }
}

#[tokio::test]
async fn the_credential_is_the_callers_and_of_the_kind_that_the_tool_names() {
    let around = Surroundings {
        credentials: Arc::new(Minting),
        ..surroundings()
    };
    let said = call_as(Shows, json!({}), &caller("user_1", "client"), &around).await;
    let expected = "user_1 Bearer template shop-user_1-0 Bearer template shop-user_1-1 true";
    assert_eq!(said.unwrap().content, [Content::Text(expected.to_owned())]);
    // Where the server has no such credential.
    let error = call(Shows, json!({})).await.unwrap_err();
    assert_eq!(error.code, "credential_unavailable");
}
