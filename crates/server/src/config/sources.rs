//! Where values come from, and which wins: a flag, then a variable, then the file, then the default.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
};

use super::{
    document::{Document, Entry, Given, Raw, Values},
    environment::{Environment, Value},
    fault::{ConfigFault, Place, Warning, Wrong, shown},
    secret::Secret,
    settings::{self, Kind, Setting},
    unknown_variables::unknown_variables,
};
use crate::rust_tools::RustTool;

/// What a configuration is read from.
pub struct Sources<'a> {
    /// The configuration file's name, as given, and its text; `None` when there is none.
    pub toml: Option<(&'a str, &'a str)>,
    /// The environment. A variable that is empty counts as not set.
    pub env: &'a Environment,
    /// The command line's flags.
    pub flags: Flags,
    /// Reads a file that a setting names.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Whether every user of the machine may read a file.
    pub is_open_to_all: &'a dyn Fn(&Path) -> bool,
    /// What relative paths in the configuration file start from: its folder. Those of variables and
    /// flags start from the working directory.
    pub base_dir: &'a Path,
    /// Tools written in Rust, which the program brings along.
    pub tools: &'a [RustTool],
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("flags", &self.flags)
            .field("base_dir", &self.base_dir)
            .finish_non_exhaustive()
    }
}

/// The command line's flags that are settings, as they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--public-url`
    pub public_url: Option<String>,
    /// `--bind`
    pub bind: Option<String>,
    /// `--database`
    pub database: Option<String>,
}

impl Flags {
    fn get(&self, flag: &str) -> Option<&String> {
        match flag {
            "--public-url" => self.public_url.as_ref(),
            "--bind" => self.bind.as_ref(),
            "--database" => self.database.as_ref(),
            _ => None,
        }
    }
}

/// What is read in place of keys and addresses of Clerk's that are not given, where only the tools are
/// wanted: they open nothing, and nothing is sent.
const STAND_INS: [(&Setting, &str); 4] = [
    (&settings::SECRET_KEY, "sk_test_not_given"),
    (&settings::FRONTEND_API, "https://not-given.invalid"),
    (&settings::CLIENT_ID, "not-given"),
    (&settings::APP_URL, "https://not-given.invalid"),
];
/// The same for any secret of tools over an API: it has the form of a machine's secret key.
const SECRET_STAND_IN: &str = "ak_not_given";

/// The sources, and what was found wrong in them so far. A faulty value is noted and reads as
/// `None`: whoever needs it goes on, so that all faults are found at once.
pub(super) struct Reading<'a> {
    sources: &'a Sources<'a>,
    values: Values,
    tables: BTreeMap<String, Vec<Entry>>,
    /// Whether only the tools are wanted: then keys may be missing.
    only_tools: bool,
    /// The names of all variables that were looked for.
    asked: RefCell<BTreeSet<String>>,
    faults: RefCell<Vec<ConfigFault>>,
    warnings: RefCell<Vec<Warning>>,
}

impl<'a> Reading<'a> {
    /// # Errors
    /// As [`Document::parse`].
    pub(super) fn new(
        sources: &'a Sources<'a>,
        only_tools: bool,
    ) -> Result<Self, Vec<ConfigFault>> {
        let (document, faults) = match sources.toml {
            Some((name, text)) => Document::parse(name, text)?,
            None => <_>::default(),
        };
        Ok(Self {
            sources,
            values: document.values,
            tables: document.tables,
            only_tools,
            asked: RefCell::default(),
            faults: RefCell::new(faults),
            warnings: RefCell::default(),
        })
    }

    /// What is read.
    pub(super) fn sources(&self) -> &'a Sources<'a> {
        self.sources
    }

    pub(super) fn finish(self) -> (Vec<ConfigFault>, Vec<Warning>) {
        let mut faults = self.faults.into_inner();
        let mut warnings = self.warnings.into_inner();
        let unknown = unknown_variables(self.sources.env, &self.asked.into_inner());
        if faults.is_empty() {
            warnings.extend(unknown);
        } else {
            // They may well be why something else is missing.
            faults.extend(unknown.into_iter().map(ConfigFault::from));
        }
        (faults, warnings)
    }

    pub(super) fn fault(&self, fault: ConfigFault) {
        self.faults.borrow_mut().push(fault);
    }

    pub(super) fn warn(&self, place: Place, problem: &str, hint: &str) {
        self.warnings.borrow_mut().push(Warning {
            place,
            problem: problem.to_owned(),
            hint: hint.to_owned(),
        });
    }

