//! Ids that look like Clerk's: a prefix and a KSUID (27 base62 characters, ordered by second of
//! creation), and trace ids of 32 hexadecimal characters.

use crate::clock::{Random, SECOND};
use std::sync::Arc;

/// An id. Cheap to clone: the same text is shared by a row and by the indexes that point at it.
pub(crate) type Id = Arc<str>;

/// KSUID time starts here (2014-05-13), in seconds of Unix time.
const KSUID_EPOCH: u64 = 1_400_000_000;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const KSUID_LENGTH: usize = 27;

/// A new id such as `user_2aMRA0dMinRQ4tTzWqL8vKxYb1C`, from the time in milliseconds.
pub(crate) fn mint(prefix: &str, now: u64, random: &mut dyn Random) -> Id {
    let mut payload = [0; 16];
    random.fill(&mut payload);
    with_payload(prefix, now, payload)
}

/// The id of a generated row: the same number gives the same id in every run.
pub(crate) fn derived(prefix: &str, now: u64, number: u64) -> Id {
    let mut payload = [0; 16];
    payload[..8].copy_from_slice(&mix(number).to_be_bytes());
    payload[8..].copy_from_slice(&mix(!number).to_be_bytes());
    with_payload(prefix, now, payload)
}

/// A documented id of the default seed: `fixed("user", "AvaMitchell")` is
/// `user_2EmuAvaMitchell000000000000`.
pub(crate) fn fixed(prefix: &str, name: &str) -> Id {
    format!("{prefix}_{:0<KSUID_LENGTH$}", format!("2Emu{name}")).into()
}

/// A trace id: 32 hexadecimal characters.
pub(crate) fn trace(random: &mut dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// A number between 0 and 1, for probabilities.
pub(crate) fn fraction(random: &mut dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// SplitMix64: spreads consecutive numbers over all 64 bits.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn with_payload(prefix: &str, now: u64, payload: [u8; 16]) -> Id {
    let seconds = (now / SECOND).saturating_sub(KSUID_EPOCH);
    let mut number = [0_u32; 5];
    number[0] = u32::try_from(seconds).unwrap_or(u32::MAX);
    for (word, bytes) in number[1..].iter_mut().zip(payload.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    let mut text = [b'0'; KSUID_LENGTH];
    for character in text.iter_mut().rev() {
        *character = ALPHABET[divide_by_62(&mut number)];
    }
    let mut id = String::with_capacity(prefix.len() + 1 + KSUID_LENGTH);
    id.push_str(prefix);
    id.push('_');
    id.extend(text.iter().map(|byte| char::from(*byte)));
    id.into()
}

/// Divides a 160-bit number by 62 in place and gives the remainder.
fn divide_by_62(number: &mut [u32; 5]) -> usize {
    let mut remainder = 0_u64;
    for word in number {
        let value = remainder << 32 | u64::from(*word);
        *word = (value / 62) as u32;
        remainder = value % 62;
    }
    remainder as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Same(u8);
    impl Random for Same {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn ids_have_the_shape_of_clerks() {
        let id = mint("user", 1_700_000_000_000, &mut Same(0xab));
        let (prefix, ksuid) = id.split_once('_').unwrap();
        assert_eq!(prefix, "user");
        assert_eq!(ksuid.len(), 27);
        assert!(ksuid.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn the_largest_ksuid_is_the_published_one() {
        let id = with_payload("max", u64::MAX, [0xff; 16]);
        assert_eq!(&*id, "max_aWgEPTl1tmebfsQzFP4bxwgy80V");
    }

    #[test]
    fn ids_are_ordered_by_time() {
        let early = mint("user", 1_700_000_000_000, &mut Same(0xff));
        let late = mint("user", 1_700_000_001_000, &mut Same(0x00));
        assert!(early < late);
    }

    #[test]
    fn fixed_ids_are_as_long_as_the_others() {
        assert_eq!(fixed("user", "AvaMitchell").len(), "user_".len() + 27);
    }

    #[test]
    fn traces_are_hexadecimal() {
        assert_eq!(trace(&mut Same(1)), "01".repeat(16));
    }
}
