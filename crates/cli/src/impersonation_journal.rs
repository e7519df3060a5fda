//! Where `impersonate` keeps what it has started: a folder of the user's own.

use std::path::PathBuf;

use server::impersonation_journal::FileJournal;

use crate::{
    environment::{self, HOME, LOCALAPPDATA, XDG_STATE_HOME},
    failure::Failure,
};

/// In the folder for state that is the user's own.
///
/// # Errors
/// When the environment names none.
pub(crate) fn of_user() -> Result<FileJournal, Failure> {
    let absolute = |name| {
        let path = environment::read(name)?.map(PathBuf::from);
        Ok::<_, Failure>(path.filter(|path| path.is_absolute()))
    };
    let state = match absolute(XDG_STATE_HOME)? {
        Some(state) => Some(state),
        None if cfg!(windows) => absolute(LOCALAPPDATA)?,
        None => absolute(HOME)?.map(|home| home.join(".local/state")),
    };
    let state = state.ok_or_else(|| {
        Failure::usage(format!(
            "there is no folder to keep on record what is started\n\
             hint: set {XDG_STATE_HOME} to a folder of your own"
        ))
    })?;
    let folder = state.join("clerk-mcp").join("impersonations");
    Ok(FileJournal::at(folder))
}
