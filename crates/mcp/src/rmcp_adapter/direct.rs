//! A `tools/call` that asks its client nothing. rmcp gives every request channels and tasks of its own, so
//! that it can ask, be resumed and be cancelled by another request; a call that needs none of it is
//! answered here, sooner and with less memory. What is not plainly such a call is left to rmcp.

use clerk::BoxFuture;
use rmcp::model::{
    CallToolResult, ClientCapabilities, Implementation, InitializeRequestParams, JsonRpcResponse,
    JsonRpcVersion2_0, NumberOrString, ProtocolVersion,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use toolkit::Progress;

use super::{host, results};
use crate::{
    call::{Asking, CallAnswer, CallRequest, Decision, Host, Question},
    service::Service,
};

/// A message that is such a call, as far as the message tells.
#[derive(Debug)]
pub struct DirectCall {
    id: NumberOrString,
    request: CallRequest,
    declared: Option<Declared>,
    progress_token: Option<NumberOrString>,
}

/// What a request of 2026-07-28 says of its client.
#[derive(Debug)]
pub struct Declared {
    /// The revision that the request is of.
    pub version: String,
    /// The client, as the audit names it.
    pub client: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    jsonrpc: String,
    id: NumberOrString,
    method: String,
    params: Params,
}

/// Whatever else there may be asks for more than an answer: the answer to a question, a task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    name: String,
    #[serde(default)]
    arguments: Option<Map<String, Value>>,
    #[serde(default, rename = "_meta")]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<String>,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client: Option<Implementation>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<ClientCapabilities>,
    #[serde(rename = "progressToken")]
    progress_token: Option<NumberOrString>,
}

/// What an `initialize` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The client, as the audit names it.
    pub client: String,
    /// The revision that it asks for.
    pub version: String,
}

/// The one revision with JSON-RPC batches.
const BATCHES: &str = "2025-03-26";

impl Introduction {
    /// What these parameters of an `initialize` say.
    #[must_use]
    pub fn of(parameters: &InitializeRequestParams) -> Self {
        Self {
            client: host::name_of(&parameters.client_info),
            version: parameters.protocol_version.as_str().to_owned(),
        }
    }

    /// Whether the revision has JSON-RPC batches.
    #[must_use]
    pub fn has_batches(&self) -> bool {
        self.version == BATCHES
    }

    /// Reads a message; `None` for any other.
    #[must_use]
    pub fn read(message: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Initialize {
            method: String,
            params: Parameters,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Parameters {
            protocol_version: String,
            client_info: Implementation,
        }
        let initialize: Initialize = serde_json::from_slice(message).ok()?;
        (initialize.method == "initialize").then(|| Self {
            client: host::name_of(&initialize.params.client_info),
            version: initialize.params.protocol_version,
        })
    }
}

impl DirectCall {
    /// Reads a message; `None` leaves it to rmcp, its faults included.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let message: Message = serde_json::from_slice(message).ok()?;
        if message.jsonrpc != "2.0" || message.method != "tools/call" {
            return None;
        }
        let mut params = message.params;
        let progress_token = params
            .meta
            .as_mut()
            .and_then(|meta| meta.progress_token.take());
        let declared = match params.meta {
            None => None,
            Some(meta) => match (meta.version, meta.capabilities) {
                (Some(version), Some(_)) => Some(Declared {
                    version,
                    client: meta.client.as_ref().map(host::name_of),
                }),
                (None, None) => None,
                _ => return None,
            },
        };
        Some(Self {
            id: message.id,
            request: CallRequest {
                name: params.name,
                arguments: params.arguments.map_or(Value::Null, Value::Object),
                answer: None,
            },
            declared,
            progress_token,
        })
    }

    /// What its client wants its progress to be told by.
    #[must_use]
    pub fn progress_token(&self) -> Option<&NumberOrString> {
        self.progress_token.as_ref()
    }

    /// What its answer carries.
    #[must_use]
    pub fn id(&self) -> &NumberOrString {
        &self.id
    }

    /// The tool.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.request.name
    }

    /// What the request says of its client, if it stands for itself.
    #[must_use]
    pub fn declared(&self) -> Option<&Declared> {
        self.declared.as_ref()
    }

    /// The answer, as JSON. `host` is the client, which is not asked anything. Dropping the future
    /// cancels the call. `None` when the answer was a question all the same: nothing was done then.
    pub async fn answer(self, service: &Service, host: &dyn Host) -> Option<Vec<u8>> {
        let CallAnswer::Result(result) = service.call_tool(self.request, host).await else {
            return None;
        };
        let mut result: CallToolResult = results::tool_result(result);
        let is_new = |declared: &Declared| {
            declared.version.as_str() >= ProtocolVersion::V_2026_07_28.as_str()
        };
        if !self.declared.as_ref().is_some_and(is_new) {
            result.result_type = None;
        }
        let response = JsonRpcResponse {
            jsonrpc: JsonRpcVersion2_0,
            id: self.id,
            result,
        };
        serde_json::to_vec(&response).ok()
    }
}

/// A client that wants an answer and nothing else.
#[derive(Debug)]
pub struct AnswerOnly {
    /// Who it is, as the audit names it.
    pub client: Option<String>,
}

impl Progress for AnswerOnly {
    fn report(&self, _: u64, _: Option<u64>, _: String) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Host for AnswerOnly {
    fn client(&self) -> Option<String> {
        self.client.clone()
    }

    fn asking(&self) -> Asking {
        Asking::Never
    }

    fn ask(&self, _: Question) -> BoxFuture<'_, Decision> {
        Box::pin(std::future::ready(Decision::Unanswered))
    }
}
