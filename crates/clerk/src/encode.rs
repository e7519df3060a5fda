//! Percent-encoding (RFC 3986).

/// Encodes a text as one path segment, or as one name or value of a query: everything but the
/// unreserved characters (RFC 3986 section 2.3) becomes `%XX`.
///
/// The segments `.` and `..` have no encoded form that every URL parser keeps:
/// [`check_segment`](crate::check_segment) refuses them.
pub fn encode_segment(value: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

/// Decodes one layer of percent-encoding; a `%` that starts no valid pair stays.
pub(crate) fn decode_once(bytes: &[u8]) -> Vec<u8> {
    let hex = |index: usize| {
        bytes
            .get(index)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        match (*byte, hex(index + 1), hex(index + 2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are at most 255.
                decoded.push((high * 16 + low) as u8);
                index += 3;
            }
            _ => {
                decoded.push(*byte);
                index += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encodes_what_is_not_unreserved() {
        assert_eq!(encode_segment("user_1-a.b~c"), "user_1-a.b~c");
        assert_eq!(
            encode_segment("a b/c?d#e%f\\g{h}"),
            "a%20b%2Fc%3Fd%23e%25f%5Cg%7Bh%7D"
        );
        assert_eq!(encode_segment("ä"), "%C3%A4");
    }

    #[test]
    fn keeps_a_percent_sign_that_encodes_nothing() {
        assert_eq!(decode_once(b"100%"), b"100%");
        assert_eq!(decode_once(b"%2"), b"%2");
        assert_eq!(decode_once(b"%zz%2E%252e"), b"%zz.%2e");
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in ".*") {
            prop_assert_eq!(decode_once(encode_segment(&text).as_bytes()), text.as_bytes());
        }
    }
}