    /// The entries of a repeated table.
    pub(super) fn entries(&self, table: &str) -> &[Entry] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// The value of a setting, and where it stands; `None` when it has neither value nor default.
    pub(super) fn given(&self, setting: &Setting) -> Option<Given> {
        let flag = setting
            .flag
            .and_then(|flag| Some((Place::Flag(flag), self.sources.flags.get(flag)?.clone())));
        let over = flag.or_else(|| {
            let name = setting.env?;
            Some((Place::Variable(name.to_owned()), self.variable(name)?))
        });
        if let Some((place, text)) = over {
            let raw = match setting.kind {
                Kind::List => Raw::Many(separated(&text)),
                _ => Raw::One(text.trim().to_owned()),
            };
            return Some(Given { place, raw });
        }
        self.values
            .get(setting.key)
            .cloned()
            .or_else(|| default_of(setting))
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        match self.sources.env.get(name)? {
            Value::Text(text) => Some(text),
            Value::NoText(rest) => {
                let problem = "its value is no text (UTF-8)";
                let hint =
                    "set it again; bytes are written as base64, as by `openssl rand -base64 32`";
                let fault = Wrong::new(problem, hint).at(Place::Variable(name.to_owned()));
                // One may be looked for more than once.
                if !self.faults.borrow().contains(&fault) {
                    self.fault(fault);
                }
                Some(rest)
            }
        }
    }

    /// A text that may be absent: `Some(None)`. A faulty one is `None`.
    pub(super) fn optional<T>(
        &self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        match self.given(setting) {
            None => Some(None),
            Some(given) => self.parsed(&given, parse).map(Some),
        }
    }

    /// A text that must be there.
    pub(super) fn required<T>(
        &self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let given = self.given(setting).or_else(|| self.stand_in(setting));
        if given.is_none() {
            self.fault(missing(setting, Place::Setting(setting.key.to_owned())));
        }
        self.parsed(&given?, parse)
    }

    /// Whether only the tools are wanted: then keys may be missing.
    pub(super) fn only_tools(&self) -> bool {
        self.only_tools
    }

    /// What is read where only the tools are wanted and this is not given.
    pub(super) fn stand_in(&self, setting: &Setting) -> Option<Given> {
        let stand_in = STAND_INS.iter().find(|(of, _)| of.key == setting.key);
        let (_, text) = stand_in.filter(|_| self.only_tools)?;
        let place = Place::Setting(setting.key.to_owned());
        self.warn_of_missing(place.clone());
        Some(Given {
            place,
            raw: Raw::One((*text).to_owned()),
        })
    }

    /// The variable that a secret of a tool is in.
    pub(super) fn secret_variable(&self, name: &str) -> Option<String> {
        let value = self.variable(name);
        if value.is_some() || !self.only_tools {
            return value;
        }
        self.warn_of_missing(Place::Variable(name.to_owned()));
        Some(SECRET_STAND_IN.to_owned())
    }

    fn warn_of_missing(&self, place: Place) {
        let hint = "`clerk-mcp serve --check` checks it all";
        let problem = "it is not given, and what needs it is not checked";
        // Several tools may need the same.
        let is_told = |known: &Warning| known.place == place && known.problem == problem;
        if !self.warnings.borrow().iter().any(is_told) {
            self.warn(place, problem, hint);
        }
    }

    /// A text that must be there, in an entry of a repeated table.
    pub(super) fn required_in<T>(
        &self,
        entry: &Entry,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        match self.given_in(entry, setting) {
            Some(given) => self.parsed(&given, parse),
            None => {
                self.fault(missing(setting, entry.place.clone()));
                None
            }
        }
    }

    /// The texts of a list; without a value and a default, none.
    pub(super) fn list<T>(
        &self,
        given: Option<Given>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let Some(given) = given else {
            return Some(Vec::new());
        };
        let texts = match &given.raw {
            Raw::Many(texts) => texts.as_slice(),
            Raw::One(text) => std::slice::from_ref(text),
            Raw::Map(_) => &[],
        };
        // Every one is read, so that every fault is told.
        let read: Vec<Option<T>> = texts
            .iter()
            .map(|text| self.checked(&given.place, text, parse(text)))
            .collect();
        read.into_iter().collect()
    }

    pub(super) fn given_in(&self, entry: &Entry, setting: &Setting) -> Option<Given> {
        entry
            .values
            .get(setting.key)
            .cloned()
            .or_else(|| default_of(setting))
    }

