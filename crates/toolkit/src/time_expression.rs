//! Moments as people and models write them, turned into the Unix milliseconds that Clerk wants.

use chrono::NaiveDate;
use serde_json::Value;
use thiserror::Error;

use crate::text::escape_str;

/// Below this (3 March 1973 in milliseconds) a number is a count of seconds by mistake.
const LOOKS_LIKE_SECONDS: u64 = 100_000_000_000;
/// The last millisecond of the year 9999; a larger number is micro- or nanoseconds by mistake.
const LATEST: u64 = 253_402_300_799_999;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The units of a relative time. A month is 30 days and a year 365: a span, not a calendar.
const UNITS: [(&str, u64); 7] = [
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
    ("d", DAY),
    ("w", 7 * DAY),
    ("mo", 30 * DAY),
    ("y", 365 * DAY),
];

/// Why a value is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimeError {
    /// None of the accepted forms.
    #[error(
        "`{0}` is not a time\nhint: write a date such as \"2026-05-12\" or \
         \"2026-05-12T10:00:00Z\", a span before now such as \"7d\" or \"24h\" \
         (s, m, h, d, w, mo, y), or Unix milliseconds such as 1778580000000"
    )]
    Form(String),
    /// Has the form of a date, but the calendar or the clock has no such moment.
    #[error(
        "`{0}` is no moment of the calendar\nhint: check the month, the day, the hour and the \
         offset; a valid date is \"2026-05-12T10:00:00+02:00\""
    )]
    Calendar(String),
    /// A number so small that it counts seconds.
    #[error(
        "{0} looks like Unix seconds, but milliseconds are expected\nhint: multiply by 1000, or \
         write a date such as \"2026-05-12\""
    )]
    Seconds(u64),
    /// Before 1970, where Unix time starts.
    #[error(
        "`{0}` is before 1970\nhint: write a later date such as \"2026-05-12\", or a shorter span \
         such as \"7d\""
    )]
    BeforeEpoch(String),
    /// After the year 9999.
    #[error(
        "`{0}` is after the year 9999\nhint: Unix milliseconds such as 1778580000000 are expected, \
         not micro- or nanoseconds"
    )]
    TooLate(String),
}

/// Unix milliseconds from a tool argument; `now_ms` is the caller's present.
///
/// - an integer, or a string of digits: Unix milliseconds;
/// - an ISO 8601 date, or date and time: `2026-05-12`, `2026-05-12T10:00:00.5+02:00`; without an
///   offset it is UTC, and digits below the millisecond are dropped;
/// - `now`, or a span before now: `45s`, `30m`, `24h`, `7d`, `2w`, `6mo` (of 30 days), `1y` (of
///   365 days).
///
/// # Errors
///
/// Anything else, a number that counts seconds, and moments before 1970 or after 9999.
pub fn parse(value: &Value, now_ms: u64) -> Result<u64, TimeError> {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(ms), _) => milliseconds(ms),
            (None, Some(float)) if float < 0.0 => Err(TimeError::BeforeEpoch(number.to_string())),
            // JSON does not tell 1e12 from 1000000000000; a float up to LATEST is exact.
            (None, Some(float)) if float > LATEST as f64 => {
                Err(TimeError::TooLate(number.to_string()))
            }
            (None, Some(float)) if float.fract() == 0.0 => milliseconds(float as u64),
            _ => Err(TimeError::Form(number.to_string())),
        },
        Value::String(text) => parse_text(text.trim(), now_ms),
        Value::Null => Err(TimeError::Form("null".to_owned())),
        Value::Bool(flag) => Err(TimeError::Form(flag.to_string())),
        Value::Array(_) => Err(TimeError::Form("[…]".to_owned())),
        Value::Object(_) => Err(TimeError::Form("{…}".to_owned())),
    }
}

