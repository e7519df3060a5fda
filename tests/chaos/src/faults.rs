//! Makes go wrong what the plan says, when it says so.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{post, request};
use crate::plan::{Fault, FaultKind};
use crate::processes::{Log, Process, Programs, Usage};
use crate::world::World;

/// The longest that anything stays wrong, however slowly the operations go on.
const LONGEST: Duration = Duration::from_secs(4);
const TICK: Duration = Duration::from_millis(2);

/// Whoever breaks things.
pub(crate) struct Chaos<'a> {
    pub(crate) world: &'a World,
    pub(crate) programs: Programs,
    pub(crate) clerk: Process,
    pub(crate) server: Process,
    pub(crate) log: Log,
    pub(crate) kills: Vec<Instant>,
    pub(crate) measured: Option<Usage>,
    pub(crate) done: u64,
}

impl Chaos<'_> {
    /// Works through the faults while others do `operations` operations.
    pub(crate) fn run(&mut self, faults: &[Fault], operations: u64) -> Result<(), String> {
        for fault in faults {
            self.wait_for(fault.at.min(operations), None);
            self.one(*fault, operations)?;
            self.done += 1;
        }
        Ok(())
    }

    /// Waits until so many operations are done, or until then.
    fn wait_for(&self, done: u64, until: Option<Instant>) {
        while self.world.done.load(Ordering::Relaxed) < done
            && until.is_none_or(|until| Instant::now() < until)
        {
            std::thread::sleep(TICK);
        }
    }

    fn one(&mut self, fault: Fault, operations: u64) -> Result<(), String> {
        let begun = Instant::now();
        self.begin(fault.kind)?;
        if let Some(after) = fault.kill_after {
            std::thread::sleep(Duration::from_millis(after));
            self.kill_server()?;
        }
        let lasts = !matches!(
            fault.kind,
            FaultKind::Kill
                | FaultKind::ClockForward(_)
                | FaultKind::Measure
                | FaultKind::ClerkSigns(_)
        );
        if lasts {
            let end = (fault.at + fault.during).min(operations);
            self.wait_for(end, Some(begun + LONGEST));
        }
        self.end(fault.kind)
    }

    fn begin(&mut self, kind: FaultKind) -> Result<(), String> {
        let machine = &self.world.machine;
        let at_clerk = |rule: Value| self.control("POST", "faults", &rule);
        match kind {
            FaultKind::Kill => Ok(()),
            FaultKind::Measure => {
                let usage = self.server.usage().map_err(|error| error.to_string())?;
                self.measured = Some(usage);
                Ok(())
            }
            FaultKind::DiskFull => machine.fill_disk(true).map_err(|error| error.to_string()),
            FaultKind::ClockForward(minutes) => machine
                .move_clock(Duration::from_secs(minutes * 60))
                .map_err(|error| error.to_string()),
            FaultKind::ClerkClock(seconds) => self.move_clerk(seconds),
            FaultKind::ClerkSigns(signs) => self.have_clerk_sign(signs),
            FaultKind::ClerkSlow => at_clerk(json!({ "latency_ms": 800 })),
            FaultKind::ClerkRateLimited => at_clerk(json!({ "status": 429, "retry_after": 1 })),
            FaultKind::ClerkRefuses => at_clerk(json!({ "status": 503 })),
            FaultKind::ClerkDrops => at_clerk(json!({ "drop_connection": true })),
            FaultKind::ClerkAnswersLost => {
                at_clerk(json!({ "drop_connection": true, "after_running": true }))
            }
            FaultKind::ClerkGarbled => at_clerk(json!({ "invalid_json": true })),
            FaultKind::ClerkAbsent => self.clerk.signal("-STOP").map_err(|e| e.to_string()),
            FaultKind::ApiSlow
            | FaultKind::ApiRateLimited
            | FaultKind::ApiRefuses
            | FaultKind::ApiDrops
            | FaultKind::ApiAbsent
            | FaultKind::ApiGarbled => {
                self.world.api.fail(Some(kind));
                Ok(())
            }
        }
    }

    fn end(&mut self, kind: FaultKind) -> Result<(), String> {
        match kind {
            FaultKind::Kill
            | FaultKind::Measure
            | FaultKind::ClockForward(_)
            | FaultKind::ClerkSigns(_) => Ok(()),
            FaultKind::DiskFull => {
                let machine = &self.world.machine;
                machine
                    .fill_disk(false)
                    .map_err(|error| error.to_string())?;
                // Rows that wait for room are written within this time, or go to the log; a kill
                // before that takes them.
                std::thread::sleep(Duration::from_millis(1500));
                Ok(())
            }
            FaultKind::ClerkClock(seconds) => self.move_clerk(-seconds),
            FaultKind::ClerkSlow
            | FaultKind::ClerkRateLimited
            | FaultKind::ClerkRefuses
            | FaultKind::ClerkDrops
            | FaultKind::ClerkAnswersLost
            | FaultKind::ClerkGarbled => self.control("DELETE", "faults", &json!({})),
            FaultKind::ClerkAbsent => self.clerk.signal("-CONT").map_err(|e| e.to_string()),
            FaultKind::ApiSlow
            | FaultKind::ApiRateLimited
            | FaultKind::ApiRefuses
            | FaultKind::ApiDrops
            | FaultKind::ApiAbsent
            | FaultKind::ApiGarbled => {
                self.world.api.fail(None);
                Ok(())
            }
        }
    }

    /// kill -9, and a start as a service manager makes it.
    fn kill_server(&mut self) -> Result<(), String> {
        self.world.proxy.point_to(None);
        self.server.kill();
        self.kills.push(Instant::now());
        self.server = self.programs.start_server(&self.world.clerk, &self.log)?;
        let life = self.kills.len();
        self.world.proxy.point_to(Some((self.server.address, life)));
        Ok(())
    }

    /// Has Clerk issue signed access tokens from now on, or such that only it can read.
    pub(crate) fn have_clerk_sign(&self, signs: bool) -> Result<(), String> {
        let path = "/v1/instance/oauth_application_settings";
        let change = request("PATCH", &format!("{}{path}", self.world.clerk))
            .bearer("sk_test_emulate")
            .json(&json!({ "oauth_jwt_access_tokens": signs }));
        match change.send() {
            Ok(response) if response.status == 200 => Ok(()),
            other => Err(format!("the local Clerk's settings: {other:?}")),
        }
    }

    fn move_clerk(&self, seconds: i64) -> Result<(), String> {
        self.control("POST", "clock", &json!({ "advance_ms": seconds * 1000 }))
    }

    fn control(&self, method: &'static str, path: &str, body: &Value) -> Result<(), String> {
        let url = format!("{}/_emulator/{path}", self.world.clerk);
        let sent = match method {
            "POST" => post(&url).json(body).send(),
            _ => request(method, &url).send(),
        };
        match sent {
            Ok(response) if response.status == 200 => Ok(()),
            other => Err(format!("the local Clerk's {path}: {other:?}")),
        }
    }
}
