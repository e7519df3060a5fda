//! The service that the flags describe, for every command that calls tools.

use std::sync::Arc;

use mcp::{
    Confirm, Sealer, Service, Shared,
    audit::{Audit, TracingAudit},
};

use crate::{
    arguments::ServiceArguments, audit_log::AuditLog, call_api_as, connect, failure::Failure,
    machine::Machine, printer::Printer,
};

/// Builds the service.
pub(crate) fn build(
    arguments: &ServiceArguments,
    confirm: Confirm,
    printer: &Printer,
) -> Result<Service, Failure> {
    let client = connect::client(&arguments.connection, printer)?;
    let toolkit = connect::toolkit(&arguments.selection, client.clone())?;
    let audit: Arc<dyn Audit> = match &arguments.audit_log {
        Some(path) => Arc::new(AuditLog::open(path)?),
        None => Arc::new(TracingAudit),
    };
    let own: Vec<_> = call_api_as::tool(&arguments.call_api_as, &client, &audit)?
        .into_iter()
        .collect();
    let own_names = own.iter().map(|tool| tool.definition().name.to_string());
    let own_names = own_names.collect();
    let mut key = [0; 32];
    Machine::random_bytes(&mut key);
    Ok(Service::new(
        toolkit,
        Shared {
            audit,
            sealer: Arc::new(Sealer::new(key)),
            confirm,
            own_names,
        },
    )
    .with_own_tools(own))
}
