//! A tool call, from the client's words to the result, with the question in between.

use clerk::BoxFuture;
use serde_json::{Map, Value};
use toolkit::{
    ClerkToolkit, Outcome, Progress, Tool, ToolError, operation::Binding, operations, redact,
};

use crate::{
    audit::AuditRow,
    confirmation::{Confirm, StateError, digest},
    own_tool::{OwnTool, OwnToolError, ToolResult},
    service::{Found, Service},
};

/// The client's side of a call: what it is, and what it can be asked.
pub trait Host: Progress {
    /// The client as it names itself.
    fn client(&self) -> Option<String>;
    /// How its person can be asked.
    fn asking(&self) -> Asking;
    /// What the person does about a call that has to be confirmed, where they cannot be asked.
    fn unasked_hint(&self) -> &'static str {
        "use a client with elicitation, or start the server with --confirm auto (serve: \
         policy.confirm = \"auto\")"
    }
    /// Asks now and waits. Only called when [`Host::asking`] is [`Asking::Now`].
    fn ask(&self, question: Question) -> BoxFuture<'_, Decision>;
}

/// How the person behind a client can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// By a request of the server's in the middle of the call (`elicitation/create`).
    Now,
    /// By a result that says what is needed; the client calls again (protocol 2026-07-28).
    ByResult,
    /// Not at all.
    Never,
}

/// What a person is asked before a destructive call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The tool's title: what accepting does.
    pub title: String,
    /// The whole question.
    pub message: String,
}

/// What the person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes, explicitly.
    Accepted,
    /// No.
    Declined,
    /// The question was closed, or could not be put.
    Unanswered,
}

/// A `tools/call`.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
    /// The answer to an earlier [`CallAnswer::Ask`], with the state given then.
    pub answer: Option<(String, Decision)>,
}

/// What a call comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum CallAnswer {
    /// A result, good or bad.
    Result(ToolResult),
    /// The person has to be asked first; call again with the answer and this state.
    Ask {
        /// The question.
        question: Question,
        /// The sealed state.
        state: String,
    },
}

/// What stands between a checked call and its execution.
enum Gate {
    Open,
    Shut(CallAnswer, &'static str),
}

impl Service {
    /// Calls a tool. Dropping the future cancels the call; what was sent to Clerk by then has been
    /// sent. Every call is recorded, a cancelled one as such.
    pub async fn call_tool(&self, request: CallRequest, host: &dyn Host) -> CallAnswer {
        let record = Record::begin(self, &request, host);
        let (answer, outcome, trace_id) = self.run(&request, host).await;
        record.end(outcome, trace_id);
        answer
    }

    /// Records a call that a layer in front of the service refused, which only looked at its name.
    pub fn record_refusal(&self, tool: &str, arguments: &Value, outcome: &str) {
        let tool = self.recorded_name(tool);
        Record::of(self, &tool, arguments, None).end(outcome.to_owned(), None);
    }

    /// Only a name that some principal's tool has is a name: anything might be sent in its place.
    fn recorded_name(&self, name: &str) -> String {
        let is_own = || self.shared.own_names.iter().any(|own| own == name);
        let is_known = operations::find(name).is_some() || is_own();
        if is_known { name } else { "unknown" }.to_owned()
    }

    async fn run(
        &self,
        request: &CallRequest,
        host: &dyn Host,
    ) -> (CallAnswer, String, Option<String>) {
        match self.find(&request.name) {
            Some(Found::Own(tool)) => self.run_own(tool, request, host).await,
            Some(Found::NeedsScope(scopes)) => own_failed(&OwnToolError {
                code: "insufficient_scope".to_owned(),
                message: format!("the access token lacks {}", scopes.join(" ")),
                hint: Some("connect again and grant it".to_owned()),
            }),
            // Boxed: in place, what a request to Clerk needs would be moved around with every call.
            Some(Found::Clerk(toolkit)) => Box::pin(self.run_clerk(toolkit, request, host)).await,
            // The session's toolkit has the words for a tool that nobody here knows.
            None => {
                let definitions = self.definitions();
                let names = definitions.iter().map(|tool| tool.name.as_ref());
                clerk_failed(&self.toolkit.unknown_tool(&request.name, names))
            }
        }
    }

