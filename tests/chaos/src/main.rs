//! Faults, on purpose: many clients use `clerk-mcp serve` while it is killed, its disk is full, its
//! clock moves, answers get lost, and Clerk and the owner's API fail. See README.md.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test, which drives processes of this machine"
)]

mod audit;
mod browser;
mod client;
mod configuration;
mod events;
mod faults;
mod http;
mod jwt;
mod lent_sessions;
mod model;
mod owners_api;
mod plan;
mod processes;
mod proxy;
mod run;
mod soak;
mod token_endpoint;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plan::{CLIENTS, SignIn};

const USAGE: &str = "clerk-mcp-chaos [--seed N] [--operations N | --soak MINUTES] \
                     [--sign-in clerk-oauth|app|clerk-tokens] [--folder DIR]";

struct Arguments {
    seed: u64,
    operations: u64,
    sign_in: SignIn,
    /// Instead of operations with faults: so long without.
    soak: Option<Duration>,
    folder: PathBuf,
}

fn arguments() -> Result<Arguments, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut read = Arguments {
        seed: since.map_or(0, |since| since.as_secs()),
        operations: 2000,
        sign_in: SignIn::ClerkOauth,
        soak: None,
        folder: std::env::temp_dir().join(format!("clerk-mcp-chaos-{}", std::process::id())),
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(USAGE)?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{name} {value}\n{USAGE}"))
        };
        match name.as_str() {
            "--seed" => read.seed = number()?,
            "--operations" => read.operations = number()?,
            "--soak" => read.soak = Some(Duration::from_secs(60 * number()?)),
            "--sign-in" => {
                read.sign_in = match value.as_str() {
                    "clerk-oauth" => SignIn::ClerkOauth,
                    "app" => SignIn::App,
                    "clerk-tokens" => SignIn::ClerkTokens,
                    _ => return Err(format!("{name} {value}\n{USAGE}")),
                }
            }
            "--folder" => read.folder = PathBuf::from(&value),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if read.soak.is_none() && read.operations < 200 {
        return Err("--operations is at least 200: fewer leave no room for the faults".to_owned());
    }
    Ok(read)
}

fn main() -> ExitCode {
    let ran = arguments().and_then(|arguments| {
        let (seed, sign_in) = (arguments.seed, arguments.sign_in);
        println!("seed {seed}, {CLIENTS} clients, sign-in {sign_in:?}");
        run::run(&arguments)
    });
    match ran {
        Ok(violations) if violations.is_empty() => {
            println!("\nEverything held.");
            ExitCode::SUCCESS
        }
        Ok(violations) => {
            println!("\n{} VIOLATIONS", violations.len());
            violations
                .iter()
                .take(50)
                .for_each(|what| println!("  {what}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
