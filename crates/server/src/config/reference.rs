//! docs/CONFIGURATION.md, made of the table of settings.

use std::fmt::Write as _;

use super::settings::{ALL, Kind, Setting};

const BEFORE: &str = include_str!("reference_before.md");
const AFTER: &str = include_str!("reference_after.md");

/// The whole document.
fn document() -> String {
    let mut text = BEFORE.to_owned();
    let mut section = None;
    for setting in ALL {
        let (table, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        if section != Some(table) {
            section = Some(table);
            heading(&mut text, table);
        }
        row(&mut text, setting, name);
    }
    text.push_str(AFTER);
    text
}

fn heading(text: &mut String, table: &str) {
    let title = match table.strip_suffix("[]") {
        _ if table.is_empty() => "At the top of the file".to_owned(),
        Some(table) => format!("`[[{table}]]`, repeatable"),
        None => format!("`[{table}]`"),
    };
    let _ = write!(
        text,
        "\n### {title}\n\n| setting | variable, flag | type | default | |\n|---|---|---|---|---|\n"
    );
}

fn row(text: &mut String, setting: &Setting, name: &str) {
    let (name, mut given) = match (setting.kind, setting.env) {
        (Kind::Secret, Some(variable)) => (
            format!("`{name}_file`"),
            vec![format!("`{variable}`"), format!("`{variable}_FILE`")],
        ),
        (_, variable) => (
            format!("`{name}`"),
            variable.iter().map(|name| format!("`{name}`")).collect(),
        ),
    };
    given.extend(setting.flag.map(|flag| format!("`{flag}`")));
    let given = if given.is_empty() {
        "–".to_owned()
    } else {
        given.join(", ")
    };
    let kind = match setting.kind {
        Kind::Text => "text",
        Kind::Switch => "true, false",
        Kind::Integer => "whole number",
        Kind::List => "list",
        Kind::Map => "table",
        Kind::Secret => "secret",
    };
    let default = match (setting.kind, setting.default) {
        (Kind::List, Some("")) => "`[]`".to_owned(),
        (Kind::List, Some(value)) => format!("`[\"{}\"]`", value.replace(',', "\", \"")),
        (_, Some(value)) => format!("`{value}`"),
        (_, None) => setting.otherwise.to_owned(),
    };
    let about = setting.about;
    let _ = writeln!(text, "| {name} | {given} | {kind} | {default} | {about} |");
}

#[test]
fn the_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFIGURATION.md");
    let expected = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == expected,
        "docs/CONFIGURATION.md is not what the settings say; run the test with UPDATE_DOCS=1"
    );
}
