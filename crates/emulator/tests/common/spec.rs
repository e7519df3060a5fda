//! Checks answers against Clerk's OpenAPI files of the Backend API and the Frontend API, which are
//! not part of this repository: they are read from `CLERK_SPEC_DIR`, or from `shared/clerk` beside the workspace. Without them the tests run
//! and only this part is left out.

use http::Method;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

/// Refusals that Clerk documents on its page of errors, or gives to every operation, and that the
/// OpenAPI file does not list for the operation.
const UNLISTED: [(&str, u16, &str); 19] = [
    ("getOAuthTokenInfo", 400, "no token to look at"),
    ("UsersBan", 404, "an id of no user"),
    ("UsersUnban", 404, "an id of no user"),
    ("UsersBan", 422, "no ids"),
    ("BanUser", 404, "an id of no user"),
    ("UnbanUser", 404, "an id of no user"),
    ("LockUser", 404, "an id of no user"),
    ("UnlockUser", 404, "an id of no user"),
    ("UsersGetOrganizationMemberships", 404, "an id of no user"),
    ("UpdateEmailAddress", 422, "FormUnverifiedIdentification"),
    ("createSession", 403, "UserBanned"),
    ("CreateSessionToken", 422, "a lifetime out of bounds"),
    (
        "UpdateOrganizationMembership",
        400,
        "OrganizationMinimumPermissionsNeeded",
    ),
    (
        "DeleteOrganizationMembership",
        400,
        "OrganizationMinimumPermissionsNeeded",
    ),
    ("ListOrganizationMemberships", 404, "OrganizationNotFound"),
    (
        "GetOrganizationPermission",
        404,
        "OrganizationPermissionNotFound",
    ),
    (
        "ListInvitations",
        422,
        "a query parameter of the wrong type",
    ),
    (
        "GetOrganization",
        422,
        "a query parameter of the wrong type",
    ),
    (
        "RevokeOrganizationInvitation",
        422,
        "a parameter of the wrong type",
    ),
];

/// Statuses that any operation may answer.
const UNIVERSAL: [u16; 6] = [401, 413, 415, 429, 500, 503];

struct Spec {
    paths: Map<String, Value>,
    components: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

static BACKEND: LazyLock<Option<Spec>> = LazyLock::new(|| load("bapi-2026-05-12.yml"));
static FRONTEND: LazyLock<Option<Spec>> = LazyLock::new(|| load("fapi-2026-05-12.yml"));

fn load(name: &str) -> Option<Spec> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clerk");
    let folder = std::env::var_os("CLERK_SPEC_DIR").map_or(beside, PathBuf::from);
    let file = folder.join(name);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!(
            "answers are NOT checked against Clerk's OpenAPI file: there is no {}\n\
             hint: set CLERK_SPEC_DIR to the folder of {name}",
            file.display()
        );
        return None;
    };
    let options = serde_saphyr::options! { budget: None };
    let mut document: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    Some(Spec {
        paths,
        components: document["components"].take(),
        validators: Mutex::default(),
    })
}

