//! The folder that `dev` keeps everything in.

use std::process::Command;

use crate::support::server::{CONFIG, Server};

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
