//! Tools over the owner's API: definitions, requests, answers, and calls to servers that behave and
//! that do not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod calls;
mod definitions;
mod openapi;
mod requests;

use std::{collections::HashMap, io, path::Path, sync::Arc};

use clerk_mcp_server::http_tools::{DefinitionFault, Definitions, HttpTool, HttpTools};
use serde_json::{Map, Value};

/// The tools of a configuration file, beside these other files.
fn read(toml: &str, files: &[(&str, &str)]) -> Result<HttpTools, Vec<DefinitionFault>> {
    let files: HashMap<&str, &str> = files.iter().copied().collect();
    let read_file = |path: &Path| {
        let name = path.to_str().unwrap_or_default();
        let text = files.get(name).map(|text| (*text).to_owned());
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let env = |name: &str| match name {
        "API_KEY" => Some("s3cret-of-the-owner-0123456789".to_owned()),
        "CLERK_MACHINE_SECRET_KEY" => Some("ak_0123456789abcdef".to_owned()),
        _ => None,
    };
    let found = HttpTools::read(Definitions {
        name: "clerk-mcp.toml",
        text: toml,
        read_file: &read_file,
        env: &env,
        secret: &env,
        is_taken: &|name| name == "getUser",
        refuses: &|_| None,
    });
    found.map(|tools| tools.unwrap())
}

/// The only tool of a file that has one.
fn tool(toml: &str) -> Arc<HttpTool> {
    let tools = read(toml, &[]).unwrap();
    assert_eq!(tools.tools.len(), 1);
    Arc::clone(&tools.tools[0])
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}
