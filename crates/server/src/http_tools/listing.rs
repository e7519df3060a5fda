//! The tools of a configuration as `clerk-mcp tools --config` shows them.

use mcp::Definition;

use crate::access::CatalogueTool;

use super::definitions::HttpTools;

/// The category of these tools in tool patterns: `api.*`.
pub const CATEGORY: &str = "api";

impl HttpTools {
    /// The tools as access rules name them.
    #[must_use]
    pub fn catalogue(&self) -> Vec<CatalogueTool> {
        let tools = self.tools.iter().map(|tool| CatalogueTool {
            category: CATEGORY.into(),
            name: tool.name().to_owned().into(),
            read_only: tool.definition().hints.read_only,
            own: true,
        });
        tools.collect()
    }

    /// What clients are told about each of them.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.tools.iter().map(|tool| tool.definition())
    }

    /// A table of them: name, method, path, scopes, credential, and what `who` says of who may call
    /// the tool of a name.
    #[must_use]
    pub fn listing(&self, who: &dyn Fn(&str) -> String) -> String {
        let heading = ["TOOL", "METHOD", "PATH", "SCOPES", "CREDENTIAL", "WHO"].map(str::to_owned);
        let mut rows = vec![heading];
        for tool in &self.tools {
            let scopes = match tool.scopes() {
                [] => "–".to_owned(),
                scopes => scopes.join(" "),
            };
            rows.push([
                tool.name().to_owned(),
                tool.method().to_string(),
                tool.path().to_owned(),
                scopes,
                tool.credential().to_string(),
                who(tool.name()),
            ]);
        }
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = format!("{}\n", self.api.base_url);
        for row in &rows {
            let cells = row.iter().zip(widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}
