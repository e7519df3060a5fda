//! The configuration file as flat keys with their lines. What it may not hold is refused here:
//! unknown keys, secrets, values of another type.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use toolkit::pattern::nearest;

use super::{
    fault::{ConfigFault, Place, Wrong, shown},
    settings::{self, Kind, Setting},
};

/// Values by key, as the settings spell it.
pub(super) type Values = BTreeMap<String, Given>;

/// A value that somebody gave, and where.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) place: Place,
    pub(super) raw: Raw,
}

/// A value as text, whatever it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    One(String),
    Many(Vec<String>),
    Map(Vec<(String, String)>),
}

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) values: Values,
    /// Repeated tables, by their name: `access`.
    pub(super) tables: BTreeMap<String, Vec<Entry>>,
}

/// One of a repeated table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) values: Values,
    /// Whether all that stands in it could be read.
    pub(super) is_whole: bool,
}

/// Keys that people try, and why they are none.
const REFUSED: &[(&str, &str, &str)] = &[(
    "storage.url",
    "PostgreSQL is not in this version",
    "use `path`, a SQLite file; PostgreSQL is planned",
)];

/// Tables with a shape of their own, which `http_tools` reads.
const READ_ELSEWHERE: [&str; 2] = ["api", "tools"];

impl Document {
    /// Reads a file, with what is wrong in it.
    ///
    /// # Errors
    /// Where it is no TOML, those faults alone: what could be made of the rest of it, and what seems to
    /// be missing in it, would be guesses.
    pub(super) fn parse(
        name: &str,
        text: &str,
    ) -> Result<(Self, Vec<ConfigFault>), Vec<ConfigFault>> {
        let mut reader = Reader {
            name,
            text,
            faults: Vec::new(),
            document: Self::default(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let place = reader.place(at, "");
            let problem = format!("this is not TOML: {}", error.message());
            let hint = "see https://toml.io; texts stand in quotes";
            reader.faults.push(Wrong::new(problem, hint).at(place));
        }
        if !reader.faults.is_empty() {
            return Err(reader.faults);
        }
        let values = reader.table(table.get_ref(), "");
        reader.document.values = values;
        Ok((reader.document, reader.faults))
    }
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    faults: Vec<ConfigFault>,
    document: Document,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, prefix: &str) -> Values {
        let mut values = Values::new();
        for (key, value) in table {
            if prefix.is_empty() && READ_ELSEWHERE.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let at = key.span().start;
            let key = join(prefix, key.get_ref());
            let setting = settings::find(&key);
            let read = match setting {
                Some(setting) if setting.kind == Kind::Secret => Err(secret_in_file(setting)),
                Some(setting) => raw(setting.kind, value.get_ref()).map(Some),
                None if settings::find_secret_file(&key).is_some() => {
                    raw(Kind::Text, value.get_ref()).map(Some)
                }
                None => self.section(&key, value, &mut values).map(|()| None),
            };
            let place = self.place(at, &key);
            match read {
                Ok(Some(raw)) => drop(values.insert(key, Given { place, raw })),
                Ok(None) => {}
                Err(wrong) => self.faults.push(wrong.at(place)),
            }
        }
        values
    }

    /// What is no setting: a table of settings, a repeated one, or a mistake.
    fn section(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        values: &mut Values,
    ) -> Result<(), Wrong> {
        let is_parent = |prefix: &str| settings::keys().any(|known| known.starts_with(prefix));
        if is_parent(&format!("{key}[].")) {
            let array = value
                .get_ref()
                .as_array()
                .ok_or_else(|| not_a_table(value.get_ref(), &format!("[[{key}]]")))?;
            for element in array {
                let Some(table) = element.get_ref().as_table() else {
                    return Err(not_a_table(element.get_ref(), &format!("[[{key}]]")));
                };
                let known = self.faults.len();
                let entry = Entry {
                    place: self.place(element.span().start, key),
                    values: self.table(table, &format!("{key}[]")),
                    is_whole: self.faults.len() == known,
                };
                let tables = &mut self.document.tables;
                tables.entry(key.to_owned()).or_default().push(entry);
            }
            return Ok(());
        }
        if is_parent(&format!("{key}.")) {
            let Some(table) = value.get_ref().as_table() else {
                return Err(not_a_table(value.get_ref(), &format!("[{key}]")));
            };
            let inner = self.table(table, key);
            values.extend(inner);
            return Ok(());
        }
        if let Some((_, problem, hint)) = REFUSED.iter().find(|(name, ..)| *name == key) {
            return Err(Wrong::new(*problem, *hint));
        }
        Err(unknown(key))
    }

