//! Confirmation of destructive calls.
//!
//! Clients of protocol 2026-07-28 are asked by an `InputRequiredResult`: they call again with the
//! person's answer and the `requestState` that we gave them. That state is sealed (HMAC-SHA256 under
//! a key that never leaves the process), names the exact tool, arguments and principal, expires, and
//! works once: an answer cannot be carried over to another call, nor used twice.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// When destructive calls are asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// When the client can ask a person; otherwise its own approval applies.
    #[default]
    Auto,
    /// Always: where nobody can be asked, the call is refused.
    Always,
    /// Never: the client's own approval applies.
    Never,
}

/// How long a person has to answer, milliseconds.
const LIFETIME_MS: u64 = 5 * 60 * 1000;
/// The most answers remembered as used; past it the oldest states are refused by their expiry.
const MOST_USED: usize = 10_000;

/// Seals and opens request states. One per process.
pub struct Sealer {
    key: [u8; 32],
    /// States that were used, with their expiry.
    used: Mutex<HashMap<u64, u64>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

#[derive(Serialize, Deserialize)]
struct State {
    /// SHA-256 of tool, arguments and principal.
    call: String,
    expires: u64,
    nonce: u64,
}

/// Why a request state is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateError {
    Forged,
    OtherCall,
    Expired,
    Used,
}

impl Sealer {
    /// A sealer under a random key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            used: Mutex::default(),
        }
    }

    pub(crate) fn seal(&self, call: &str, now: u64, nonce: u64) -> String {
        let state = State {
            call: call.to_owned(),
            expires: now.saturating_add(LIFETIME_MS),
            nonce,
        };
        let payload = serde_json::to_vec(&state).unwrap_or_default();
        let seal = self.mac(&payload).finalize().into_bytes();
        format!("{}.{}", BASE64.encode(&payload), BASE64.encode(seal))
    }

    /// Opens a state and uses it up, in one step.
    pub(crate) fn take(&self, state: &str, call: &str, now: u64) -> Result<(), StateError> {
        let (payload, seal) = state.split_once('.').ok_or(StateError::Forged)?;
        let payload = BASE64.decode(payload).map_err(|_| StateError::Forged)?;
        let seal = BASE64.decode(seal).map_err(|_| StateError::Forged)?;
        // `verify_slice` compares in constant time.
        self.mac(&payload)
            .verify_slice(&seal)
            .map_err(|_| StateError::Forged)?;
        let state: State = serde_json::from_slice(&payload).map_err(|_| StateError::Forged)?;
        if state.call != call {
            return Err(StateError::OtherCall);
        }
        if now >= state.expires {
            return Err(StateError::Expired);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, expires| *expires > now);
        if used.len() >= MOST_USED || used.insert(state.nonce, state.expires).is_some() {
            return Err(StateError::Used);
        }
        Ok(())
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn mac(&self, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
        mac.update(payload);
        mac
    }
}

/// A digest of exactly this call by this principal: what a confirmation is sealed to.
pub(crate) fn digest(tool: &str, arguments: &Value, principal: &str) -> String {
    let mut hash = Sha256::new();
    for part in [tool, principal, &canonical(arguments)] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    BASE64.encode(hash.finalize())
}

/// JSON with sorted keys: the same arguments in another order are the same arguments.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut rows: Vec<_> = members.iter().collect();
            rows.sort_by_key(|(name, _)| *name);
            let rows: Vec<String> = rows
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", rows.join(","))
        }
        Value::Array(rows) => {
            let rows: Vec<String> = rows.iter().map(canonical).collect();
            format!("[{}]", rows.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_is_bound_to_its_call_and_works_once() {
        let sealer = Sealer::new([7; 32]);
        let call = digest(
            "deleteOrganization",
            &json!({"organizationId": "org_a"}),
            "",
        );
        let other = digest(
            "deleteOrganization",
            &json!({"organizationId": "org_b"}),
            "",
        );
        let state = sealer.seal(&call, 1_000, 1);
        assert_eq!(
            sealer.take(&state, &other, 2_000),
            Err(StateError::OtherCall)
        );
        assert_eq!(sealer.take(&state, &call, 2_000), Ok(()));
        assert_eq!(sealer.take(&state, &call, 2_000), Err(StateError::Used));
        let late = sealer.seal(&call, 1_000, 2);
        assert_eq!(
            sealer.take(&late, &call, 1_000 + LIFETIME_MS),
            Err(StateError::Expired)
        );
    }

    #[test]
    fn a_state_of_another_key_or_changed_is_forged() {
        let sealer = Sealer::new([7; 32]);
        let state = Sealer::new([8; 32]).seal("call", 0, 1);
        assert_eq!(sealer.take(&state, "call", 1), Err(StateError::Forged));
        let state = sealer.seal("call", 0, 1);
        for changed in [&state[1..], &state[..state.len() - 1], "", ".", "a.b"] {
            assert_eq!(
                sealer.take(changed, "call", 1),
                Err(StateError::Forged),
                "{changed}"
            );
        }
    }

    #[test]
    fn order_of_keys_does_not_matter_but_everything_else_does() {
        let digest = |value: Value| digest("t", &value, "user_a");
        assert_eq!(
            digest(json!({"a": 1, "b": [1, 2]})),
            digest(json!({"b": [1, 2], "a": 1}))
        );
        assert_ne!(
            digest(json!({"a": 1, "b": [1, 2]})),
            digest(json!({"b": [2, 1], "a": 1}))
        );
        assert_ne!(digest(json!({"a": "1"})), digest(json!({"a": 1})));
    }
}
