//! The service that the flags describe, for every command that calls tools.

use std::sync::Arc;

use mcp::{
    Confirm, Sealer, Service, Shared,
    audit::{Audit, TracingAudit},
};

use crate::{
    arguments::ServiceArguments, audit_log::AuditLog, connect, failure::Failure, machine::Machine,
    printer::Printer,
};

/// Builds the service.
pub(crate) fn build(
    arguments: &ServiceArguments,
    confirm: Confirm,
    printer: &Printer,
) -> Result<Service, Failure> {
    let client = connect::client(&arguments.connection, printer)?;
    let toolkit = connect::toolkit(&arguments.selection, client)?;
    let audit: Arc<dyn Audit> = match &arguments.audit_log {
        Some(path) => Arc::new(AuditLog::open(path)?),
        None => Arc::new(TracingAudit),
    };
    let mut key = [0; 32];
    Machine::random_bytes(&mut key);
    Ok(Service::new(
        toolkit,
        Shared {
            audit,
            sealer: Arc::new(Sealer::new(key)),
            confirm,
            own_names: Arc::default(),
        },
    ))
}
