//! `clerk-mcp call`: one tool call, on the same path as an MCP client's.

use std::{
    io::Read as _,
    sync::atomic::{AtomicBool, Ordering},
};

use clerk::BoxFuture;
use mcp::{Asking, CallAnswer, CallRequest, Confirm, Decision, Host, Question};
use serde_json::{Map, Value};
use toolkit::{Progress, operation::Kind, operations};

use crate::{
    arguments::{CallArguments, ConfirmWhen},
    failure::Failure,
    logging, people,
    printer::Printer,
    service, signals,
};

/// Calls the tool and prints what it came to.
pub(crate) async fn run(arguments: &CallArguments, printer: &Printer) -> Result<(), Failure> {
    // The person at the terminal knows what they called: only an audit log takes it down.
    logging::start(false)?;
    let given = match &arguments.json {
        Some(json) => parse_json(json)?,
        None => Value::Object(parse_pairs(&arguments.tool, &arguments.arguments)?),
    };
    let confirm = match arguments.service.confirm {
        _ if arguments.yes => Confirm::Never,
        // There is no client whose own approval could apply where nobody is at a terminal.
        ConfirmWhen::Auto | ConfirmWhen::Always => Confirm::Always,
        ConfirmWhen::Never => Confirm::Never,
    };
    let service = service::build(&arguments.service, confirm, printer)?;
    let request = CallRequest {
        name: arguments.tool.clone(),
        arguments: given,
        answer: None,
    };
    let host = Terminal {
        printer: *printer,
        reported: AtomicBool::new(false),
        asked: AtomicBool::new(false),
    };
    let answer = tokio::select! {
        answer = service.call_tool(request, &host) => answer,
        signal = signals::terminated() => {
            host.finish();
            return Err(Failure::failed(format!("stopped by {signal}")));
        }
    };
    host.finish();
    let CallAnswer::Result(result) = answer else {
        return Err(Failure::failed(
            "the call needs a confirmation that nobody can give here",
        ));
    };
    // Clerk's tools always answer structured content.
    let structured = result.structured.clone().unwrap_or_default();
    match (result.is_error, printer.is_for_people()) {
        (false, true) => printer.result(&people::render(&structured)),
        (false, false) => printer.result(&result.text()),
        (true, true) => Err(failure(&structured)),
        (true, false) => {
            printer.result(&result.text())?;
            Err(failure(&structured))
        }
    }
}

/// The person at the terminal.
struct Terminal {
    printer: Printer,
    /// Whether a progress line stands there.
    reported: AtomicBool,
    /// Whether a question stands there without an answer.
    asked: AtomicBool,
}

impl Terminal {
    fn finish(&self) {
        if self.reported.load(Ordering::Relaxed) {
            self.printer.progress_done();
        }
        if self.asked.load(Ordering::Relaxed) {
            // What comes next begins its own line, below the prompt.
            self.printer.note("");
        }
    }
}

impl Progress for Terminal {
    fn report(&self, _: u64, _: Option<u64>, message: String) -> BoxFuture<'_, ()> {
        self.reported.store(true, Ordering::Relaxed);
        self.printer.progress(&message);
        Box::pin(std::future::ready(()))
    }
}

impl Host for Terminal {
    fn client(&self) -> Option<String> {
        Some(concat!("clerk-mcp call ", env!("CARGO_PKG_VERSION")).to_owned())
    }

    fn asking(&self) -> Asking {
        if self.printer.can_ask() {
            Asking::Now
        } else {
            Asking::Never
        }
    }

    fn unasked_hint(&self) -> &'static str {
        "call it on a terminal to be asked, or with -y if it is meant"
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Decision> {
        let printer = self.printer;
        Box::pin(async move {
            self.asked.store(true, Ordering::Relaxed);
            // On a thread of its own: a signal must be able to end the call meanwhile.
            let answer = tokio::task::spawn_blocking(move || printer.ask(&question.message)).await;
            self.asked.store(false, Ordering::Relaxed);
            match answer {
                Ok(true) => Decision::Accepted,
                Ok(false) | Err(_) => Decision::Declined,
            }
        })
    }
}

fn parse_json(json: &str) -> Result<Value, Failure> {
    let mut text = String::new();
    let text = if json == "-" {
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(Failure::usage)?;
        &text
    } else {
        json
    };
    let hint = r#"hint: --json takes one object, like '{"limit": 5}'"#;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(Value::Object(object)),
        Ok(_) => Err(Failure::usage(format!("--json is no JSON object\n{hint}"))),
        Err(error) => Err(Failure::usage(format!(
            "--json is no JSON: {error}\n{hint}"
        ))),
    }
}

/// `name=value` by the parameter's kind, `name:=json` as it stands.
fn parse_pairs(tool: &str, pairs: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut arguments = Map::new();
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            let hint = match operations::find(pair) {
                Some(_) => format!(
                    "the tool comes first, and here that is {tool:?}; several patterns of --tools are \
                     joined by commas: --tools users,organizations"
                ),
                None => "write name=value, like userId=user_… or limit=5".to_owned(),
            };
            return Err(Failure::usage(format!(
                "{pair:?} is no argument\nhint: {hint}"
            )));
        };
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, json_value(name, text)?),
            None => (name, value_of(kind_of(tool, name), name, text)?),
        };
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("argument {name:?} is given twice")));
        }
    }
    Ok(arguments)
}

fn kind_of(tool: &str, name: &str) -> Option<Kind> {
    match name {
        "fields" => return Some(Kind::Pointers),
        "limit" | "offset" => return Some(Kind::Integer(0, i64::MAX)),
        _ => {}
    }
    let row = operations::find(tool)?;
    row.parameters
        .iter()
        .find(|parameter| parameter.name == name)
        .map(|parameter| parameter.kind)
}

/// What does not parse is passed as text: the tool's own check then says what it expects.
fn value_of(kind: Option<Kind>, name: &str, text: &str) -> Result<Value, Failure> {
    Ok(match kind {
        // As tools are given them; no pointer begins like that.
        Some(Kind::Pointers) if text.starts_with('[') => json_value(name, text)?,
        Some(Kind::Boolean) => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::Bool),
        Some(Kind::Integer(..)) => text
            .parse::<i64>()
            .map_or_else(|_| text.into(), Value::from),
        Some(Kind::TextList | Kind::IdList(_) | Kind::Pointers | Kind::Several(_)) => Value::Array(
            text.split(',')
                .map(|part| Value::from(part.trim()))
                .collect(),
        ),
        Some(Kind::Metadata | Kind::Conditions) => json_value(name, text)?,
        _ => text.into(),
    })
}

fn json_value(name: &str, text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::usage(format!("argument {name:?} is no JSON: {error}")))
}

/// What the person is told, and whether the call was at fault before anything was tried.
fn failure(result: &Map<String, Value>) -> Failure {
    let code = result.get("error").and_then(|error| error.get("code"));
    match code.and_then(Value::as_str) {
        Some("unknown_tool" | "invalid_arguments") => Failure::usage(error_text(result)),
        _ => Failure::failed(error_text(result)),
    }
}

fn error_text(result: &Map<String, Value>) -> String {
    let error = result.get("error");
    let text = |name: &str| error.and_then(|e| e.get(name)).and_then(Value::as_str);
    let mut message = text("message").unwrap_or("the call failed").to_owned();
    for (label, name) in [("Clerk trace id", "clerk_trace_id"), ("hint", "hint")] {
        if let Some(text) = text(name) {
            message.push_str(&format!("\n{label}: {text}"));
        }
    }
    message
}
