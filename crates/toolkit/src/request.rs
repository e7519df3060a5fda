//! What goes to Clerk: a pure function of the row, the arguments and the session.

use clerk::{IdError, Request};
use serde_json::{Map, Value};

use crate::{
    arguments::Arguments,
    auth_context::AuthContext,
    operation::{Binding, ClerkOperation, ListForm, Location, Output, Parameter, Run},
    tool::Tool,
};

/// Clerk's default page size.
pub const DEFAULT_LIMIT: u64 = 10;
/// Clerk's largest page.
pub const MAX_LIMIT: u64 = 500;

/// The requests of a tool, in order. Of several, those with an empty body are left out.
///
/// # Errors
/// When an id does not fit the path, which [`crate::arguments::check`] has ruled out.
pub fn build(
    tool: &Tool,
    arguments: &Arguments,
    session: Option<&AuthContext>,
) -> Result<Vec<Request>, IdError> {
    let Run::Requests(operations) = tool.operation().run else {
        return Ok(Vec::new());
    };
    let requests = operations.iter().enumerate().map(|(index, operation)| {
        let (request, body) = build_one(tool, operation, index, arguments, session)?;
        let skipped = operations.len() > 1 && body.is_empty();
        let request = if body.is_empty() {
            request
        } else {
            request.body(Value::Object(body))
        };
        Ok((!skipped).then_some(request))
    });
    requests.filter_map(Result::transpose).collect()
}

/// Whether the request list of [`build`] leaves out the operation with this index.
pub(crate) fn is_skipped(tool: &Tool, index: usize, arguments: &Arguments) -> bool {
    let rows = tool.operation().parameters;
    !rows
        .iter()
        .any(|p| p.location == Location::Body(index) && arguments.get(p.name).is_some())
}

fn build_one(
    tool: &Tool,
    operation: &'static ClerkOperation,
    index: usize,
    arguments: &Arguments,
    session: Option<&AuthContext>,
) -> Result<(Request, Map<String, Value>), IdError> {
    let mut request = Request::new(operation.id, operation.method.into(), operation.path);
    let mut body = Map::new();
    for (name, value) in operation.query {
        request = request.query(*name, *value);
    }
    for parameter in tool.operation().parameters {
        let Some(value) = value_of(parameter, arguments, session) else {
            continue;
        };
        match parameter.location {
            Location::Path => {
                request = request.path_parameter(parameter.wire, &plain(&value))?;
            }
            Location::Query if index == 0 => request = query(request, parameter.wire, &value),
            Location::Body(of) if of == index => {
                body.insert(parameter.wire.into(), value);
            }
            Location::Query | Location::Body(_) | Location::Local => {}
        }
    }
    if let Output::List(form) = tool.operation().output {
        request = page(request, form, arguments);
    }
    Ok((request, body))
}

/// What is sent for a parameter: the session's value where it decides, else the argument.
pub(crate) fn value_of(
    parameter: &Parameter,
    arguments: &Arguments,
    session: Option<&AuthContext>,
) -> Option<Value> {
    let bound = session.and_then(|session| match parameter.binding {
        Binding::User => Some(session.user_id()),
        Binding::Organization => session.organization_id(),
        Binding::Free | Binding::OrganizationAlias => None,
    });
    bound
        .map(Value::from)
        .or_else(|| arguments.get(parameter.name).cloned())
}

/// Of a bare array Clerk tells no total: one row more than asked shows whether there is more.
fn page(mut request: Request, form: ListForm, arguments: &Arguments) -> Request {
    let limit = arguments.integer("limit");
    match form {
        ListForm::Bare => {
            let rows = limit
                .unwrap_or(DEFAULT_LIMIT)
                .saturating_add(1)
                .min(MAX_LIMIT);
            request = request.query("limit", rows.to_string());
        }
        ListForm::Paged => {
            if let Some(limit) = limit {
                request = request.query("limit", limit.to_string());
            }
        }
    }
    match arguments.integer("offset") {
        Some(offset) => request.query("offset", offset.to_string()),
        None => request,
    }
}

/// Lists repeat their name (OpenAPI: form, explode).
pub(crate) fn query(request: Request, name: &'static str, value: &Value) -> Request {
    match value {
        Value::Array(rows) => rows
            .iter()
            .fold(request, |request, row| request.query(name, plain(row))),
        value => request.query(name, plain(value)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
