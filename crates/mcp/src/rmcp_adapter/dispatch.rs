//! One request at a time, JSON in and JSON out, for transports that rmcp does not have. What is answered
//! is what rmcp's own transports answer: both go through the same functions.

use rmcp::{
    ErrorData,
    model::{
        ErrorCode, InitializeRequestParams, ProtocolVersion, ReadResourceRequestParams,
        ServerConfig, ServerResult,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Served, host,
    requests::{Requests, known_method, malformed_parameters},
};
use crate::call::{Decision, Host, Question};

/// The last revision that begins with a handshake.
const LAST_WITH_HANDSHAKE: ProtocolVersion = ProtocolVersion::V_2025_11_25;

/// A client, as it introduced itself.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The revision that was agreed on.
    pub version: String,
    /// The client, as the audit names it.
    pub client: String,
    /// Whether it shows forms to its person (`elicitation/create`).
    pub can_be_asked: bool,
}

/// Answers `initialize` (MCP specification, "Lifecycle"): who the client is, and the result.
///
/// # Errors
/// `-32602` for parameters of another form.
pub fn initialize(parameters: Value, mut info: ServerConfig) -> Result<(Peer, Value), ErrorData> {
    let asked: InitializeRequestParams = read("initialize", parameters)?;
    let version = ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .find(|known| **known == asked.protocol_version && known.has_initialize());
    info.protocol_version = version.cloned().unwrap_or(LAST_WITH_HANDSHAKE);
    let peer = Peer {
        version: info.protocol_version.as_str().to_owned(),
        client: host::name_of(&asked.client_info),
        can_be_asked: host::can_show_forms(&asked.capabilities),
    };
    Ok((peer, legacy(&info)?))
}

/// Answers any other request of a revision with a handshake. Dropping the future cancels it.
///
/// # Errors
/// The error that the client is told.
pub async fn answer(
    served: &Served,
    method: &str,
    parameters: Value,
    host: &dyn Host,
) -> Result<Value, ErrorData> {
    let requests = Requests(served);
    match method {
        "ping" => Ok(json!({})),
        "tools/list" => legacy(&requests.list_tools()),
        "tools/call" => {
            let called = requests.call_tool(read(method, parameters)?, host).await?;
            legacy(&ServerResult::from(called))
        }
        "prompts/list" => legacy(&requests.list_prompts()),
        "prompts/get" => legacy(&requests.get_prompt(read(method, parameters)?)?),
        "resources/list" => legacy(&requests.list_resources()),
        "resources/templates/list" => legacy(&requests.list_resource_templates()),
        "resources/read" => {
            let asked: ReadResourceRequestParams = read(method, parameters)?;
            legacy(&requests.read_resource(&asked.uri, host.client()).await?)
        }
        "completion/complete" => legacy(&requests.complete(read(method, parameters)?).await?),
        _ if known_method(method) => Err(malformed_parameters(method)),
        _ => Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            method.to_owned(),
            None,
        )),
    }
}

/// The parameters of an `elicitation/create` that puts this question.
#[must_use]
pub fn elicitation(question: Question) -> Value {
    // A form of one tick box always serializes.
    serde_json::to_value(super::results::elicitation(question)).unwrap_or_default()
}

/// What the client answered to it: the `result` of its response, or nothing.
#[must_use]
pub fn decision(result: Option<&Value>) -> Decision {
    result.map_or(Decision::Unanswered, super::results::decision_of_json)
}

fn read<T: DeserializeOwned>(method: &str, parameters: Value) -> Result<T, ErrorData> {
    let parameters = match parameters {
        Value::Null => Value::Object(Map::new()),
        parameters => parameters,
    };
    serde_json::from_value(parameters).map_err(|_| malformed_parameters(method))
}

/// A result as revisions before 2026-07-28 have it.
fn legacy(result: &impl Serialize) -> Result<Value, ErrorData> {
    let mut result = serde_json::to_value(result)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    if let Value::Object(members) = &mut result {
        members.remove("resultType");
    }
    Ok(result)
}
