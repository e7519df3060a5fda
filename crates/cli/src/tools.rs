//! `clerk-mcp tools`: what the same flags would serve.

use std::sync::Arc;

use mcp::{
    Confirm, Sealer, Service, Shared,
    audit::TracingAudit,
    rmcp_adapter::{self, ClerkMcpServer},
};

use crate::{
    arguments::ToolsArguments, connect, failure::Failure, people::Table, printer::Printer, serve,
};

/// Prints the tools.
pub(crate) fn run(arguments: &ToolsArguments, printer: &Printer) -> Result<(), Failure> {
    if let Some(path) = &arguments.config {
        let config = serve::read_tools(path.clone(), printer)?;
        return match config.http_tools {
            Some(tools) if arguments.json => {
                let listed: Vec<_> = tools
                    .definitions()
                    .cloned()
                    .map(rmcp_adapter::listed)
                    .collect();
                printer.result(&serde_json::to_string_pretty(&listed).map_err(Failure::failed)?)
            }
            Some(tools) => printer.result(&tools.listing(&|tool| config.access.who(tool))),
            None => Err(Failure::usage(format!(
                "{}: there is no [api], and so no tools over one\nhint: see docs/guides/http-tools.md",
                path.display()
            ))),
        };
    }
    let toolkit = connect::toolkit(&arguments.selection, connect::unconnected()?)?;
    let shared = Shared {
        audit: Arc::new(TracingAudit),
        sealer: Arc::new(Sealer::new([0; 32])),
        confirm: Confirm::Auto,
        own_names: Arc::default(),
    };
    let service = Service::new(toolkit, shared);
    let server = ClerkMcpServer::new(service.clone(), env!("CARGO_PKG_VERSION"));
    if arguments.json {
        let json = serde_json::to_string_pretty(server.definitions()).map_err(Failure::failed)?;
        return printer.result(&json);
    }
    let mut table = Table::new(&["TOOL", "CATEGORY", "ANNOTATIONS", "BYTES"]);
    let mut total = 0;
    for (tool, definition) in service.toolkit().tools().iter().zip(server.definitions()) {
        let hints = tool.hints();
        let annotations: Vec<&str> = [
            (hints.read_only, "read-only"),
            (hints.destructive, "destructive"),
            (hints.idempotent && !hints.read_only, "idempotent"),
            (hints.open_world, "open-world"),
        ]
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, name)| *name)
        .collect();
        let bytes = serde_json::to_string(definition)
            .map_err(Failure::failed)?
            .len();
        total += bytes;
        table.row([
            tool.name().to_owned(),
            tool.operation().category.name().to_owned(),
            annotations.join(", "),
            bytes.to_string(),
        ]);
    }
    let count = service.toolkit().tools().len();
    printer.result(&format!("{table}\n{count} tools, {total} bytes"))
}
