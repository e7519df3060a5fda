//! `findUsers`: reads through users for conditions that Clerk's API cannot filter.
//!
//! Pages follow the `starting_after` cursor, since a large `offset` times out at Clerk. Many users
//! are read in parallel over disjoint ranges of `created_at`, where a cursor alone would be
//! sequential. All requests are of bulk priority, so that the client's budget keeps them within the
//! instance's rate limit. What is kept is bounded by `maxResults`, whatever the number of users.

mod conditions;
mod ranges;

use std::sync::{Mutex, PoisonError};

use clerk::{Client, Priority, Request};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::Method;
use serde_json::{Map, Value};

pub use conditions::{Condition, WITHOUT};

use crate::{
    arguments::Arguments,
    cut,
    error::ToolError,
    operations, redact, request, shape, text,
    toolkit::{Outcome, Progress},
};
use conditions::Wanted;
use ranges::Range;

/// Users in one request: Clerk's largest page.
const PAGE: usize = 500;
/// Results unless `maxResults` says otherwise.
const DEFAULT_RESULTS: u64 = 20;
/// Ranges read side by side.
const PARALLEL: usize = 4;
/// Below this many users one range is read, page by page.
const SEQUENTIAL_BELOW: u64 = 4 * PAGE as u64;
/// Clerk takes this many organizations in one exclusion filter.
const EXCLUSION_LIMIT: usize = 100;

/// Runs the tool.
pub(crate) async fn run(
    client: &Client,
    arguments: &Arguments,
    allow_private_metadata: bool,
    progress: &dyn Progress,
) -> Result<Outcome, ToolError> {
    let wanted = Wanted::parse(arguments, allow_private_metadata).map_err(ToolError::Arguments)?;
    let search = Search {
        client,
        arguments,
        exclusion: exclusion(client, &wanted).await?,
        policy: redact::Policy {
            private_metadata: allow_private_metadata,
            ticket_urls: false,
        },
        most: usize::try_from(arguments.integer("maxResults").unwrap_or(DEFAULT_RESULTS))
            .unwrap_or(usize::MAX),
        wanted,
        progress,
    };
    search.run().await
}

/// How users without an organization are told apart.
enum Exclusion {
    /// Nobody asked.
    None,
    /// Clerk filters: none of these organizations.
    Organizations(Vec<String>),
    /// Too many organizations for a filter: each candidate is looked up.
    EachUser,
}

/// How far the search is, over all ranges.
#[derive(Default)]
struct Tally {
    scanned: u64,
    /// Matches per range, newest range first.
    matches: Vec<usize>,
    /// What the last report said was scanned.
    reported: u64,
    /// A report is on its way: ranges are read side by side, and a later number must not overtake it.
    is_reporting: bool,
}

impl Tally {
    fn found(&self) -> usize {
        self.matches.iter().sum()
    }

    /// Users scanned and matches, if that is news and no report is on its way.
    fn begin_report(&mut self) -> Option<(u64, usize)> {
        if self.is_reporting || self.scanned <= self.reported {
            return None;
        }
        self.is_reporting = true;
        self.reported = self.scanned;
        Some((self.scanned, self.found()))
    }

    /// Newer ranges alone have more than enough, so that this one can add nothing.
    fn is_settled_before(&self, range: usize, most: usize) -> bool {
        self.matches.iter().take(range).sum::<usize>() > most
    }
}

struct Search<'a> {
    client: &'a Client,
    arguments: &'a Arguments,
    wanted: Wanted,
    exclusion: Exclusion,
    policy: redact::Policy,
    most: usize,
    progress: &'a dyn Progress,
}

