//! Writes the seeds of every target into a folder of its own, for cargo-fuzz to begin with.
#![allow(clippy::print_stderr, reason = "a command")]

use std::path::Path;
use std::process::ExitCode;

use clerk_mcp_fuzz::TARGETS;

fn main() -> ExitCode {
    let Some(corpus) = std::env::args().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        return ExitCode::from(2);
    };
    for target in TARGETS {
        let folder = Path::new(&corpus).join(target.name);
        let written = std::fs::create_dir_all(&folder).and_then(|()| {
            let mut seeds = target.seeds.iter().enumerate();
            seeds.try_for_each(|(n, seed)| std::fs::write(folder.join(format!("seed-{n}")), seed))
        });
        if let Err(error) = written {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
