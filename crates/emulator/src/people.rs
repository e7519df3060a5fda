//! The people of the instance, for whoever runs the emulator to print.

use crate::model::User;

/// A user in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Such as `user_2EmuAvaMitchell000000000000`.
    pub user_id: String,
    /// First and last name, else what they sign in with, else the id.
    pub name: String,
    /// The primary e-mail address.
    pub email_address: Option<String>,
    /// `role` of the public metadata, where it is a text.
    pub role: Option<String>,
    /// Banned or locked: they cannot sign in.
    pub barred: bool,
    /// Whether they have a second factor: a ticket alone signs them in nowhere.
    pub second_factor: bool,
}

impl Person {
    pub(crate) fn of(user: &User, now: u64) -> Self {
        Self {
            user_id: user.id.to_string(),
            name: user.label(),
            email_address: user.email().map(str::to_owned),
            role: user.role().map(str::to_owned),
            barred: user.banned || user.is_locked(now),
            second_factor: user.has_second_factor(),
        }
    }
}
