//! What to do about an error.

use crate::api_url::ApiUrl;
use crate::error::ClerkErrorDetail;
use crate::secret_key::SecretKey;
use crate::transport::TransportErrorKind;

const MAY_HAVE_RUN: &str = "the change may have been made: read before you repeat it";

/// What is known about an answer other than 2xx.
pub(crate) struct Situation<'a> {
    pub(crate) status: u16,
    pub(crate) errors: &'a [ClerkErrorDetail],
    pub(crate) retry_after: Option<u64>,
    pub(crate) only_reads: bool,
    pub(crate) path: &'a str,
    pub(crate) key: &'a SecretKey,
    pub(crate) api_url: &'a ApiUrl,
}

/// The hint for an answer other than 2xx.
pub(crate) fn for_status(situation: &Situation<'_>) -> Option<String> {
    let Situation {
        status,
        errors,
        retry_after,
        only_reads,
        path,
        key,
        api_url,
    } = situation;
    let instance = key.instance();
    Some(match status {
        300..=399 => {
            format!("{api_url} answered with a redirect, which is not followed: check the API URL")
        }
        429 => match retry_after {
            Some(seconds) => format!("wait {seconds} s, then try again"),
            None => "wait a few seconds, then try again".to_owned(),
        },
        500..=599 => format!(
            "the fault is on Clerk's side (see https://status.clerk.com); {}",
            if *only_reads {
                "it is safe to repeat"
            } else {
                MAY_HAVE_RUN
            }
        ),
        _ if errors.is_empty() => format!(
            "something other than Clerk's API seems to have answered: check the API URL ({api_url}) \
             and whether a proxy stands between"
        ),
        401 => format!(
            "check the secret key ({key}): it may be revoked, or belong to another instance"
        ),
        402 => "the plan of this Clerk application does not include this feature: see Billing in \
                the Clerk dashboard"
            .to_owned(),
        403 if has_code(errors, "organization_membership_quota_exceeded") => {
            "the organization is full: raise its limit (max_allowed_memberships) or free a seat; \
             open invitations take one too"
                .to_owned()
        }
        403 => "this instance or key is not allowed to do that: see the feature's setting in the \
                Clerk dashboard"
            .to_owned(),
        404 => match parameters(errors) {
            Some(names) => {
                format!("correct {names}: there is no such thing on this {instance} instance")
            }
            None => format!(
                "nothing at {path}; this key is for the {instance} ({}) instance: ids of the {} \
                 instance do not exist here",
                instance.key_prefix(),
                instance.other()
            ),
        },
        400 | 422 => format!("correct {}", parameters(errors)?),
        _ => return None,
    })
}

/// The hint for a request that got no complete answer.
pub(crate) fn for_transport(kind: TransportErrorKind, may_have_run: bool) -> String {
    let repeat = if may_have_run {
        MAY_HAVE_RUN
    } else {
        "it is safe to repeat"
    };
    match kind {
        TransportErrorKind::Connect => {
            "nothing was sent. Is the server running and the network up? Check the API URL \
             (CLERK_API_URL)"
                .to_owned()
        }
        TransportErrorKind::Timeout | TransportErrorKind::Interrupted => repeat.to_owned(),
        TransportErrorKind::BodyTooLarge if may_have_run => MAY_HAVE_RUN.to_owned(),
        TransportErrorKind::BodyTooLarge => "ask for fewer items at a time (limit)".to_owned(),
        TransportErrorKind::Other => format!("check the API URL and any proxy; {repeat}"),
    }
}

/// The hint for a 2xx answer that is no JSON.
pub(crate) fn for_invalid_json(may_have_run: bool) -> String {
    let mut hint = "something between here and Clerk, such as a proxy, may have answered: check \
                    the API URL"
        .to_owned();
    if may_have_run {
        hint.push_str("; ");
        hint.push_str(MAY_HAVE_RUN);
    }
    hint
}

fn has_code(errors: &[ClerkErrorDetail], code: &str) -> bool {
    errors.iter().any(|error| error.code == code)
}

/// The parameters that the errors are about; what is wrong with them is the errors' own message.
fn parameters(errors: &[ClerkErrorDetail]) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for name in errors.iter().filter_map(ClerkErrorDetail::parameter) {
        let name = name.escape_debug().to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}
