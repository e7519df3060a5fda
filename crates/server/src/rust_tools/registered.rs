//! A tool of any type, checked: what the server holds.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use clerk::BoxFuture;
use futures_util::FutureExt as _;
use mcp::{Caller, Content, Definition, OwnTool, OwnToolError, ToolResult};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use toolkit::{
    Progress,
    cut::{RESULT_LIMIT, json_size},
    text::{escape_invisible, escape_str},
};

use super::{
    context::Context,
    output::{Output as _, Produced, schema_of},
    tool::Tool,
};
use crate::{
    access::CatalogueTool,
    http_tools::{
        Credential, CredentialKind,
        fault::Faults,
        schema::{self, ObjectSchema},
        title_of,
    },
    tool_state::ToolState,
};

/// What tools are lent.
#[derive(Clone)]
pub struct Surroundings {
    /// Gives credentials.
    pub credentials: Arc<dyn Credential>,
    /// Keeps values.
    pub state: ToolState,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// A [`Tool`] of any type. What is wrong with its definition is told when a configuration is read with
/// it.
#[derive(Clone)]
pub struct RustTool(Arc<Registered>);

struct Registered {
    definition: Definition,
    category: &'static str,
    scopes: Vec<String>,
    credential: CredentialKind,
    timeout: Duration,
    /// The judges of arguments and structured content; absent ones are among the faults.
    input: Option<ObjectSchema>,
    output: Option<ObjectSchema>,
    /// Whether the result is no object, so that it goes below a member.
    wraps: bool,
    /// What is wrong with the definition, each with a hint.
    faults: Vec<(String, String)>,
    run: Box<dyn Run>,
}

/// The call of a tool, whose types are known here and nowhere else.
trait Run: Send + Sync {
    fn run<'a>(
        &'a self,
        arguments: Value,
        context: Context<'a>,
    ) -> BoxFuture<'a, Result<Produced, OwnToolError>>;
}

impl<T: Tool> Run for T {
    fn run<'a>(
        &'a self,
        arguments: Value,
        context: Context<'a>,
    ) -> BoxFuture<'a, Result<Produced, OwnToolError>> {
        Box::pin(async move {
            let arguments = serde_json::from_value(arguments);
            let arguments =
                arguments.map_err(|error| OwnToolError::invalid_arguments(error.to_string()))?;
            self.call(arguments, context).await?.produce()
        })
    }
}

impl fmt::Debug for RustTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RustTool").field(&self.name()).finish()
    }
}

impl RustTool {
    /// This tool.
    #[must_use]
    pub fn new<T: Tool>(tool: T) -> Self {
        let faults = Faults::default();
        let mut wrong = Vec::new();
        let mut fault =
            |problem: &str, hint: &str| wrong.push((problem.to_owned(), hint.to_owned()));
        if !store::tool_state::is_name(T::NAME) {
            fault(
                "this is no name of a tool",
                "use 1 to 64 letters, digits, `_` and `-`",
            );
        }
        if !store::tool_state::is_name(T::CATEGORY) {
            fault(
                "its category is none",
                "use 1 to 64 letters, digits, `_` and `-`",
            );
        }
        if T::DESCRIPTION.trim().is_empty() {
            fault("it has no description", "tell the model what it does");
        }
        if T::HINTS.read_only && T::HINTS.destructive {
            fault(
                "a tool that only reads cannot be destructive",
                "correct its HINTS",
            );
        }
        if T::TIMEOUT.is_zero() {
            fault("a call of it has no time", "correct its TIMEOUT");
        }
        let given = schema_of::<T::Arguments>(SchemaSettings::draft2020_12().for_deserialize());
        if given.get("type").is_some_and(|kind| kind != "object") {
            fault(
                "its arguments are no object",
                "use a struct with named fields, or NoArguments",
            );
        }
        let input = ObjectSchema::compile(schema::arguments(given), "arguments", &faults);
        let given = T::Output::schema().map(schema::structured);
        let wraps = given.as_ref().is_some_and(|(_, wraps)| *wraps);
        let output = given.and_then(|(given, _)| ObjectSchema::compile(given, "output", &faults));
        let of_schemas = faults.into_vec().into_iter();
        wrong.extend(
            of_schemas.map(|fault| (format!("{}: {}", fault.pointer, fault.problem), fault.hint)),
        );
        let title = match T::TITLE {
            "" => title_of(T::NAME).into(),
            title => title.into(),
        };
        let input_schema = input.as_ref().map(ObjectSchema::json);
        Self(Arc::new(Registered {
            definition: Definition {
                name: T::NAME.into(),
                title,
                description: T::DESCRIPTION.into(),
                input_schema: input_schema.unwrap_or_default(),
                output_schema: output.as_ref().map(ObjectSchema::json),
                hints: T::HINTS,
            },
            category: T::CATEGORY,
            scopes: T::SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            credential: tool.credential(),
            timeout: T::TIMEOUT,
            input,
            output,
            wraps,
            faults: wrong,
            run: Box::new(tool),
        }))
    }

