//! Limits per client address on the endpoints that anybody may call.
//!
//! Each address has a bucket per endpoint that calls fill and time drains. The limits stop floods,
//! not people: an office behind one address stays far below them.
//!
//! | endpoint | at once | over time |
//! |---|---|---|
//! | `POST /register` | N | N an hour (`oauth.registrations_per_hour`) |
//! | `POST /token`, `POST /revoke` | 600 | 10 a second |
//! | wrong secrets of one client | 30 | one every 2 s |
//! | `GET /authorize` | 120 | 2 a second |
//! | keys that `POST /token` and `POST /revoke` make the server fetch | 20 | 2 a second |
//! | tokens that only Clerk can read | 1,200, or 30 refused | 50 a second, or one refused every 0.8 s |
//!
//! A client refreshes about every 15 minutes, so 10 a second are some 9,000 clients behind one
//! address. What fails costs no more than what succeeds: codes and tokens are 256 random bits, which
//! nobody guesses, and a client that is stuck with a dead one must not lock its neighbours out. What
//! can be guessed is a secret that an owner chose. Wrong ones are counted for each address and client,
//! and hold up those alone who present a secret of that client.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderValue, Response, StatusCode, header};
use oauth::{ClientId, Timestamp};
use serde_json::json;

use crate::client_address::AddressGroup;

/// How far requests that came at the same time may overtake each other. Only a clock that goes back
/// further was set back.
const OVERTAKING: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// `POST /token` and `POST /revoke`, which share a bucket.
const TOKEN_CALLS: Quota = Quota {
    at_once: 600,
    each: Duration::from_millis(100),
};
/// Wrong secrets of one client, from one address.
const WRONG_SECRETS: Quota = Quota {
    at_once: 30,
    each: Duration::from_secs(2),
};
/// `GET /authorize`, which makes the server remember a request, and perhaps fetch a document.
const AUTHORIZATIONS: Quota = Quota {
    at_once: 120,
    each: Duration::from_millis(500),
};
/// What those fetch of clients' keys, each with a place of its own (`client_documents`) for up to 10 s:
/// one address cannot take all places with hosts that are slow. Honest clients share a key set, which
/// is kept for minutes.
const KEY_FETCHES: Quota = Quota {
    at_once: 20,
    each: Duration::from_millis(500),
};
/// Tokens of Clerk's at `/mcp` that only Clerk can read. Each that is used is looked at twice a
/// minute, so that 50 a second are some 1,500 of them behind one address.
const OPAQUE_TOKENS: Quota = Quota {
    at_once: 1_200,
    each: Duration::from_millis(20),
};
/// What a refused one costs, in good ones.
const REFUSED_TOKEN: u32 = 40;
/// How many addresses each endpoint remembers, some 2 MB, and of how many clients and addresses wrong
/// secrets are. Past it those are forgotten whose buckets are emptiest.
const MOST_ADDRESSES: usize = 32_768;

/// The limits of a server. Nothing here waits; the lock is held for a few memory accesses, and for
/// about a millisecond once in thousands of new addresses.
#[derive(Debug)]
pub struct RateLimits {
    registrations: Buckets,
    token_calls: Buckets,
    wrong_secrets: Buckets<(AddressGroup, ClientId)>,
    authorizations: Buckets,
    key_fetches: Buckets,
    opaque_tokens: Buckets,
}

impl RateLimits {
    /// Limits under which nobody has called yet. With no registrations per hour there is none.
    #[must_use]
    pub fn new(registrations_per_hour: u32) -> Self {
        let registrations = Quota {
            at_once: registrations_per_hour,
            each: HOUR / registrations_per_hour.max(1),
        };
        Self {
            registrations: Buckets::new(registrations, MOST_ADDRESSES),
            token_calls: Buckets::new(TOKEN_CALLS, MOST_ADDRESSES),
            wrong_secrets: Buckets::new(WRONG_SECRETS, MOST_ADDRESSES),
            authorizations: Buckets::new(AUTHORIZATIONS, MOST_ADDRESSES),
            key_fetches: Buckets::new(KEY_FETCHES, MOST_ADDRESSES),
            opaque_tokens: Buckets::new(OPAQUE_TOKENS, MOST_ADDRESSES),
        }
    }

    /// Counts a `POST /register`, whatever comes of it.
    ///
    /// # Errors
    /// When the address has made too many.
    pub fn registration(&self, client: IpAddr, now: Timestamp) -> Result<(), Limited> {
        self.registrations.take(AddressGroup::of(client), now)
    }

