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
mod faults;
mod http;
mod model;
mod owners_api;
mod plan;
mod processes;
mod proxy;
mod token_endpoint;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::Client;
use faults::Chaos;
use owners_api::OwnersApi;
use plan::{CLIENTS, Fault, Plan};
use processes::{Log, Programs, Usage};
use proxy::Proxy;
use world::{Machine, World};

const USAGE: &str = "clerk-mcp-chaos [--seed N] [--operations N] [--folder DIR]";
/// How much more memory the server may have at the end than in the middle of the time without kills.
const MORE_MEMORY_KIB: u64 = 16 * 1024;
/// The store opens its five connections when they are needed, each with up to three files.
const STORE_FILES: usize = 15;
/// How long connections may take to close once nobody is at their other end.
const CLOSING: Duration = Duration::from_secs(20);

struct Arguments {
    seed: u64,
    operations: u64,
    folder: PathBuf,
}

fn arguments() -> Result<Arguments, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut read = Arguments {
        seed: since.map_or(0, |since| since.as_secs()),
        operations: 2000,
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
            "--folder" => read.folder = PathBuf::from(&value),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if read.operations < 200 {
        return Err("--operations is at least 200: fewer leave no room for the faults".to_owned());
    }
    Ok(read)
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
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

/// Runs the plan; gives what did not hold.
fn run(arguments: &Arguments) -> Result<Vec<String>, String> {
    let plan = Plan::new(arguments.seed, arguments.operations);
    println!(
        "seed {}, {} operations of {CLIENTS} clients, {} faults, plan {:016x}",
        arguments.seed,
        arguments.operations,
        plan.faults.len(),
        plan.digest()
    );
    // A run that found a database would judge the rows of another one.
    std::fs::create_dir(&arguments.folder)
        .map_err(|error| format!("--folder {}: {error}", arguments.folder.display()))?;
    let text = |error: std::io::Error| error.to_string();
    // The processes work in it.
    let folder = &arguments.folder.canonicalize().map_err(text)?;
    let programs = Programs::prepare(folder)?;
    let machine = Machine::new(&programs.faults()).map_err(text)?;
    let proxy = Proxy::start().map_err(text)?;
    let api = OwnersApi::start().map_err(text)?;
    std::fs::write(folder.join("seed.toml"), seed_file(&proxy)).map_err(text)?;
    std::fs::write(folder.join("clerk-mcp.toml"), configuration(&proxy, &api)).map_err(text)?;

    let clerk = programs.start_clerk()?;
    check_clock(&machine, &clerk.url())?;
    let world = World::new(proxy, api, clerk.url(), machine);
    let log = Log::default();
    let server = programs.start_server(&world.clerk, &log)?;
    server.wait_until_ready()?;
    let fresh = server.usage().map_err(text)?;
    world.proxy.point_to(Some((server.address, 0)));
    let mut chaos = Chaos {
        world: &world,
        programs,
        clerk,
        server,
        log: Log::clone(&log),
        kills: Vec::new(),
        measured: None,
        done: 0,
    };

    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Client::register(&world, person(number))?);
    }
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (client, operations) in clients.iter_mut().zip(&plan.operations) {
            scope.spawn(move || {
                operations
                    .iter()
                    .for_each(|operation| client.run(*operation))
            });
        }
        chaos.run(&plan.faults, arguments.operations)
    })?;
    let took = begun.elapsed();
    chaos.server.wait_until_ready()?;
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| client.finish());
        }
    });

    let end = judge_resources(&mut chaos, fresh)?;
    if let Err(what) = chaos.server.terminate(Duration::from_secs(40)) {
        world.violation(format!("the server does not stop in order: {what}"));
    }
    let log = log.lock().unwrap().clone();
    for line in log.iter().filter(|line| line.contains("panicked")) {
        world.violation(format!("the server's log: {line}"));
    }
    let database = folder.join("clerk-mcp.db");
    let found = audit::check(&world, &database, &log, &chaos.kills)?;
    report(&world, &plan.faults, &chaos, took);
    println!(
        "  {:>6} audit rows in the database, {} in the log, {} of answered calls lost with kills, the \
         oldest {} ms before its kill",
        found.in_database,
        found.in_log,
        found.lost,
        found.oldest_lost.as_millis()
    );
    if let Some(middle) = chaos.measured {
        println!(
            "  memory: {} MiB fresh, {} MiB in the middle of the time without kills, {} MiB at the end",
            fresh.resident_kib / 1024,
            middle.resident_kib / 1024,
            end.resident_kib / 1024
        );
        println!(
            "  descriptors: {} fresh; {} in the middle, {} of them sockets; {} at the end, {} sockets",
            fresh.sockets + fresh.other_descriptors,
            middle.sockets + middle.other_descriptors,
            middle.sockets,
            end.sockets + end.other_descriptors,
            end.sockets
        );
    }
    let violations = world.violations();
    std::fs::write(folder.join("server.log"), log.join("\n")).map_err(text)?;
    if violations.is_empty() {
        std::fs::remove_dir_all(folder).map_err(text)?;
    } else {
        println!("\nThe database and server.log are in {}", folder.display());
    }
    Ok(violations)
}

