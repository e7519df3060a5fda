//! Tools that ask by their result (SEP-2322, revision 2026-07-28): what is missing goes out in
//! `inputRequests`, the client calls again with `inputResponses` and the `requestState` it was given.

use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock,
        CreateMessageRequest, CreateMessageRequestParams, ElicitRequest, ElicitRequestParams,
        InputRequest, InputRequests, InputRequiredResult, InputResponses, ListRootsRequest,
        RequestStateCodec, SamplingMessage,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::asking::elicitation_schema;

/// The answer of the tool that `request` calls, if it is one of this file.
///
/// # Errors
/// `-32021` for a client without the capability needed, `-32602` for a state that was not sealed here.
pub(crate) fn call(
    state: &RequestStateCodec,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Option<CallToolResponse>, ErrorData> {
    let responses = request.input_responses.as_ref();
    let sealed = request.request_state.as_deref();
    let response = match &*request.name {
        "test_missing_capability" => {
            if context
                .client_capabilities()
                .is_none_or(|c| c.sampling.is_none())
            {
                let needed = ClientCapabilities::builder().enable_sampling().build();
                return Err(ErrorData::missing_required_client_capability(needed));
            }
            complete("The client can sample.")
        }
        "test_streaming_elicitation" | "test_input_required_result_elicitation" => {
            unless_answered(responses, [("user_name", question("name")?)])
        }
        "test_input_required_result_sampling" => {
            unless_answered(responses, [("capital", sampling())])
        }
        "test_input_required_result_list_roots" => {
            unless_answered(responses, [("client_roots", roots())])
        }
        "test_input_required_result_request_state"
        | "test_input_required_result_tampered_state" => match round(state, sealed)? {
            0 => ask([("confirm", question("ok")?)], Some(seal(state, 1)?)),
            _ => complete("state-ok"),
        },
        "test_input_required_result_multiple_inputs" => {
            let asked = three_questions()?;
            if round(state, sealed)? > 0 && answered(responses, &asked) {
                complete("All three came.")
            } else {
                ask(asked, Some(seal(state, 1)?))
            }
        }
        "test_input_required_result_multi_round" => match round(state, sealed)? {
            0 => ask([("step1", question("name")?)], Some(seal(state, 1)?)),
            1 => ask([("step2", question("color")?)], Some(seal(state, 2)?)),
            _ => complete("Both rounds are over."),
        },
        "test_input_required_result_capabilities" => {
            let capabilities = context.client_capabilities().unwrap_or_default();
            let asked = three_questions()?
                .into_iter()
                .filter(|(_, request)| can_answer(&capabilities, request));
            unless_answered(responses, asked)
        }
        _ => return Ok(None),
    };
    Ok(Some(response))
}

/// Asks for a text called `name`, in a form.
///
/// # Errors
/// `-32603` if rmcp cannot express the form.
pub(crate) fn question(name: &str) -> Result<InputRequest, ErrorData> {
    let schema = json!({
        "type": "object",
        "properties": { name: { "type": "string" } },
        "required": [name],
    });
    let form = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: format!("Please give: {name}"),
        requested_schema: elicitation_schema(schema)?,
    };
    Ok(InputRequest::Elicitation(ElicitRequest::new(form)))
}

/// The answer to the request called `name`, if it has the form that every answer has.
pub(crate) fn answer<'a>(responses: Option<&'a InputResponses>, name: &str) -> Option<&'a Value> {
    responses?.get(name).filter(|answer| answer.is_object())
}

fn sampling() -> InputRequest {
    let messages = vec![SamplingMessage::user_text("What is the capital of France?")];
    InputRequest::CreateMessage(CreateMessageRequest::new(CreateMessageRequestParams::new(
        messages, 100,
    )))
}

fn roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}

fn three_questions() -> Result<[(&'static str, InputRequest); 3], ErrorData> {
    Ok([
        ("user_name", question("name")?),
        ("greeting", sampling()),
        ("client_roots", roots()),
    ])
}

fn can_answer(capabilities: &ClientCapabilities, request: &InputRequest) -> bool {
    match request {
        InputRequest::Elicitation(_) => capabilities.elicitation.is_some(),
        InputRequest::CreateMessage(_) => capabilities.sampling.is_some(),
        InputRequest::ListRoots(_) => capabilities.roots.is_some(),
        _ => false,
    }
}

fn unless_answered(
    responses: Option<&InputResponses>,
    asked: impl IntoIterator<Item = (&'static str, InputRequest)>,
) -> CallToolResponse {
    let asked: Vec<_> = asked.into_iter().collect();
    if answered(responses, &asked) {
        complete("Everything asked for came.")
    } else {
        ask(asked, None)
    }
}

fn answered(responses: Option<&InputResponses>, asked: &[(&str, InputRequest)]) -> bool {
    asked
        .iter()
        .all(|(name, _)| answer(responses, name).is_some())
}

fn ask(
    asked: impl IntoIterator<Item = (&'static str, InputRequest)>,
    state: Option<String>,
) -> CallToolResponse {
    let requests: InputRequests = asked
        .into_iter()
        .map(|(name, request)| (name.to_owned(), request))
        .collect();
    InputRequiredResult::new(Some(requests), state).into()
}

fn complete(text: &str) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

/// How many rounds the state says are over; none without a state.
fn round(state: &RequestStateCodec, sealed: Option<&str>) -> Result<u64, ErrorData> {
    sealed.map_or(Ok(0), |sealed| {
        state
            .open_json(sealed)
            .map_err(|_| ErrorData::invalid_params("requestState is not from this server", None))
    })
}

fn seal(state: &RequestStateCodec, round: u64) -> Result<String, ErrorData> {
    state
        .seal_json(&round)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}
