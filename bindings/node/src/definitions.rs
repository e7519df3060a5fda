use serde_json::{Map, Value, json};
use toolkit::Tool;

/// What a framework needs to know of a tool.
pub(crate) fn definition(tool: &Tool) -> Value {
    let row = tool.operation();
    let hints = tool.hints();
    let mut definition = Map::new();
    definition.insert("name".into(), row.name.into());
    definition.insert("title".into(), row.title.into());
    definition.insert("category".into(), row.category.name().into());
    definition.insert("description".into(), row.description.into());
    definition.insert("inputSchema".into(), tool.input_schema().into());
    definition.insert("outputSchema".into(), tool.output_schema().into());
    definition.insert(
        "annotations".into(),
        json!({
            "readOnlyHint": hints.read_only,
            "destructiveHint": hints.destructive,
            "idempotentHint": hints.idempotent,
            "openWorldHint": hints.open_world,
        }),
    );
    definition.into()
}