    /// Counts a `POST /token` or `POST /revoke`, whatever comes of it.
    ///
    /// # Errors
    /// When the address has made too many.
    pub fn token_call(&self, client: IpAddr, now: Timestamp) -> Result<(), Limited> {
        self.token_calls.take(AddressGroup::of(client), now)
    }

    /// Counts a secret that this address presented for a client, if it is wrong. The right one costs
    /// nothing.
    ///
    /// # Errors
    /// When the address has presented too many wrong ones for that client: also where this one is right,
    /// or else guessing would go on.
    pub fn client_secret(
        &self,
        address: IpAddr,
        client: &ClientId,
        is_right: bool,
        now: Timestamp,
    ) -> Result<(), Limited> {
        let bucket = (AddressGroup::of(address), client.clone());
        match is_right {
            true => self.wrong_secrets.has_room(&bucket, now),
            false => self.wrong_secrets.take(bucket, now),
        }
    }

    /// Counts a `GET /authorize`.
    ///
    /// # Errors
    /// When the address has made too many.
    pub fn authorization(&self, client: IpAddr, now: Timestamp) -> Result<(), Limited> {
        self.authorizations.take(AddressGroup::of(client), now)
    }

    /// Counts a fetch of a client's keys, for a call that needs them.
    ///
    /// # Errors
    /// When the address has caused too many.
    pub fn key_fetch(&self, client: IpAddr, now: Timestamp) -> Result<(), Limited> {
        self.key_fetches.take(AddressGroup::of(client), now)
    }

    /// Counts a token that Clerk is to be asked about, as if it were good.
    ///
    /// # Errors
    /// When the address has sent too many, or too many that were refused.
    pub fn opaque_token(&self, client: IpAddr, now: Timestamp) -> Result<(), Limited> {
        self.opaque_tokens.take(AddressGroup::of(client), now)
    }

    /// Says that a token counted by [`Self::opaque_token`] was refused.
    pub fn opaque_token_refused(&self, client: IpAddr, now: Timestamp) {
        let more = REFUSED_TOKEN - 1;
        self.opaque_tokens.add(AddressGroup::of(client), more, now);
    }
}

/// The address has called too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// When the same call may succeed, if the address is quiet until then.
    pub retry_after: Duration,
}

impl Limited {
    /// The value of `Retry-After` (RFC 9110 section 10.2.3): whole seconds, at least one.
    #[must_use]
    pub fn retry_after(self) -> HeaderValue {
        HeaderValue::from(self.seconds())
    }

    /// 429 (RFC 6585 section 4) for a program: an OAuth error as JSON, with `Retry-After`.
    #[must_use]
    pub fn into_http(self) -> Response<String> {
        let body = json!({
            "error": "temporarily_unavailable",
            "error_description": self.to_string(),
        });
        let mut response = Response::new(body.to_string());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, self.retry_after());
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let no_store = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, no_store);
        response
    }

    fn seconds(self) -> u64 {
        let milliseconds = u64::try_from(self.retry_after.as_millis()).unwrap_or(u64::MAX);
        milliseconds.div_ceil(1000).max(1)
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        write!(
            formatter,
            "too many requests from your address; hint: try again in {seconds} s"
        )
    }
}

impl std::error::Error for Limited {}

/// How often an address may call.
#[derive(Clone, Copy, Debug)]
struct Quota {
    /// Calls that fill an empty bucket.
    at_once: u32,
    /// How long it takes until one call has drained from the bucket.
    each: Duration,
}

impl Quota {
    /// How long a full bucket takes to drain.
    fn full(self) -> Duration {
        self.each * self.at_once
    }
}

/// The buckets of one endpoint. A bucket is kept as the moment at which it will be empty (the
/// generic cell rate algorithm), so one that is empty need not be kept at all.
#[derive(Debug)]
struct Buckets<K = AddressGroup> {
    quota: Quota,
    most: usize,
    empty_at: Mutex<HashMap<K, Timestamp>>,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(quota: Quota, most: usize) -> Self {
        Self {
            quota,
            most,
            empty_at: Mutex::default(),
        }
    }

    /// Adds one call, if there is room.
    fn take(&self, group: K, now: Timestamp) -> Result<(), Limited> {
        let mut buckets = self.lock();
        let filled = self.with_one_more(&buckets, &group, now)?;
        self.put(&mut buckets, group, filled, now);
        Ok(())
    }

    /// Whether there is room for one call.
    fn has_room(&self, group: &K, now: Timestamp) -> Result<(), Limited> {
        self.with_one_more(&self.lock(), group, now).map(|_| ())
    }

