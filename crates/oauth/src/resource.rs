//! The resource that tokens are for (RFC 8707): one audience for each grant and token.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// A protected resource's identifier in canonical form, for example `https://mcp.example.com/mcp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resource(String);

impl Resource {
    /// Reads a resource identifier: an absolute `http` or `https` URL without a fragment and
    /// without user information. Scheme and host are compared without regard to case, a default
    /// port may be left out, and slashes at the end of the path mean nothing.
    ///
    /// `None` when `text` is no such URL.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let right = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        right.then(|| {
            let text = url.as_str();
            Self(match url.query() {
                None => text.trim_end_matches('/').to_owned(),
                Some(_) => text.to_owned(),
            })
        })
    }

    /// The identifier in canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn case_default_port_and_last_slashes_do_not_matter() {
        let resource = Resource::parse("https://mcp.example.com/mcp").unwrap();
        for same in [
            "HTTPS://MCP.Example.com/mcp",
            "https://mcp.example.com:443/mcp",
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/mcp//",
        ] {
            assert_eq!(Resource::parse(same).unwrap(), resource, "{same}");
        }
        for other in [
            "http://mcp.example.com/mcp",
            "https://mcp.example.com/MCP",
            "https://mcp.example.com",
            "https://mcp.example.com/mcp?x",
            "https://mcp.example.com.evil.example/mcp",
        ] {
            assert_ne!(Resource::parse(other).unwrap(), resource, "{other}");
        }
    }

    #[test]
    fn what_is_no_resource_identifier() {
        for wrong in [
            "",
            "mcp",
            "/mcp",
            "urn:example:mcp",
            "https://mcp.example.com/mcp#part",
            "https://somebody@mcp.example.com/mcp",
            "ftp://mcp.example.com/mcp",
        ] {
            assert_eq!(Resource::parse(wrong), None, "{wrong}");
        }
    }
}
