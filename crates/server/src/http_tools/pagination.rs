//! Lists that an API gives in pages.

use http::Uri;
use serde_json::Value;

use super::fault::ToolFault;

/// The most pages that a tool may gather.
pub(crate) const MOST_PAGES: u64 = 100;

/// How a tool goes on from page to page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pagination {
    pub(crate) kind: PageKind,
    /// The parameter of the query that says which page.
    pub(crate) parameter: String,
    /// JSON pointer to the items of a page.
    pub(crate) items: String,
    /// Pages gathered at most.
    pub(crate) max_pages: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// Each page says where the next begins, at this JSON pointer.
    Cursor { next: String },
    /// Pages have numbers, from this one; one with fewer items than `size` is the last.
    Page { first: u64, size: Option<usize> },
}

/// One page. The default is what an API means that answers with nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Option<Value>,
}

impl Pagination {
    /// What a page holds, and where the next one is.
    pub(crate) fn read(&self, uri: &Uri, mut json: Value) -> Result<Page, ToolFault> {
        let next = match &self.kind {
            PageKind::Cursor { next } => json.pointer(next).cloned(),
            PageKind::Page { .. } => None,
        };
        let items = json.pointer_mut(&self.items).map(Value::take);
        let Some(Value::Array(items)) = items else {
            let problem = format!("there is no list of items at `{}`", self.items);
            return Err(ToolFault::InvalidAnswer { problem });
        };
        let current = parameter(uri, &self.parameter);
        let next = match &self.kind {
            PageKind::Cursor { next: pointer } => match next {
                None | Some(Value::Null | Value::Bool(false)) => None,
                Some(Value::String(cursor)) if cursor.is_empty() => None,
                // A cursor that leads to itself would never end.
                Some(Value::String(cursor)) if Some(&cursor) == current.as_ref() => None,
                Some(next @ (Value::String(_) | Value::Number(_))) => Some(next),
                Some(_) => {
                    let problem = format!("there is no cursor at `{pointer}`");
                    return Err(ToolFault::InvalidAnswer { problem });
                }
            },
            PageKind::Page { first, size } => {
                let is_last = items.is_empty() || size.is_some_and(|size| items.len() < size);
                let current = current.and_then(|text| text.parse().ok()).unwrap_or(*first);
                (!is_last).then(|| current.saturating_add(1).into())
            }
        };
        Ok(Page { items, next })
    }

    /// The address of another page.
    pub(crate) fn go_to(&self, uri: &Uri, next: &Value) -> Option<Uri> {
        let value = match next {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let name = clerk::encode_segment(&self.parameter);
        let prefix = format!("{name}=");
        let mut query: Vec<&str> = uri.query().unwrap_or_default().split('&').collect();
        query.retain(|pair| !pair.is_empty() && !pair.starts_with(&prefix));
        let pair = format!("{prefix}{}", clerk::encode_segment(&value));
        query.push(&pair);
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let text = format!("{scheme}://{authority}{}?{}", uri.path(), query.join("&"));
        text.parse().ok()
    }
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query()?.as_bytes();
    let mut pairs = url::form_urlencoded::parse(query);
    let value = pairs.find(|(key, _)| key == name)?.1;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn cursor() -> Pagination {
        Pagination {
            kind: PageKind::Cursor {
                next: "/meta/next".into(),
            },
            parameter: "after".into(),
            items: "/data".into(),
            max_pages: 5,
        }
    }

    fn numbered(size: Option<usize>) -> Pagination {
        Pagination {
            kind: PageKind::Page { first: 1, size },
            items: String::new(),
            parameter: "page".into(),
            ..cursor()
        }
    }

    const AT: &str = "https://api.example.com/orders?status=open&after=c1";

    fn at() -> Uri {
        AT.parse().unwrap()
    }

    #[test]
    fn a_cursor_leads_on_until_there_is_none() {
        let read = |next: Value| cursor().read(&at(), json!({"data": [1], "meta": {"next": next}}));
        assert_eq!(read(json!("c2")).unwrap().next, Some(json!("c2")));
        assert_eq!(read(json!(7)).unwrap().next, Some(json!(7)));
        for end in [json!(null), json!(""), json!(false), json!("c1")] {
            assert_eq!(read(end).unwrap().next, None);
        }
        assert!(read(json!({})).is_err());
        assert!(cursor().read(&at(), json!({"data": {}})).is_err());
    }

    #[test]
    fn numbers_lead_on_until_a_short_page() {
        let third: Uri = "https://api.example.com/orders?page=3".parse().unwrap();
        let next = |size, items| numbered(size).read(&third, items).unwrap().next;
        assert_eq!(next(None, json!([1])), Some(json!(4)));
        assert_eq!(next(None, json!([])), None);
        assert_eq!(next(Some(2), json!([1])), None);
        assert_eq!(next(Some(2), json!([1, 2])), Some(json!(4)));
        let first = numbered(None).read(&at(), json!([1])).unwrap();
        assert_eq!(first.next, Some(json!(2)));
    }

    proptest! {
        #[test]
        fn only_the_parameter_changes(value in any::<String>()) {
            let at = at();
            let to = cursor().go_to(&at, &json!(value)).unwrap();
            prop_assert_eq!(to.authority(), at.authority());
            prop_assert_eq!(to.path(), at.path());
            let pairs: Vec<_> = url::form_urlencoded::parse(to.query().unwrap().as_bytes()).collect();
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&*pairs[0].1, "open");
            prop_assert_eq!(&*pairs[1].1, value.as_str());
        }
    }
}