/// Panics if the answer is not one that the operation of this request gives.
#[track_caller]
pub(crate) fn check(method: &Method, uri: &str, status: u16, body: &Value) {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let found = match path.strip_prefix("/v1").unwrap_or(path) {
        bare if ["/client/", "/me/", "/oauth/", "/.well-known/"]
            .iter()
            .any(|start| bare.starts_with(start)) =>
        {
            lookup(&FRONTEND, method, path)
        }
        // The Backend API is below /v1, but for what Clerk's SDK calls without it.
        bare if path != bare
            || [
                "/api_keys",
                "/m2m_tokens",
                "/oauth_applications/access_tokens/",
            ]
            .iter()
            .any(|start| bare.starts_with(start)) =>
        {
            lookup(&BACKEND, method, bare)
        }
        _ => None,
    };
    let Some((spec, operation)) = found else {
        return;
    };
    let name = operation["operationId"].as_str().unwrap();
    let response = &operation["responses"][status.to_string()];
    let known = UNIVERSAL.contains(&status)
        || UNLISTED
            .iter()
            .any(|(operation, code, _)| *operation == name && *code == status);
    assert!(
        !response.is_null() || known,
        "{name} does not list status {status}: {body}"
    );
    let response = spec.resolved(response);
    let schema = &response["content"]["application/json"]["schema"];
    if body["error"] == "invalid_scope" {
        // OAuth's own code (RFC 6749, 5.2), which the file leaves out of its list.
        return;
    }
    let schema = match (schema.is_null(), query.contains("paginated=true")) {
        // Clerk's form, or OAuth's (RFC 6749, 5.2).
        (true, _) if body.get("error").is_some() => json!({
            "type": "object",
            "required": ["error"],
            "properties": { "error": { "type": "string" }, "error_description": { "type": "string" } },
            "additionalProperties": false,
        }),
        (true, _) if status >= 400 => json!({ "$ref": "#/components/schemas/ClerkErrors" }),
        (true, _) => return,
        (false, false) => schema.clone(),
        (false, true) => json!({
            "type": "object",
            "required": ["data", "total_count"],
            "properties": { "data": schema, "total_count": { "type": "integer" } },
        }),
    };
    let paginated = if query.contains("paginated=true") {
        "paginated"
    } else {
        ""
    };
    let key = format!(
        "{name} {status} {paginated} {}",
        schema.is_object() && schema.get("required").is_some()
    );
    // Clerk's SDK reads both, which the file leaves out.
    let mut body = body.clone();
    if let ("verifyOAuthAccessToken", Some(members)) = (name, body.as_object_mut()) {
        members.retain(|member, _| member != "act" && member != "aud");
    }
    let body = &body;
    let validator = spec.validator(key, schema);
    let problems: Vec<String> = validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(
        problems.is_empty(),
        "{name} {status}: {problems:#?}\n{body:#}"
    );
}

fn lookup(
    spec: &'static LazyLock<Option<Spec>>,
    method: &Method,
    path: &str,
) -> Option<(&'static Spec, &'static Value)> {
    let spec = spec.as_ref()?;
    Some((spec, spec.operation(method, path)?))
}

impl Spec {
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let method = method.as_str().to_lowercase();
        let fits = |template: &str| {
            let (expected, given) = (template.split('/'), path.split('/'));
            expected.clone().count() == given.clone().count()
                && expected
                    .zip(given)
                    .all(|(one, other)| one.starts_with('{') || one == other)
        };
        // A fixed path is not the parameter of another, even where the file says no more of it.
        let found = self.paths.iter().filter(|(template, _)| fits(template));
        let (_, item) = found.min_by_key(|(template, _)| template.matches('{').count())?;
        item.get(&method)
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix("#/components/responses/"))
        {
            Some(name) => &self.components["responses"][name],
            None => value,
        }
    }

    fn validator(&self, key: String, schema: Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let make = || {
            let mut definitions = Map::new();
            let mut root = self.translate(&schema, &mut definitions);
            root["$defs"] = Value::Object(definitions);
            Arc::new(jsonschema::draft202012::new(&root).unwrap())
        };
        validators.entry(key).or_insert_with(make).clone()
    }

    /// From OpenAPI 3.0 to JSON Schema: `nullable`, and references to components.
    fn translate(&self, schema: &Value, definitions: &mut Map<String, Value>) -> Value {
        let Value::Object(members) = schema else {
            return match schema {
                Value::Array(items) => items
                    .iter()
                    .map(|item| self.translate(item, definitions))
                    .collect(),
                other => other.clone(),
            };
        };
        if let Some(Value::String(reference)) = members.get("$ref") {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            if !definitions.contains_key(name) {
                definitions.insert(name.to_owned(), Value::Null);
                let target = self.translate(&self.components["schemas"][name], definitions);
                definitions.insert(name.to_owned(), target);
            }
            return json!({ "$ref": format!("#/$defs/{name}") });
        }
        let dropped = [
            "nullable",
            "discriminator",
            "example",
            "description",
            "format",
            "xml",
        ];
        let kept = members
            .iter()
            .filter(|(name, _)| !dropped.contains(&name.as_str()));
        let translated = kept.map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    let all = properties.iter();
                    let all =
                        all.map(|(name, one)| (name.clone(), self.translate(one, definitions)));
                    Value::Object(all.collect())
                }
                ("enum" | "required" | "default", value) => value.clone(),
                (_, value) => self.translate(value, definitions),
            };
            (name.clone(), value)
        });
        let translated = Value::Object(translated.collect());
        if members.get("nullable") == Some(&json!(true)) {
            json!({ "anyOf": [{ "type": "null" }, translated] })
        } else {
            translated
        }
    }
}