fn parse_text(text: &str, now_ms: u64) -> Result<u64, TimeError> {
    if text == "now" {
        return Ok(now_ms);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if let Some(negative) = text.strip_prefix('-') {
        return Err(if is_digits(negative) {
            TimeError::BeforeEpoch(shown(text))
        } else {
            TimeError::Form(shown(text))
        });
    }
    if number.is_empty() {
        return Err(TimeError::Form(shown(text)));
    }
    if unit.is_empty() {
        let ms = number
            .parse()
            .map_err(|_| TimeError::TooLate(shown(text)))?;
        return milliseconds(ms);
    }
    if unit.starts_with('-') {
        return parse_date(text);
    }
    let (_, length) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| TimeError::Form(shown(text)))?;
    // A count too large for u64 reaches before 1970 just as one that overflows below.
    number
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(*length))
        .and_then(|span| now_ms.checked_sub(span))
        .ok_or_else(|| TimeError::BeforeEpoch(shown(text)))
}

fn milliseconds(ms: u64) -> Result<u64, TimeError> {
    if ms < LOOKS_LIKE_SECONDS {
        Err(TimeError::Seconds(ms))
    } else if ms > LATEST {
        Err(TimeError::TooLate(ms.to_string()))
    } else {
        Ok(ms)
    }
}

/// ISO 8601 in the extended form. chrono's own parsers also take signs, missing zeros and years of
/// any length; the strict reading here leaves chrono the calendar only.
fn parse_date(text: &str) -> Result<u64, TimeError> {
    let fields = read_date(text).ok_or_else(|| TimeError::Form(shown(text)))?;
    let moment = fields
        .unix_ms()
        .ok_or_else(|| TimeError::Calendar(shown(text)))?;
    match u64::try_from(moment) {
        Ok(ms) if ms <= LATEST => Ok(ms),
        Ok(_) => Err(TimeError::TooLate(shown(text))),
        Err(_) => Err(TimeError::BeforeEpoch(shown(text))),
    }
}

#[derive(Default)]
struct DateFields {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    milli: u32,
    /// Minutes east of UTC: sign, hours and minutes.
    offset: (i64, u32, u32),
}

impl DateFields {
    fn unix_ms(&self) -> Option<i64> {
        let (sign, hours, minutes) = self.offset;
        if hours > 23 || minutes > 59 {
            return None;
        }
        let year = i32::try_from(self.year).ok()?;
        let local = NaiveDate::from_ymd_opt(year, self.month, self.day)?
            .and_hms_milli_opt(self.hour, self.minute, self.second, self.milli)?
            .and_utc()
            .timestamp_millis();
        let east = sign * i64::from(hours * 60 + minutes) * 60_000;
        Some(local - east)
    }
}

fn read_date(text: &str) -> Option<DateFields> {
    let mut rest = text;
    let mut date = DateFields {
        year: number(&mut rest, 4)?,
        month: separated(&mut rest, '-')?,
        day: separated(&mut rest, '-')?,
        ..DateFields::default()
    };
    if rest.is_empty() {
        return Some(date);
    }
    rest = rest.strip_prefix(['T', 't', ' '])?;
    date.hour = number(&mut rest, 2)?;
    date.minute = separated(&mut rest, ':')?;
    if rest.starts_with(':') {
        date.second = separated(&mut rest, ':')?;
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            let (digits, _) = fraction.split_at(fraction.len() - rest.len());
            date.milli = milli(digits)?;
        }
    }
    date.offset = read_offset(rest)?;
    Some(date)
}

/// Nothing or `Z` (UTC), `+02:00`, `+0200`, `+02`.
fn read_offset(zone: &str) -> Option<(i64, u32, u32)> {
    if matches!(zone, "" | "Z" | "z") {
        return Some((1, 0, 0));
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let mut rest = zone.strip_prefix(['+', '-'])?;
    let hours = number(&mut rest, 2)?;
    if rest.is_empty() {
        return Some((sign, hours, 0));
    }
    rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = number(&mut rest, 2)?;
    rest.is_empty().then_some((sign, hours, minutes))
}

/// The first three digits of a fraction of a second, as milliseconds.
fn milli(digits: &str) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits
        .chars()
        .chain("00".chars())
        .take(3)
        .try_fold(0, |sum, digit| Some(sum * 10 + digit.to_digit(10)?))
}

