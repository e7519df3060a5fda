//! Passwords: the rules for new ones, keeping them, and `VerifyPassword`.

use crate::body::{Body, Kind, Unknown, param};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::model::Password;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MIN_LENGTH: usize = 8;
const MAX_LENGTH: usize = 72;

/// Clerk asks a service about breached passwords; the emulator knows the ones people try first.
const BREACHED: [&str; 10] = [
    "12345678",
    "123456789",
    "1234567890",
    "password",
    "password1",
    "password123",
    "qwertyuiop",
    "iloveyou",
    "sunshine1",
    "letmein123",
];

/// The hashers whose digests Clerk imports.
const HASHERS: [&str; 17] = [
    "argon2i",
    "argon2id",
    "bcrypt",
    "bcrypt_sha256_django",
    "ldap_ssha",
    "md5",
    "md5_phpass",
    "pbkdf2_sha1",
    "pbkdf2_sha256",
    "pbkdf2_sha256_django",
    "pbkdf2_sha512",
    "pbkdf2_sha512_hex",
    "phpass",
    "scrypt_firebase",
    "scrypt_werkzeug",
    "sha256",
    "sha512_symfony",
];

impl Password {
    /// Keeps a plain password. SHA-256 is no way to keep a real one: an emulator has none.
    pub(crate) fn of(plain: &str) -> Self {
        Self {
            hasher: "sha256".to_owned(),
            digest: sha256(plain),
        }
    }

    /// Is this the password? Only digests of `sha256` can be checked; the emulator keeps those of
    /// other hashers and takes no password for them.
    fn is(&self, plain: &str) -> bool {
        self.hasher == "sha256" && self.digest.eq_ignore_ascii_case(&sha256(plain))
    }
}

/// The password that a body sets, as text or as a digest of another system.
pub(super) fn from_body(body: &Body<'_>) -> Result<Option<Password>, ApiError> {
    let plain = body.text("password");
    let digest = body.text("password_digest");
    let hasher = body.text("password_hasher");
    match (plain, digest, hasher) {
        (Some(_), Some(_), _) => Err(error::param_not_allowed_with("password_digest", "password")),
        (Some(plain), None, _) => {
            check(plain, body.boolean("skip_password_checks") == Some(true))?;
            Ok(Some(Password::of(plain)))
        }
        (None, Some(_), None) => Err(error::param_required_with(
            "password_hasher",
            "password_digest",
        )),
        (None, Some(digest), Some(hasher)) => {
            if !HASHERS.contains(&hasher) {
                return Err(error::param_value_not_allowed(
                    "password_hasher",
                    hasher,
                    &HASHERS,
                ));
            }
            let is_sha256 = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
            if digest.is_empty() || (hasher == "sha256" && !is_sha256) {
                return Err(error::password_digest_invalid(hasher));
            }
            Ok(Some(Password {
                hasher: hasher.to_owned(),
                digest: digest.to_owned(),
            }))
        }
        (None, None, Some(_)) => Err(error::param_required_with(
            "password_digest",
            "password_hasher",
        )),
        (None, None, None) => Ok(None),
    }
}

/// `VerifyPassword`.
pub(crate) fn verify(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let user = call.user()?;
    let body = Body::check(&given, &[param("password", Kind::Text)], Unknown::Refused)?;
    let plain = body.required_text("password")?;
    let password = user.password.as_ref().ok_or_else(error::no_password_set)?;
    if !password.is(plain) {
        return Err(error::incorrect_password());
    }
    Ok(json!({ "verified": true }))
}

fn check(plain: &str, skip: bool) -> Result<(), ApiError> {
    if plain.chars().count() > MAX_LENGTH {
        return Err(error::password_too_long());
    }
    if skip {
        return Ok(());
    }
    if plain.chars().count() < MIN_LENGTH {
        return Err(error::password_too_short());
    }
    if BREACHED.contains(&plain.to_lowercase().as_str()) {
        return Err(error::password_pwned());
    }
    Ok(())
}

fn sha256(plain: &str) -> String {
    Sha256::digest(plain)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
