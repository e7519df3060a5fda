//! The sessions at Clerk that the server has started for calls of the owner's API: whose they were, and
//! that they have ended with it.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::http::get;
use crate::world::World;

/// What the server logs when it could not note a session.
const NOT_NOTED: &str = "are not on record";

/// The sessions that the API was called in.
#[derive(Debug)]
pub(crate) struct LentSessions {
    used: BTreeSet<String>,
    /// Those that were active before the server was stopped.
    before: BTreeSet<String>,
}

/// Judges what the API was told of who asks. The server is about to be stopped.
pub(crate) fn used(world: &World) -> Result<LentSessions, String> {
    let asked = world.api.asked();
    let mut used = BTreeSet::new();
    for request in &asked {
        let claim = |name: &str| request.claims[name].as_str().map(str::to_owned);
        let (order, whose) = (request.order, claim("sub"));
        if whose.is_none() || whose != world.orderer(order) {
            world.violation(format!("{whose:?} is said to ask for order {order}"));
        }
        match claim("sid") {
            Some(session) if request.claims.get("client_id").is_none() => {
                used.insert(session);
            }
            _ => world.violation(format!("order {order} was asked for with no session token")),
        }
    }
    let without = world.api.calls() - asked.len() as u64;
    if without > 0 || used.is_empty() {
        world.violation(format!(
            "the API was asked {without} times without a token, and in {} sessions",
            used.len()
        ));
    }
    let before = active(world, &used)?;
    Ok(LentSessions { used, before })
}

/// Judges what is left of them now that the server has stopped. `database` is its own, which nobody
/// else has open, and `log` what it wrote.
pub(crate) fn judge(
    world: &World,
    lent: &LentSessions,
    database: &Path,
    log: &[String],
) -> Result<(), String> {
    let after = active(world, &lent.used)?;
    // Those that are used when it is told to stop it ends itself; others a killed life has left.
    if after.len() >= lent.before.len() {
        let (before, after) = (lent.before.len(), after.len());
        world.violation(format!(
            "{before} sessions were active before the server stopped, and {after} are after it"
        ));
    }
    let on_record = on_record(database)?;
    let unknown: Vec<&String> = after.difference(&on_record).collect();
    // One that could not be noted is lost with a kill: the log has said so.
    let not_noted = log.iter().filter(|line| line.contains(NOT_NOTED)).count();
    if unknown.len() > not_noted {
        world.violation(format!(
            "{unknown:?} are active at Clerk and not on record; {not_noted} could not be noted"
        ));
    }
    println!(
        "  {:>6} sessions at Clerk for calls of the API, {} active before the server stopped, {} after, \
         {} of these not on record",
        lent.used.len(),
        lent.before.len(),
        after.len(),
        unknown.len()
    );
    Ok(())
}

/// Those of these that are active at Clerk.
fn active(world: &World, sessions: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    let mut active = BTreeSet::new();
    for session in sessions {
        if is_active(world, session)? {
            active.insert(session.clone());
        }
    }
    Ok(active)
}

fn is_active(world: &World, session: &str) -> Result<bool, String> {
    let url = format!("{}/v1/sessions/{session}", world.clerk);
    let answer = get(&url).bearer("sk_test_emulate").send();
    let answer = answer.map_err(|error| format!("{url}: {error}"))?;
    match answer.status {
        200 => Ok(answer.json()["status"] == "active"),
        // It went with its person.
        404 => Ok(false),
        _ => Err(format!("{url}: {}", answer.brief())),
    }
}

fn on_record(database: &Path) -> Result<BTreeSet<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let read = runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = options.connect().await?;
        let rows = sqlx::query("SELECT id FROM started_sessions");
        let rows = rows.fetch_all(&mut connection).await?;
        connection.close().await?;
        let ids = rows.iter().map(|row| row.try_get::<String, _>(0));
        ids.collect::<Result<BTreeSet<String>, sqlx::Error>>()
    });
    read.map_err(|error| format!("{}: {error}", database.display()))
}
