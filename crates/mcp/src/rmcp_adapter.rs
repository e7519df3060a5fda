//! The service as an rmcp server handler. What rmcp lacks and every transport needs is added here:
//! tool definitions from the table, confirmation by either mechanism, progress and cancellation.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use clerk::BoxFuture;
use futures_util::future::{Either, select};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams,
        CompleteResult, CompletionInfo, ContentBlock, CustomRequest, CustomResult, ElicitRequest,
        ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, ErrorCode,
        GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation, InputRequest,
        InputRequests, InputRequiredResult, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
        ProgressToken, Prompt, PromptArgument, PromptMessage, ProtocolVersion,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference, Resource,
        ResourceContents, ResourceTemplate, Role, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations,
    },
    service::RequestContext,
};
use serde_json::Value;
use toolkit::Progress;

use crate::{
    call::{Asking, CallAnswer, CallRequest, Decision, Host, Question},
    completion::CompletionTarget,
    own_tool::{Content, Definition, ToolResult},
    resources::{ResourceError, ResourceKind},
    service::Service,
};

/// How long clients may keep lists, milliseconds: they change only when the server restarts.
const LIST_TTL_MS: u64 = 300_000;
/// How long a person has to answer an `elicitation/create`.
const ASK_TIMEOUT: Duration = Duration::from_secs(300);
/// The name of the one input that a confirmation asks for.
const CONFIRMATION: &str = "confirmation";
/// The member of the answer that says yes.
const CONFIRM: &str = "confirm";

/// A service with the definitions that rmcp sends for it, made once.
#[derive(Debug)]
pub struct Served {
    service: Service,
    tools: OnceLock<Vec<Tool>>,
}

impl Served {
    /// Serves `service`.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self {
            service,
            tools: OnceLock::new(),
        }
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The definitions of `tools/list`.
    #[must_use]
    pub fn definitions(&self) -> &[Tool] {
        self.tools.get_or_init(|| {
            let definitions = self.service.definitions();
            definitions.into_iter().map(definition).collect()
        })
    }
}

/// Whose service answers a request.
pub trait Principal: Send + Sync + 'static {
    /// The service of whoever sent this request.
    ///
    /// # Errors
    /// What the client is told when nobody is known to have sent it.
    fn served<'a>(
        &'a self,
        context: &'a RequestContext<RoleServer>,
    ) -> Result<&'a Arc<Served>, ErrorData>;

    /// What every client is told about the server as a whole.
    fn instructions(&self) -> String;
}

/// One principal for all requests: the person who started the process.
impl Principal for Arc<Served> {
    fn served<'a>(
        &'a self,
        _: &'a RequestContext<RoleServer>,
    ) -> Result<&'a Arc<Served>, ErrorData> {
        Ok(self)
    }

    fn instructions(&self) -> String {
        self.service.instructions()
    }
}

/// The principal of each HTTP request: whoever authenticated it has put their [`Served`] (in an
/// [`Arc`]) into the request's extensions.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrincipalOfRequest;

impl Principal for PrincipalOfRequest {
    fn served<'a>(
        &'a self,
        context: &'a RequestContext<RoleServer>,
    ) -> Result<&'a Arc<Served>, ErrorData> {
        let parts = context.extensions.get::<http::request::Parts>();
        parts
            .and_then(|parts| parts.extensions.get::<Arc<Served>>())
            .ok_or_else(|| ErrorData::internal_error("the request has no principal", None))
    }

    fn instructions(&self) -> String {
        format!(
            "You act as the signed-in person. {}",
            crate::service::DATA_IS_DATA
        )
    }
}

/// An MCP server for any rmcp transport.
#[derive(Clone, Debug)]
pub struct ClerkMcpServer<P = Arc<Served>> {
    principal: P,
    version: &'static str,
}

impl ClerkMcpServer {
    /// Serves `service` to whoever asks; `version` is what the server says of itself.
    #[must_use]
    pub fn new(service: Service, version: &'static str) -> Self {
        Self::for_principal(Arc::new(Served::new(service)), version)
    }

    /// The definitions of `tools/list`.
    #[must_use]
    pub fn definitions(&self) -> &[Tool] {
        self.principal.definitions()
    }
}

impl<P: Principal> ClerkMcpServer<P> {
    /// Serves to each principal what is theirs.
    #[must_use]
    pub fn for_principal(principal: P, version: &'static str) -> Self {
        Self { principal, version }
    }

    fn service<'a>(
        &'a self,
        context: &'a RequestContext<RoleServer>,
    ) -> Result<&'a Service, ErrorData> {
        self.principal.served(context).map(|served| &served.service)
    }
}

