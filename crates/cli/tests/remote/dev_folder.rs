//! The folder that `dev` keeps everything in.

use std::process::Command;

use crate::support::server::{CONFIG, Server, folder};

/// What the next server would try to end at a Clerk that knows nothing of it is forgotten with that Clerk.
#[test]
fn beginning_anew_leaves_nothing_of_before() {
    let folder = folder("fresh");
    let journal = folder.join("state/clerk-mcp.db.impersonations");
    std::fs::create_dir_all(&journal).unwrap();
    std::fs::write(journal.join("imp_1.json"), "{}").unwrap();
    let files = ["clerk-mcp.db", "clerk-mcp.db-wal", "clerk.json"];
    for file in files {
        std::fs::write(folder.join("state").join(file), "of before").unwrap();
    }
    let server = Server::start_with(folder, &["--fresh"], "warn");
    assert!(server.is_ready());
    assert!(!journal.exists());
}

#[test]
fn a_folder_that_holds_something_else_is_not_hidden_from_git() {
    let server = Server::start("own-folder", CONFIG);
    let ignore = std::fs::read_to_string(server.folder.join("state/.gitignore"));
    assert_eq!(ignore.unwrap(), "*\n");
    drop(server);
    let folder = folder("project");
    std::fs::create_dir_all(folder.join("state")).unwrap();
    std::fs::write(folder.join("state/main.rs"), "").unwrap();
    let server = Server::start_with(folder, &[], "warn");
    assert!(!server.folder.join("state/.gitignore").exists());
}

/// Each would overwrite what the other keeps.
#[test]
fn a_folder_serves_one_process_at_a_time() {
    let server = Server::start("one-folder", CONFIG);
    let second = Command::new(env!("CARGO_BIN_EXE_clerk-mcp"))
        .args(["dev", "--port", "0", "--clerk-port", "0", "--app-port", "0"])
        .args(["--dir", "state", "--fresh"])
        .current_dir(&server.folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success(), "{said}");
    assert!(
        said.contains("another `clerk-mcp dev` uses this folder\nhint: "),
        "{said}"
    );
    // `--fresh` has not emptied it either.
    assert!(server.is_ready());
    let server = server.start_again(CONFIG, "warn");
    assert!(
        server.is_ready(),
        "the folder is free once its server has ended"
    );
}
