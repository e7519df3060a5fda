//! Paths whose structure no value can change.

use super::{
    fault::{ArgumentFault, shown},
    template::{Part, Source, Template, Values},
};

/// A path below the base URL: a fixed number of segments, of which some have places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathTemplate {
    segments: Vec<Template>,
    /// As it was written.
    text: String,
}

impl PathTemplate {
    /// Reads a path; an error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("it does not begin with `/`".to_owned());
        };
        let count = rest.split('/').count();
        let mut segments = Vec::new();
        for (index, segment) in rest.split('/').enumerate() {
            let template = Template::parse(segment)?;
            let is_last = index + 1 == count;
            if segment.is_empty() && !is_last {
                return Err("it has an empty segment (`//`)".to_owned());
            }
            if [".", ".."].contains(&segment) {
                return Err("it has a dot segment".to_owned());
            }
            for part in template.parts() {
                if let Part::Literal(literal) = part
                    && !is_path_text(literal)
                {
                    return Err(format!(
                        "{} has characters that a path cannot have (write them as %XX)",
                        shown(literal)
                    ));
                }
            }
            segments.push(template);
        }
        Ok(Self {
            segments,
            text: text.to_owned(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.segments.iter().flat_map(Template::sources)
    }

    /// The path: each value percent-encoded, within its segment.
    pub(crate) fn fill(&self, values: Values<'_>) -> Result<String, ArgumentFault> {
        let mut path = String::new();
        for segment in &self.segments {
            path.push('/');
            let start = path.len();
            for part in segment.parts() {
                match part {
                    Part::Literal(literal) => path.push_str(literal),
                    Part::Value(source) => path.push_str(&encoded(source, values)?),
                }
            }
            if [".", ".."].contains(&&path[start..]) {
                let name = segment.sources().next().map(Source::name);
                let problem = "it would make a dot segment";
                return Err(ArgumentFault::new(name.unwrap_or_default(), problem));
            }
        }
        Ok(path)
    }
}

/// A value as (a part of) one segment, however often something on the way decodes it.
fn encoded(source: &Source, values: Values<'_>) -> Result<String, ArgumentFault> {
    let fault = |problem: String| ArgumentFault::new(source.name(), problem);
    let Some(value) = source.value(values) else {
        return Err(fault(match source {
            Source::Argument(_) => "it is missing".to_owned(),
            Source::State(_) | Source::OptionalState(_) => {
                "nothing was saved under this name yet".to_owned()
            }
        }));
    };
    let text = super::template::scalar(source, value)?;
    clerk::check_segment(&text).map_err(|error| {
        let text = error.to_string();
        fault(text.lines().next().unwrap_or_default().to_owned())
    })?;
    Ok(clerk::encode_segment(&text))
}

/// RFC 3986 section 3.3, `pchar`.
fn is_path_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(index, byte)| match byte {
        b'%' => bytes
            .get(index + 1..index + 3)
            .is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(byte),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn fill(path: &str, arguments: &Value) -> Result<String, ArgumentFault> {
        let state = Map::new();
        PathTemplate::parse(path).unwrap().fill(Values {
            arguments: arguments.as_object().unwrap(),
            state: &state,
        })
    }

    #[test]
    fn values_stay_in_their_segment() {
        for (path, expected) in [
            ("/", "/"),
            ("/orders/", "/orders/"),
            ("/orders/{id}", "/orders/a%20b%25"),
            ("/orders/{id}:cancel", "/orders/a%20b%25:cancel"),
            ("/{n}/{b}.json", "/7/true.json"),
        ] {
            let arguments = json!({"id": "a b%", "n": 7, "b": true});
            assert_eq!(fill(path, &arguments).unwrap(), expected);
        }
        for value in [
            json!(""),
            json!("."),
            json!(".."),
            json!("a/b"),
            json!("a\\b"),
            json!("a%2fb"),
            json!("%2e%2e"),
            json!("%252e%252e"),
            json!("a?b"),
            json!("a#b"),
            json!("a\r\nb"),
            json!("a%00"),
            json!(null),
            json!([]),
            json!({}),
            json!("x".repeat(256)),
        ] {
            let fault = fill("/orders/{id}", &json!({"id": value})).unwrap_err();
            assert_eq!(fault.argument, "id", "{value}");
        }
        assert!(fill("/orders/{id}", &json!({})).is_err());
        // Two harmless values, one dot segment.
        assert!(fill("/.{id}", &json!({"id": "."})).is_err());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in [
            "", "orders", "//x", "/a//b", "/..", "/a/./b", "/a?b", "/a#b", "/a b", "/ä", "/%zz",
            "/{", "/a/{x y}", "/a\\b",
        ] {
            assert!(PathTemplate::parse(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_value_changes_the_structure(id in any::<String>(), other in any::<String>()) {
            let filled = fill("/orders/{id}/x-{other}", &json!({"id": id, "other": other}));
            if let Ok(path) = filled {
                let url = url::Url::parse(&format!("https://api.example.com/v1{path}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("api.example.com"));
                prop_assert_eq!(url.query(), None);
                prop_assert_eq!(url.fragment(), None);
                let expected = format!("/v1{}", path);
                prop_assert_eq!(url.path(), expected.as_str());
                let segments: Vec<&str> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 4);
                prop_assert_eq!(&segments[..2], &["v1", "orders"]);
                let decode = |text: &str| {
                    let query = format!("x={}", text.replace('+', "%2B"));
                    url::form_urlencoded::parse(query.as_bytes()).next().unwrap().1.into_owned()
                };
                prop_assert_eq!(decode(segments[2]), id);
                prop_assert_eq!(decode(segments[3]), format!("x-{other}"));
            }
        }
    }
}
