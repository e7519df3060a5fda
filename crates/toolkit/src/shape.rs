//! What comes back: from Clerk's JSON to the object a model reads. Hidden is what is private, made
//! visible is what would deceive, and what is too long is cut with a word on how to get the rest.

use serde_json::{Map, Value};

use crate::{
    arguments::Arguments,
    cut,
    error::ToolError,
    operation::{ClerkOperation, Json, Output},
    pointer::Selection,
    redact,
    request::{DEFAULT_LIMIT, MAX_LIMIT},
    text,
    tool::Tool,
};

/// Shapes the answer of a tool's last request.
///
/// # Errors
/// [`ToolError::Answer`] when it is not the kind of JSON that the operation answers.
pub fn shape(
    tool: &Tool,
    operation: &'static ClerkOperation,
    arguments: &Arguments,
    answer: Value,
    allow_private_metadata: bool,
) -> Result<Map<String, Value>, ToolError> {
    let policy = redact::Policy {
        private_metadata: allow_private_metadata,
        ticket_urls: arguments.is_true("includeUrl"),
    };
    let expected = |expected| ToolError::Answer {
        operation: operation.id,
        expected,
    };
    match tool.operation().output {
        Output::Object(members) | Output::Plain(members) => {
            let Value::Object(given) = &answer else {
                return Err(expected("a JSON object"));
            };
            // `fields` never touches a plain answer: there, every member is promised.
            let is_whole = matches!(tool.operation().output, Output::Plain(_));
            if !members
                .iter()
                .all(|(name, kind)| holds(given.get(*name), *kind, is_whole))
            {
                return Err(expected("of the operation's form"));
            }
            Ok(object(tool, answer, arguments, &policy))
        }
        Output::List(_) => {
            let page = Page::parse(answer).ok_or_else(|| expected("a list"))?;
            Ok(list(tool, page, arguments, &policy))
        }
    }
}

/// Room for the list around the rows: counts and hints.
pub(crate) const ENVELOPE: usize = 1024;

/// A list as Clerk answers it: bare, or `{data, total_count}`. Either is taken from any operation.
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    total: Option<u64>,
}

