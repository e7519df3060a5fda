//! The service as an rmcp server handler. What rmcp lacks and every transport needs is added here:
//! tool definitions from the table, confirmation by either mechanism, progress and cancellation.

mod direct;
pub mod dispatch;
mod host;
mod requests;
mod results;
mod subscription;

use std::sync::{Arc, OnceLock};

use futures_util::future::{Either, select};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
        CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams, GetPromptResponse,
        Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
        ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use sha2::{Digest as _, Sha256};

pub use self::{
    direct::{AnswerOnly, Declared, DirectCall, Introduction},
    results::listed,
    subscription::Subscription,
};
use self::{
    host::{RmcpHost, client_name},
    requests::{Requests, cancelled_call, known_method, malformed_parameters},
};
use crate::service::Service;

/// A service with the definitions that rmcp sends for it, made once.
#[derive(Debug)]
pub struct Served {
    service: Service,
    tools: OnceLock<Vec<Tool>>,
    tools_digest: OnceLock<[u8; 32]>,
}

impl Served {
    /// Serves `service`.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self {
            service,
            tools: OnceLock::new(),
            tools_digest: OnceLock::new(),
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
            definitions.into_iter().map(listed).collect()
        })
    }

    /// SHA-256 of the answer to `tools/list`: two principals, or one at two times, have the same tools,
    /// descriptions and schemas included, if it is the same.
    #[must_use]
    pub fn tools_digest(&self) -> [u8; 32] {
        *self.tools_digest.get_or_init(|| {
            // Definitions always serialize.
            let list = serde_json::to_vec(self.definitions()).unwrap_or_default();
            Sha256::digest(list).into()
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

    /// Whether clients are told when their list of tools changes (`tools.listChanged`). Telling them is
    /// the transport's part.
    fn tells_of_changes(&self) -> bool {
        false
    }
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

    /// Who somebody is, and with it what they may call, changes while they are connected.
    fn tells_of_changes(&self) -> bool {
        true
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

    fn requests<'a>(
        &'a self,
        context: &'a RequestContext<RoleServer>,
    ) -> Result<Requests<'a>, ErrorData> {
        self.principal
            .served(context)
            .map(|served| Requests(served))
    }
}

impl<P: Principal> ServerHandler for ClerkMcpServer<P> {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_completions()
            .build();
        if let Some(tools) = &mut capabilities.tools {
            tools.list_changed = self.principal.tells_of_changes().then_some(true);
        }
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("clerk-mcp", self.version).with_title("Clerk"))
            .with_instructions(self.principal.instructions())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(self.requests(&context)?.list_tools())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let host = RmcpHost {
            context: &context,
            progress_token: context.meta.get_progress_token(),
        };
        let requests = self.requests(&context)?;
        let call = std::pin::pin!(requests.call_tool(request, &host));
        let cancelled = std::pin::pin!(context.ct.cancelled());
        // Cancellation first: a confirmation that arrives after it must not count.
        match select(cancelled, call).await {
            Either::Right((answer, _)) => answer,
            // The client does not wait for this answer any more.
            Either::Left(_) => Err(cancelled_call()),
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(self.requests(&context)?.list_prompts())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.requests(&context)?
            .get_prompt(request)
            .map(GetPromptResponse::from)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(self.requests(&context)?.list_resources())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(self.requests(&context)?.list_resource_templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let requests = self.requests(&context)?;
        // Boxed, as below: rmcp moves the largest of these futures with every request.
        let reading = Box::pin(requests.read_resource(&request.uri, client_name(&context)));
        reading.await.map(ReadResourceResponse::from)
    }

    /// rmcp takes a known method with parameters of another form for an unknown method; the client
    /// is told which of the two it is.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        // Revision 2026-07-28 has no handshake, and subscriptions in place of streams that belong to none.
        let has_handshake = context
            .protocol_version()
            .is_none_or(|version| version < ProtocolVersion::V_2026_07_28);
        let is_known = match has_handshake {
            true => method == "initialize",
            false => self.principal.tells_of_changes() && method == Subscription::METHOD,
        };
        if known_method(&method) || is_known {
            return Err(malformed_parameters(&method));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let requests = self.requests(&context)?;
        Box::pin(requests.complete(request)).await
    }
}
