//! A tool over the owner's API: its definition, once everything in it is known to fit together.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use mcp::{Definition, owners_api::BaseUrl};
use serde_json::{Map, Value};
use toolkit::operation::Hints;

use super::{
    body::Body,
    credential::CredentialKind,
    fault::{Faults, shown},
    fields::{Field, Header},
    pagination::Pagination,
    path::PathTemplate,
    schema::{self, ObjectSchema},
    template::{Source, is_name},
};

/// How long a call has unless the configuration says otherwise, its retries and pages included.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer unless the configuration says otherwise, bytes.
pub const DEFAULT_MAX_RESPONSE: usize = 1024 * 1024;
/// How often a `GET` is repeated unless the configuration says otherwise.
pub const DEFAULT_RETRIES: u32 = 2;

/// What all tools of the owner's API share.
#[derive(Clone, Debug)]
pub struct Api {
    /// The one place that requests go to.
    pub base_url: BaseUrl,
    /// Headers of every request. They hold no secrets.
    pub headers: HeaderMap,
    /// How long a call has, retries and pages included.
    pub timeout: Duration,
    /// The largest answer, bytes.
    pub max_response: usize,
    /// What requests are sent with, unless a tool says otherwise.
    pub credential: CredentialKind,
}

impl Api {
    /// The headers that requests have whatever a tool's arguments say.
    pub(super) fn own_headers(&self) -> Vec<HeaderName> {
        let of_credential = match &self.credential {
            CredentialKind::Header(header) => Some(header.name.clone()),
            _ => None,
        };
        let names = self.headers.keys().cloned();
        names.chain(of_credential).collect()
    }
}

/// What a tool makes of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputKind {
    /// Structured content.
    #[default]
    Json,
    /// Text.
    Text,
    /// An image.
    Image,
    /// A sound.
    Audio,
    /// A file of any type.
    File,
}

impl OutputKind {
    /// Every kind, by its name in the configuration.
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("json", Self::Json),
        ("text", Self::Text),
        ("image", Self::Image),
        ("audio", Self::Audio),
        ("file", Self::File),
    ];

    pub(crate) fn accept(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Text => "text/*, application/json;q=0.5",
            Self::Image => "image/*",
            Self::Audio => "audio/*",
            Self::File => "*/*",
        })
    }
}

/// Hints as far as they are given; the rest follows from the method.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GivenHints {
    pub(crate) read_only: Option<bool>,
    pub(crate) destructive: Option<bool>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) open_world: Option<bool>,
}

impl GivenHints {
    fn over(self, method: &Method) -> Hints {
        let usual = match *method {
            Method::GET => Hints::READ,
            Method::PUT => Hints::UPDATE,
            Method::DELETE => Hints::REMOVE,
            _ => Hints::CREATE,
        };
        let read_only = self.read_only.unwrap_or(usual.read_only);
        Hints {
            read_only,
            destructive: self.destructive.unwrap_or(usual.destructive && !read_only),
            idempotent: self.idempotent.unwrap_or(usual.idempotent || read_only),
            open_world: self.open_world.unwrap_or(usual.open_world),
        }
    }
}

/// The schema of a tool's arguments.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// As somebody wrote it.
    Written(Map<String, Value>),
    /// Judged already, with all others of its file.
    Judged(ObjectSchema),
}

/// A tool as it was written, each part read, before it is known whether they fit together.
#[derive(Clone, Debug)]
pub(crate) struct ToolSpec {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    pub(crate) method: Method,
    pub(crate) path: PathTemplate,
    pub(crate) query: Vec<Field>,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Body,
    pub(crate) input: Input,
    pub(crate) output: OutputKind,
    pub(crate) output_pointer: Option<String>,
    pub(crate) output_schema: Option<Map<String, Value>>,
    pub(crate) hints: GivenHints,
    pub(crate) scopes: Vec<String>,
    pub(crate) credential: Option<CredentialKind>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_response: Option<usize>,
    pub(crate) retries: Option<u32>,
    pub(crate) pagination: Option<Pagination>,
    /// Names of saved values, and pointers into the answer.
    pub(crate) save: Vec<(String, String)>,
}

/// A tool over the owner's API: a checked definition. [`HttpTool::build`] makes its requests and
/// [`HttpTool::shape`] its results; both are pure.
#[derive(Clone, Debug)]
pub struct HttpTool {
    pub(crate) definition: Definition,
    pub(crate) api: Arc<Api>,
    pub(crate) method: Method,
    pub(crate) path: PathTemplate,
    pub(crate) query: Vec<Field>,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Body,
    pub(crate) input: ObjectSchema,
    pub(crate) output: OutputKind,
    pub(crate) output_pointer: Option<String>,
    pub(crate) output_schema: Option<ObjectSchema>,
    /// Whether the output schema is no object's, so that the result goes below a member.
    pub(crate) wraps_output: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) credential: CredentialKind,
    pub(crate) timeout: Duration,
    pub(crate) max_response: usize,
    pub(crate) retries: u32,
    pub(crate) pagination: Option<Pagination>,
    pub(crate) save: Vec<(String, String)>,
}