impl<P: Principal> ServerHandler for ClerkMcpServer<P> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_completions()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("clerk-mcp", self.version).with_title("Clerk"))
            .with_instructions(self.principal.instructions())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let definitions = self.principal.served(&context)?.definitions();
        Ok(ListToolsResult::with_all_items(definitions.to_vec())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
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
        let host = RmcpHost {
            context: &context,
            progress_token: context.meta.get_progress_token(),
        };
        let service = self.service(&context)?;
        let is_known = service.has_tool(&request.name);
        let call = std::pin::pin!(service.call_tool(request, &host));
        let cancelled = std::pin::pin!(context.ct.cancelled());
        // Cancellation first: a confirmation that arrives after it must not count.
        match select(cancelled, call).await {
            Either::Right((CallAnswer::Result(refusal), _)) if !is_known => {
                Err(unknown_tool(&refusal))
            }
            Either::Right((answer, _)) => Ok(response(answer)),
            // The client does not wait for this answer any more.
            Either::Left(_) => Err(ErrorData::internal_error("the call was cancelled", None)),
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = self.service(&context)?.prompts().map(|prompt| {
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
        Ok(ListPromptsResult::with_all_items(prompts.collect())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
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
            .service(&context)?
            .prompt(&request.name, arguments.iter().copied())
            .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        let messages = vec![PromptMessage::new_text(Role::User, text)];
        Ok(GetPromptResult::new(messages)
            .with_description(prompt.description)
            .into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut resources = Vec::new();
        let service = self.service(&context)?;
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
        Ok(ListResourcesResult::with_all_items(resources)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let templates = self
            .service(&context)?
            .resources()
            .filter(|kind| *kind != ResourceKind::Instance)
            .map(|kind| {
                ResourceTemplate::new(kind.uri_template(), kind.name())
                    .with_description(kind.description())
                    .with_mime_type("application/json")
            })
            .collect();
        Ok(ListResourceTemplatesResult::with_all_items(templates)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let service = self.service(&context)?;
        // Boxed, as below: rmcp moves the largest of these futures with every request.
        let reading = Box::pin(service.read_resource(&request.uri, client_name(&context)));
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
                    .with_cache_scope(CacheScope::Private)
                    .into())
            }
            Err(error) => Err(resource_error(&error)),
        }
    }

    /// rmcp takes a known method with parameters of another form for an unknown method; the client
    /// is told which of the two it is.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
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
        let method = request.method;
        // Revision 2026-07-28 has no handshake.
        let has_handshake = context
            .protocol_version()
            .is_none_or(|version| version < ProtocolVersion::V_2026_07_28);
        if KNOWN.contains(&method.as_str()) || (has_handshake && method == "initialize") {
            let message = format!("the parameters of {method} are not of the specification's form");
            return Err(ErrorData::invalid_params(message, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
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
        let service = self.service(&context)?;
        let completions = Box::pin(service.complete(target, &request.argument.value)).await;
        let total = (!completions.has_more)
            .then(|| u32::try_from(completions.values.len()).unwrap_or(u32::MAX));
        let info = CompletionInfo::with_pagination(completions.values, total, completions.has_more)
            .map_err(|message| ErrorData::internal_error(message, None))?;
        Ok(CompleteResult::new(info))
    }
}

/// The client's side of one request.
struct RmcpHost<'a> {
    context: &'a RequestContext<RoleServer>,
    progress_token: Option<ProgressToken>,
}

impl Progress for RmcpHost<'_> {
    fn report(&self, done: u64, total: Option<u64>, message: String) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(token) = self.progress_token.clone() else {
                return;
            };
            let mut progress =
                ProgressNotificationParam::new(token, number(done)).with_message(message);
            if let Some(total) = total {
                progress = progress.with_total(number(total));
            }
            // A client that is gone needs no progress; the call ends by its cancellation.
            let _ = self.context.peer.notify_progress(progress).await;
        })
    }
}

impl Host for RmcpHost<'_> {
    fn client(&self) -> Option<String> {
        client_name(self.context)
    }

    fn asking(&self) -> Asking {
        let capabilities = self.context.client_capabilities();
        let can_ask = capabilities
            .and_then(|c| c.elicitation)
            .is_some_and(|elicitation| {
                // Clients older than URL mode declare neither mode and mean forms.
                elicitation.form.is_some() || elicitation.url.is_none()
            });
        let is_new = self
            .context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        match (can_ask, is_new) {
            (false, _) => Asking::Never,
            (true, true) => Asking::ByResult,
            (true, false) => Asking::Now,
        }
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, Decision> {
        Box::pin(async move {
            let asked = self
                .context
                .peer
                .create_elicitation_with_timeout(elicitation(question), Some(ASK_TIMEOUT))
                .await;
            asked.map_or(Decision::Unanswered, |result| decision(&result))
        })
    }
}