    /// What clients call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.definition.name
    }

    /// What access rules group it by.
    #[must_use]
    pub fn category(&self) -> &'static str {
        self.0.category
    }

    /// The scopes that the person must have granted besides.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// What its requests are sent with.
    #[must_use]
    pub fn credential(&self) -> &CredentialKind {
        &self.0.credential
    }

    /// What is wrong with its definition, each with what to do.
    pub(crate) fn faults(&self) -> &[(String, String)] {
        &self.0.faults
    }

    /// The tool as access rules name it.
    #[must_use]
    pub fn catalogue(&self) -> CatalogueTool {
        CatalogueTool {
            category: self.category().into(),
            name: self.name().to_owned().into(),
            read_only: self.0.definition.hints.read_only,
            own: true,
        }
    }

    /// The tool with what it is lent.
    #[must_use]
    pub fn placed(self, surroundings: Surroundings) -> impl OwnTool {
        Placed {
            tool: self.0,
            surroundings,
        }
    }
}

struct Placed {
    tool: Arc<Registered>,
    surroundings: Surroundings,
}

impl OwnTool for Placed {
    fn definition(&self) -> &Definition {
        &self.tool.definition
    }

    fn call<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        caller: &'a Caller,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<ToolResult, OwnToolError>> {
        let context = Context {
            caller,
            credential: &self.tool.credential,
            surroundings: &self.surroundings,
            progress,
        };
        Box::pin(self.tool.call(arguments, context))
    }
}

impl Registered {
    async fn call(
        &self,
        arguments: &Map<String, Value>,
        context: Context<'_>,
    ) -> Result<ToolResult, OwnToolError> {
        if let Some(input) = &self.input {
            input.check(arguments)?;
        }
        let name = &*self.definition.name;
        let running = self.run.run(Value::Object(arguments.clone()), context);
        // What a panic leaves half done is the tool's own; nothing of the server's is shared with it.
        let running = AssertUnwindSafe(running).catch_unwind();
        let produced = match tokio::time::timeout(self.timeout, running).await {
            Ok(Ok(produced)) => produced?,
            Ok(Err(_panic)) => {
                return Err(OwnToolError::internal(format_args!("{name} panicked")));
            }
            Err(_) => {
                let problem = format!("not done within {} s", self.timeout.as_secs_f32());
                let hint = "try again later, or ask for less; it may have been done in part";
                return Err(OwnToolError::new("timeout", problem).hint(hint));
            }
        };
        self.finish(produced)
    }

    /// Holds a result to the tool's own schema and to the bounds of all results.
    fn finish(&self, produced: Produced) -> Result<ToolResult, OwnToolError> {
        let (result, size) = match produced {
            Produced::Structured(value) => self.structured(value)?,
            Produced::Content(mut content) => {
                let mut size = 0;
                for piece in &mut content {
                    if let Content::Text(text) = piece {
                        *text = escape_str(text).into_owned();
                        size += text.len();
                    }
                }
                (ToolResult::content(content), size)
            }
        };
        if size > RESULT_LIMIT {
            let problem = format!("the result has {size} bytes, more than {RESULT_LIMIT}");
            let hint = "ask for less: a filter, a smaller page";
            return Err(OwnToolError::new("result_too_large", problem).hint(hint));
        }
        Ok(result)
    }

    fn structured(&self, value: Value) -> Result<(ToolResult, usize), OwnToolError> {
        let object = match value {
            Value::Object(object) if !self.wraps => object,
            value => Map::from_iter([(schema::RESULT.to_owned(), value)]),
        };
        if let Some(schema) = &self.output {
            schema.check(&object).map_err(|fault| {
                let name = &self.definition.name;
                OwnToolError::internal(format_args!("the result of {name}: {fault}"))
            })?;
        }
        let mut value = Value::Object(object);
        escape_invisible(&mut value);
        let size = json_size(&value);
        let Value::Object(object) = value else {
            return Ok((ToolResult::default(), size));
        };
        Ok((ToolResult::structured(object), size))
    }
}
