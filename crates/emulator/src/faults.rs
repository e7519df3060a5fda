//! Faults on demand: rules that delay, refuse, break or drop what they match.

use crate::clock::Random;
use crate::ids;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest wait of one rule: ten minutes.
const MAX_LATENCY_MS: u64 = 600_000;

/// A rule, as it is posted to the control API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rule {
    /// Only requests with this method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// Only paths that start like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Only this operation of Clerk's OpenAPI file, such as `CreateUser`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
    /// How many more requests it takes; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// The share of matching requests it takes, from 0 to 1; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    /// How long the answer waits, at most [`MAX_LATENCY_MS`].
    pub(crate) latency_ms: u64,
    /// Refuse with this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Seconds for `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
    /// Close the connection instead of answering.
    pub(crate) drop_connection: bool,
    /// Answer with a body cut in half.
    pub(crate) invalid_json: bool,
    /// Run the operation before refusing or dropping: the answer is lost, not the request.
    pub(crate) after_running: bool,
}

/// What the rules say about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) delay: Duration,
    pub(crate) effect: Effect,
    pub(crate) after_running: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    Status(u16, Option<u64>),
    InvalidJson,
    Drop,
}

impl Rule {
    /// What is wrong with the rule, if something is.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self
            .probability
            .is_some_and(|share| !(0.0..=1.0).contains(&share))
        {
            return Some("`probability` is a number from 0 to 1");
        }
        if self
            .status
            .is_some_and(|status| !(400..=599).contains(&status))
        {
            return Some("`status` is an error status, from 400 to 599");
        }
        if self.latency_ms > MAX_LATENCY_MS {
            return Some("`latency_ms` is at most 600000, ten minutes");
        }
        let effects = [
            self.status.is_some(),
            self.drop_connection,
            self.invalid_json,
        ];
        match effects.into_iter().filter(|effect| *effect).count() {
            0 if self.latency_ms == 0 => Some(
                "a rule does something: give `status`, `drop_connection`, `invalid_json` or `latency_ms`",
            ),
            0 | 1 => None,
            _ => Some("a rule has one of `status`, `drop_connection` and `invalid_json`"),
        }
    }

    fn fits(&self, method: &str, path: &str, operation: Option<&str>) -> bool {
        self.times != Some(0)
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path
                .as_deref()
                .is_none_or(|prefix| path.starts_with(prefix))
            && self
                .operation
                .as_deref()
                .is_none_or(|wanted| Some(wanted) == operation)
    }

    fn effect(&self) -> Effect {
        match self.status {
            Some(status) => Effect::Status(status, self.retry_after),
            None if self.drop_connection => Effect::Drop,
            None if self.invalid_json => Effect::InvalidJson,
            None => Effect::Nothing,
        }
    }
}

/// Applies the rules in order. Latencies add up; the first rule with another effect ends it.
pub(crate) fn apply(
    rules: &mut Vec<Rule>,
    method: &str,
    path: &str,
    operation: Option<&str>,
    random: &mut dyn Random,
) -> Fault {
    let mut fault = Fault {
        delay: Duration::ZERO,
        effect: Effect::Nothing,
        after_running: false,
    };
    for rule in rules
        .iter_mut()
        .filter(|rule| rule.fits(method, path, operation))
    {
        if rule
            .probability
            .is_some_and(|share| ids::fraction(random) >= share)
        {
            continue;
        }
        rule.times = rule.times.map(|times| times - 1);
        fault.delay += Duration::from_millis(rule.latency_ms);
        fault.effect = rule.effect();
        if fault.effect != Effect::Nothing {
            fault.after_running = rule.after_running;
            break;
        }
    }
    rules.retain(|rule| rule.times != Some(0));
    fault
}