/// The client as it names itself: at most 100 characters, none of them invisible.
fn client_name(context: &RequestContext<RoleServer>) -> Option<String> {
    let client = context.client_info()?;
    let name = format!("{} {}", client.name, client.version);
    let short: String = name.chars().take(100).collect();
    Some(toolkit::text::escape_str(&short).into_owned())
}

fn definition(tool: Definition) -> Tool {
    let hints = tool.hints;
    let mut definition =
        Tool::new(tool.name, tool.description, tool.input_schema).with_title(tool.title);
    definition.output_schema = tool.output_schema;
    definition.annotations = Some(ToolAnnotations::from_raw(
        None,
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(hints.open_world),
    ));
    definition
}

/// An unknown tool is a protocol error (specification, "Tools", Error Handling).
fn unknown_tool(refusal: &ToolResult) -> ErrorData {
    let error = refusal.structured.as_ref().and_then(|s| s.get("error"));
    let text = |name| {
        error
            .and_then(|error| error.get(name))
            .and_then(Value::as_str)
    };
    let message = match (text("message"), text("hint")) {
        (Some(message), Some(hint)) => format!("{message}\nhint: {hint}"),
        (Some(message), None) => message.to_owned(),
        (None, _) => "there is no such tool".to_owned(),
    };
    ErrorData::invalid_params(message, error.cloned())
}

fn response(answer: CallAnswer) -> CallToolResponse {
    match answer {
        CallAnswer::Result(result) => tool_result(result).into(),
        CallAnswer::Ask { question, state } => {
            let request = InputRequest::Elicitation(ElicitRequest::new(elicitation(question)));
            let requests = InputRequests::from([(CONFIRMATION.to_owned(), request)]);
            InputRequiredResult::new(Some(requests), Some(state)).into()
        }
    }
}

fn tool_result(result: ToolResult) -> CallToolResult {
    let content = match result.content.is_empty() {
        true => vec![ContentBlock::text(result.text())],
        false => result.content.into_iter().map(content_block).collect(),
    };
    let mut call_result = if result.is_error {
        CallToolResult::error(content)
    } else {
        CallToolResult::success(content)
    };
    call_result.structured_content = result.structured.map(Value::Object);
    call_result
}

fn content_block(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image { data, mime_type } => ContentBlock::image(data, mime_type),
        Content::Audio { data, mime_type } => ContentBlock::audio(data, mime_type),
        Content::Blob {
            uri,
            data,
            mime_type,
        } => ContentBlock::resource(ResourceContents::BlobResourceContents {
            uri,
            mime_type: Some(mime_type),
            blob: data,
            meta: None,
        }),
    }
}

fn elicitation(question: Question) -> ElicitRequestParams {
    let schema = ElicitationSchema::builder()
        .required_bool_property(CONFIRM, |schema| schema.title(question.title))
        .build()
        .unwrap_or_else(|_| ElicitationSchema::new(Default::default()));
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.message,
        requested_schema: schema,
    }
}

/// Only an accepted form with an explicit yes is a yes.
fn decision(result: &ElicitResult) -> Decision {
    let confirmed = result
        .content
        .as_ref()
        .and_then(|content| content.get(CONFIRM));
    match (&result.action, confirmed) {
        (ElicitationAction::Accept, Some(Value::Bool(true))) => Decision::Accepted,
        (ElicitationAction::Accept | ElicitationAction::Decline, _) => Decision::Declined,
        _ => Decision::Unanswered,
    }
}

fn decision_of_json(value: &Value) -> Decision {
    serde_json::from_value(value.clone()).map_or(Decision::Unanswered, |result: ElicitResult| {
        decision(&result)
    })
}

fn resource_error(error: &ResourceError) -> ErrorData {
    let mut message = Value::from(error.to_string());
    toolkit::text::escape_invisible(&mut message);
    let message = message.as_str().unwrap_or_default().to_owned();
    match error {
        ResourceError::NotFound(uri) => {
            let mut uri = Value::from(uri.as_str());
            toolkit::text::escape_invisible(&mut uri);
            ErrorData::resource_not_found(message, Some(serde_json::json!({ "uri": uri })))
        }
        ResourceError::Tool(error) => {
            let data = Some(Value::Object(error.to_json()));
            match error {
                toolkit::ToolError::Arguments(_) => ErrorData::invalid_params(message, data),
                // Who may not read it learns no more than that.
                toolkit::ToolError::NotPermitted { .. } => {
                    ErrorData::resource_not_found(message, data)
                }
                error if error.clerk().and_then(clerk::Error::status) == Some(404) => {
                    ErrorData::resource_not_found(message, data)
                }
                _ => ErrorData::internal_error(message, data),
            }
        }
    }
}

fn own_uri(kind: ResourceKind, id: &str) -> String {
    kind.uri_template().replace("{id}", id)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of users are far below 2^53"
)]
fn number(count: u64) -> f64 {
    count as f64
}
