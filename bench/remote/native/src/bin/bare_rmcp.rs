//! What the protocol library costs alone: rmcp's own HTTP service with the tools `add` and `wait`, and
//! nothing in front of it. `bare-rmcp stateless` answers each request by itself, in JSON; `bare-rmcp sessions`
//! keeps sessions and answers in event streams.

use std::{sync::Arc, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use bench_remote::{Result, answer};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
        ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Bare;

#[derive(Deserialize)]
struct Arguments {
    a: f64,
    b: f64,
}

/// `wait`, as `clerk-mcp-bench-server` has it: reports progress, and waits so many seconds.
async fn wait(
    request: &CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> CallToolResult {
    if let Some(token) = context.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, 1.0);
        let _ = context.peer.notify_progress(progress).await;
    }
    let arguments = request.arguments.as_ref();
    let seconds = arguments.and_then(|arguments| arguments.get("seconds")?.as_u64());
    tokio::time::sleep(Duration::from_secs(seconds.unwrap_or_default())).await;
    CallToolResult::success(vec![ContentBlock::text("42")])
}

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("bare-rmcp", "0.1.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let object = |schema: Value| Arc::new(schema.as_object().cloned().unwrap_or_default());
        let mut tool = Tool::new("add", "Adds two numbers.", object(answer::input_schema()));
        tool.output_schema = Some(object(answer::output_schema()));
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "wait" {
            return Ok(wait(&request, context).await.into());
        }
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let Arguments { a, b } = serde_json::from_value(arguments)
            .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only small whole numbers are sent"
        )]
        let sum = (a + b) as i64;
        let mut result = CallToolResult::success(vec![ContentBlock::text(sum.to_string())]);
        result.structured_content = Some(json!({ "sum": sum }));
        Ok(result.into())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let has_sessions = match std::env::args().nth(1).as_deref() {
        Some("sessions") => true,
        Some("stateless") => false,
        _ => return Err("bare-rmcp stateless|sessions".into()),
    };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(has_sessions)
        .with_json_response(!has_sessions);
    let service = StreamableHttpService::new(
        || Ok(Bare),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/mcp", listener.local_addr()?);
    let app = Router::new().route_service("/mcp", service);
    // Without this each answer waits 40 ms for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}
