//! `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.

use http::{
    HeaderMap,
    header::{HeaderValue, RETRY_AFTER},
};

/// Seconds, once [`to_seconds`] has seen the answer; nothing for what is neither.
pub(crate) fn seconds(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Writes a date as the seconds until then: answers are judged without a clock. `now` is in
/// milliseconds since the Unix epoch.
pub(crate) fn to_seconds(headers: &mut HeaderMap, now: u64) {
    let given = headers.get(RETRY_AFTER);
    let date = given
        .and_then(|value| value.to_str().ok())
        .and_then(|text| chrono::DateTime::parse_from_rfc2822(text.trim()).ok());
    let Some(date) = date else { return };
    let until = u64::try_from(date.timestamp_millis()).unwrap_or_default();
    let seconds = until.saturating_sub(now).div_ceil(1000);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_date_is_the_seconds_until_then() {
        // 2026-10-21T07:28:00Z
        const THEN: u64 = 1_792_567_680_000;
        for (text, now, expected) in [
            ("7", THEN, Some(7)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", THEN - 90_000, Some(90)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", THEN - 89_001, Some(90)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", THEN + 5_000, Some(0)),
            ("Thu, 32 Oct 2026 07:28:00 GMT", THEN, None),
            ("-1", THEN, None),
            ("1.5", THEN, None),
            ("soon", THEN, None),
            ("", THEN, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            to_seconds(&mut headers, now);
            assert_eq!(seconds(&headers), expected, "{text}");
        }
    }
}
