use std::sync::Arc;

use clerk::BoxFuture;
use mcp::{Caller, Definition, OwnTool, OwnToolError, ToolResult};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use toolkit::{Progress, operation::Hints};

use super::schema;

/// `userInfo`: who is signed in, and what they granted. For everybody.
#[derive(Clone, Debug)]
pub struct UserInfo {
    definition: Definition,
    person: Arc<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

impl UserInfo {
    /// Its name.
    pub const NAME: &'static str = "userInfo";

    /// The tool for one person, of whom it tells `person`.
    #[must_use]
    pub fn new(person: Map<String, Value>) -> Self {
        Self {
            definition: definition(),
            person: Arc::new(person),
        }
    }
}

fn definition() -> Definition {
    let text = json!({"type": ["string", "null"]});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let output = json!({
        "type": "object",
        "required": ["user_id", "scopes"],
        "properties": {
            "user_id": {"type": "string"},
            "name": text,
            "email": text,
            "roles": texts,
            "organization_id": text,
            "organization_role": text,
            "client_id": text,
            "scopes": texts,
        },
    });
    Definition {
        name: UserInfo::NAME.into(),
        title: "Who is signed in".into(),
        description: "Tells who is signed in: user, e-mail, roles, organization, and the scopes \
                      that were granted."
            .into(),
        input_schema: schema::object(json!({})),
        output_schema: output.as_object().cloned().map(Arc::new),
        hints: Hints::READ,
    }
}

impl OwnTool for UserInfo {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn is_immediate(&self) -> bool {
        true
    }

    fn call<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        caller: &'a Caller,
        _: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<ToolResult, OwnToolError>> {
        Box::pin(async move {
            let NoArguments {} = schema::read(arguments)?;
            let mut structured = (*self.person).clone();
            structured.insert("client_id".into(), caller.client_id.clone().into());
            structured.insert("scopes".into(), caller.scopes.clone().into());
            Ok(ToolResult::structured(structured))
        })
    }
}
