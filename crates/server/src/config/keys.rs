//! The keys that seal cookies and state: `COOKIE_ENCRYPTION_KEY`.

use std::{collections::BTreeSet, path::PathBuf};

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use oauth::{ServerKey, ServerKeys};
use sha2::{Digest, Sha256};

/// Where the sealing keys come from.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Given: the first seals, all open.
    Given(ServerKeys),
    /// None given, and the public URL is loopback: one is made and kept in this file, beside the
    /// database, readable by its owner alone.
    KeptBeside(PathBuf),
}

/// What is wrong with a key. Never holds the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    /// Fewer than 32 characters.
    #[error("the key has {0} characters, which is too few to be safe")]
    Short(usize),
    /// Long, but of so few different characters that it is no random key.
    #[error("the key repeats the same few characters")]
    Repetitive,
}

const SHORTEST_TEXT: usize = 32;
/// 32 random characters have at least this many different ones, even hexadecimal digits.
const FEWEST_DIFFERENT: usize = 8;

/// Reads one key: 32 bytes as hexadecimal, base64 or base64url, or any text of at least 32
/// characters, of which the SHA-256 is the key.
pub(super) fn parse(text: &str) -> Result<ServerKey, KeyError> {
    key_bytes(text).map(ServerKey::from_bytes)
}

fn key_bytes(text: &str) -> Result<[u8; 32], KeyError> {
    let text = text.trim();
    let length = text.chars().count();
    if length < SHORTEST_TEXT {
        return Err(KeyError::Short(length));
    }
    let different: BTreeSet<char> = text.chars().collect();
    if different.len() < FEWEST_DIFFERENT {
        return Err(KeyError::Repetitive);
    }
    let bytes = from_hexadecimal(text).or_else(|| from_base64(text));
    Ok(bytes.unwrap_or_else(|| Sha256::digest(text.as_bytes()).into()))
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

fn from_base64(text: &str) -> Option<[u8; 32]> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| {
        let bytes = GeneralPurpose::new(alphabet, config).decode(text).ok()?;
        bytes.try_into().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_the_same_bytes() {
        let hexadecimal = "fbff00112233445566778899aabbccddeeff0123456789abcdef0123456789ab";
        let key = key_bytes(hexadecimal).unwrap();
        assert_eq!(key[..4], [0xfb, 0xff, 0x00, 0x11]);
        for text in [
            hexadecimal.to_uppercase().as_str(),
            "+/8AESIzRFVmd4iZqrvM3e7/ASNFZ4mrze8BI0Vnias=",
            "-_8AESIzRFVmd4iZqrvM3e7_ASNFZ4mrze8BI0Vnias",
            " -_8AESIzRFVmd4iZqrvM3e7_ASNFZ4mrze8BI0Vnias=\n",
        ] {
            assert_eq!(key_bytes(text).as_ref(), Ok(&key), "{text}");
        }
    }

    #[test]
    fn hashes_other_text() {
        let text = "correct horse battery staple, and then some";
        let expected: [u8; 32] = Sha256::digest(text).into();
        assert_eq!(key_bytes(text).unwrap(), expected);
    }

    #[test]
    fn refuses_what_can_be_guessed() {
        assert_eq!(key_bytes(""), Err(KeyError::Short(0)));
        assert_eq!(key_bytes(&"é1a".repeat(10)), Err(KeyError::Short(30)));
        assert_eq!(key_bytes(&"a".repeat(64)), Err(KeyError::Repetitive));
        assert_eq!(key_bytes(&"1234567".repeat(9)), Err(KeyError::Repetitive));
    }
}
