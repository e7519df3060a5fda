//! Which version of the Backend API is asked for.

use std::fmt;

use http::HeaderValue;

/// The version this crate's rules were checked against.
const DEFAULT: &str = "2026-05-12";

/// The version of the Backend API.
///
/// Clerk has two: the one in the path, always `v1`, and a date in the header `Clerk-API-Version`.
/// Other SDKs read the former from `CLERK_API_VERSION`, so `v1` is accepted and means the default
/// date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersion {
    date: HeaderValue,
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value:?} is no version of Clerk's Backend API\n\
     hint: use a date such as 2026-05-12, or v1"
)]
pub struct ApiVersionError {
    /// The beginning of the text.
    pub value: String,
}

impl ApiVersion {
    /// Reads `v1` or a date, `2026-05-12`.
    ///
    /// # Errors
    /// [`ApiVersionError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ApiVersionError> {
        let text = text.trim();
        if text == "v1" {
            return Ok(Self::default());
        }
        let error = || ApiVersionError {
            value: text.chars().take(20).collect(),
        };
        if !is_date(text) {
            return Err(error());
        }
        HeaderValue::try_from(text)
            .map(|date| Self { date })
            .map_err(|_| error())
    }

    /// The date, as sent in `Clerk-API-Version`.
    pub fn date(&self) -> &str {
        self.date.to_str().unwrap_or(DEFAULT)
    }

    /// The value of the header `Clerk-API-Version`.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.date
    }
}

impl Default for ApiVersion {
    fn default() -> Self {
        Self {
            date: HeaderValue::from_static(DEFAULT),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.date())
    }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize, range: std::ops::RangeInclusive<u32>| {
        parts.next().is_some_and(|part| {
            part.len() == length
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse().is_ok_and(|number| range.contains(&number))
        })
    };
    part(4, 2020..=2999) && part(2, 1..=12) && part(2, 1..=31) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_path_version_and_a_date() {
        assert_eq!(ApiVersion::parse("v1"), Ok(ApiVersion::default()));
        assert_eq!(
            ApiVersion::parse("2025-11-10 ").unwrap().date(),
            "2025-11-10"
        );
        assert_eq!(ApiVersion::default().to_string(), "2026-05-12");
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "v2",
            "2026",
            "2026-13-01",
            "2026-5-1",
            "2026-05-12-1",
            "1999-01-01",
        ] {
            let error = ApiVersion::parse(text).unwrap_err();
            assert!(error.to_string().contains("\nhint: "), "{error}");
        }
    }
}