impl Search<'_> {
    async fn run(&self) -> Result<Outcome, ToolError> {
        let total = self.count().await?;
        let ranges = self.ranges(total).await?;
        let tally = Mutex::new(Tally {
            scanned: 0,
            matches: vec![0; ranges.len()],
            reported: 0,
            is_reporting: false,
        });
        let mut reading: FuturesUnordered<_> = ranges
            .iter()
            .enumerate()
            .map(|(index, range)| self.read(index, range, total, &tally))
            .collect();
        let mut found: Vec<Vec<Value>> = vec![Vec::new(); ranges.len()];
        while let Some(read) = reading.next().await {
            let (index, users) = read?;
            if let Some(slot) = found.get_mut(index) {
                *slot = users;
            }
        }
        drop(reading);
        let scanned = lock(&tally).scanned;
        Ok(self.answer(found.into_iter().flatten().collect(), scanned))
    }

    async fn count(&self) -> Result<Option<u64>, ToolError> {
        if self.arguments.get("startingAfter").is_some() {
            return Ok(None);
        }
        let request = self.filters(
            Request::new("GetUsersCount", Method::GET, "/users/count"),
            None,
        );
        let answer = self.client.send(&request).await?.body;
        Ok(answer.get("total_count").and_then(Value::as_u64))
    }

    /// One range, or several when there is much to read.
    async fn ranges(&self, total: Option<u64>) -> Result<Vec<Range>, ToolError> {
        if total.is_none_or(|total| total < SEQUENTIAL_BELOW) {
            return Ok(vec![Range::ALL]);
        }
        let request = self
            .filters(Request::new("GetUserList", Method::GET, "/users"), None)
            .query("limit", "1")
            .query("order_by", "+created_at");
        let oldest = self.client.send(&request).await?.body;
        let oldest = oldest.pointer("/0/created_at").and_then(Value::as_u64);
        let newest = self
            .arguments
            .integer("createdAtBefore")
            .unwrap_or_else(|| self.client.env().now())
            .min(self.client.env().now());
        Ok(oldest.map_or_else(
            || vec![Range::ALL],
            |oldest| ranges::split(oldest, newest, PARALLEL),
        ))
    }

    async fn read(
        &self,
        index: usize,
        range: &Range,
        total: Option<u64>,
        tally: &Mutex<Tally>,
    ) -> Result<(usize, Vec<Value>), ToolError> {
        let mut found = Vec::new();
        let mut cursor = self.arguments.text("startingAfter").map(str::to_owned);
        loop {
            let page = self.page(range, cursor.as_deref()).await?;
            let received = page.len();
            cursor = page.last().and_then(shape::id_of).or(cursor);
            let mut read = 0;
            for mut user in page {
                if !range.holds(user.get("created_at").and_then(Value::as_u64)) {
                    continue;
                }
                read += 1;
                if found.len() <= self.most && self.matches(&mut user).await? {
                    found.push(user);
                }
            }
            let settled = {
                let mut tally = lock(tally);
                tally.scanned += read;
                if let Some(matches) = tally.matches.get_mut(index) {
                    *matches = found.len();
                }
                tally.is_settled_before(index, self.most)
            };
            self.report(total, tally).await;
            if received < PAGE || found.len() > self.most || settled || cursor.is_none() {
                return Ok((index, found));
            }
        }
    }

    /// Tells how far all ranges are, if nobody does so already; who does goes on until nothing is new.
    /// Progress only grows (MCP, "Progress").
    async fn report(&self, total: Option<u64>, tally: &Mutex<Tally>) {
        loop {
            let step = lock(tally).begin_report();
            let Some((scanned, matching)) = step else {
                return;
            };
            let of = total
                .map(|total| format!(" of {total}"))
                .unwrap_or_default();
            let message = format!("read {scanned}{of} users, {matching} match");
            self.progress.report(scanned, total, message).await;
            lock(tally).is_reporting = false;
        }
    }

    async fn page(&self, range: &Range, cursor: Option<&str>) -> Result<Vec<Value>, ToolError> {
        let mut request = self
            .filters(
                Request::new("GetUserList", Method::GET, "/users"),
                Some(range),
            )
            .query("limit", PAGE.to_string())
            .query("order_by", "-created_at");
        if let Some(cursor) = cursor {
            request = request.query("starting_after", cursor);
        }
        let answer = self.client.send(&request).await?.body;
        let page = shape::Page::parse(answer);
        page.map(|page| page.rows).ok_or(ToolError::Answer {
            operation: "GetUserList",
            expected: "a list",
        })
    }

    /// The filters that Clerk can apply, narrowed to a range.
    fn filters(&self, mut request: Request, range: Option<&Range>) -> Request {
        let rows = operations::find("findUsers")
            .map(|row| row.parameters)
            .unwrap_or_default();
        for parameter in rows {
            let of_range = match (parameter.name, range) {
                ("createdAtAfter", Some(range)) => range.after(),
                ("createdAtBefore", Some(range)) => range.before(),
                _ => None,
            };
            let value = of_range
                .map(Value::from)
                .or_else(|| self.arguments.get(parameter.name).cloned());
            let sent = parameter.location == crate::operation::Location::Query
                && parameter.name != "startingAfter";
            if let (true, Some(value)) = (sent, value) {
                request = request::query(request, parameter.wire, &value);
            }
        }
        if let Exclusion::Organizations(ids) = &self.exclusion {
            for id in ids {
                request = request.query("organization_id", format!("-{id}"));
            }
        }
        request.priority(Priority::Bulk)
    }

    /// Whether a user is wanted. What may not be seen cannot be asked about either: private
    /// metadata is gone before any condition looks.
    async fn matches(&self, user: &mut Value) -> Result<bool, ToolError> {
        redact::redact(user, &self.policy);
        if !self.wanted.holds(user) {
            return Ok(false);
        }
        match self.exclusion {
            Exclusion::EachUser => self.has_no_organization(user).await,
            Exclusion::None | Exclusion::Organizations(_) => Ok(true),
        }
    }

    async fn has_no_organization(&self, user: &Value) -> Result<bool, ToolError> {
        let request = Request::new(
            "UsersGetOrganizationMemberships",
            Method::GET,
            "/users/{user_id}/organization_memberships",
        )
        .path_parameter("user_id", &shape::id_of(user).unwrap_or_default())
        .map_err(clerk::Error::from)?
        .query("limit", "1")
        .priority(Priority::Bulk);
        let answer = self.client.send(&request).await?.body;
        Ok(answer
            .get("data")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty))
    }

    fn answer(&self, mut users: Vec<Value>, scanned: u64) -> Outcome {
        let mut more = users.len() > self.most;
        users.truncate(self.most);
        let ids: Vec<Option<String>> = users.iter().map(shape::id_of).collect();
        let selection = shape::selection(self.arguments);
        let unmatched = shape::unmatched_hint(selection.as_ref(), users.first());
        for user in &mut users {
            text::escape_invisible(user);
            if let Some(selection) = &selection {
                *user = selection.apply(user);
            }
        }
        let cut = cut::cut_items(&mut users, cut::RESULT_LIMIT - shape::ENVELOPE);
        more |= cut.dropped > 0;
        let mut hints = Vec::new();
        if cut.dropped > 0 {
            let kept = users.len();
            hints.push(format!(
                "cut after {kept} users at 100 KB; fields makes them shorter"
            ));
        }
        let last = users
            .len()
            .checked_sub(1)
            .and_then(|last| ids.get(last).cloned().flatten());
        if let (true, Some(last)) = (more, last) {
            hints.push(format!("more match: call again with startingAfter={last}"));
        }
        hints.extend(unmatched);
        let mut structured = Map::new();
        structured.insert("data".into(), Value::Array(users));
        structured.insert("scanned".into(), scanned.into());
        structured.insert("has_more".into(), more.into());
        if !hints.is_empty() {
            structured.insert("hint".into(), hints.join(". ").into());
        }
        Outcome {
            structured,
            clerk_trace_id: None,
        }
    }
}

/// Clerk filters users by organization, so that *no* organization is the exclusion of all of them
/// where they are few enough.
async fn exclusion(client: &Client, wanted: &Wanted) -> Result<Exclusion, ToolError> {
    if !wanted.without_organization() {
        return Ok(Exclusion::None);
    }
    let request = Request::new("ListOrganizations", Method::GET, "/organizations")
        .query("limit", EXCLUSION_LIMIT.to_string())
        .priority(Priority::Bulk);
    let answer = match client.send(&request).await {
        Ok(answer) => answer.body,
        // On an instance without organizations nobody is in one.
        Err(error) if error.is_organizations_disabled() => return Ok(Exclusion::None),
        Err(error) => return Err(error.into()),
    };
    let rows = answer
        .get("data")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let total = answer
        .get("total_count")
        .and_then(Value::as_u64)
        .unwrap_or(u64::MAX);
    if total > EXCLUSION_LIMIT as u64 {
        return Ok(Exclusion::EachUser);
    }
    Ok(Exclusion::Organizations(
        rows.iter().filter_map(shape::id_of).collect(),
    ))
}

/// A poisoned tally still counts: nothing in it can be half done.
fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
