//! Versions of Clerk's API. A request names one in the header `Clerk-API-Version` or in the query
//! parameter `__clerk_api_version`; without one it gets the newest.

use crate::error::{self, ApiError};
use crate::query::Query;
use http::HeaderMap;

/// The versions the emulator knows, oldest first.
const KNOWN: [&str; 5] = [
    "2021-02-05",
    "2024-10-01",
    "2025-04-10",
    "2025-11-10",
    "2026-05-12",
];

/// A known version. Dates in this form compare as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(&'static str);

impl Version {
    /// From here on users and organizations are updated without their metadata.
    pub(crate) const METADATA_APART: Self = Self("2026-05-12");

    pub(crate) const NEWEST: Self = Self(KNOWN[KNOWN.len() - 1]);

    pub(crate) fn of(headers: &HeaderMap, query: &Query) -> Result<Self, ApiError> {
        let header = headers
            .get("clerk-api-version")
            .map(|value| value.to_str().unwrap_or("?"));
        let parameter = query.text("__clerk_api_version");
        match (header, parameter) {
            (Some(_), Some(_)) => Err(error::api_version_invalid(
                "The API version is given both as a header and as a query parameter. Use one of them."
                    .to_owned(),
            )),
            (Some(text), None) | (None, Some(text)) => {
                let known = KNOWN.iter().find(|version| **version == text);
                known.map(|version| Self(version)).ok_or_else(|| {
                    error::api_version_invalid(format!(
                        "{text} is not an API version. Known versions: {}.",
                        KNOWN.join(", ")
                    ))
                })
            }
            (None, None) => Ok(Self::NEWEST),
        }
    }
}
