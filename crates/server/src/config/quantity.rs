//! Durations (`90s`, `15m`, `12h`, `30d`), sizes (`4MiB`), whole numbers and switches, with bounds.

use std::{ops::RangeInclusive, time::Duration};

use super::fault::Wrong;

const SECOND: u64 = 1;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const DURATION_UNITS: [(&str, u64); 4] = [("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)];
const SIZE_UNITS: [(&str, u64); 3] = [("KiB", 1024), ("MiB", 1024 * 1024), ("B", 1)];

/// Reads a duration, within bounds that are written the same way.
pub(super) fn duration(text: &str, bounds: (&str, &str)) -> Result<Duration, Wrong> {
    let seconds = quantity(text, &DURATION_UNITS, bounds, "90s, 15m, 12h or 30d")?;
    Ok(Duration::from_secs(seconds))
}

/// Reads a size in bytes, within bounds that are written the same way.
pub(super) fn size(text: &str, bounds: (&str, &str)) -> Result<usize, Wrong> {
    let bytes = quantity(text, &SIZE_UNITS, bounds, "512KiB or 4MiB")?;
    usize::try_from(bytes).map_err(|_| Wrong::new("it is too large", "use a smaller size"))
}

fn quantity(
    text: &str,
    units: &[(&str, u64)],
    (least, most): (&str, &str),
    examples: &str,
) -> Result<u64, Wrong> {
    let parse = |text: &str| {
        let (unit, factor) = units.iter().find(|(unit, _)| text.ends_with(unit))?;
        let digits = text.strip_suffix(unit)?.trim_end();
        number(digits)?.checked_mul(*factor)
    };
    let value = parse(text).ok_or_else(|| {
        Wrong::new(
            "it is not a whole number with a unit",
            format!("write it like {examples}"),
        )
    })?;
    let within = parse(least).is_some_and(|least| least <= value)
        && parse(most).is_some_and(|most| value <= most);
    if within {
        Ok(value)
    } else {
        Err(out_of_bounds(least, most))
    }
}

/// Reads a whole number within bounds.
pub(super) fn integer(text: &str, bounds: RangeInclusive<u64>) -> Result<u64, Wrong> {
    let value = number(text)
        .ok_or_else(|| Wrong::new("it is not a whole number", "write digits alone, like 20"))?;
    if bounds.contains(&value) {
        Ok(value)
    } else {
        Err(out_of_bounds(bounds.start(), bounds.end()))
    }
}

/// Reads `true` or `false`; `1` and `0` are what container tools make of them.
pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Wrong::new(
            "it is neither true nor false",
            "write true or false",
        )),
    }
}

fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn out_of_bounds(least: impl std::fmt::Display, most: impl std::fmt::Display) -> Wrong {
    Wrong::new(
        "it is out of bounds",
        format!("use a value from {least} to {most}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_quantities() {
        for (text, seconds) in [("1s", 1), ("15m", 900), ("12h", 43_200), ("2 d", 172_800)] {
            let read = duration(text, ("1s", "30d")).unwrap();
            assert_eq!(read.as_secs(), seconds);
        }
        assert_eq!(size("4MiB", ("1KiB", "64MiB")), Ok(4 * 1024 * 1024));
        assert_eq!(size("2000B", ("1KiB", "64MiB")), Ok(2000));
        assert_eq!(integer("20", 1..=20), Ok(20));
        assert_eq!(switch("1"), Ok(true));
        assert_eq!(switch("false"), Ok(false));
    }

    #[test]
    fn refuses_other_text_and_what_is_out_of_bounds() {
        for text in [
            "",
            "s",
            "15",
            "-1s",
            "1.5h",
            "15 minutes",
            "1w",
            "99999999999999999999d",
            "+1s",
            "9999999999999999999d",
            "0s",
            "31d",
        ] {
            let wrong = duration(text, ("1s", "30d")).unwrap_err();
            assert!(!wrong.hint.is_empty(), "{text}");
        }
        assert!(
            duration("31d", ("1s", "30d"))
                .unwrap_err()
                .hint
                .contains("from 1s to 30d")
        );
        assert!(size("4MB", ("1KiB", "64MiB")).is_err());
        assert!(size("65MiB", ("1KiB", "64MiB")).is_err());
        for text in ["", "0", "21", "1_0", "0x1", "-1", "1.0"] {
            assert!(integer(text, 1..=20).is_err(), "{text}");
        }
        assert!(switch("yes").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = duration(&text, ("1s", "30d"));
            let _ = size(&text, ("1KiB", "64MiB"));
            let _ = integer(&text, 0..=u64::MAX);
        }
    }
}