/// Moves the clock by an hour, and asks the local Clerk: without machine.c in the processes nothing
/// that is judged by time would mean anything.
fn check_clock(machine: &Machine, clerk: &str) -> Result<(), String> {
    let hour = Duration::from_secs(60 * 60);
    let before = SystemTime::now().duration_since(UNIX_EPOCH);
    let before = before.map_err(|error| error.to_string())?;
    machine
        .move_clock(hour)
        .map_err(|error| error.to_string())?;
    let answer = http::get(&format!("{clerk}/_emulator/clock")).send();
    let answer = answer.map_err(|error| error.to_string())?;
    let now = answer.json()["now_ms"].as_u64().unwrap_or_default();
    // It counts whole milliseconds.
    if Duration::from_millis(now) < before + hour - Duration::from_secs(1) {
        return Err(format!(
            "the clock of the processes does not move: {}\nhint: CLERK_MCP_BIN must be linked \
             dynamically to glibc, so that LD_PRELOAD works",
            answer.brief()
        ));
    }
    Ok(())
}

/// What the server still has when nobody needs anything of it: Clerk and the API are gone.
fn judge_resources(chaos: &mut Chaos<'_>, fresh: Usage) -> Result<Usage, String> {
    let text = |error: std::io::Error| error.to_string();
    let world = chaos.world;
    let after_work = chaos.server.usage().map_err(text)?;
    chaos.clerk.kill();
    let begun = Instant::now();
    let mut end = chaos.server.usage().map_err(text)?;
    while end.sockets > fresh.sockets && begun.elapsed() < CLOSING {
        std::thread::sleep(Duration::from_millis(100));
        end = chaos.server.usage().map_err(text)?;
    }
    end.resident_kib = after_work.resident_kib;
    if end.sockets > fresh.sockets {
        let (sockets, before) = (end.sockets, fresh.sockets);
        world.violation(format!(
            "{sockets} sockets stay open, {before} were at the beginning"
        ));
    }
    let middle = chaos.measured.ok_or("the plan measures nothing")?;
    let files = fresh.other_descriptors + STORE_FILES;
    if end.other_descriptors > files {
        let now = end.other_descriptors;
        world.violation(format!(
            "{now} files are open at the end, more than {files}"
        ));
    }
    if end.resident_kib > middle.resident_kib + MORE_MEMORY_KIB {
        let (now, before) = (end.resident_kib, middle.resident_kib);
        world.violation(format!("memory grew from {before} KiB to {now} KiB"));
    }
    Ok(end)
}

fn report(world: &World, faults: &[Fault], chaos: &Chaos<'_>, took: Duration) {
    let done = world.done.load(Ordering::Relaxed);
    println!("{done} operations in {:.1} s", took.as_secs_f64());
    for (what, count) in world.counts() {
        println!("  {count:>6} {what}");
    }
    println!("  {:>6} requests at the owner's API", world.api.calls());
    println!(
        "  {:>6} of {} faults, {} kills",
        chaos.done,
        faults.len(),
        chaos.kills.len()
    );
}

fn person(number: usize) -> String {
    format!("user_Chaos{number:03}")
}

fn seed_file(proxy: &Proxy) -> String {
    let mut seed = format!(
        "[[oauth_applications]]\nname = \"Chaos\"\nclient_id = \"chaos\"\n\
         client_secret = \"chaos-client-secret\"\nredirect_uris = [\"{}/callback\"]\n\
         scopes = [\"openid\", \"profile\", \"email\", \"offline_access\"]\n",
        proxy.url
    );
    for number in 0..CLIENTS {
        let id = person(number);
        seed += &format!(
            "\n[[users]]\nid = \"{id}\"\nemail_addresses = [\"person{number}@example.com\"]\n"
        );
    }
    seed
}

fn configuration(proxy: &Proxy, api: &OwnersApi) -> String {
    let (url, address) = (&proxy.url, api.address);
    format!(
        r#"bind = "127.0.0.1:0"
public_url = "{url}"
trusted_proxies = ["127.0.0.1"]

[demo]
tools = true

[[access]]
everyone = true
tools = ["add", "users", "api.*"]

[api]
base_url = "http://{address}/v1"
credential = "none"
timeout = "3s"

[[tools]]
name = "getOrder"
description = "Reads an order."
method = "GET"
path = "/orders/{{order}}"

[tools.input]
required = ["order"]

[tools.input.properties]
order = {{ type = "integer" }}
"#
    )
}