/// The separator and a number of two digits.
fn separated(rest: &mut &str, separator: char) -> Option<u32> {
    *rest = rest.strip_prefix(separator)?;
    number(rest, 2)
}

/// Takes exactly `width` digits off the front.
fn number(rest: &mut &str, width: usize) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(width)?;
    if !is_digits(digits) {
        return None;
    }
    *rest = after;
    digits.parse().ok()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The caller's text for a message: its first 40 characters, safe to print.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    escape_str(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// 2026-05-12T10:00:00Z
    const NOW: u64 = 1_778_580_000_000;

    #[test]
    fn reads_every_form() {
        let cases = [
            (json!(NOW), NOW),
            (json!(1_778_580_000_000.0), NOW),
            (json!("1778580000000"), NOW),
            (json!(100_000_000_000u64), 100_000_000_000),
            (json!("now"), NOW),
            (json!(" now "), NOW),
            (json!("2026-05-12"), NOW - 10 * HOUR),
            (json!("2026-05-12T10:00:00Z"), NOW),
            (json!("2026-05-12t10:00:00z"), NOW),
            (json!("2026-05-12 10:00:00"), NOW),
            (json!("2026-05-12T10:00"), NOW),
            (json!("2026-05-12T10:00:00.5Z"), NOW + 500),
            (json!("2026-05-12T10:00:00.123456789"), NOW + 123),
            (json!("2026-05-12T12:00:00+02:00"), NOW),
            (json!("2026-05-12T04:30:00.000-0530"), NOW),
            (json!("2026-05-12T11:00+01"), NOW),
            (json!("1970-01-01"), 0),
            (json!("9999-12-31T23:59:59.999Z"), LATEST),
            (json!("45s"), NOW - 45_000),
            (json!("30m"), NOW - 30 * MINUTE),
            (json!("24h"), NOW - DAY),
            (json!("7d"), NOW - 7 * DAY),
            (json!("2w"), NOW - 14 * DAY),
            (json!("6mo"), NOW - 180 * DAY),
            (json!("1y"), NOW - 365 * DAY),
            (json!("0d"), NOW),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(&value, NOW), Ok(expected), "{value}");
        }
    }

    #[test]
    fn refuses_with_the_cause() {
        use TimeError::{BeforeEpoch, Calendar, Form, Seconds, TooLate};
        let form = |text: &str| Form(text.to_owned());
        let cases = [
            (json!(1_778_580_000), Seconds(1_778_580_000)),
            (json!("1778580000"), Seconds(1_778_580_000)),
            (json!(0), Seconds(0)),
            (json!(-1), BeforeEpoch("-1".to_owned())),
            (json!("-1"), BeforeEpoch("-1".to_owned())),
            (json!(i64::MIN), BeforeEpoch(i64::MIN.to_string())),
            (json!(u64::MAX), TooLate(u64::MAX.to_string())),
            (json!(1e300), TooLate("1e+300".to_owned())),
            (
                json!("99999999999999999999999"),
                TooLate("99999999999999999999999".to_owned()),
            ),
            (json!(1_778_580_000_000.5), form("1778580000000.5")),
            (json!("1969-12-31"), BeforeEpoch("1969-12-31".to_owned())),
            (
                json!("1970-01-01T00:00:00+00:01"),
                BeforeEpoch("1970-01-01T00:00:00+00:01".to_owned()),
            ),
            (
                json!("9999-12-31T23:59:59-01:00"),
                TooLate("9999-12-31T23:59:59-01:00".to_owned()),
            ),
            (
                json!("99999999999999999999y"),
                BeforeEpoch("99999999999999999999y".to_owned()),
            ),
            (json!("100y"), BeforeEpoch("100y".to_owned())),
            (json!("2026-02-29"), Calendar("2026-02-29".to_owned())),
            (
                json!("2026-05-12T24:00:00"),
                Calendar("2026-05-12T24:00:00".to_owned()),
            ),
            (
                json!("2026-05-12T10:00:00+99:00"),
                Calendar("2026-05-12T10:00:00+99:00".to_owned()),
            ),
            (json!("2026-5-12"), form("2026-5-12")),
            (json!("2026-05-12T11+01"), form("2026-05-12T11+01")),
            (json!("2026-05-12T"), form("2026-05-12T")),
            (json!("2026-05-12T10:00:00."), form("2026-05-12T10:00:00.")),
            (
                json!("2026-05-12T10:00:00Zz"),
                form("2026-05-12T10:00:00Zz"),
            ),
            (json!("2026-05-12é"), form("2026-05-12é")),
            (json!("-7d"), form("-7d")),
            (json!("7D"), form("7D")),
            (json!("7 days"), form("7 days")),
            (json!("d"), form("d")),
            (json!(""), form("")),
            (json!("a\u{200b}"), form("a\\u{200b}")),
            (json!(null), form("null")),
            (json!(true), form("true")),
            (json!([1]), form("[…]")),
            (json!({}), form("{…}")),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(&value, NOW), Err(expected), "{value}");
        }
    }

    #[test]
    fn messages_name_a_form_that_works() {
        let message = parse(&json!("yesterday"), NOW).unwrap_err().to_string();
        assert!(
            message.starts_with("`yesterday` is not a time\nhint: "),
            "{message}"
        );
        for example in ["2026-05-12", "2026-05-12T10:00:00Z", "7d", "24h"] {
            assert!(message.contains(example));
            assert!(parse(&json!(example), NOW).is_ok());
        }
        let seconds = parse(&json!(1_778_580_000), NOW).unwrap_err().to_string();
        assert!(seconds.contains("milliseconds are expected\nhint: multiply by 1000"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(
            text in prop_oneof![any::<String>(), "[0-9smhdwoyTZ:+. -]{0,30}"],
            now in any::<u64>(),
        ) {
            if let Err(error) = parse(&json!(text), now) {
                prop_assert!(error.to_string().contains("\nhint: "));
            }
        }

        #[test]
        fn any_number_is_answered(float in any::<f64>(), integer in any::<i64>(), now in any::<u64>()) {
            let _ = parse(&json!(float), now);
            let accepted = parse(&json!(integer), now).is_ok();
            let valid = (LOOKS_LIKE_SECONDS..=LATEST).contains(&integer.max(0).unsigned_abs());
            prop_assert_eq!(accepted, valid);
            prop_assert_eq!(parse(&json!(integer), now).ok(), parse(&json!(integer.to_string()), now).ok());
        }

        #[test]
        fn dates_survive_the_round_trip(ms in 0..=LATEST, hours in -23i64..=23, minutes in 0i64..60) {
            let east = (hours.abs() * 60 + minutes) * if hours < 0 { -1 } else { 1 };
            let local = chrono::DateTime::from_timestamp_millis(ms as i64 + east * 60_000).unwrap();
            let text = local.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
            let offset = format!(
                "{}{:02}:{:02}", if east < 0 { '-' } else { '+' }, east.abs() / 60, east.abs() % 60
            );
            // Offsets can push the local date out of the four-digit years.
            prop_assume!(text.len() == 23 && !text.starts_with(['+', '-']));
            prop_assert_eq!(parse(&json!(format!("{text}{offset}")), 0), Ok(ms));
        }

        #[test]
        fn spans_lie_before_now(count in any::<u32>(), unit in 0..UNITS.len(), now in any::<u64>()) {
            let (name, length) = UNITS[unit];
            let expected = u64::from(count).checked_mul(length).and_then(|span| now.checked_sub(span));
            prop_assert_eq!(parse(&json!(format!("{count}{name}")), now).ok(), expected);
        }
    }
}
