//! Scopes of Clerk's in place of this server's own, where Clerk is the authorization server.
//!
//! Access rules think in `tools:read` and `tools:write`. Clerk knows neither unless somebody defines
//! them there, and what its own scopes say (`profile`, `email`) is about the person's data at Clerk,
//! not about tools: so without a mapping every token that counts here reads and writes, and the rules
//! alone decide. With one, a token needs all of the scopes named.

use crate::access::{READ_SCOPE, WRITE_SCOPE};

/// Which of Clerk's scopes stand for this server's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeMapping {
    /// What a token needs for `tools:read`, all of it.
    pub read: Vec<String>,
    /// What a token needs for `tools:write`, all of it.
    pub write: Vec<String>,
}

impl ScopeMapping {
    /// What a token of these scopes is good for here. A scope of Clerk's that happens to be called
    /// `tools:write` counts only where the mapping says so.
    #[must_use]
    pub fn granted(&self, token: &[String]) -> Vec<String> {
        let has_all = |needed: &[String]| needed.iter().all(|scope| token.contains(scope));
        let own = [(READ_SCOPE, &self.read), (WRITE_SCOPE, &self.write)];
        let mapped = own.iter().filter(|(_, needed)| has_all(needed));
        let mapped = mapped.map(|(scope, _)| (*scope).to_owned());
        let others = token.iter().filter(|scope| !is_own(scope)).cloned();
        mapped.chain(others).collect()
    }

    /// What to ask Clerk for, so that a token with `token` comes to have `missing`.
    #[must_use]
    pub fn asked(&self, missing: &[String], token: &[String]) -> Vec<String> {
        let mut asked: Vec<String> = Vec::new();
        for scope in missing {
            let of_clerk = match scope.as_str() {
                READ_SCOPE => self.read.as_slice(),
                WRITE_SCOPE => self.write.as_slice(),
                _ => std::slice::from_ref(scope),
            };
            for scope in of_clerk {
                if !token.contains(scope) && !asked.contains(scope) {
                    asked.push(scope.clone());
                }
            }
        }
        asked
    }
}

fn is_own(scope: &str) -> bool {
    [READ_SCOPE, WRITE_SCOPE].contains(&scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn without_a_mapping_every_token_reads_and_writes() {
        let mapping = ScopeMapping::default();
        let granted = mapping.granted(&strings(&["profile"]));
        assert_eq!(granted, ["tools:read", "tools:write", "profile"]);
    }

    #[test]
    fn a_token_needs_all_that_the_mapping_names() {
        let mapping = ScopeMapping {
            read: strings(&["notes:read"]),
            write: strings(&["notes:read", "notes:write"]),
        };
        assert_eq!(
            mapping.granted(&strings(&["notes:write", "tools:write"])),
            ["notes:write"],
            "a name of ours at Clerk gives nothing"
        );
        let read = strings(&["notes:read"]);
        assert_eq!(mapping.granted(&read), ["tools:read", "notes:read"]);
        let missing = strings(&["tools:write", "reports"]);
        assert_eq!(mapping.asked(&missing, &read), ["notes:write", "reports"]);
    }

    #[test]
    fn clerk_may_have_scopes_of_our_names() {
        let mapping = ScopeMapping {
            read: strings(&["tools:read"]),
            write: strings(&["tools:write"]),
        };
        let token = strings(&["tools:read", "email"]);
        assert_eq!(mapping.granted(&token), ["tools:read", "email"]);
        let missing = strings(&["tools:write"]);
        assert_eq!(mapping.asked(&missing, &token), missing);
    }
}
