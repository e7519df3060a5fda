//! Named values: of a query, of a form, of headers.

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::{
    fault::{ArgumentFault, shown},
    template::{Source, Template, Values, scalar},
};

/// How a list or an object becomes text (OpenAPI, "Style Values").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// `tag=a&tag=b`
    #[default]
    Repeated,
    /// `tag=a,b`
    Comma,
    /// `tag=a%20b`
    Space,
    /// `tag=a%7Cb`
    Pipe,
    /// `filter[status]=open`
    Deep,
}

/// A parameter of a query, or a field of a form. It is left out when a value of it is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) template: Template,
    pub(crate) style: Style,
}

impl Field {
    pub(crate) fn new(name: impl Into<String>, template: Template) -> Self {
        Self {
            name: name.into(),
            template,
            style: Style::default(),
        }
    }

    /// Adds `name=value`, encoded, as often as it takes.
    fn write(&self, values: Values<'_>, text: &mut String) -> Result<(), ArgumentFault> {
        let Some(source) = self.template.alone() else {
            if let Some(value) = self.template.text(values)? {
                push(text, &self.name, &clerk::encode_segment(&value));
            }
            return Ok(());
        };
        match (source.value(values), self.style) {
            (None, _) => {}
            (Some(Value::Array(items)), style) => {
                let items = items.iter().map(|item| encoded(source, item));
                let items = items.collect::<Result<Vec<_>, ArgumentFault>>()?;
                let (between, name) = match style {
                    Style::Repeated | Style::Deep => {
                        for item in &items {
                            push(text, &self.name, item);
                        }
                        return Ok(());
                    }
                    // A comma of an item is encoded.
                    Style::Comma => (",", ""),
                    Style::Space => ("%20", "spaces"),
                    Style::Pipe => ("%7C", "`|`"),
                };
                if items.iter().any(|item| item.contains(between)) {
                    let problem = format!("{name} are between the items, and cannot be in one");
                    return Err(ArgumentFault::new(source.name(), problem));
                }
                if !items.is_empty() {
                    push(text, &self.name, &items.join(between));
                }
            }
            (Some(Value::Object(members)), Style::Deep) => {
                for (key, value) in members {
                    if !value.is_null() {
                        let name = format!("{}[{key}]", self.name);
                        push(text, &name, &encoded(source, value)?);
                    }
                }
            }
            (Some(value), _) => push(text, &self.name, &encoded(source, value)?),
        }
        Ok(())
    }
}

fn encoded(source: &Source, value: &Value) -> Result<String, ArgumentFault> {
    scalar(source, value).map(|text| clerk::encode_segment(&text))
}

fn push(text: &mut String, name: &str, encoded: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    text.push_str(&clerk::encode_segment(name));
    text.push('=');
    text.push_str(encoded);
}

/// The fields as a query or a form (`application/x-www-form-urlencoded`).
pub(crate) fn urlencoded(fields: &[Field], values: Values<'_>) -> Result<String, ArgumentFault> {
    let mut text = String::new();
    for field in fields {
        field.write(values, &mut text)?;
    }
    Ok(text)
}

/// A header of a request. It is left out when a value of it is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) template: Template,
}

impl Header {
    pub(crate) fn value(&self, values: Values<'_>) -> Result<Option<HeaderValue>, ArgumentFault> {
        let Some(text) = self.template.text(values)? else {
            return Ok(None);
        };
        // Without line breaks and other control characters no value ends its header.
        let value = HeaderValue::from_str(&text).ok();
        match value.filter(|_| text.bytes().all(is_of_value)) {
            Some(value) => Ok(Some(value)),
            None => Err(ArgumentFault::new(
                self.template
                    .sources()
                    .next()
                    .map(Source::name)
                    .unwrap_or_default(),
                "a header takes visible ASCII characters and spaces alone",
            )),
        }
    }
}

/// Whether a byte can stand in the value of a header, and end nothing.
pub(crate) fn is_of_value(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// Reads a header's name: one that a tool may set. An error says why it may not, and what to do.
pub(crate) fn header_name(text: &str) -> Result<HeaderName, (String, &'static str)> {
    let name: HeaderName = text.parse().map_err(|_| {
        (
            format!("{} is no header name", shown(text)),
            "use letters, digits and `-`",
        )
    })?;
    let small = name.as_str();
    if is_ours(&name) {
        return Err((
            format!("{} is not for tools to set", shown(text)),
            "remove it: it follows from the request and its body",
        ));
    }
    if CREDENTIALS.contains(&small) {
        return Err((
            format!("{} is for credentials", shown(text)),
            "remove it, and set `credential`",
        ));
    }
    Ok(name)
}

/// Whether a header follows from the request, or would change how it travels.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    OURS.contains(&name) || name.starts_with("proxy-") || name.starts_with("sec-")
}

