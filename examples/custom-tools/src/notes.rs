//! Notes: values that the server keeps for one person and one client.

use clerk_mcp_server::{Context, Hints, Json, NoArguments, Tool, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name that notes are kept under.
const NOTES: &str = "notes";
/// The most notes of one person.
const MOST_NOTES: usize = 20;

/// Adds a note.
pub(crate) struct AddNote;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNote {
    /// What to remember.
    #[schemars(length(min = 1, max = 500))]
    text: String,
}

/// A person's notes, the oldest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Notes {
    notes: Vec<String>,
}

impl Tool for AddNote {
    type Arguments = NewNote;
    type Output = Json<Notes>;
    const NAME: &'static str = "addNote";
    const DESCRIPTION: &'static str = "Adds a note for the person who is signed in.";
    const HINTS: Hints = Hints::CREATE;
    const CATEGORY: &'static str = "notes";

    async fn call(&self, note: NewNote, context: Context<'_>) -> Result<Json<Notes>, ToolError> {
        // Clients call several tools at a time: no other note comes between reading and keeping.
        let with_note = |kept: Option<Vec<String>>| {
            let mut notes = kept.unwrap_or_default();
            if notes.len() == MOST_NOTES {
                let problem = format!("there are {MOST_NOTES} notes already");
                return Err(ToolError::new("too_many_notes", problem).hint("call clearNotes first"));
            }
            notes.push(note.text.clone());
            Ok(notes)
        };
        let notes = context.state().update(NOTES, with_note).await?;
        Ok(Json(Notes { notes }))
    }
}

/// Lists the notes.
pub(crate) struct ListNotes;

impl Tool for ListNotes {
    type Arguments = NoArguments;
    type Output = Json<Notes>;
    const NAME: &'static str = "listNotes";
    const DESCRIPTION: &'static str = "Lists the notes of the person who is signed in.";
    const HINTS: Hints = Hints::READ;
    const CATEGORY: &'static str = "notes";

    async fn call(&self, _: NoArguments, context: Context<'_>) -> Result<Json<Notes>, ToolError> {
        let notes = kept(context).await?;
        Ok(Json(Notes { notes }))
    }
}

/// Forgets the notes. As it is destructive, the person is asked first where their client can ask.
pub(crate) struct ClearNotes;

impl Tool for ClearNotes {
    type Arguments = NoArguments;
    type Output = String;
    const NAME: &'static str = "clearNotes";
    const DESCRIPTION: &'static str = "Forgets all notes of the person who is signed in.";
    const HINTS: Hints = Hints::REMOVE;
    const CATEGORY: &'static str = "notes";

    async fn call(&self, _: NoArguments, context: Context<'_>) -> Result<String, ToolError> {
        context.state().remove(NOTES).await?;
        Ok("There are no notes any more.".to_owned())
    }
}

async fn kept(context: Context<'_>) -> Result<Vec<String>, ToolError> {
    Ok(context.state().get(NOTES).await?.unwrap_or_default())
}
