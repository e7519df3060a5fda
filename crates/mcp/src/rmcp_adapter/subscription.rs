//! `subscriptions/listen` (2026-07-28): what a client wants to hear of, and the messages that it is sent.
//! Of all that may be asked for, this server tells of changed tools.

use rmcp::model::{
    ClientCapabilities, Implementation, JsonRpcResponse, JsonRpcVersion2_0, NumberOrString,
    SubscriptionFilter, SubscriptionsListenResult,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What every message of a subscription is known by.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// A message that opens a subscription.
#[derive(Debug)]
pub struct Subscription {
    id: NumberOrString,
    version: String,
    wanted: SubscriptionFilter,
}

#[derive(Deserialize)]
struct Message {
    jsonrpc: String,
    id: NumberOrString,
    method: String,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    notifications: Map<String, Value>,
    #[serde(rename = "_meta")]
    meta: Meta,
}

/// What a request of this revision has to say of its client.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: String,
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    _client: Option<Implementation>,
    #[serde(rename = "io.modelcontextprotocol/clientCapabilities")]
    _capabilities: ClientCapabilities,
}

impl Subscription {
    /// The method that opens one.
    pub const METHOD: &str = "subscriptions/listen";

    /// Reads a message; `None` leaves it to rmcp, its faults included.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let message: Message = serde_json::from_slice(message).ok()?;
        // As an object, for a list would pass for one with nothing in it.
        let wanted = Value::Object(message.params.notifications);
        let wanted = serde_json::from_value(wanted).ok()?;
        (message.jsonrpc == "2.0" && message.method == Self::METHOD).then_some(Self {
            id: message.id,
            version: message.params.meta.version,
            wanted,
        })
    }

    /// The revision that the request is of.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the client wants to hear that its tools have changed.
    #[must_use]
    pub fn wants_tools(&self) -> bool {
        self.wanted.tools_list_changed == Some(true)
    }

    /// The first message: of what was asked for, what the client will hear of.
    #[must_use]
    pub fn acknowledged(&self) -> Vec<u8> {
        let mut honored = SubscriptionFilter::new();
        honored.tools_list_changed = self.wants_tools().then_some(true);
        self.notification(
            "notifications/subscriptions/acknowledged",
            Some(json!(honored)),
        )
    }

    /// The client's tools are others now.
    #[must_use]
    pub fn tools_changed(&self) -> Vec<u8> {
        self.notification("notifications/tools/list_changed", None)
    }

    /// The last message: the server ends the subscription. `server` is what it says of itself.
    #[must_use]
    pub fn complete(&self, server: Implementation) -> Vec<u8> {
        let mut result = SubscriptionsListenResult::complete(self.id.clone());
        result.meta.set_server_info(server);
        bytes(&JsonRpcResponse {
            jsonrpc: JsonRpcVersion2_0,
            id: self.id.clone(),
            result,
        })
    }

    fn notification(&self, method: &str, notifications: Option<Value>) -> Vec<u8> {
        let mut params = json!({ "_meta": { SUBSCRIPTION_ID: self.id } });
        if let Some(notifications) = notifications {
            params["notifications"] = notifications;
        }
        bytes(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }
}

/// All of these serialize.
fn bytes(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn message(id: Value, notifications: Value) -> Vec<u8> {
        let message = json!({
            "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen",
            "params": {
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
                "notifications": notifications,
            },
        });
        serde_json::to_vec(&message).unwrap()
    }

    fn read(message: Vec<u8>) -> Value {
        serde_json::from_slice(&message).unwrap()
    }

    #[test]
    fn what_is_not_told_of_is_left_out_of_what_is_acknowledged() {
        let everything = json!({
            "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
            "resourceSubscriptions": ["clerk://x"], "unheardOf": 1,
        });
        let subscription = Subscription::parse(&message(json!("s"), everything)).unwrap();
        assert!(subscription.wants_tools());
        assert_eq!(
            read(subscription.acknowledged()),
            json!({
                "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": {
                    "_meta": { "io.modelcontextprotocol/subscriptionId": "s" },
                    "notifications": { "toolsListChanged": true },
                },
            })
        );
        for nothing in [
            json!({}),
            json!({ "toolsListChanged": false, "promptsListChanged": true }),
        ] {
            let subscription = Subscription::parse(&message(json!(1), nothing)).unwrap();
            assert!(!subscription.wants_tools());
            let acknowledged = read(subscription.acknowledged());
            assert_eq!(acknowledged["params"]["notifications"], json!({}));
        }
    }

    #[test]
    fn every_message_names_its_subscription() {
        let wanted = json!({ "toolsListChanged": true });
        let subscription = Subscription::parse(&message(json!(7), wanted)).unwrap();
        let changed = read(subscription.tools_changed());
        assert_eq!(changed["method"], "notifications/tools/list_changed");
        let last = read(subscription.complete(Implementation::new("clerk-mcp", "1")));
        assert_eq!(last["id"], 7);
        assert_eq!(last["result"]["resultType"], "complete");
        for meta in [&changed["params"]["_meta"], &last["result"]["_meta"]] {
            assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], 7);
        }
    }

    #[test]
    fn what_is_no_such_request_is_left_alone() {
        assert!(Subscription::parse(b"{}").is_none());
        assert!(Subscription::parse(&message(json!(null), json!({}))).is_none());
        assert!(
            Subscription::parse(&message(json!(1), json!({ "toolsListChanged": "yes" }))).is_none()
        );
        assert!(Subscription::parse(&message(json!(1), json!([]))).is_none());
        let mut other = read(message(json!(1), json!({})));
        other["params"]["_meta"] = json!({});
        assert!(Subscription::parse(other.to_string().as_bytes()).is_none());
    }
}
