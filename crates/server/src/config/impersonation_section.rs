//! `[impersonation]`.

use clerk::InstanceKind;
use mcp::impersonation::Policy;

use super::{
    fault::{Place, Wrong},
    model::{ClerkConfig, Impersonation},
    quantity::{duration, switch},
    settings::{self, Setting},
    sources::Reading,
};
use crate::http_tools::HttpTools;

/// The settings that make no sense without a ceiling.
const OTHERS: [&Setting; 3] = [
    &settings::IMPERSONATION_ALLOW_LIVE,
    &settings::IMPERSONATION_EXPOSE_TOKENS,
    &settings::IMPERSONATION_TEMPLATE,
];

/// `Some(None)` when there is no such section.
pub(super) fn impersonation(
    reading: &Reading<'_>,
    http_tools: Option<&Option<HttpTools>>,
    clerk: Option<&ClerkConfig>,
) -> Option<Option<Impersonation>> {
    let ceiling = &settings::IMPERSONATION_CEILING;
    let Some(given) = reading.given(ceiling) else {
        let mut others = OTHERS.iter().filter_map(|setting| reading.given(setting));
        let is_file = |place: &Place| matches!(place, Place::File { .. });
        let Some(other) = others.find(|given| is_file(&given.place)) else {
            return Some(None);
        };
        let problem = "it is not said how long somebody may act as somebody else";
        let hint = "add ceiling = \"10m\" to [impersonation], or remove the section";
        reading.fault(Wrong::new(problem, hint).at(other.place));
        return None;
    };
    let place = given.place.clone();
    let lifetime = reading.parsed(&given, |text| duration(text, ("1s", "30m")));
    let allow_live = reading.required(&settings::IMPERSONATION_ALLOW_LIVE, switch);
    let expose_tokens = reading.required(&settings::IMPERSONATION_EXPOSE_TOKENS, switch);
    let template = reading.optional(&settings::IMPERSONATION_TEMPLATE, template);
    let Some(api) = http_tools? else {
        let problem = "there is no API that anybody could be called as somebody else at";
        let hint = "add [api] with base_url = \"https://…\"";
        reading.fault(Wrong::new(problem, hint).at(place));
        return None;
    };
    let is_live =
        clerk.is_some_and(|clerk| clerk.secret_key.instance() == InstanceKind::Production);
    if is_live && allow_live == Some(false) {
        let problem = "this is a production instance, whose people are not acted as unless that is \
                       allowed";
        let hint = "add allow_live = true, or remove [impersonation]";
        reading.fault(Wrong::new(problem, hint).at(place));
        return None;
    }
    if expose_tokens == Some(true) {
        reading.warn(
            place.clone(),
            "results of callApiAs hold session tokens of other people",
            "remove expose_tokens when the demonstration is over",
        );
    }
    let policy = Policy::default()
        .allow_live(allow_live?)
        .expose_tokens(expose_tokens?)
        .with_ceiling(lifetime?);
    let policy = policy.map_err(|error| reading.fault(Wrong::of(&error).at(place)));
    Some(Some(Impersonation {
        api: api.api.base_url.clone(),
        policy: policy.ok()?,
        template: template?,
    }))
}

fn template(text: &str) -> Result<String, Wrong> {
    match clerk::check_segment(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(_) => Err(Wrong::new(
            "it is no name of a JWT template",
            "copy it from the Clerk dashboard (JWT templates)",
        )),
    }
}