    fn place(&self, at: usize, key: &str) -> Place {
        let before = self.text.as_bytes().iter().take(at);
        Place::File {
            name: self.name.to_owned(),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            key: key.replace("[]", ""),
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}

fn raw(kind: Kind, value: &DeValue<'_>) -> Result<Raw, Wrong> {
    let texts = |values: &toml::de::DeArray<'_>| {
        let texts = values.iter().map(|value| value.get_ref().as_str());
        let texts: Option<Vec<&str>> = texts.collect();
        texts.map(|texts| texts.into_iter().map(str::to_owned).collect())
    };
    let read = match (kind, value) {
        (Kind::Text | Kind::Secret, DeValue::String(text)) => Some(Raw::One(text.to_string())),
        (Kind::Switch, DeValue::Boolean(switch)) => Some(Raw::One(switch.to_string())),
        (Kind::Integer, DeValue::Integer(number)) => Some(Raw::One(number.to_string())),
        (Kind::List, DeValue::Array(values)) => texts(values).map(Raw::Many),
        (Kind::List, DeValue::String(text)) => Some(Raw::Many(vec![text.to_string()])),
        (Kind::Map, DeValue::Table(table)) => {
            let pairs = table.iter().map(|(name, value)| {
                let value = value.get_ref().as_str()?;
                Some((name.get_ref().to_string(), value.to_owned()))
            });
            pairs.collect::<Option<_>>().map(Raw::Map)
        }
        _ => None,
    };
    read.ok_or_else(|| {
        let (name, example) = match kind {
            Kind::Text | Kind::Secret => ("a text", "in quotes: \"…\""),
            Kind::Switch => ("true or false", "without quotes"),
            Kind::Integer => ("a whole number", "without quotes: 20"),
            Kind::List => ("a list of texts", "[\"…\", \"…\"]"),
            Kind::Map => ("a table of texts", "{ \"…\" = \"…\" }"),
        };
        Wrong::new(
            format!("this is {}, not {name}", article(value)),
            format!("write {name}, {example}"),
        )
    })
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a switch",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list of something else",
        DeValue::Table(_) => "a table",
    }
}

fn not_a_table(value: &DeValue<'_>, header: &str) -> Wrong {
    let of = if header.starts_with("[[") {
        "one of several tables"
    } else {
        "a table"
    };
    Wrong::new(
        format!("this is {}, not {of}", article(value)),
        format!("begin it with the line {header}"),
    )
}

fn secret_in_file(setting: &Setting) -> Wrong {
    let file = last(setting.key).to_owned() + "_file";
    Wrong::new(
        "a secret does not belong in this file",
        format!(
            "remove it, change the secret if others could read it, and set the variable {} or name \
             a file: {file} = \"…\"",
            setting.env.unwrap_or_default()
        ),
    )
}

fn unknown(key: &str) -> Wrong {
    let known: Vec<String> = settings::keys().collect();
    let (parent, name) = key.rsplit_once('.').unwrap_or(("", key));
    let prefix = if parent.is_empty() {
        String::new()
    } else {
        format!("{parent}.")
    };
    let siblings: Vec<&str> = {
        let below = known.iter().filter_map(|known| known.strip_prefix(&prefix));
        // Of a deeper key, the table's name.
        let names = below.map(|rest| rest.split('.').next().unwrap_or(rest));
        names.map(|name| name.trim_end_matches("[]")).collect()
    };
    let elsewhere = || known.iter().find(|known| last(known) == name);
    let meant = nearest(name, siblings.iter().copied())
        .map(|near| format!("{prefix}{near}"))
        .or_else(|| elsewhere().cloned());
    let hint = match meant {
        Some(meant) => format!("did you mean `{}`?", meant.replace("[]", "")),
        None if siblings.is_empty() => "see docs/CONFIGURATION.md".to_owned(),
        None => {
            let mut names = siblings;
            names.dedup();
            format!("the keys here are {}", names.join(", "))
        }
    };
    Wrong::new(
        format!("{} is no setting", shown(&key.replace("[]", ""))),
        hint,
    )
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
