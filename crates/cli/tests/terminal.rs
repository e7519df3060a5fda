//! The binary with a person at a terminal, which util-linux's `script` plays.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
};

/// Runs the command in a terminal, types Ctrl-C once this has been printed, and gives all that was
/// printed and the exit code; `None` on a machine without `script`.
fn interrupted(arguments: &str, after: &str) -> Option<(String, i32)> {
    // `exec`: a shell left in between would answer Ctrl-C with its own 130 (dash does, bash does not).
    let command = format!("exec {} {arguments}", env!("CARGO_BIN_EXE_clerk-mcp"));
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .env_remove("CLERK_MCP_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut keyboard = child.stdin.take().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut printed = Vec::new();
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&printed).contains(after) {
        let read = screen.read(&mut chunk).unwrap();
        assert_ne!(read, 0, "ended: {}", String::from_utf8_lossy(&printed));
        printed.extend_from_slice(&chunk[..read]);
    }
    keyboard.write_all(b"\x03").unwrap();
    keyboard.flush().unwrap();
    screen.read_to_end(&mut printed).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    Some((String::from_utf8(printed).unwrap(), code))
}

#[test]
fn the_question_of_a_call_can_be_left_by_ctrl_c() {
    let call = "call --emulate deleteOrganization organizationId=org_2EmuTidepoolLabs00000000000";
    let Some((printed, code)) = interrupted(call, "[y/N] ") else {
        return;
    };
    assert_eq!(code, 1, "{printed}");
    assert!(
        printed.contains("\nclerk-mcp: stopped by SIGINT"),
        "{printed}"
    );
}

#[test]
fn stdio_tells_a_person_what_it_is() {
    let Some((printed, code)) = interrupted("stdio --emulate", "clerk-mcp call") else {
        return;
    };
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("connect a client"), "{printed}");
    assert!(printed.contains("stopped by SIGINT"), "{printed}");
}