    async fn run_own(
        &self,
        tool: &dyn OwnTool,
        request: &CallRequest,
        host: &dyn Host,
    ) -> (CallAnswer, String, Option<String>) {
        let none = Map::new();
        let arguments = match &request.arguments {
            Value::Null => &none,
            Value::Object(arguments) => arguments,
            _ => return own_failed(&OwnToolError::invalid_arguments("arguments are an object")),
        };
        let definition = tool.definition();
        if definition.hints.destructive {
            let question = question(&definition.title, &definition.description, &[], request);
            let confirmed = Box::pin(self.confirm(question, request, host)).await;
            if let Gate::Shut(answer, outcome) = confirmed {
                return (answer, outcome.to_owned(), None);
            }
        }
        match tool.call(arguments, &self.caller, host).await {
            Ok(result) => {
                let outcome = if result.is_error { "failed" } else { "ok" };
                (CallAnswer::Result(result), outcome.to_owned(), None)
            }
            Err(error) => own_failed(&error),
        }
    }

    async fn run_clerk(
        &self,
        toolkit: &ClerkToolkit,
        request: &CallRequest,
        host: &dyn Host,
    ) -> (CallAnswer, String, Option<String>) {
        let called = match toolkit.prepare(&request.name, &request.arguments).await {
            Ok(prepared) if prepared.tool().hints().destructive => {
                let tool = prepared.tool();
                let row = tool.operation();
                let mut named = Vec::new();
                if self.is_to_ask(request, host) {
                    named = toolkit.subject(&prepared).await;
                }
                named.extend(decided_by_session(toolkit, tool));
                let question = question(row.title, row.description, &named, request);
                if let Gate::Shut(answer, outcome) = self.confirm(question, request, host).await {
                    return (answer, outcome.to_owned(), None);
                }
                // A person took their time: what the caller may do is read anew.
                toolkit.call(&request.name, &request.arguments, host).await
            }
            Ok(prepared) => toolkit.run(&prepared, host).await,
            Err(error) => Err(error),
        };
        match called {
            Ok(Outcome {
                structured,
                clerk_trace_id,
            }) => {
                let result = ToolResult::structured(structured);
                (CallAnswer::Result(result), "ok".to_owned(), clerk_trace_id)
            }
            Err(error) => clerk_failed(&error),
        }
    }

    /// Whether [`Service::confirm`] will put a question to the person.
    fn is_to_ask(&self, request: &CallRequest, host: &dyn Host) -> bool {
        match (self.shared.confirm, host.asking()) {
            (Confirm::Never, _) | (_, Asking::Never) => false,
            (_, Asking::Now) => true,
            (_, Asking::ByResult) => request.answer.is_none(),
        }
    }

    async fn confirm(&self, question: Question, request: &CallRequest, host: &dyn Host) -> Gate {
        match (self.shared.confirm, host.asking()) {
            (Confirm::Never, _) | (Confirm::Auto, Asking::Never) => Gate::Open,
            (Confirm::Always, Asking::Never) => shut(
                "confirmation_impossible",
                "a person must confirm this call, and this client cannot ask one",
                host.unasked_hint(),
            ),
            (_, Asking::Now) => decided(host.ask(question).await),
            (_, Asking::ByResult) => self.confirm_by_result(question, request),
        }
    }