impl Page {
    pub(crate) fn parse(answer: Value) -> Option<Self> {
        match answer {
            Value::Array(rows) => Some(Self { rows, total: None }),
            Value::Object(mut list) => match list.remove("data") {
                Some(Value::Array(rows)) => {
                    let total = list.get("total_count").and_then(Value::as_u64);
                    Some(Self { rows, total })
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether a member is what the output schema says. An absent one is, unless it is promised.
fn holds(value: Option<&Value>, kind: Json, is_promised: bool) -> bool {
    match (value, kind) {
        (None, _) => !is_promised,
        (_, Json::Any) => true,
        (Some(value), Json::String) => value.is_string(),
        (Some(value), Json::Integer) => value.is_i64() || value.is_u64(),
        (Some(value), Json::Boolean) => value.is_boolean(),
        (Some(value), Json::Object) => value.is_object(),
        (Some(value), Json::Array) => value.is_array(),
    }
}

fn object(
    tool: &Tool,
    mut answer: Value,
    arguments: &Arguments,
    policy: &redact::Policy,
) -> Map<String, Value> {
    let redacted = redact::redact(&mut answer, policy);
    text::escape_invisible(&mut answer);
    let selection = selection(arguments);
    let unmatched = unmatched_hint(selection.as_ref(), Some(&answer));
    if let Some(selection) = &selection {
        answer = selection.apply(&answer);
    }
    let mut object = match answer {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    let mut hints = Vec::new();
    hints.extend(unmatched);
    hints.extend(ticket_hint(tool, redacted.ticket_urls));
    let cut = cut::cut_members(&mut object, cut::RESULT_LIMIT - ENVELOPE);
    if !cut.is_empty() {
        let names = cut.join(", ");
        hints.push(format!(
            "left out to stay under 100 KB: {names}; ask for parts with fields"
        ));
    }
    put_hints(&mut object, &hints);
    object
}

fn list(
    tool: &Tool,
    page: Page,
    arguments: &Arguments,
    policy: &redact::Policy,
) -> Map<String, Value> {
    let Page { mut rows, total } = page;
    let limit = arguments.integer("limit").unwrap_or(DEFAULT_LIMIT);
    let offset = arguments.integer("offset").unwrap_or(0);
    let received = rows.len() as u64;
    // Of a full page of Clerk's largest size nobody can say what follows.
    let is_unsure = total.is_none() && limit == MAX_LIMIT && received == MAX_LIMIT;
    let mut more = match total {
        Some(total) => offset.saturating_add(received.min(limit)) < total && received > 0,
        None => received > limit || is_unsure,
    };
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let ids: Vec<Option<String>> = rows.iter().map(id_of).collect();
    let selection = selection(arguments);
    let mut hidden_tickets = 0;
    for row in &mut rows {
        hidden_tickets += redact::redact(row, policy).ticket_urls;
        text::escape_invisible(row);
    }
    // Only of what may be seen: what is hidden must look like what is not there.
    let unmatched = unmatched_hint(selection.as_ref(), rows.first());
    for row in &mut rows {
        if let Some(selection) = &selection {
            *row = selection.apply(row);
        }
    }
    let cut = cut::cut_items(&mut rows, cut::RESULT_LIMIT - ENVELOPE);
    more |= cut.dropped > 0;
    let next = Next {
        offset: offset + rows.len() as u64,
        after: rows
            .len()
            .checked_sub(1)
            .and_then(|last| ids.get(last).cloned().flatten()),
    };
    let mut hints = Vec::new();
    if cut.dropped > 0 {
        hints.push(match rows.len() {
            0 => "the first row alone is over 100 KB: ask for parts with fields".to_owned(),
            kept => format!("cut after {kept} rows at 100 KB; fields makes rows shorter"),
        });
    }
    if more && !rows.is_empty() {
        let remains = if is_unsure && cut.dropped == 0 {
            "more may remain"
        } else {
            "more remain"
        };
        hints.push(format!("{remains}: {}", next.hint(tool, arguments)));
    }
    hints.extend(unmatched);
    hints.extend(ticket_hint(tool, hidden_tickets));
    let mut shaped = Map::new();
    shaped.insert("data".into(), Value::Array(rows));
    if let Some(total) = total {
        shaped.insert("total_count".into(), total.into());
    }
    shaped.insert("has_more".into(), more.into());
    put_hints(&mut shaped, &hints);
    shaped
}

/// Where the next page begins.
struct Next {
    offset: u64,
    after: Option<String>,
}

impl Next {
    /// By cursor where the operation has one and the order allows it, else by offset.
    fn hint(&self, tool: &Tool, arguments: &Arguments) -> String {
        let has_cursor = tool
            .parameters()
            .any(|parameter| parameter.name == "startingAfter");
        let order = arguments.text("orderBy").unwrap_or("-created_at");
        let by_time = order.trim_start_matches(['+', '-']) == "created_at";
        match &self.after {
            Some(id) if has_cursor && by_time && arguments.integer("offset").is_none() => {
                format!("call again with startingAfter={id} and the same filters")
            }
            _ => format!(
                "call again with offset={} and the same filters",
                self.offset
            ),
        }
    }
}

pub(crate) fn selection(arguments: &Arguments) -> Option<Selection> {
    let pointers = arguments.texts("fields");
    (!pointers.is_empty())
        .then(|| Selection::parse(&pointers).ok())
        .flatten()
}

/// Which pointers match nothing in `sample`, of which what is hidden is gone already.
pub(crate) fn unmatched_hint(
    selection: Option<&Selection>,
    sample: Option<&Value>,
) -> Option<String> {
    let unmatched = selection?.unmatched(sample?);
    if unmatched.is_empty() {
        return None;
    }
    let mut hint = format!("fields that match nothing: {}", unmatched.join(", "));
    if unmatched.iter().any(|pointer| is_private(pointer))
        && sample?.get("private_metadata").is_none()
    {
        hint.push_str(" (private metadata is hidden unless the server allows it)");
    }
    Some(hint)
}

/// Whether a JSON pointer leads into private metadata.
fn is_private(pointer: &str) -> bool {
    pointer.split('/').any(|part| part == "private_metadata")
}

/// How to see a ticket URL that was hidden, for those who may.
fn ticket_hint(tool: &Tool, hidden: usize) -> Option<String> {
    let may_ask = tool
        .parameters()
        .any(|parameter| parameter.name == "includeUrl");
    (hidden > 0 && may_ask)
        .then(|| "the invitation's URL is hidden: includeUrl shows it".to_owned())
}

pub(crate) fn id_of(row: &Value) -> Option<String> {
    row.get("id").and_then(Value::as_str).map(str::to_owned)
}

fn put_hints(object: &mut Map<String, Value>, hints: &[String]) {
    if !hints.is_empty() {
        object.insert("hint".into(), hints.join(". ").into());
    }
}
