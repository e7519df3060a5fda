//! A run, from an empty folder to the verdict.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Arguments;
use crate::audit;
use crate::client::{Client, banned::BELIEVED};
use crate::configuration::{configuration, person, seed_file};
use crate::faults::Chaos;
use crate::http;
use crate::lent_sessions;
use crate::owners_api::OwnersApi;
use crate::plan::{CLIENTS, Plan};
use crate::processes::{Log, Programs, Usage};
use crate::proxy::Proxy;
use crate::soak;
use crate::world::{Machine, World};

/// How much more memory the server may have at the end than in the middle of the time without kills.
const MORE_MEMORY_KIB: u64 = 16 * 1024;
/// The store opens its five connections when they are needed, each with up to three files.
const STORE_FILES: usize = 15;
/// How long connections may take to close once nobody is at their other end.
const CLOSING: Duration = Duration::from_secs(20);

/// Runs; gives what did not hold.
pub(crate) fn run(arguments: &Arguments) -> Result<Vec<String>, String> {
    // A run that found a database would judge the rows of another one.
    std::fs::create_dir(&arguments.folder)
        .map_err(|error| format!("--folder {}: {error}", arguments.folder.display()))?;
    let text = |error: std::io::Error| error.to_string();
    // The processes work in it.
    let folder = &arguments.folder.canonicalize().map_err(text)?;
    let programs = Programs::prepare(folder, arguments.sign_in)?;
    let machine = Machine::new(&programs.faults()).map_err(text)?;
    let proxy = Proxy::start().map_err(text)?;
    let api = OwnersApi::start().map_err(text)?;
    let settings = configuration(&proxy, &api, arguments.sign_in);
    let seed = seed_file(&proxy, arguments.sign_in);
    std::fs::write(folder.join("seed.toml"), seed).map_err(text)?;
    std::fs::write(folder.join("clerk-mcp.toml"), settings).map_err(text)?;

    let clerk = programs.start_clerk()?;
    check_clock(&machine, &clerk.url())?;
    let world = World::new(proxy, api, clerk.url(), arguments.sign_in, machine);
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
    let database = folder.join("clerk-mcp.db");
    let begun = Instant::now();
    match arguments.soak {
        None => with_faults(arguments, &mut clients, &mut chaos)?,
        Some(length) => {
            let (server, seed) = (&chaos.server, arguments.seed);
            let samples = soak::run(&world, &mut clients, server, &database, seed, length)?;
            soak::judge(&world, &samples, length);
            chaos.measured = Some(chaos.server.usage().map_err(text)?);
        }
    }
    let took = begun.elapsed();
    finish(&chaos, &mut clients)?;
    let end = judge_resources(&mut chaos, fresh)?;
    let mut lent = None;
    if world.is_at_clerk() {
        // The server ends its sessions there when it stops.
        chaos.clerk = chaos.programs.start_clerk_again(&chaos.clerk)?;
        lent = Some(lent_sessions::used(&world)?);
    }
    if let Err(what) = chaos.server.terminate(Duration::from_secs(40)) {
        world.violation(format!("the server does not stop in order: {what}"));
    }
    let log = log.lock().unwrap().clone();
    for line in log.iter().filter(|line| line.contains("panicked")) {
        world.violation(format!("the server's log: {line}"));
    }
    report(&world, &chaos, took);
    if let Some(lent) = lent {
        lent_sessions::judge(&world, &lent, &database, &log)?;
    }
    // In a long run the oldest rows have been swept.
    if arguments.soak.is_none() {
        judge_audit(&world, &database, &log, &chaos)?;
    }
    report_resources(&chaos, fresh, end);
    // It writes into the folder for as long as it lives.
    chaos.clerk.kill();
    let violations = world.violations();
    std::fs::write(folder.join("server.log"), log.join("\n")).map_err(text)?;
    if violations.is_empty() {
        std::fs::remove_dir_all(folder).map_err(text)?;
    } else {
        println!("\nThe database and server.log are in {}", folder.display());
    }
    Ok(violations)
}

/// Works through the plan of the seed.
fn with_faults(
    arguments: &Arguments,
    clients: &mut [Client<'_>],
    chaos: &mut Chaos<'_>,
) -> Result<(), String> {
    let plan = Plan::new(arguments.seed, arguments.operations, arguments.sign_in);
    println!(
        "{} operations, {} faults, plan {:016x}",
        arguments.operations,
        plan.faults.len(),
        plan.digest()
    );
    std::thread::scope(|scope| {
        for (client, operations) in clients.iter_mut().zip(&plan.operations) {
            scope.spawn(move || {
                operations
                    .iter()
                    .for_each(|operation| client.run(*operation))
            });
        }
        chaos.run(&plan.faults, arguments.operations)
    })
}

/// Everything works again: honest clients go on, and nobody else.
fn finish(chaos: &Chaos<'_>, clients: &mut [Client<'_>]) -> Result<(), String> {
    let world = chaos.world;
    chaos.server.wait_until_ready()?;
    // What was read of people before is believed no longer.
    let believe_nothing = || {
        let moved = world.machine.move_clock(BELIEVED);
        moved.map_err(|error| error.to_string())
    };
    believe_nothing()?;
    if world.is_at_clerk() {
        chaos.have_clerk_sign(false)?;
    }
    at_once(clients.iter_mut(), Client::finish);
    if world.is_at_clerk() {
        // The server has just seen all of their tokens, which only Clerk can read.
        at_once(clients.iter_mut().step_by(4), |client| {
            client.be_ended(false)
        });
        let others = clients.iter_mut().skip(1).step_by(4);
        at_once(others, |client| client.be_ended(true));
        believe_nothing()?;
        at_once(clients.iter_mut(), Client::finish_ended);
    }
    let cancelled = world.api.cancelled();
    if cancelled > 0 {
        let what = format!("{cancelled} orders were cancelled, though everybody declined");
        world.violation(what);
    }
    Ok(())
}

/// All of these clients do this at the same time.
fn at_once<'a, 'w: 'a>(
    clients: impl Iterator<Item = &'a mut Client<'w>>,
    what: impl Fn(&mut Client<'w>) + Sync,
) {
    std::thread::scope(|scope| {
        for client in clients {
            let what = &what;
            scope.spawn(move || what(client));
        }
    });
}

fn judge_audit(
    world: &World,
    database: &Path,
    log: &[String],
    chaos: &Chaos<'_>,
) -> Result<(), String> {
    let found = audit::check(world, database, log, &chaos.kills)?;
    println!(
        "  {:>6} audit rows in the database, {} in the log, {} of answered calls lost with kills, the \
         oldest {} ms before its kill",
        found.in_database,
        found.in_log,
        found.lost,
        found.oldest_lost.as_millis()
    );
    Ok(())
}

fn report_resources(chaos: &Chaos<'_>, fresh: Usage, end: Usage) {
    let Some(middle) = chaos.measured else { return };
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
    match world.is_at_clerk() {
        true => chaos.clerk.terminate(CLOSING)?,
        false => chaos.clerk.kill(),
    }
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

fn report(world: &World, chaos: &Chaos<'_>, took: Duration) {
    let done = world.done.load(Ordering::Relaxed);
    println!("{done} operations in {:.1} s", took.as_secs_f64());
    for (what, count) in world.counts() {
        println!("  {count:>6} {what}");
    }
    println!("  {:>6} requests at the owner's API", world.api.calls());
    println!("  {:>6} faults, {} kills", chaos.done, chaos.kills.len());
}
