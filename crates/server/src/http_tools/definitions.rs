//! `[api]` and `[[tools]]` of a configuration file, read whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::Arc,
};

use http::{HeaderMap, HeaderValue};
use mcp::owners_api::BaseUrl;
use serde_json::Value;
use toml::de::DeTable;
use toolkit::text::escape_str;

use super::{
    credential::CredentialKind,
    entry::{TOOL_KEYS, own_header},
    fault::{DefinitionFault, Fault, Faults, shown},
    machine_entry::{Machine, MachineConfig},
    openapi::{self, Imported},
    reader::{Table, kind, token},
    source::{DocumentLines, toml_line, toml_table},
    tool::{Api, DEFAULT_MAX_RESPONSE, DEFAULT_TIMEOUT, HttpTool, ToolSpec},
};

/// The most tools of one configuration.
pub const MOST_TOOLS: usize = 500;

/// The environment variable that names the API in place of `base_url`.
pub(crate) const BASE_URL_VARIABLE: &str = "CLERK_MCP_API_BASE_URL";

/// What definitions are read from.
#[derive(Clone, Copy)]
pub struct Definitions<'a> {
    /// The configuration file's name as it was given, for messages.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Reads a file that it names; paths start from its folder.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The value of an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The value of a variable that a secret is in; `None` when it is not set.
    pub secret: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a name is taken by another tool of the server.
    pub is_taken: &'a dyn Fn(&str) -> bool,
    /// Why the server has no such credential, and what to do; `None` when it has.
    pub refuses: &'a dyn Fn(&CredentialKind) -> Option<(&'static str, &'static str)>,
}

impl std::fmt::Debug for Definitions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Definitions");
        debug.field("name", &self.name).finish_non_exhaustive()
    }
}

/// The tools over the owner's API.
#[derive(Clone, Debug)]
pub struct HttpTools {
    /// What they share.
    pub api: Arc<Api>,
    /// The tools: the file's, then those of its OpenAPI file.
    pub tools: Vec<Arc<HttpTool>>,
    /// Where machine-to-machine tokens come from, if it is said.
    pub machine: Option<MachineConfig>,
    /// JSON pointers to the entries of those that have one, by name.
    entries: BTreeMap<String, String>,
}

impl HttpTools {
    /// Reads the tools of a configuration file; `None` when it has no `[api]`. A file that is no
    /// TOML has none: whoever reads the rest of it says so.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    pub fn read(definitions: Definitions<'_>) -> Result<Option<Self>, Vec<DefinitionFault>> {
        let Ok(table) = DeTable::parse(definitions.text) else {
            return Ok(None);
        };
        let root = toml_table(table.get_ref());
        let mut reading = Reading {
            definitions,
            elsewhere: Vec::new(),
            machine: None,
        };
        let faults = Faults::default();
        let tools = reading.tools(&root, &faults);
        let faults = faults.into_vec().into_iter().map(|fault| {
            let line = toml_line(definitions.text, table.get_ref(), &fault.pointer);
            in_file(definitions.name, line, fault)
        });
        let mut faults: Vec<_> = faults.collect();
        faults.append(&mut reading.elsewhere);
        if faults.is_empty() {
            Ok(tools)
        } else {
            Err(faults)
        }
    }
}

/// The line of a tool's entry in the text that it was read from, or of a key of that entry.
pub(crate) fn line_of(tools: &HttpTools, tool: &str, key: &str, text: &str) -> Option<usize> {
    let entry = tools.entries.get(tool)?;
    let table = DeTable::parse(text).ok()?;
    toml_line(text, table.get_ref(), &format!("{entry}/{key}"))
}

/// Whether a part of a tool, by its pointer, is the OpenAPI file's also where an entry changes the rest.
fn is_of_file(pointer: &str) -> bool {
    let part = pointer.split('/').nth(1).unwrap_or_default();
    REQUEST_KEYS.contains(&part)
}

