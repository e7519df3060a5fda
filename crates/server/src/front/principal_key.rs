//! The name that sessions, streams and calls are counted and kept by.

use std::{fmt, sync::Arc};

/// A name that no other principal has: a person through a client, or a machine, which is its own client.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PrincipalKey {
    /// The user id, a space and the client id, as it is stored with sessions: neither has a space in it.
    name: Arc<str>,
    /// How many bytes of it name the holder.
    holder: usize,
}

impl PrincipalKey {
    /// The key of a person through a client; of a machine without a person.
    #[must_use]
    pub fn new(user_id: Option<&str>, client_id: Option<&str>) -> Self {
        let (user_id, client_id) = (user_id.unwrap_or_default(), client_id.unwrap_or_default());
        let name: Arc<str> = format!("{user_id} {client_id}").into();
        let holder = match user_id.len() {
            0 => name.len(),
            length => length,
        };
        Self { name, holder }
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whose share of the server it is part of: the person, through whatever clients, or the machine.
    #[must_use]
    pub fn holder(&self) -> &str {
        self.name.get(..self.holder).unwrap_or(&self.name)
    }
}

impl fmt::Display for PrincipalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for PrincipalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_clients_share_and_machines_do_not() {
        let of_person = |client| PrincipalKey::new(Some("user_1"), Some(client));
        assert_eq!(of_person("one").as_str(), "user_1 one");
        assert_ne!(of_person("one"), of_person("two"));
        assert_eq!(of_person("one").holder(), of_person("two").holder());
        let machine = |id| PrincipalKey::new(None, Some(id));
        assert_eq!(machine("mch_1").as_str(), " mch_1");
        assert_ne!(machine("mch_1").holder(), machine("mch_2").holder());
        // Nobody's name is another's share.
        assert_ne!(machine("user_1").holder(), of_person("one").holder());
    }
}
