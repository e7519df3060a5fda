//! The sealed cookie that names who signed in last in a browser, so that a remembered consent can be
//! found before the sign-in. It proves nothing: who signs in is asked of Clerk all the same.

use std::time::Duration;

use crate::base64url;
use crate::environment::Random;
use crate::seal::{Sealed, open, seal};
use crate::server_key::Purpose;
use crate::time::Timestamp;

use super::AuthorizationServer;

const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl AuthorizationServer {
    /// A cookie's value that names `user_id` for 30 days, readable by this server alone.
    pub fn person_cookie(&self, user_id: &str, now: Timestamp, random: &dyn Random) -> String {
        let key = self
            .settings
            .keys
            .first()
            .derive(Purpose::PersonCookie, &[]);
        let ends = now.after(LIFETIME).0.to_be_bytes();
        let bytes = [ends.as_slice(), user_id.as_bytes()].concat();
        base64url::encode(seal(&key, &bytes, &[], random).as_bytes())
    }

    /// Whom a cookie names. `None` when it was not made here or is too old.
    pub fn open_person_cookie(&self, value: &str, now: Timestamp) -> Option<String> {
        let sealed = Sealed::from_bytes(base64url::decode(value)?);
        let bytes = self
            .settings
            .keys
            .iter()
            .find_map(|key| open(&key.derive(Purpose::PersonCookie, &[]), &sealed, &[]))?;
        let (ends, user_id) = bytes.split_first_chunk::<8>()?;
        let fresh = !Timestamp(u64::from_be_bytes(*ends)).has_passed(now);
        fresh
            .then(|| String::from_utf8(user_id.to_vec()).ok())
            .flatten()
    }
}
