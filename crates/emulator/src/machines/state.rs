//! What is kept of machines. Times are Unix milliseconds.

use crate::ids::Id;
use crate::table::{Row, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How secret keys of machines start.
pub(crate) const KEY_PREFIX: &str = "ak_";

/// Machines and their opaque tokens; tokens that are JWTs are kept nowhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Machines {
    pub(crate) all: Table<Machine>,
    pub(crate) tokens: Table<MachineToken>,
}

impl Machines {
    /// The machine whose secret key this is.
    pub(crate) fn of_key(&self, key: &str, now: u64) -> Option<&Machine> {
        let mut all = self.all.iter();
        all.find(|machine| {
            let mut old = machine.old_keys.iter();
            machine.secret_key == key
                || old.any(|old| old.secret_key == key && now < old.expires_at)
        })
    }

    pub(super) fn delete(&mut self, id: &str) {
        self.all.remove(id);
        let tokens = self.tokens.iter();
        let tokens = tokens.filter(|token| &*token.machine_id == id);
        for token in tokens.map(|token| token.id.clone()).collect::<Vec<_>>() {
            self.tokens.remove(&token);
        }
        let others = self.all.iter().filter(|machine| machine.reaches(id));
        for other in others.map(|other| other.id.clone()).collect::<Vec<_>>() {
            if let Some(other) = self.all.get_mut(&other) {
                other.scopes.retain(|scope| &*scope.machine_id != id);
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) id: Id,
    pub(crate) name: String,
    /// The machines that its tokens are for.
    pub(crate) scopes: Vec<Scope>,
    /// Seconds that its tokens are good for, unless they say otherwise.
    pub(crate) default_token_ttl: u64,
    pub(crate) secret_key: String,
    pub(crate) old_keys: Vec<OldKey>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Machine {
    /// May it talk to that machine?
    pub(super) fn reaches(&self, id: &str) -> bool {
        self.scopes.iter().any(|scope| &*scope.machine_id == id)
    }
}

/// Another machine that a machine may talk to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) machine_id: Id,
    pub(crate) created_at: u64,
}

impl Scope {
    pub(crate) fn to(machine_id: &Id, now: u64) -> Self {
        Self {
            machine_id: machine_id.clone(),
            created_at: now,
        }
    }
}

/// A secret key that was rotated, and is good for a while yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OldKey {
    pub(crate) secret_key: String,
    pub(crate) expires_at: u64,
}

/// An opaque M2M token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MachineToken {
    pub(crate) id: Id,
    pub(crate) secret: String,
    /// The machine that made it.
    pub(crate) machine_id: Id,
    pub(crate) claims: Value,
    /// The machines it is for.
    pub(crate) scopes: Vec<Id>,
    pub(crate) revoked: bool,
    pub(crate) revocation_reason: Option<String>,
    pub(crate) expires_at: u64,
    pub(crate) last_used_at: Option<u64>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Row for Machine {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}

impl Row for MachineToken {
    fn id(&self) -> &Id {
        &self.id
    }
    fn created_at(&self) -> u64 {
        self.created_at
    }
}
