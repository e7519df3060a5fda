//! What is kept of browsers. Times are Unix milliseconds.

use crate::ids::Id;
use crate::table::{Row, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many messages the inbox keeps.
const INBOX: usize = 200;

/// Browsers, sign-ins under way, and the messages that were sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BrowserState {
    pub(crate) clients: Table<Client>,
    pub(crate) sign_ins: Table<CodeSignIn>,
    inbox: Vec<Message>,
    /// Handshakes under way; a restart loses them, and browsers begin anew.
    #[serde(skip)]
    handshakes: Vec<Handshake>,
    /// Whoever asks for authorization is this user, without any page.
    pub(crate) auto_sign_in: Option<Id>,
}

impl BrowserState {
    pub(crate) fn deliver(&mut self, message: Message) {
        if self.inbox.len() == INBOX {
            self.inbox.remove(0);
        }
        self.inbox.push(message);
    }

    pub(crate) fn keep_handshake(&mut self, handshake: Handshake, now: u64) {
        self.handshakes.retain(|kept| now < kept.expires_at);
        self.handshakes.push(handshake);
    }

    /// The handshake of a nonce, which is good once.
    pub(crate) fn take_handshake(&mut self, nonce: &str, now: u64) -> Option<Handshake> {
        let mut all = self.handshakes.iter();
        let position = all.position(|kept| kept.nonce == nonce)?;
        let found = self.handshakes.swap_remove(position);
        (now < found.expires_at).then_some(found)
    }

    /// The messages, newest first.
    pub(crate) fn inbox(&self) -> impl Iterator<Item = &Message> {
        self.inbox.iter().rev()
    }

    /// The messages as JSON, newest first.
    pub(crate) fn inbox_view(&self) -> Value {
        let messages: Vec<&Message> = self.inbox().collect();
        json!({ "data": messages, "total_count": messages.len() })
    }

    pub(crate) fn empty_inbox(&mut self) {
        self.inbox.clear();
    }
}

/// A browser; its sessions name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) id: Id,
    /// What the cookie must know.
    pub(crate) rotating_token: String,
    pub(crate) last_active_session_id: Option<Id>,
    pub(crate) created_at: u64,
}

/// What an application's server will be told of a browser.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Handshake {
    pub(crate) nonce: String,
    /// Cookies to set, as `Set-Cookie` has them.
    pub(crate) directives: Vec<String>,
    pub(crate) expires_at: u64,
}

/// A sign-in that waits for the code of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CodeSignIn {
    pub(crate) id: Id,
    pub(crate) user_id: Id,
    pub(crate) email_address: String,
    pub(crate) code: String,
    pub(crate) failed_attempts: u64,
    pub(crate) expires_at: u64,
    pub(crate) created_at: u64,
}

/// An e-mail message that was not sent anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: Id,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) code: String,
    pub(crate) created_at: u64,
}

impl Row for Client {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}

impl Row for CodeSignIn {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}
