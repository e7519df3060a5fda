//! The messages that would have been sent.

use super::{escape, page as layout};
use crate::browser::state::BrowserState;
use chrono::DateTime;

pub(crate) fn page(state: &BrowserState) -> String {
    let rows: String = state
        .inbox()
        .map(|message| {
            let time = i64::try_from(message.created_at).ok();
            let time = time.and_then(DateTime::from_timestamp_millis);
            let time = time.map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string());
            format!(
                "<h2>{}</h2><p><small>To {}, {}</small></p><p>{}</p>",
                escape(&message.subject),
                escape(&message.to),
                time.unwrap_or_default(),
                escape(&message.body)
            )
        })
        .collect();
    let content = if rows.is_empty() {
        "<h1>Inbox</h1><p>No message yet.</p>".to_owned()
    } else {
        format!("<h1>Inbox</h1>{rows}")
    };
    layout("Inbox", &content)
}