    /// When the bucket will be empty if one call is added.
    fn with_one_more(
        &self,
        buckets: &HashMap<K, Timestamp>,
        group: &K,
        now: Timestamp,
    ) -> Result<Timestamp, Limited> {
        let filled = self.level(buckets, group, now).after(self.quota.each);
        let over = now.until(filled).saturating_sub(self.quota.full());
        if over.is_zero() {
            Ok(filled)
        } else {
            Err(Limited { retry_after: over })
        }
    }

    /// Adds calls that have happened already, room or not. Nobody waits for more than a second full
    /// bucket to drain, however much they sent at the same time.
    fn add(&self, group: K, calls: u32, now: Timestamp) {
        let mut buckets = self.lock();
        let level = self.level(&buckets, &group, now);
        let filled = level.after(self.quota.each * calls);
        let most = now.after(self.quota.full() * 2);
        self.put(&mut buckets, group, filled.min(most), now);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Timestamp>> {
        // The map is whole after a panic too.
        self.empty_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a bucket will be empty; now, if it is. One that is fuller than any can be was filled
    /// before the clock was set back.
    fn level(&self, buckets: &HashMap<K, Timestamp>, group: &K, now: Timestamp) -> Timestamp {
        let possible = now..=now.after(self.quota.full() * 2 + OVERTAKING);
        let known = buckets.get(group).copied();
        known
            .filter(|known| possible.contains(known))
            .unwrap_or(now)
    }

    fn put(
        &self,
        buckets: &mut HashMap<K, Timestamp>,
        group: K,
        filled: Timestamp,
        now: Timestamp,
    ) {
        if buckets.len() >= self.most && !buckets.contains_key(&group) {
            forget(buckets, self.most, now);
        }
        buckets.insert(group, filled);
    }
}

/// Makes room: drops the empty buckets, and if more than seven eighths are left, the emptiest, so
/// that it is not done again for the next address.
fn forget<K: Eq + Hash>(buckets: &mut HashMap<K, Timestamp>, most: usize, now: Timestamp) {
    buckets.retain(|_, empty_at| !empty_at.has_passed(now));
    let kept = most - most.div_ceil(8);
    if buckets.len() <= kept {
        return;
    }
    let surplus = buckets.len() - kept;
    let mut moments: Vec<Timestamp> = buckets.values().copied().collect();
    let (_, &mut last, _) = moments.select_nth_unstable(surplus - 1);
    // Of those that are as full as the last one, some go and some stay.
    let mut ties = surplus - moments[..surplus].iter().filter(|&&at| at < last).count();
    buckets.retain(|_, empty_at| {
        if *empty_at == last && ties > 0 {
            ties -= 1;
            return false;
        }
        *empty_at >= last
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp(1_790_000_000_000);

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn seconds(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn registrations_are_as_configured() {
        let limits = RateLimits::new(20);
        for _ in 0..20 {
            limits.registration(address(1), START).unwrap();
        }
        let limited = limits.registration(address(1), START).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(180));
        // Another address is not affected.
        limits.registration(address(2), START).unwrap();
        limits.registration(address(1), seconds(179)).unwrap_err();
        limits.registration(address(1), seconds(180)).unwrap();
        limits.registration(address(1), seconds(180)).unwrap_err();
    }

    #[test]
    fn no_registrations_are_none() {
        let limits = RateLimits::new(0);
        assert!(limits.registration(address(1), START).is_err());
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let limits = RateLimits::new(1);
        let of = |text: &str| text.parse::<IpAddr>().unwrap();
        limits.registration(of("2001:db8::1"), START).unwrap();
        limits.registration(of("2001:db8::2"), START).unwrap_err();
        limits.registration(of("2001:db8:0:1::2"), START).unwrap();
    }

    #[test]
    fn wrong_secrets_are_counted_for_each_address_and_client() {
        let limits = RateLimits::new(20);
        let [client, other] = ["shop", "desk"].map(|id| ClientId(id.to_owned()));
        let present = |from, client, is_right, now| {
            let presented = limits.client_secret(address(from), client, is_right, now);
            presented.map_err(|limited| limited.retry_after)
        };
        // Right ones cost nothing.
        for _ in 0..1_000 {
            present(1, &client, true, START).unwrap();
        }
        for _ in 0..30 {
            present(1, &client, false, START).unwrap();
        }
        let wait = Err(Duration::from_secs(2));
        assert_eq!(present(1, &client, false, START), wait);
        // Or else one could go on guessing.
        assert_eq!(present(1, &client, true, START), wait);
        present(2, &client, true, START).unwrap();
        present(1, &other, true, START).unwrap();
        limits.token_call(address(1), START).unwrap();
        present(1, &client, true, seconds(2)).unwrap();
    }

    #[test]
    fn refused_tokens_at_the_same_time_are_paid_for_within_bounds() {
        let limits = RateLimits::new(20);
        for _ in 0..1_200 {
            limits.opaque_token(address(1), START).unwrap();
        }
        for _ in 0..1_200 {
            limits.opaque_token_refused(address(1), START);
        }
        // One that was overtaken on its way finds the bucket as full.
        let before = Timestamp(START.0 - 1);
        limits.opaque_token(address(1), before).unwrap_err();
        let limited = limits.opaque_token(address(1), START).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_millis(24_020));
        limits.opaque_token(address(1), seconds(24)).unwrap_err();
        limits.opaque_token(address(1), seconds(25)).unwrap();
    }

    #[test]
    fn endpoints_are_counted_apart() {
        let limits = RateLimits::new(1);
        limits.registration(address(1), START).unwrap();
        limits.registration(address(1), START).unwrap_err();
        for _ in 0..120 {
            limits.authorization(address(1), START).unwrap();
        }
        limits.authorization(address(1), START).unwrap_err();
        for _ in 0..20 {
            limits.key_fetch(address(1), START).unwrap();
        }
        limits.key_fetch(address(1), START).unwrap_err();
        limits.token_call(address(1), START).unwrap();
    }

    #[test]
    fn a_clock_that_goes_back_does_not_lock_anyone_out() {
        let limits = RateLimits::new(20);
        limits.registration(address(1), seconds(5)).unwrap();
        limits.registration(address(1), START).unwrap();
        for _ in 0..20 {
            limits.registration(address(2), seconds(8000)).unwrap();
        }
        limits.registration(address(2), seconds(8000)).unwrap_err();
        limits.registration(address(2), START).unwrap();
    }

    #[test]
    fn the_answer_says_when_to_come_back() {
        let answer = |milliseconds| {
            let retry_after = Duration::from_millis(milliseconds);
            Limited { retry_after }.into_http()
        };
        let response = answer(1_001);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let body: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(body["error"], "temporarily_unavailable");
        assert_eq!(answer(1).headers()[header::RETRY_AFTER], "1");
        assert_eq!(answer(60_000).headers()[header::RETRY_AFTER], "60");
    }

    fn remembered(buckets: &Buckets) -> usize {
        buckets.empty_at.lock().unwrap().len()
    }

    fn small() -> Buckets {
        let quota = Quota {
            at_once: 2,
            each: Duration::from_secs(10),
        };
        Buckets::new(quota, 64)
    }

    #[test]
    fn old_addresses_are_forgotten() {
        let buckets = small();
        for number in 0..64 {
            let group = AddressGroup::of(address(number));
            buckets.take(group, START).unwrap();
        }
        assert_eq!(remembered(&buckets), 64);
        let group = AddressGroup::of(address(1000));
        buckets.take(group, seconds(10)).unwrap();
        assert_eq!(remembered(&buckets), 1);
    }

    #[test]
    fn a_crowd_of_addresses_does_not_free_a_limited_one() {
        let buckets = small();
        let busy = AddressGroup::of(address(u32::MAX));
        buckets.take(busy, START).unwrap();
        buckets.take(busy, START).unwrap();
        for number in 0..10_000 {
            let group = AddressGroup::of(address(number));
            buckets.take(group, START).unwrap();
            assert!(remembered(&buckets) <= 64);
        }
        buckets.take(busy, START).unwrap_err();
    }

    proptest! {
        #[test]
        fn never_more_than_a_full_bucket_and_what_drained(
            pauses in prop::collection::vec(0_u64..15_000, 1..200),
        ) {
            let buckets = small();
            let group = AddressGroup::of(address(1));
            let mut now = START;
            let mut taken = 0;
            for pause in pauses {
                now = now.after(Duration::from_millis(pause));
                match buckets.take(group, now) {
                    Ok(()) => taken += 1,
                    Err(limited) => {
                        // The hint is true: then it works, and a moment before it does not.
                        let then = now.after(limited.retry_after);
                        prop_assert!(buckets.take(group, then.before(Duration::from_millis(1))).is_err());
                        prop_assert!(buckets.take(group, then).is_ok());
                        now = then;
                        taken += 1;
                    }
                }
                prop_assert!(taken <= 2 + START.until(now).as_millis() / 10_000);
            }
        }
    }
}