    fn confirm_by_result(&self, question: Question, request: &CallRequest) -> Gate {
        let env = self.toolkit.client().env();
        let call = digest(&request.name, &request.arguments, &self.principal());
        let Some((state, decision)) = &request.answer else {
            let state = self.shared.sealer.seal(&call, env.now(), env.random());
            return Gate::Shut(CallAnswer::Ask { question, state }, "asked");
        };
        match self.shared.sealer.take(state, &call, env.now()) {
            Ok(()) => decided(*decision),
            Err(fault) => shut(
                "confirmation_invalid",
                match fault {
                    StateError::Forged => "the confirmation was not given by this server",
                    StateError::OtherCall => "the confirmation belongs to another call",
                    StateError::Expired => "the confirmation came too late",
                    StateError::Used => "the confirmation was used before",
                },
                "call again without it to be asked anew",
            ),
        }
    }
}

/// Names everything that the call is about: first what is `named` besides its arguments, which are what
/// Clerk says of it and what the session decides.
fn question(
    title: &str,
    description: &str,
    named: &[(&'static str, String)],
    request: &CallRequest,
) -> Question {
    let mut lines = vec![format!("{title}? {description}")];
    for (name, value) in named {
        lines.push(format!("{name}: {value}"));
    }
    for (name, value) in request.arguments.as_object().into_iter().flatten() {
        if name != "fields" {
            lines.push(format!("{name}: {}", printable(&value.to_string())));
        }
    }
    Question {
        title: title.to_owned(),
        message: lines.join("\n"),
    }
}

/// The parameters of a tool that the session decides, with their values.
fn decided_by_session(toolkit: &ClerkToolkit, tool: &Tool) -> Vec<(&'static str, String)> {
    let Some(session) = toolkit.auth_context() else {
        return Vec::new();
    };
    let value = |binding| match binding {
        Binding::User => Some(session.user_id()),
        Binding::Organization => session.organization_id(),
        Binding::Free | Binding::OrganizationAlias => None,
    };
    let rows = tool
        .operation()
        .parameters
        .iter()
        .filter(|row| tool.is_withheld(row));
    rows.filter_map(|row| Some((row.name, value(row.binding)?.to_owned())))
        .collect()
}

/// The audit row of a call that is under way. Dropped before its end, it says that the call was
/// cancelled.
pub(crate) struct Record<'a> {
    service: &'a Service,
    /// `None` once it is recorded.
    row: Option<AuditRow>,
    started: u64,
}

impl<'a> Record<'a> {
    fn begin(service: &'a Service, request: &CallRequest, host: &dyn Host) -> Self {
        let tool = service.recorded_name(&request.name);
        Self::of(service, &tool, &request.arguments, host.client())
    }

    /// The record of anything that reads or changes something at Clerk.
    pub(crate) fn of(
        service: &'a Service,
        tool: &str,
        arguments: &Value,
        client: Option<String>,
    ) -> Self {
        let caller = &service.caller;
        let row = AuditRow {
            at: 0,
            duration_ms: 0,
            user_id: caller.user_id.clone(),
            organization_id: caller.organization_id.clone(),
            client_id: caller.client_id.clone(),
            client,
            tool: tool.to_owned(),
            arguments: audited(tool, arguments),
            outcome: "cancelled".to_owned(),
            clerk_trace_id: None,
        };
        Self {
            service,
            row: Some(row),
            started: service.toolkit.client().env().now(),
        }
    }

    pub(crate) fn end(mut self, outcome: String, clerk_trace_id: Option<String>) {
        if let Some(row) = &mut self.row {
            row.outcome = outcome;
            row.clerk_trace_id = clerk_trace_id;
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if let Some(mut row) = self.row.take() {
            row.at = self.service.toolkit.client().env().now();
            row.duration_ms = row.at.saturating_sub(self.started);
            self.service.shared.audit.record(row);
        }
    }
}

/// The most bytes of a row's arguments.
const MOST_AUDITED: usize = 4 * 1024;

/// What a row keeps of a call's arguments: nothing of a tool that does not exist, and never much.
fn audited(tool: &str, arguments: &Value) -> Value {
    let mut kept = Map::new();
    if tool == "unknown" {
        return Value::Object(kept);
    }
    let redacted = redact::redact_arguments_for_audit(arguments);
    let bytes = serde_json::to_string(&redacted).map_or(0, |text| text.len());
    if bytes <= MOST_AUDITED {
        return redacted;
    }
    kept.insert("too_long_to_keep_bytes".into(), bytes.into());
    Value::Object(kept)
}

fn decided(decision: Decision) -> Gate {
    match decision {
        Decision::Accepted => Gate::Open,
        Decision::Declined => shut(
            "declined",
            "the person declined; nothing was changed",
            "do not try again unless the person asks for it",
        ),
        Decision::Unanswered => shut(
            "not_confirmed",
            "the person did not answer; nothing was changed",
            "ask the person, then call again",
        ),
    }
}

fn shut(code: &'static str, message: &str, hint: &str) -> Gate {
    Gate::Shut(
        CallAnswer::Result(error_result(code, message, Some(hint))),
        code,
    )
}

fn failed(error: &ToolError) -> ToolResult {
    ToolResult {
        is_error: true,
        ..ToolResult::structured(error.to_json())
    }
}

fn clerk_failed(error: &ToolError) -> (CallAnswer, String, Option<String>) {
    let trace_id = error.clerk().and_then(clerk::Error::trace_id);
    let trace_id = trace_id.map(str::to_owned);
    let code = error.code().to_owned();
    (CallAnswer::Result(failed(error)), code, trace_id)
}

fn own_failed(error: &OwnToolError) -> (CallAnswer, String, Option<String>) {
    let result = error_result(&error.code, &error.message, error.hint.as_deref());
    (CallAnswer::Result(result), error.code.clone(), None)
}

fn error_result(code: &str, message: &str, hint: Option<&str>) -> ToolResult {
    let mut error = Map::new();
    error.insert("code".into(), code.into());
    error.insert("message".into(), message.into());
    if let Some(hint) = hint {
        error.insert("hint".into(), hint.into());
    }
    let mut structured = Map::new();
    structured.insert("error".into(), Value::Object(error));
    ToolResult {
        is_error: true,
        ..ToolResult::structured(structured)
    }
}

/// At most 200 characters, none of them invisible.
fn printable(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    toolkit::text::escape_str(&short).into_owned()
}
