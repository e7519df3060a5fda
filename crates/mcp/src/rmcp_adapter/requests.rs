//! The requests of one principal in rmcp's types, whoever carries them: rmcp's own transports, or the
//! dispatcher.

use rmcp::{
    ErrorData,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
        CompletionInfo, GetPromptRequestParams, GetPromptResult, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, Prompt, PromptArgument,
        PromptMessage, ReadResourceResult, Reference, Resource, ResourceContents, ResourceTemplate,
        Role,
    },
};
use serde_json::Value;

use super::{
    Served,
    results::{CONFIRMATION, decision_of_json, resource_error, response, unknown_tool},
};
use crate::{
    call::{CallAnswer, CallRequest, Decision, Host},
    completion::CompletionTarget,
    resources::ResourceKind,
};

/// How long clients may keep lists, milliseconds: they change only when the server restarts.
const LIST_TTL_MS: u64 = 300_000;

/// What one principal may ask for.
#[derive(Clone, Copy)]
pub(super) struct Requests<'a>(pub &'a Served);

/// A call that its client does not wait for any more.
pub(super) fn cancelled_call() -> ErrorData {
    ErrorData::internal_error("the call was cancelled", None)
}

/// Whether it is a method of the specification that this server answers.
pub(super) fn known_method(method: &str) -> bool {
    const KNOWN: [&str; 9] = [
        "completion/complete",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "server/discover",
        "tools/call",
        "tools/list",
    ];
    KNOWN.contains(&method)
}

/// The method is known, its parameters cannot be read.
pub(super) fn malformed_parameters(method: &str) -> ErrorData {
    let message = format!("the parameters of {method} are not of the specification's form");
    ErrorData::invalid_params(message, None)
}

impl Requests<'_> {
    pub(super) fn list_tools(self) -> ListToolsResult {
        ListToolsResult::with_all_items(self.0.definitions().to_vec())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private)
    }

    pub(super) async fn call_tool(
        self,
        request: CallToolRequestParams,
        host: &dyn Host,
    ) -> Result<CallToolResponse, ErrorData> {
        let answer = match (request.request_state, request.input_responses) {
            (Some(state), responses) => {
                let response = responses.and_then(|mut rows| rows.remove(CONFIRMATION));
                Some((
                    state,
                    response.map_or(Decision::Unanswered, |value| decision_of_json(&value)),
                ))
            }
            (None, _) => None,
        };
        let request = CallRequest {
            name: request.name.into_owned(),
            arguments: request.arguments.map_or(Value::Null, Value::Object),
            answer,
        };
        let service = self.0.service();
        let is_known = service.has_tool(&request.name);
        match service.call_tool(request, host).await {
            CallAnswer::Result(refusal) if !is_known => Err(unknown_tool(&refusal)),
            answer => Ok(response(answer)),
        }
    }

    pub(super) fn list_prompts(self) -> ListPromptsResult {
        let prompts = self.0.service().prompts().map(|prompt| {
            let arguments = prompt.arguments.iter().map(|argument| {
                PromptArgument::new(argument.name)
                    .with_description(argument.description)
                    .with_required(argument.required)
            });
            Prompt::new(
                prompt.name,
                Some(prompt.description),
                Some(arguments.collect()),
            )
            .with_title(prompt.title)
        });
        ListPromptsResult::with_all_items(prompts.collect())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private)
    }

    pub(super) fn get_prompt(
        self,
        request: GetPromptRequestParams,
    ) -> Result<GetPromptResult, ErrorData> {
        let given = request.arguments.unwrap_or_default();
        let mut arguments = Vec::new();
        for (name, value) in &given {
            let Some(value) = value.as_str() else {
                let message = format!("argument {name:?} must be text");
                return Err(ErrorData::invalid_params(message, None));
            };
            arguments.push((name.as_str(), value));
        }
        let (prompt, text) = self
            .0
            .service()
            .prompt(&request.name, arguments.iter().copied())
            .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        let messages = vec![PromptMessage::new_text(Role::User, text)];
        Ok(GetPromptResult::new(messages).with_description(prompt.description))
    }

    pub(super) fn list_resources(self) -> ListResourcesResult {
        let mut resources = Vec::new();
        let service = self.0.service();
        let session = service.toolkit().auth_context();
        for kind in service.resources() {
            let own = match kind {
                ResourceKind::Instance => Some(kind.uri_template().to_owned()),
                ResourceKind::User => session.map(|s| own_uri(kind, s.user_id())),
                ResourceKind::Organization => session
                    .and_then(|s| s.organization_id())
                    .map(|id| own_uri(kind, id)),
            };
            if let Some(uri) = own {
                resources.push(
                    Resource::new(uri, kind.name())
                        .with_description(kind.description())
                        .with_mime_type("application/json"),
                );
            }
        }
        ListResourcesResult::with_all_items(resources)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private)
    }

    pub(super) fn list_resource_templates(self) -> ListResourceTemplatesResult {
        let templates = self
            .0
            .service()
            .resources()
            .filter(|kind| *kind != ResourceKind::Instance)
            .map(|kind| {
                ResourceTemplate::new(kind.uri_template(), kind.name())
                    .with_description(kind.description())
                    .with_mime_type("application/json")
            })
            .collect();
        ListResourceTemplatesResult::with_all_items(templates)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private)
    }

    pub(super) async fn read_resource(
        self,
        uri: &str,
        client: Option<String>,
    ) -> Result<ReadResourceResult, ErrorData> {
        let reading = self.0.service().read_resource(uri, client);
        match reading.await {
            Ok(read) => {
                let contents = ResourceContents::TextResourceContents {
                    uri: read.uri,
                    mime_type: Some("application/json".into()),
                    text: read.text,
                    meta: None,
                };
                Ok(ReadResourceResult::new(vec![contents])
                    .with_ttl_ms(0)
                    .with_cache_scope(CacheScope::Private))
            }
            Err(error) => Err(resource_error(&error)),
        }
    }

    pub(super) async fn complete(
        self,
        request: CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let target = match &request.r#ref {
            Reference::Resource(resource) => CompletionTarget::Resource {
                uri_template: &resource.uri,
            },
            Reference::Prompt(prompt) => CompletionTarget::Prompt {
                name: &prompt.name,
                argument: &request.argument.name,
            },
            _ => return Ok(CompleteResult::default()),
        };
        let service = self.0.service();
        let completions = service.complete(target, &request.argument.value).await;
        let total = (!completions.has_more)
            .then(|| u32::try_from(completions.values.len()).unwrap_or(u32::MAX));
        let info = CompletionInfo::with_pagination(completions.values, total, completions.has_more)
            .map_err(|message| ErrorData::internal_error(message, None))?;
        Ok(CompleteResult::new(info))
    }
}

fn own_uri(kind: ResourceKind, id: &str) -> String {
    kind.uri_template().replace("{id}", id)
}
