use serde_json::{Map, Value, json};
use toolkit::redact::redact_arguments_for_audit;

use super::{
    error::ImpersonationError,
    impersonator::{Order, Parts},
    journal::Started,
};
use crate::audit::AuditRow;

/// The audit row of something under way. Dropped before its end, it says that it was cancelled.
pub(super) struct Record<'a> {
    parts: &'a Parts,
    /// `None` once it is recorded.
    row: Option<AuditRow>,
    arguments: Map<String, Value>,
    begun: u64,
}

impl<'a> Record<'a> {
    /// Of an impersonation that is asked for.
    pub(super) fn beginning(parts: &'a Parts, order: &Order<'_>) -> Self {
        let mut arguments = Map::new();
        arguments.insert("actor".into(), order.operator.into());
        // An address is personal: the id, once it is found, says who it is.
        let person = redact_arguments_for_audit(&json!({ "person": order.person }));
        arguments.extend(person.as_object().cloned().unwrap_or_default());
        // As it was said: it is what the row is for.
        arguments.insert("reason".into(), order.reason.as_str().into());
        let seconds = parts.policy.ceiling().as_secs();
        arguments.insert("seconds".into(), seconds.into());
        let mut record = Self::new(parts, "impersonate", order.operator, arguments);
        if let Some(row) = &mut record.row {
            row.client = order.client.map(str::to_owned);
            row.client_id = order.client_id.map(str::to_owned);
        }
        record
    }

    /// Of the end of one.
    pub(super) fn ending(parts: &'a Parts, started: &Started) -> Self {
        let arguments = Map::from_iter([("actor".to_owned(), started.operator.as_str().into())]);
        let mut record = Self::new(parts, "endImpersonation", &started.operator, arguments);
        record.names(started);
        record
    }

    fn new(parts: &'a Parts, tool: &str, operator: &str, arguments: Map<String, Value>) -> Self {
        let row = AuditRow {
            at: 0,
            duration_ms: 0,
            user_id: Some(operator.to_owned()),
            organization_id: None,
            client_id: None,
            client: None,
            tool: tool.to_owned(),
            arguments: Value::Null,
            outcome: "cancelled".to_owned(),
            clerk_trace_id: None,
        };
        Self {
            parts,
            row: Some(row),
            arguments,
            begun: parts.client.env().now(),
        }
    }

    /// Says who is acted as.
    pub(super) fn user(&mut self, id: &str) {
        self.arguments.insert("user_id".into(), id.into());
    }

    /// Says which impersonation it is.
    pub(super) fn names(&mut self, started: &Started) {
        self.user(&started.user_id);
        let mut insert = |name: &str, value: &str| {
            self.arguments.insert(name.into(), value.into());
        };
        insert("impersonation", &started.id);
        if let Some(id) = &started.session_id {
            insert("session_id", id);
        }
    }

    pub(super) fn end<T>(mut self, result: &Result<T, ImpersonationError>) {
        if let Some(row) = &mut self.row {
            match result {
                Ok(_) => "ok".clone_into(&mut row.outcome),
                Err(error) => {
                    row.outcome.clone_from(&error.code);
                    row.clerk_trace_id.clone_from(&error.clerk_trace_id);
                }
            }
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if let Some(mut row) = self.row.take() {
            row.at = self.parts.client.env().now();
            row.duration_ms = row.at.saturating_sub(self.begun);
            row.arguments = Value::Object(std::mem::take(&mut self.arguments));
            self.parts.audit.record(row);
        }
    }
}