    pub(super) fn parsed<T>(
        &self,
        given: &Given,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let Raw::One(text) = &given.raw else {
            return None;
        };
        self.checked(&given.place, text, parse(text))
    }

    /// Notes a fault with the value it is about.
    fn checked<T>(&self, place: &Place, text: &str, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| {
            let problem = format!("{}: {}", shown(text), wrong.problem);
            self.fault(Wrong::new(problem, wrong.hint).at(place.clone()));
        })
        .ok()
    }

    /// A secret: of its variable, or of the file that a second variable or the configuration file
    /// names. The text comes with the place it stands in. `Some(None)` when there is none.
    pub(super) fn secret(
        &self,
        setting: &Setting,
        variable: &str,
        values: &Values,
    ) -> Option<Option<(Place, Secret)>> {
        let file_variable = format!("{variable}_FILE");
        let text = self.variable(variable);
        let file = self.variable(&file_variable);
        let (place, path) = match (text, file) {
            (Some(_), Some(_)) => {
                let problem =
                    format!("{variable} is set as well, and only one of the two can count");
                let wrong = Wrong::new(problem, "unset one of them");
                self.fault(wrong.at(Place::Variable(file_variable)));
                return None;
            }
            (Some(text), None) => {
                let place = Place::Variable(variable.to_owned());
                return Some(Some((place, Secret::new(text.trim()))));
            }
            (None, Some(path)) => (Place::Variable(file_variable), PathBuf::from(path.trim())),
            (None, None) => match values.get(&setting.file_key()) {
                Some(given) => (given.place.clone(), self.path(given)?),
                None => return Some(None),
            },
        };
        let text = self.file(&place, &path)?;
        if (self.sources.is_open_to_all)(&path) {
            let path = shown(&path.to_string_lossy());
            self.warn(
                place.clone(),
                &format!(
                    "every user of this machine can read the file {path}, which holds a secret"
                ),
                &format!("chmod 600 {path}, owned by the server's user, or 640 with its group"),
            );
        }
        if text.trim().is_empty() {
            let problem = format!("the file {} is empty", shown(&path.to_string_lossy()));
            self.fault(Wrong::new(problem, "put the secret into it, alone").at(place));
            return None;
        }
        Some(Some((place, Secret::new(text.trim()))))
    }

    /// A secret of the whole configuration.
    pub(super) fn global_secret(&self, setting: &Setting) -> Option<Option<(Place, Secret)>> {
        self.secret(setting, setting.env.unwrap_or_default(), &self.values)
    }

    /// The text of a file that a setting names.
    pub(super) fn file(&self, place: &Place, path: &Path) -> Option<String> {
        (self.sources.read_file)(path)
            .map_err(|error| {
                let path = shown(&path.to_string_lossy());
                let wrong = Wrong::new(
                    format!("the file {path} cannot be read: {error}"),
                    "check the path, and that the server's user may read it",
                );
                self.fault(wrong.at(place.clone()));
            })
            .ok()
    }

    /// A path, from where it was given.
    pub(super) fn path(&self, given: &Given) -> Option<PathBuf> {
        let path = self.parsed(given, |text| {
            let bad = text.is_empty() || text.contains('\0');
            if bad {
                Err(Wrong::new("it is no path", "name a file"))
            } else {
                Ok(PathBuf::from(text))
            }
        })?;
        Some(match given.place {
            Place::File { .. } => self.sources.base_dir.join(path),
            _ => path,
        })
    }
}

fn default_of(setting: &Setting) -> Option<Given> {
    let text = setting.default?;
    let raw = match setting.kind {
        Kind::List => Raw::Many(separated(text)),
        _ => Raw::One(text.to_owned()),
    };
    let place = Place::Setting(setting.key.to_owned());
    Some(Given { place, raw })
}

fn separated(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The fault that a setting is missing.
pub(super) fn missing(setting: &Setting, place: Place) -> ConfigFault {
    let name = setting.key.rsplit('.').next().unwrap_or(setting.key);
    let hint = match (setting.env, setting.kind) {
        (Some(variable), Kind::Secret) => {
            format!("set the variable {variable}, or name a file: {name}_file = \"…\"")
        }
        (Some(variable), _) => format!(
            "set the variable {variable}, or `{}` in the file",
            setting.key
        ),
        (None, _) => format!("add {name} = …"),
    };
    let problem = format!("`{name}` is missing: {}", setting.about);
    Wrong::new(problem, hint).at(place)
}
