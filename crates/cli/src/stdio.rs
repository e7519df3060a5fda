//! `clerk-mcp stdio`: the service to one MCP client over standard input and output.

use mcp::rmcp_adapter::ClerkMcpServer;
use rmcp::{
    ServiceExt as _,
    service::{QuitReason, ServerInitializeError},
    transport::stdio_pipes,
};

use crate::{
    arguments::ServiceArguments, failure::Failure, line_transport::LineTransport, logging,
    printer::Printer, service, signals,
};

/// Serves until the client closes standard input, or until a signal.
pub(crate) async fn run(arguments: &ServiceArguments, printer: &Printer) -> Result<(), Failure> {
    let terminated = signals::terminated();
    logging::start(arguments.audit_log.is_none())?;
    let service = service::build(arguments, arguments.confirm.into(), printer)?;
    let server = ClerkMcpServer::new(service, env!("CARGO_PKG_VERSION"));
    if printer.has_typist() {
        printer.note(
            "clerk-mcp: this speaks MCP on standard input and output: connect a client to it. \
             Ctrl-C ends it; for people there are `clerk-mcp call` and `clerk-mcp tools`.",
        );
    }
    let (reader, writer) = stdio_pipes();
    let transport = LineTransport::new(reader, writer);
    let served = async {
        let running = match server.serve(transport).await {
            Ok(running) => running,
            // A client that leaves before it has said anything has done nothing wrong.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => {
                return Err(Failure::failed(format!(
                    "the MCP client could not be served: {error}"
                )));
            }
        };
        match running.waiting().await {
            Ok(QuitReason::Closed | QuitReason::Cancelled) => Ok(()),
            Ok(other) => Err(Failure::failed(format!(
                "the MCP server stopped: {other:?}"
            ))),
            Err(error) => Err(Failure::failed(format!("the MCP server stopped: {error}"))),
        }
    };
    tokio::select! {
        served = served => served,
        signal = terminated => {
            printer.note(&format!("clerk-mcp: stopped by {signal}"));
            Ok(())
        }
    }
}
