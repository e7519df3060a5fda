//! Results for people: tables and indented text instead of JSON.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

/// The widest a table's cell gets, in characters.
const CELL_WIDTH: usize = 44;

/// Columns that say the most about Clerk's objects, in order of interest.
const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("USER", "/public_user_data/user_id"),
    ("IDENTIFIER", "/public_user_data/identifier"),
    ("ORGANIZATION", "/organization/name"),
    ("NAME", "/name"),
    ("SLUG", "/slug"),
    ("FIRST NAME", "/first_name"),
    ("LAST NAME", "/last_name"),
    ("E-MAIL", "/email_addresses/0/email_address"),
    ("E-MAIL", "/email_address"),
    ("ROLE", "/role"),
    ("STATUS", "/status"),
    ("MEMBERS", "/members_count"),
    ("CREATED", "/created_at"),
];

/// A tool's result as text for a person.
pub(crate) fn render(result: &Map<String, Value>) -> String {
    let Some(Value::Array(rows)) = result.get("data") else {
        return indented(&Value::Object(result.clone()), 0);
    };
    let mut text = if rows.is_empty() {
        "nothing found".to_owned()
    } else {
        table(rows)
    };
    let count = rows.len();
    let of = result
        .get("total_count")
        .map(|total| format!(" of {total}"))
        .unwrap_or_default();
    let _ = write!(text, "\n{count}{of} shown");
    if let Some(hint) = result.get("hint").and_then(Value::as_str) {
        let _ = write!(text, "; {}", on_one_line(hint));
    }
    text
}

/// Rows of objects by the columns that any of them has; other rows as they are.
fn table(rows: &[Value]) -> String {
    let columns: Vec<_> = COLUMNS
        .iter()
        .filter(|(_, pointer)| rows.iter().any(|row| shown(row.pointer(pointer)).is_some()))
        .collect();
    if columns.is_empty() {
        return rows
            .iter()
            .map(|row| indented(row, 0))
            .collect::<Vec<_>>()
            .join("\n");
    }
    let mut table = Table::new(&columns.iter().map(|(title, _)| *title).collect::<Vec<_>>());
    for row in rows {
        let cells = columns
            .iter()
            .map(|(_, pointer)| match (*pointer, row.pointer(pointer)) {
                ("/created_at", Some(Value::Number(at))) => date(at.as_i64()),
                (_, value) => shown(value).unwrap_or_default(),
            });
        table.row(cells);
    }
    table.to_string()
}

fn shown(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn date(at: Option<i64>) -> String {
    at.and_then(chrono::DateTime::from_timestamp_millis)
        .map(|at| at.format("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

/// Members by line, nested ones indented; times (`…_at`) as dates.
fn indented(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth);
    let nested = |name: &str, value: &Value| match value {
        Value::Object(members) if members.is_empty() => format!("{pad}{name}: {{}}"),
        Value::Array(rows) if rows.is_empty() => format!("{pad}{name}: []"),
        Value::Object(_) | Value::Array(_) => {
            format!("{pad}{name}:\n{}", indented(value, depth + 1))
        }
        Value::Number(at) if name.ends_with("_at") => {
            let time = at
                .as_i64()
                .and_then(chrono::DateTime::from_timestamp_millis);
            match time {
                Some(time) => format!("{pad}{name}: {}", time.format("%Y-%m-%d %H:%M:%S UTC")),
                None => format!("{pad}{name}: {at}"),
            }
        }
        Value::String(text) => format!("{pad}{name}: {}", on_one_line(text)),
        other => format!("{pad}{name}: {other}"),
    };
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| nested(&on_one_line(name), value))
            .collect::<Vec<_>>()
            .join("\n"),
        Value::Array(rows) => rows
            .iter()
            .map(|row| element(row, &pad))
            .collect::<Vec<_>>()
            .join("\n"),
        Value::String(text) => format!("{pad}{}", on_one_line(text)),
        other => format!("{pad}{other}"),
    }
}

/// An element of a list: its first line behind a dash, the others under it.
fn element(row: &Value, pad: &str) -> String {
    let lines = indented(row, 0).replace('\n', &format!("\n{pad}  "));
    format!("{pad}- {lines}")
}

/// Text in aligned columns.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(titles: &[&str]) -> Self {
        Self {
            rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| shortened(&cell)).collect());
    }
}

/// The text with what moves the cursor, or turns the reading direction, escaped: names are written
/// by anyone who signs up, and must not look like rows of ours.
fn on_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let moves = character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}')
            || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if moves {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn shortened(cell: &str) -> String {
    let cell = on_one_line(cell);
    if cell.chars().count() <= CELL_WIDTH {
        return cell;
    }
    let kept: String = cell.chars().take(CELL_WIDTH - 1).collect();
    format!("{kept}…")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let gap = width.saturating_sub(cell.chars().count()) + 2;
                line.push_str(cell);
                line.push_str(&" ".repeat(gap));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(result: Value) -> String {
        let Value::Object(result) = result else {
            panic!("no object: {result}")
        };
        render(&result)
    }

    #[test]
    fn a_name_cannot_forge_a_row() {
        let name = "Ada\nuser_2\tEve\r\u{1b}[2K\u{9b}\u{202e}";
        let shown = "Ada\\nuser_2\\tEve\\r\\u{1b}[2K\\u{9b}\\u{202e}";
        let table = rendered(json!({"data": [{"id": "user_1", "first_name": name}]}));
        let lines: Vec<_> = table.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(table.contains("Ada\\nuser_2\\tEve\\r"), "{table}");
        let text = rendered(json!({"first_name": name, "list": [name], name: 1}));
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(text.matches(shown).count(), 3, "{text}");
    }

    #[test]
    fn what_is_no_control_character_stays() {
        let name = r#"Zoë "Z" O'Neill \ 山田 👩‍🚀"#;
        assert_eq!(rendered(json!({"name": name})), format!("name: {name}"));
    }

    #[test]
    fn lists_of_objects_stand_behind_dashes() {
        let text = rendered(json!({"rows": [{"id": "a", "in": {"x": 1}}, {"id": "b"}, "c"]}));
        assert_eq!(
            text,
            "rows:\n  - id: a\n    in:\n      x: 1\n  - id: b\n  - c"
        );
    }
}
