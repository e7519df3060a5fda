//! What one client has heard of its tools, and whether there is news for it.

use mcp::{Attached, Caller};
use store::sessions::{ListDigest, ToolsTold};

/// What a client has heard of its tools, and as whom it asked.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    caller: Option<Box<Caller>>,
    tools: ToolsTold,
}

impl Heard {
    /// A client that knows this much, from before this process.
    pub(crate) fn of(tools: ToolsTold) -> Self {
        Self {
            caller: None,
            tools,
        }
    }

    /// The client is answered this list; whether that is anything new to it.
    pub(crate) fn listed(&mut self, caller: &Caller, list: ListDigest) -> bool {
        self.comes_as(caller);
        let tools = ToolsTold {
            listed: Some(list),
            told: Some(list),
        };
        std::mem::replace(&mut self.tools, tools) != tools
    }

    /// The client was told that its list is this one now.
    pub(crate) fn told(&mut self, list: ListDigest) {
        self.tools.told = Some(list);
    }

    /// The client comes with these rights, which its list follows from now on; whether they may make a
    /// difference. A client that never listed its tools has no list that could differ.
    pub(crate) fn comes_as(&mut self, caller: &Caller) -> bool {
        if self
            .caller
            .as_deref()
            .is_some_and(|known| same_rights(known, caller))
        {
            return false;
        }
        self.caller = Some(Box::new(Caller {
            // What they call with is of no use here, and ends with their token.
            attached: Attached::default(),
            ..caller.clone()
        }));
        self.tools.listed.is_some()
    }

    /// As whom the client's list is to be made anew; `None` when there is none to compare with.
    pub(crate) fn caller(&self) -> Option<Caller> {
        let caller = self.caller.as_deref();
        caller.filter(|_| self.tools.listed.is_some()).cloned()
    }

    /// Whether the list being `now` is news to the client. In a stream that goes on, or is resumed
    /// at its place, it is unless the client was told of it before. In a new stream it is unless it
    /// is the very list that the client was answered: what was told in an old one may be lost.
    pub(crate) fn is_news(&self, now: ListDigest, is_new_stream: bool) -> bool {
        let known = match is_new_stream {
            true => self.tools.listed,
            false => self.tools.told,
        };
        self.tools.listed.is_some() && known != Some(now)
    }
}

/// Whether two callers, who are the same person through the same client, have the same list.
fn same_rights(one: &Caller, other: &Caller) -> bool {
    one.organization_id == other.organization_id && one.scopes == other.scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ListDigest = ListDigest([1; 32]);
    const B: ListDigest = ListDigest([2; 32]);

    fn caller(scopes: &[&str]) -> Caller {
        Caller {
            user_id: Some("user_1".to_owned()),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..Caller::default()
        }
    }

    fn listed(list: ListDigest) -> Heard {
        let mut heard = Heard::default();
        assert!(heard.listed(&caller(&[]), list));
        heard
    }

    #[test]
    fn a_change_is_news_once_and_its_way_back_again() {
        let mut heard = listed(A);
        assert!(!heard.is_news(A, false));
        assert!(heard.is_news(B, false));
        heard.told(B);
        assert!(!heard.is_news(B, false));
        assert!(heard.is_news(A, false), "it may have listed B meanwhile");
        heard.told(A);
        assert!(!heard.is_news(A, false));
    }

    #[test]
    fn a_new_stream_tells_what_was_told_in_a_lost_one() {
        let mut heard = listed(A);
        heard.told(B);
        assert!(heard.is_news(B, true) && !heard.is_news(B, false));
        assert!(!heard.is_news(A, true), "it has that list");
        assert!(heard.listed(&caller(&[]), B));
        assert!(!heard.is_news(B, true));
        assert!(!heard.listed(&caller(&[]), B), "nothing is to be written");
    }

    #[test]
    fn who_never_listed_is_told_nothing() {
        let mut heard = Heard::default();
        assert!(!heard.comes_as(&caller(&[])));
        assert_eq!(heard.caller(), None);
        assert!(!heard.is_news(A, false) && !heard.is_news(A, true));
    }

    #[test]
    fn other_rights_make_the_list_anew() {
        let mut heard = listed(A);
        assert!(!heard.comes_as(&caller(&[])));
        assert!(heard.comes_as(&caller(&["tools:write"])));
        assert_eq!(heard.caller(), Some(caller(&["tools:write"])));
    }

    #[test]
    fn what_was_kept_goes_on() {
        let kept = ToolsTold {
            listed: Some(A),
            told: Some(B),
        };
        let mut heard = Heard::of(kept);
        assert!(heard.comes_as(&caller(&[])));
        assert!(heard.is_news(A, false) && !heard.is_news(B, false) && heard.is_news(B, true));
    }
}
