//! `findUsers` over many users: everything is found once, the rate limit holds, and nothing piles up.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use clerk::{BoxFuture, RateLimit};
use clerk_mcp_toolkit::{ClerkToolkit, Progress};
use serde_json::{Value, json};
use support::{Clerk, TEAM, now, refused, result};

fn many(users: usize) -> Arc<Clerk> {
    Clerk::of_toml(&format!("[generate]\nusers = {users}\n"))
}

fn ids(found: &serde_json::Map<String, Value>) -> Vec<String> {
    let rows = found["data"].as_array().unwrap();
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn conditions_that_clerk_cannot_filter() {
    let clerk = Clerk::of_toml(TEAM);
    let toolkit = clerk.toolkit();
    for (arguments, expected) in [
        (
            json!({"where": [{"pointer": "/public_metadata/role", "equals": "admin"}]}),
            vec!["user_a"],
        ),
        (json!({"without": ["organization"]}), vec![]),
        (
            json!({"where": [{"pointer": "/username", "contains": "OBB"}]}),
            vec!["user_b"],
        ),
        (
            json!({"where": [{"pointer": "/email_addresses/*/email_address", "equals": "c@x.test"}]}),
            vec!["user_c"],
        ),
        (json!({"query": "a@x.test"}), vec!["user_a"]),
    ] {
        assert_eq!(
            ids(&result(&toolkit, "findUsers", arguments.clone())),
            expected,
            "{arguments}"
        );
    }
    clerk.send("DELETE", "/v1/organizations/org_b", Value::Null);
    let found = result(&toolkit, "findUsers", json!({"without": ["organization"]}));
    assert_eq!(ids(&found), ["user_x"]);
}

#[test]
fn on_an_instance_without_organizations_everybody_is_without() {
    let clerk = Clerk::of_toml(
        "[instance]\norganizations_enabled = false\n\n[generate]\nusers = 3\norganizations = 0\n",
    );
    let arguments = json!({"without": ["organization"]});
    let found = result(&clerk.toolkit(), "findUsers", arguments);
    assert_eq!(ids(&found).len(), 3);
}

#[test]
fn users_without_organization_where_a_filter_cannot_name_all_organizations() {
    let clerk = Clerk::of_toml(
        "[generate]\nusers = 130\norganizations = 110\nmembers_per_organization = 1\n",
    );
    let found = result(
        &clerk.toolkit(),
        "findUsers",
        json!({"without": ["organization"], "maxResults": 500}),
    );
    let members = clerk.send("GET", "/v1/organization_memberships?limit=500", Value::Null);
    let members: std::collections::BTreeSet<String> = members["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            row["public_user_data"]["user_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let found = ids(&found);
    assert_eq!(found.len(), 130 - members.len());
    assert!(found.iter().all(|id| !members.contains(id)));
}

#[test]
fn every_user_is_read_exactly_once_in_parallel_ranges() {
    let clerk = many(5_000);
    let toolkit = clerk.toolkit();
    let found = result(
        &toolkit,
        "findUsers",
        json!({"where": [{"pointer": "/id", "exists": false}]}),
    );
    assert_eq!(found["scanned"], 5_000);
    assert_eq!(found["data"], json!([]));
    let sent = clerk.take_sent();
    assert!(
        sent.iter().all(|request| !request.url.contains("offset=")),
        "it pages by cursor"
    );
    assert!(
        sent.iter()
            .any(|request| request.url.contains("starting_after="))
    );
    let ranges: std::collections::BTreeSet<String> = sent
        .iter()
        .filter_map(|request| request.url.split("created_at_after=").nth(1))
        .map(|rest| rest.split('&').next().unwrap().to_owned())
        .collect();
    assert!(
        ranges.len() >= 3,
        "it reads ranges side by side: {ranges:?}"
    );
}

#[test]
fn the_newest_matches_come_first_and_the_rest_follows() {
    let clerk = many(5_000);
    let toolkit = clerk.toolkit();
    let newest = clerk.send("GET", "/v1/users?limit=60", Value::Null);
    let newest: Vec<String> = newest
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["id"].as_str().unwrap().to_owned())
        .collect();
    let mut seen = Vec::new();
    let mut arguments = json!({"maxResults": 20, "fields": ["/id"]});
    for _ in 0..3 {
        let found = result(&toolkit, "findUsers", arguments.clone());
        assert_eq!(found["has_more"], true);
        seen.extend(ids(&found));
        let last = seen.last().unwrap();
        assert!(
            found["hint"]
                .as_str()
                .unwrap()
                .contains(&format!("startingAfter={last}"))
        );
        arguments["startingAfter"] = last.as_str().into();
    }
    assert_eq!(seen, newest);
}

#[test]
fn requests_stay_within_the_rate_limit() {
    let clerk = many(10_000);
    let limit = RateLimit {
        requests: 10,
        per: Duration::from_secs(10),
    };
    let client = clerk.client_builder().rate_limit(limit).build();
    let toolkit = ClerkToolkit::builder(client).build().unwrap();
    let everybody = json!({"where": [{"pointer": "/id", "exists": false}]});
    assert_eq!(result(&toolkit, "findUsers", everybody)["scanned"], 10_000);
    let times: Vec<u64> = clerk.take_sent().iter().map(|request| request.at).collect();
    assert!(times.len() > 20);
    for (index, at) in times.iter().enumerate() {
        let window = times[index..]
            .iter()
            .take_while(|later| *later - at < 10_000)
            .count();
        assert!(window <= 10, "{window} requests in 10 s");
    }
}

/// Earlier reports take longer to arrive, so that a later one would overtake them.
#[derive(Default)]
struct Recorded {
    begun: AtomicUsize,
    arrived: Mutex<Vec<(u64, Option<u64>)>>,
}

impl Progress for Recorded {
    fn report(&self, done: u64, total: Option<u64>, _: String) -> BoxFuture<'_, ()> {
        let mut waits = 20_usize.saturating_sub(self.begun.fetch_add(1, Ordering::SeqCst));
        Box::pin(std::future::poll_fn(move |context| {
            if waits > 0 {
                waits -= 1;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.arrived.lock().unwrap().push((done, total));
            Poll::Ready(())
        }))
    }
}

#[test]
fn progress_grows_to_the_total() {
    let clerk = many(3_000);
    let progress = Recorded::default();
    let arguments = json!({"where": [{"pointer": "/id", "exists": false}]});
    now(clerk.toolkit().call("findUsers", &arguments, &progress)).unwrap();
    let reports = progress.arrived.into_inner().unwrap();
    assert!(reports.len() >= 2, "{reports:?}");
    assert!(
        reports.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "{reports:?}"
    );
    assert_eq!(*reports.last().unwrap(), (3_000, Some(3_000)));
}

#[test]
fn a_dropped_call_sends_nothing_more() {
    let clerk = many(3_000);
    let toolkit = clerk.toolkit();
    let arguments = json!({});
    let mut call = Box::pin(toolkit.call("findUsers", &arguments, &clerk_mcp_toolkit::Quiet));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    drop(call);
    assert_eq!(clerk.take_sent().len(), 1);
}

#[test]
fn a_failure_in_the_middle_is_told() {
    let clerk = many(3_000);
    clerk.fail(|sent| {
        sent.url
            .contains("starting_after")
            .then(|| (400, "{}".to_owned()))
    });
    let error = refused(
        &clerk.toolkit(),
        "findUsers",
        json!({"where": [{"pointer": "/id", "exists": false}]}),
    );
    assert_eq!(error.clerk().unwrap().status(), Some(400));
}
