//! `clerk-mcp`: safe access to Clerk for AI agents.

mod agent_toolkit;
mod arguments;
mod audit_log;
mod call;
mod call_api_as;
mod connect;
mod dev;
mod dev_config;
mod emulate;
mod emulated;
mod environment;
mod failure;
mod healthcheck;
mod impersonate;
mod impersonation_journal;
mod line_transport;
mod local_http;
mod machine;
mod people;
mod printer;
mod serve;
mod service;
mod stdio;
mod tools;

use std::process::ExitCode;

use server::process::{logging, signals};

use crate::{
    arguments::{Command, CommandLine},
    failure::Failure,
    printer::Printer,
};

fn main() -> ExitCode {
    let printer = Printer::new();
    match run(&printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.error(&failure.to_string());
            ExitCode::from(failure.code())
        }
    }
}

fn run(printer: &Printer) -> Result<(), Failure> {
    let arguments = agent_toolkit::translate(std::env::args_os().collect())?;
    // clap prints its own message, with usage, and exits with 2; --help and --version with 0.
    let command_line = CommandLine::read(&arguments);
    let mut builder = match &command_line.command {
        Command::Dev(_) | Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        // One client at a time: a second thread would only cost memory.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime cannot start: {error}")))?;
    let result = runtime.block_on(async {
        match command_line.command {
            Command::Stdio(arguments) => stdio::run(&arguments, printer).await,
            Command::Tools(arguments) => tools::run(&arguments, printer),
            Command::Call(arguments) => call::run(&arguments, printer).await,
            Command::Dev(arguments) => dev::run(arguments, printer).await,
            Command::Serve(arguments) => serve::run(arguments, printer).await,
            Command::Emulate(arguments) => emulate::run(arguments).await,
            Command::Impersonate(arguments) => impersonate::run(&arguments, printer).await,
            Command::Healthcheck(arguments) => healthcheck::run(arguments, printer).await,
        }
    });
    // A thread that still waits for standard input must not keep the process alive.
    runtime.shutdown_background();
    result
}
