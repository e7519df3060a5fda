//! `[api.m2m]`: where machine-to-machine tokens come from.

use std::time::Duration;

use clerk::machine::{MachineSecretKey, MachineSecretKeyError, MachineTokenFormat};

use super::{definitions::Reading, reader::Table};

/// The variable of the machine's secret key, as Clerk's SDKs call it.
const VARIABLE: &str = "CLERK_MACHINE_SECRET_KEY";

/// How this server gets machine-to-machine tokens.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// The key of the machine that this server is.
    pub key: MachineSecretKey,
    /// The form of its tokens.
    pub format: MachineTokenFormat,
    /// How long each is good; `None` for the machine's default.
    pub lifetime: Option<Duration>,
}

/// What is known of it while definitions are read.
pub(super) enum Machine {
    Ready(MachineConfig),
    /// The variable holds no key. That is a fault once a tool wants one.
    Variable(MachineSecretKeyError),
    /// There is a fault, which has been told.
    Faulty,
}

impl Reading<'_> {
    /// Tells it when there is nothing to make M2M tokens with, at `credential` of this table.
    pub(super) fn has_machine(&self, table: &Table<'_>) -> bool {
        match &self.machine {
            Some(Machine::Ready(_) | Machine::Faulty) => true,
            Some(Machine::Variable(error)) => {
                let read: Result<(), _> = Err(*error);
                table.checked("credential", VARIABLE, read).is_some()
            }
            // A stand-in for it, where only the tools are wanted.
            None if (self.definitions.secret)(VARIABLE).is_some() => true,
            None => {
                let problem = "there is no machine's secret key to make tokens with";
                let hint = "set the variable CLERK_MACHINE_SECRET_KEY to the secret key of a \
                            machine (ak_…), or name another, or a file, in [api.m2m]";
                table.fault("credential", problem, hint);
                false
            }
        }
    }

    /// `[api.m2m]`, or the variable alone; `None` when there is neither.
    pub(super) fn machine(&self, api: &Table<'_>) -> Option<Machine> {
        let variable = |name: &str| {
            let value = (self.definitions.secret)(name);
            value.filter(|value| !value.trim().is_empty())
        };
        let Some(given) = api.get("m2m") else {
            let given = (self.definitions.env)(VARIABLE);
            let given = given.filter(|value| !value.trim().is_empty())?;
            let key = MachineSecretKey::parse(&given);
            return Some(match key {
                Ok(key) => Machine::Ready(MachineConfig {
                    key,
                    format: MachineTokenFormat::default(),
                    lifetime: None,
                }),
                Err(error) => Machine::Variable(error),
            });
        };
        let keys = &["secret_env", "secret_file", "format", "lifetime"];
        let table = Table::new(given, api.at("m2m"), keys, api.faults);
        let read = table.and_then(|table| {
            let faults = table.faults.count();
            let key = self.machine_key(&table, &variable);
            let format = table.parsed("format", |format| match format {
                "opaque" => Ok(MachineTokenFormat::Opaque),
                "jwt" => Ok(MachineTokenFormat::Jwt),
                _ => Err("a token has no such form\nhint: use opaque or jwt"),
            });
            let lifetime = table.lifetime("lifetime");
            (table.faults.count() == faults).then_some(MachineConfig {
                key: key?,
                format: format.unwrap_or_default(),
                lifetime,
            })
        });
        Some(read.map_or(Machine::Faulty, Machine::Ready))
    }

    fn machine_key(
        &self,
        table: &Table<'_>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Option<MachineSecretKey> {
        let (key, name, text) = match (table.text("secret_env"), table.text("secret_file")) {
            (Some(_), Some(_)) => {
                let hint = "keep one of secret_env and secret_file";
                let problem = "it has two secrets, and only one of them can count";
                table.faults.add(&table.pointer, problem, hint);
                return None;
            }
            (None, Some(file)) => ("secret_file", file, self.file(table, "secret_file", file)?),
            (name, None) => {
                let name = name.unwrap_or(VARIABLE);
                let value = variable(name);
                let value = value.ok_or(
                    "this variable is not set\nhint: set it to the machine's secret key, ak_…",
                );
                (
                    "secret_env",
                    name,
                    table.checked("secret_env", name, value)?,
                )
            }
        };
        table.checked(key, name, MachineSecretKey::parse(&text))
    }
}
