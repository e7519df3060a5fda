//! One row per tool call: who, through which client, what, and what came of it.

use serde::Serialize;
use serde_json::Value;

/// One tool call.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// When it ended, Unix milliseconds.
    pub at: u64,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// The user the call acted for; `None` when it had the secret key's own power.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The organization the session is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<String>,
    /// The OAuth client that the user approved; the machine or the API key that called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The MCP client, as it names itself: `claude-code 2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The tool.
    pub tool: String,
    /// Its arguments without personal data and secrets.
    pub arguments: Value,
    /// `ok`, or the error's code.
    pub outcome: String,
    /// Clerk's name for the last request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clerk_trace_id: Option<String>,
}

/// Where audit rows go.
pub trait Audit: Send + Sync {
    /// Takes one row. It must not block for long: the call's answer waits for it.
    fn record(&self, row: AuditRow);
}

/// Audit rows as `tracing` events of target `audit`.
#[derive(Clone, Copy, Debug)]
pub struct TracingAudit;

impl Audit for TracingAudit {
    fn record(&self, row: AuditRow) {
        tracing::info!(
            target: "audit",
            user = row.user_id.as_deref(),
            organization = row.organization_id.as_deref(),
            client_id = row.client_id.as_deref(),
            client = row.client.as_deref(),
            tool = row.tool,
            arguments = %row.arguments,
            outcome = row.outcome,
            clerk_trace_id = row.clerk_trace_id.as_deref(),
            duration_ms = row.duration_ms,
        );
    }
}
