//! `credential` of `[api]` or of a tool.

use http::HeaderValue;
use serde_json::Value;

use super::{
    credential::{CredentialKind, StaticHeader},
    definitions::Reading,
    fault::shown,
    fields::is_ours,
    reader::Table,
};
use crate::config::Secret;

impl Reading<'_> {
    /// What `credential` says, if it is there and this server has it.
    pub(super) fn credential(&self, table: &Table<'_>) -> Option<CredentialKind> {
        let kind = self.named_credential(table)?;
        if let Some((problem, hint)) = (self.definitions.refuses)(&kind) {
            table.fault("credential", problem, hint);
            return None;
        }
        if kind == CredentialKind::M2m && !self.has_machine(table) {
            return None;
        }
        Some(kind)
    }

    fn named_credential(&self, table: &Table<'_>) -> Option<CredentialKind> {
        const WORDS: &str = "use \"session\", \"oauth\", \"m2m\", \"none\", { jwt_template = \"…\" } or { header \
                             = \"…\", secret_env = \"…\" }";
        let value = table.get("credential")?;
        if let Value::String(word) = value {
            let found = match word.as_str() {
                "session" => CredentialKind::Session,
                "oauth" => CredentialKind::Oauth,
                "m2m" => CredentialKind::M2m,
                "none" => CredentialKind::None,
                _ => {
                    table.fault("credential", format!("{} is none", shown(word)), WORDS);
                    return None;
                }
            };
            return Some(found);
        }
        let keys = &[
            "jwt_template",
            "header",
            "scheme",
            "secret_env",
            "secret_file",
        ];
        let inner = Table::new(value, table.at("credential"), keys, table.faults)?;
        if inner.has("jwt_template") {
            let name = inner.text("jwt_template")?;
            let good = inner.parsed("jwt_template", |name| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                let good = !name.is_empty() && name.bytes().all(plain);
                good.then_some(()).ok_or(
                    "it is no name of a JWT template\nhint: see JWT templates in Clerk's dashboard",
                )
            });
            return good.map(|()| CredentialKind::JwtTemplate(name.to_owned()));
        }
        self.static_header(&inner)
    }

    fn static_header(&self, table: &Table<'_>) -> Option<CredentialKind> {
        let text = table.needed("header")?;
        let name = text.parse().ok().filter(|name| !is_ours(name));
        let name =
            name.ok_or("no credential goes into this header\nhint: write it like Authorization");
        let name = table.checked("header", text, name)?;
        let secret = match (table.text("secret_env"), table.text("secret_file")) {
            (Some(variable), None) => {
                let value = (self.definitions.secret)(variable);
                let value = value.filter(|value| !value.trim().is_empty());
                let value = value.ok_or("this variable is not set\nhint: set it to the secret");
                table.checked("secret_env", variable, value)?
            }
            (None, Some(file)) => self.file(table, "secret_file", file)?,
            _ => {
                let hint = "set one of secret_env (a variable's name) and secret_file";
                table
                    .faults
                    .add(&table.pointer, "it needs one secret", hint);
                return None;
            }
        };
        let value = match table.text("scheme") {
            Some(scheme) => format!("{scheme} {}", secret.trim()),
            None => secret.trim().to_owned(),
        };
        if value.trim().is_empty() || HeaderValue::from_str(&value).is_err() {
            let hint = "it must be one line of visible characters";
            table
                .faults
                .add(&table.pointer, "the secret is no value of a header", hint);
            return None;
        }
        Some(CredentialKind::Header(StaticHeader {
            name,
            value: Secret::new(value),
        }))
    }
}