/// What makes a request.
const REQUEST_KEYS: &[&str] = &[
    "method", "path", "query", "headers", "body", "form", "input",
];

fn in_file(file: &str, line: Option<usize>, fault: Fault) -> DefinitionFault {
    DefinitionFault {
        file: file.to_owned(),
        line,
        pointer: fault.pointer,
        problem: fault.problem,
        hint: fault.hint,
    }
}

pub(super) struct Reading<'a> {
    pub(super) definitions: Definitions<'a>,
    /// Faults of other files.
    elsewhere: Vec<DefinitionFault>,
    /// `[api.m2m]`, or what stands for it.
    pub(super) machine: Option<Machine>,
}

const API_KEYS: &[&str] = &[
    "base_url",
    "openapi",
    "include",
    "exclude",
    "timeout",
    "max_response",
    "headers",
    "credential",
    "m2m",
];

impl Reading<'_> {
    fn tools(&mut self, root: &Value, faults: &Faults) -> Option<HttpTools> {
        let (given_api, given_tools) = (root.get("api"), root.get("tools"));
        let entries: &[Value] = match given_tools {
            None => &[],
            Some(Value::Array(entries)) => entries,
            Some(other) => {
                let problem = format!("this is {}, not a list of tools", kind(other));
                faults.add("/tools", problem, "begin each tool with the line [[tools]]; which tools are offered is set in [policy]");
                &[]
            }
        };
        let Some(given_api) = given_api else {
            if given_tools.is_some() {
                let hint = "add [api] with base_url = \"https://…\"";
                faults.add("/tools", "there are tools, but no API that they call", hint);
            }
            return None;
        };
        let table = Table::new(given_api, "/api", API_KEYS, faults)?;
        self.machine = self.machine(&table);
        let api = self.api(&table);
        let imported = self.import(&table, api.as_deref());
        // A stand-in lets faults of the tools be found when the API has some itself.
        let known = api.clone().unwrap_or_else(stand_in);
        let mut specs: BTreeMap<usize, (ToolSpec, String)> = BTreeMap::new();
        let mut tools = Vec::new();
        let mut names: Vec<(String, String)> = Vec::new();
        let mut entries_of = BTreeMap::new();
        // `whole` is where the tool is, for who has the same name.
        let mut add =
            |spec: ToolSpec, whole: &str, pointer: &str, rename: &str, faults: &Faults| {
                let at = format!("{pointer}/name");
                if (self.definitions.is_taken)(&spec.name) {
                    let problem = format!("{} is the name of another tool here", shown(&spec.name));
                    faults.add(&at, problem, format!("give it another name{rename}"));
                } else if let Some((_, other)) = names.iter().find(|(name, _)| *name == spec.name) {
                    let problem = format!("{} is the name of {other} too", shown(&spec.name));
                    let hint = format!("give one of them another name{rename}");
                    faults.add(&at, problem, hint);
                }
                names.push((spec.name.clone(), whole.to_owned()));
                tools.extend(HttpTool::new(spec, &known, pointer, faults).map(Arc::new));
            };
        for (index, entry) in entries.iter().enumerate() {
            let pointer = format!("/tools/{index}");
            let Some(table) = Table::new(entry, &pointer, TOOL_KEYS, faults) else {
                continue;
            };
            if table.has("operation") {
                if let Some((at, spec)) = self.overridden(&table, imported.as_ref(), &specs) {
                    specs.insert(at, (spec, pointer));
                }
            } else if let Some(spec) = self.tool(&table, None) {
                entries_of.insert(spec.name.clone(), pointer.clone());
                add(spec, &pointer, &pointer, "", faults);
            }
        }
        if let Some(imported) = imported {
            let of_file = Faults::default();
            let mut ids = BTreeSet::new();
            for (index, operation) in imported.operations.into_iter().enumerate() {
                let at = operation.pointer;
                let is_new = ids.insert(operation.id.clone());
                let Some((spec, entry)) = specs.remove(&index) else {
                    let id = escape_str(&operation.id);
                    let rename = match is_new {
                        true => {
                            format!(": add [[tools]] with operation = \"{id}\" and name = \"…\"")
                        }
                        false => format!(": both have the operationId `{id}`"),
                    };
                    add(operation.spec, &at, &at, &rename, &of_file);
                    continue;
                };
                entries_of.insert(spec.name.clone(), entry.clone());
                let found = Faults::default();
                add(spec, &entry, "", "", &found);
                for fault in found.into_vec() {
                    let (holder, faults) = match is_of_file(&fault.pointer) {
                        true => (&at, &of_file),
                        false => (&entry, faults),
                    };
                    let pointer = format!("{holder}{}", fault.pointer);
                    faults.add(pointer, fault.problem, fault.hint);
                }
            }
            let found = of_file.into_vec();
            self.elsewhere(&imported.file, &imported.text, found);
        }
        if tools.len() > MOST_TOOLS {
            let problem = format!("there are {} tools, more than {MOST_TOOLS}", tools.len());
            faults.add("/api", problem, "choose with `include` and `exclude`");
        }
        let machine = match self.machine.take() {
            Some(Machine::Ready(machine)) => Some(machine),
            _ => None,
        };
        Some(HttpTools {
            api: api?,
            tools,
            machine,
            entries: entries_of,
        })
    }

    fn elsewhere(&mut self, file: &str, text: &str, faults: Vec<Fault>) {
        if faults.is_empty() {
            return;
        }
        let lines = DocumentLines::read(text);
        for fault in faults {
            let line = lines.line(&fault.pointer);
            self.elsewhere.push(in_file(file, line, fault));
        }
    }

    fn api(&self, table: &Table<'_>) -> Option<Arc<Api>> {
        let base_url = self.base_url(table);
        let credential = self.credential(table);
        if !table.has("credential") {
            let hint = "set it to \"session\", \"oauth\", \"m2m\", \"none\", { jwt_template = \"…\" } or { \
                        header = \"…\", secret_env = \"…\" }";
            table
                .faults
                .add(&table.pointer, "`credential` is missing", hint);
        }
        let mut headers = HeaderMap::new();
        for (name, text) in table.text_map("headers") {
            let at = format!("{}/{}", table.at("headers"), token(name));
            let Some(name) = own_header(name, true, &at, table.faults) else {
                continue;
            };
            match HeaderValue::from_str(text) {
                Ok(value) => drop(headers.insert(name, value)),
                Err(_) => table.faults.add(
                    at,
                    "this is no value of a header",
                    "use visible ASCII characters and spaces",
                ),
            }
        }
        Some(Arc::new(Api {
            base_url: base_url?,
            headers,
            timeout: table.duration("timeout").unwrap_or(DEFAULT_TIMEOUT),
            max_response: table.size("max_response").unwrap_or(DEFAULT_MAX_RESPONSE),
            credential: credential?,
        }))
    }

    /// Where the API is: a variable wins over the file, so that one file serves the API that is tried
    /// and the one that is meant.
    fn base_url(&self, table: &Table<'_>) -> Option<BaseUrl> {
        let variable = (self.definitions.env)(BASE_URL_VARIABLE);
        let Some(text) = variable.filter(|text| !text.trim().is_empty()) else {
            if !table.has("base_url") {
                let hint = format!("add base_url = \"https://…\", or set {BASE_URL_VARIABLE}");
                table
                    .faults
                    .add(&table.pointer, "`base_url` is missing", hint);
            }
            return table.parsed("base_url", BaseUrl::parse);
        };
        BaseUrl::parse(text.trim())
            .map_err(|error| {
                let error = error.to_string();
                let (problem, hint) = error.split_once("\nhint: ").unwrap_or((&error, ""));
                let problem = format!("{BASE_URL_VARIABLE}: {}: {problem}", shown(&text));
                table.faults.add(&table.pointer, problem, hint);
            })
            .ok()
    }

    fn import(&mut self, table: &Table<'_>, api: Option<&Api>) -> Option<Imported> {
        let include = table.texts("include");
        let exclude = table.texts("exclude");
        let Some(file) = table.text("openapi") else {
            for key in ["include", "exclude"] {
                if table.has(key) {
                    table.fault(
                        key,
                        "there is no OpenAPI file to choose from",
                        "add openapi = \"…\"",
                    );
                }
            }
            return None;
        };
        let text = self.file(table, "openapi", file)?;
        let (faults, in_list) = (Faults::default(), Faults::default());
        let choice = openapi::Choice {
            include: include.unwrap_or_else(|| vec!["*".to_owned()]),
            exclude: exclude.unwrap_or_default(),
            own_headers: api.map(Api::own_headers).unwrap_or_default(),
        };
        let imported = openapi::import(file, &text, &choice, &faults, &in_list);
        for fault in in_list.into_vec() {
            let at = format!("{}{}", table.pointer, fault.pointer);
            table.faults.add(at, fault.problem, fault.hint);
        }
        self.elsewhere(file, &text, faults.into_vec());
        imported
    }

    pub(super) fn file(&self, table: &Table<'_>, key: &str, name: &str) -> Option<String> {
        let read = (self.definitions.read_file)(Path::new(name));
        read.map_err(|error| {
            let problem = format!("the file {} cannot be read: {error}", shown(name));
            table.fault(
                key,
                problem,
                "check the path, and that the server's user may read it",
            );
        })
        .ok()
    }

    /// An operation of the OpenAPI file, with what the entry says instead.
    fn overridden(
        &self,
        table: &Table<'_>,
        imported: Option<&Imported>,
        known: &BTreeMap<usize, (ToolSpec, String)>,
    ) -> Option<(usize, ToolSpec)> {
        let operation = table.text("operation")?;
        let Some(imported) = imported else {
            table.fault(
                "operation",
                "there is no OpenAPI file",
                "add `openapi` to [api]",
            );
            return None;
        };
        for key in REQUEST_KEYS {
            if table.has(key) {
                let hint = "remove it; or, for another request, remove `operation`";
                table.fault(key, "the OpenAPI file says this of an operation", hint);
            }
        }
        let found = imported.operations.iter().position(|o| o.id == operation);
        let Some(index) = found else {
            let ids = imported
                .operations
                .iter()
                .map(|operation| operation.id.as_str());
            let hint = match toolkit::pattern::nearest(operation, ids) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "it must be an operationId that `include` chooses".to_owned(),
            };
            let problem = format!("{} is no operation that is chosen", shown(operation));
            table.fault("operation", problem, hint);
            return None;
        };
        let same = |other: &openapi::Operation| other.id == operation;
        if let Some(other) = imported.operations.iter().skip(index + 1).find(|o| same(o)) {
            let problem = format!(
                "{} is the operationId of {} and {}",
                shown(operation),
                imported.operations[index].pointer,
                other.pointer
            );
            let hint = "give each an operationId of its own in the OpenAPI file";
            table.fault("operation", problem, hint);
            return None;
        }
        if known.contains_key(&index) {
            table.fault(
                "operation",
                "this operation has an entry already",
                "make one of them",
            );
            return None;
        }
        let spec = self.tool(table, Some(imported.operations[index].spec.clone()))?;
        Some((index, spec))
    }
}

/// An API that only stands for one while faults are looked for.
fn stand_in() -> Arc<Api> {
    Arc::new(Api {
        base_url: BaseUrl::unusable(),
        headers: HeaderMap::new(),
        timeout: DEFAULT_TIMEOUT,
        max_response: DEFAULT_MAX_RESPONSE,
        credential: CredentialKind::None,
    })
}