/// Headers that follow from the request, or that would change how it travels.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];
const CREDENTIALS: &[&str] = &["authorization", "cookie", "cookie2"];

/// Whether a header of this name with a fixed value is likely a secret.
pub(crate) fn is_secret_name(name: &HeaderName) -> bool {
    let name = name.as_str().replace('-', "");
    ["apikey", "secret", "password", "authtoken", "accesstoken"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    fn write(style: Style, template: &str, value: Value) -> Result<String, ArgumentFault> {
        let arguments = Map::from_iter([("v".to_owned(), value)]);
        let values = Values {
            arguments: &arguments,
            state: &Map::new(),
        };
        let field = Field {
            style,
            ..Field::new("n", Template::parse(template).unwrap())
        };
        urlencoded(&[field], values)
    }

    #[test]
    fn lists_and_objects_have_their_style() {
        let list = || json!(["a b", 1, "x,y"]);
        for (style, value, expected) in [
            (Style::Repeated, json!("a&b=c"), "n=a%26b%3Dc"),
            (Style::Repeated, list(), "n=a%20b&n=1&n=x%2Cy"),
            (Style::Comma, list(), "n=a%20b,1,x%2Cy"),
            (
                Style::Space,
                json!(["a|b", 1, "x,y"]),
                "n=a%7Cb%201%20x%2Cy",
            ),
            (Style::Pipe, list(), "n=a%20b%7C1%7Cx%2Cy"),
            (Style::Comma, json!([]), ""),
            (Style::Repeated, json!(null), ""),
            (
                Style::Deep,
                json!({"a]&x": 1, "b": null}),
                "n%5Ba%5D%26x%5D=1",
            ),
        ] {
            assert_eq!(write(style, "{v}", value).unwrap(), expected);
        }
        // There would be more items than there are.
        assert!(write(Style::Space, "{v}", list()).is_err());
        assert!(write(Style::Pipe, "{v}", json!(["a|b"])).is_err());
        assert!(write(Style::Repeated, "{v}", json!({"a": 1})).is_err());
        assert!(write(Style::Repeated, "{v}", json!([[1]])).is_err());
        assert!(write(Style::Deep, "{v}", json!({"a": {}})).is_err());
        assert!(write(Style::Repeated, "x{v}", json!([1])).is_err());
    }

    #[test]
    fn some_headers_are_not_for_tools() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Authorization",
            "Cookie",
            "Proxy-Authorization",
            "a b",
            "",
            "x\r\ny",
        ] {
            assert!(header_name(name).is_err(), "{name}");
        }
        assert_eq!(header_name("X-Client").unwrap().as_str(), "x-client");
        assert!(is_secret_name(&header_name("X-API-Key").unwrap()));
        assert!(!is_secret_name(&header_name("X-Client").unwrap()));
    }

    proptest! {
        #[test]
        fn a_query_value_is_one_pair(value in any::<String>()) {
            let query = write(Style::Repeated, "{v}", json!(value)).unwrap();
            let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
            prop_assert_eq!(pairs.len(), 1);
            prop_assert_eq!(&*pairs[0].0, "n");
            prop_assert_eq!(&*pairs[0].1, value.as_str());
        }

        #[test]
        fn a_header_value_is_one_header(value in any::<String>()) {
            let header = Header {
                name: HeaderName::from_static("x-note"),
                template: Template::argument("v"),
            };
            let arguments = Map::from_iter([("v".to_owned(), json!(value))]);
            let state = Map::new();
            let filled = header.value(Values { arguments: &arguments, state: &state });
            match filled {
                Ok(found) => {
                    prop_assert!(!value.contains(['\r', '\n', '\0']));
                    let found = found.unwrap();
                    prop_assert_eq!(found.as_bytes(), value.as_bytes());
                }
                Err(_) => prop_assert!(value.bytes().any(|byte| !(b' '..=b'~').contains(&byte))),
            }
        }
    }
}