impl HttpTool {
    /// What clients are told about it.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// The method of its requests.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its path as it was written, below the base URL.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// The scopes that a person must have granted.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// What its requests are sent with.
    #[must_use]
    pub fn credential(&self) -> &CredentialKind {
        &self.credential
    }

    /// How long a call has, retries and pages included.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The names of the saved values that its requests hold.
    #[must_use]
    pub fn state_read(&self) -> Vec<String> {
        let names = sources(&self.path, &self.query, &self.headers, &self.body);
        let names = names.into_iter().filter_map(|(_, source)| match source {
            Source::State(name) | Source::OptionalState(name) => Some(name.clone()),
            Source::Argument(_) => None,
        });
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Those of [`HttpTool::state_read`] without which there is no request.
    #[must_use]
    pub fn state_needed(&self) -> BTreeSet<&str> {
        let names = sources(&self.path, &self.query, &self.headers, &self.body);
        let names = names.into_iter().filter_map(|(_, source)| match source {
            Source::State(name) => Some(name.as_str()),
            Source::OptionalState(_) | Source::Argument(_) => None,
        });
        names.collect()
    }

    /// The names of the values that are saved of its answers.
    pub fn state_written(&self) -> impl Iterator<Item = &str> {
        self.save.iter().map(|(name, _)| name.as_str())
    }

    /// Checks that the parts fit together. Every fault is told, below `pointer`.
    pub(crate) fn new(
        spec: ToolSpec,
        api: &Arc<Api>,
        pointer: &str,
        faults: &Faults,
    ) -> Option<Self> {
        let before = faults.count();
        let at = |key: &str| format!("{pointer}/{key}");
        if !is_name(&spec.name) {
            faults.add(
                at("name"),
                format!("{} is no name of a tool", shown(&spec.name)),
                "use 1 to 64 letters, digits, `_` and `-`",
            );
        }
        let hints = spec.hints.over(&spec.method);
        check_hints(&spec, hints, pointer, faults);
        let input = match &spec.input {
            Input::Written(schema) => {
                ObjectSchema::compile(schema::arguments(schema.clone()), &at("input"), faults)
            }
            Input::Judged(schema) => Some(schema.clone()),
        };
        if let Some(input) = &input {
            check_sources(&spec, input, pointer, faults);
        }
        if spec.method == Method::GET && spec.body != Body::None {
            let key = if matches!(spec.body, Body::Form(_)) {
                "form"
            } else {
                "body"
            };
            faults.add(
                at(key),
                "a GET has no body",
                "use `query`, or another method",
            );
        }
        let (output_schema, wraps_output) = check_output(&spec, pointer, faults);
        if faults.count() > before {
            return None;
        }
        let input = input?;
        let title = spec.title.clone().unwrap_or_else(|| title_of(&spec.name));
        let definition = Definition {
            name: spec.name.into(),
            title: title.into(),
            description: spec.description.into(),
            input_schema: input.json(),
            output_schema: output_schema.as_ref().map(ObjectSchema::json),
            hints,
        };
        let retries = match spec.retries {
            Some(retries) => retries,
            None if spec.method == Method::GET => DEFAULT_RETRIES,
            None => 0,
        };
        Some(Self {
            definition,
            api: Arc::clone(api),
            method: spec.method,
            path: spec.path,
            query: spec.query,
            headers: spec.headers,
            body: spec.body,
            input,
            output: spec.output,
            output_pointer: spec.output_pointer,
            output_schema,
            wraps_output,
            scopes: spec.scopes,
            credential: spec.credential.unwrap_or_else(|| api.credential.clone()),
            timeout: spec.timeout.unwrap_or(api.timeout),
            max_response: spec.max_response.unwrap_or(api.max_response),
            retries,
            pagination: spec.pagination,
            save: spec.save,
        })
    }
}

fn check_hints(spec: &ToolSpec, hints: Hints, pointer: &str, faults: &Faults) {
    if hints.read_only && hints.destructive {
        faults.add(
            format!("{pointer}/annotations"),
            "a tool that only reads cannot be destructive",
            "remove one of the two",
        );
    }
    if hints.read_only && spec.method == Method::DELETE {
        faults.add(
            format!("{pointer}/annotations"),
            "a DELETE does not only read",
            "remove read_only",
        );
    }
    let repeatable = hints.idempotent || spec.method == Method::GET;
    if spec.retries.is_some_and(|retries| retries > 0) && !repeatable {
        faults.add(
            format!("{pointer}/retries"),
            format!("a {} may have run before it is repeated", spec.method),
            "remove `retries`; or, if twice is the same as once, say annotations = { idempotent = true }",
        );
    }
}

/// Every place has an argument that the schema knows, and those of the path are always there.
fn check_sources(spec: &ToolSpec, input: &ObjectSchema, pointer: &str, faults: &Faults) {
    let mut used = BTreeSet::new();
    for (key, source) in sources(&spec.path, &spec.query, &spec.headers, &spec.body) {
        let name = match source {
            Source::Argument(name) => name,
            Source::OptionalState(name) if key == "path" => {
                faults.add(
                    format!("{pointer}/path"),
                    format!("`{{state.{name}?}}` may be absent, and a path cannot do without"),
                    format!("write {{state.{name}}}"),
                );
                continue;
            }
            Source::State(_) | Source::OptionalState(_) => continue,
        };
        used.insert(name.as_str());
        if input.property(name).is_none() {
            faults.add(
                format!("{pointer}/{key}"),
                format!("`{{{name}}}` is no argument of this tool"),
                format!("add it to input.properties: {name} = {{ type = \"string\" }}"),
            );
        } else if key == "path" && !input.requires(name) {
            faults.add(
                format!("{pointer}/input"),
                format!("`{name}` is part of the path, but not required"),
                format!("add it: required = [\"{name}\"]"),
            );
        }
    }
    for name in input.properties().into_iter().flat_map(Map::keys) {
        if !used.contains(name.as_str()) {
            faults.add(
                format!("{pointer}/input"),
                format!("the argument {} is used nowhere", shown(name)),
                format!("use {{{name}}} in path, query, headers, body or form, or remove it"),
            );
        }
    }
}

fn check_output(spec: &ToolSpec, pointer: &str, faults: &Faults) -> (Option<ObjectSchema>, bool) {
    let at = format!("{pointer}/output");
    if spec.output != OutputKind::Json {
        let given = [
            (spec.output_pointer.is_some(), "output.pointer"),
            (spec.output_schema.is_some(), "output.schema"),
            (spec.pagination.is_some(), "pagination"),
            (!spec.save.is_empty(), "save"),
        ];
        for (_, key) in given.iter().filter(|(given, _)| *given) {
            faults.add(&at, format!("`{key}` is for JSON alone"), "remove it");
        }
        return (None, false);
    }
    if spec.pagination.is_some() && spec.output_pointer.is_some() {
        let hint = "remove it: pagination.items says where the items are";
        faults.add(&at, "`pointer` cannot go with `pagination`", hint);
    }
    let Some(given) = spec.output_schema.clone() else {
        return (None, false);
    };
    let at = format!("{at}/schema");
    // Compiled as it was written first, so that faults lead to where they are.
    if ObjectSchema::compile(given.clone(), &at, faults).is_none() {
        return (None, false);
    }
    let (whole, wraps) = match &spec.pagination {
        Some(_) => (schema::pages(given), false),
        None => schema::structured(given),
    };
    (ObjectSchema::compile(whole, &at, faults), wraps)
}

/// Every place of a request, with the key that it stands in.
fn sources<'a>(
    path: &'a PathTemplate,
    query: &'a [Field],
    headers: &'a [Header],
    body: &'a Body,
) -> Vec<(&'static str, &'a Source)> {
    let of_body = if matches!(body, Body::Form(_)) {
        "form"
    } else {
        "body"
    };
    let path = path.sources().map(|source| ("path", source));
    let query = query.iter().flat_map(|field| field.template.sources());
    let headers = headers.iter().flat_map(|header| header.template.sources());
    path.chain(query.map(|source| ("query", source)))
        .chain(headers.map(|source| ("headers", source)))
        .chain(body.sources().into_iter().map(|source| (of_body, source)))
        .collect()
}

/// `listOpenOrders` → `List open orders`
pub(crate) fn title_of(name: &str) -> String {
    let mut title = String::new();
    let mut before = ' ';
    for character in name.chars() {
        if "_-".contains(character) {
            title.push(' ');
        } else if character.is_ascii_uppercase() && before.is_ascii_lowercase() {
            title.push(' ');
            title.push(character.to_ascii_lowercase());
        } else if title.is_empty() {
            title.push(character.to_ascii_uppercase());
        } else {
            title.push(character);
        }
        before = character;
    }
    title.trim().to_owned()
}

/// The name that requests give to this server, unless the configuration has another.
pub(crate) fn user_agent() -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_static(concat!("clerk-mcp/", env!("CARGO_PKG_VERSION")));
    (http::header::USER_AGENT, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_titles() {
        for (name, title) in [
            ("listOpenOrders", "List open orders"),
            ("get_order", "Get order"),
            ("orders-v2", "Orders v2"),
            ("getURL", "Get uRL"),
        ] {
            assert_eq!(title_of(name), title);
        }
    }
}
