//! Of a JSON-RPC message, what the front has to know: its method, and the tool it calls.

use std::borrow::Cow;

use serde::Deserialize;

/// A look at a message. Whatever it cannot read, rmcp refuses with the protocol's error, and what
/// rmcp reads otherwise the service refuses itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Peek<'a> {
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<Params<'a>>,
}

#[derive(Debug, Default, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

impl<'a> Peek<'a> {
    pub(super) fn at(body: &'a [u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The tool of a `tools/call`.
    pub(super) fn tool(&self) -> Option<&str> {
        let name = self.params.as_ref()?.name.as_deref();
        name.filter(|_| self.method() == Some("tools/call"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_its_tool() {
        let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"name":"x"},"name":"a\u0064d"}}"#;
        assert_eq!(Peek::at(call).tool(), Some("add"));
        let prompt = br#"{"method":"prompts/get","params":{"name":"add"}}"#;
        assert_eq!(Peek::at(prompt).tool(), None);
        for broken in [
            &b""[..],
            b"[]",
            b"{",
            b"\xff",
            br#"{"method":1}"#,
            br#"{"method":"tools/call","params":[]}"#,
        ] {
            assert_eq!(Peek::at(broken).tool(), None);
        }
    }
}
