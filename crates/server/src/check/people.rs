//! Whether people can be read as the server reads them whenever somebody comes: with their memberships,
//! of which an instance without organizations has none.

use clerk::{Client, Error, Request};
use http::Method;
use serde_json::Value;

use super::Checked;
use crate::{
    config::{Config, SignIn},
    people::memberships_of,
};

/// Reads somebody, whoever it is.
pub(super) async fn check(config: &Config, client: &Client, report: &mut Checked) {
    let users = Request::new("GetUserList", Method::GET, "/users").query("limit", "1");
    let users = match client.send(&users).await {
        Ok(answer) => answer.body,
        Err(error) => return report.fault(format!("people: {error}")),
    };
    let somebody = users.pointer("/0/id").and_then(Value::as_str);
    match organizations(client, somebody).await {
        Ok(()) => report.good("people: can be read, with their organizations".to_owned()),
        Err(error) if error.is_organizations_disabled() => {
            report.good("people: can be read; this instance has no organizations".to_owned());
            without_organizations(config, report);
        }
        Err(error) => report.fault(format!("people: their organizations: {error}")),
    }
}

/// What the server asks when somebody comes; before anybody has signed up, what Clerk refuses alike.
async fn organizations(client: &Client, somebody: Option<&str>) -> Result<(), Error> {
    let request = match somebody {
        Some(user_id) => memberships_of(user_id)?,
        None => {
            Request::new("ListOrganizations", Method::GET, "/organizations").query("limit", "1")
        }
    };
    client.send(&request).await.map(drop)
}

/// What of the configuration is for organizations.
fn without_organizations(config: &Config, report: &mut Checked) {
    const SWITCH_ON: &str =
        "or enable organizations in the Clerk dashboard (Organizations, Settings)";
    let asks_for_them = match &config.sign_in {
        SignIn::ClerkOauth(application) => application.organizations,
        SignIn::ClerkTokens(tokens) => tokens.organizations,
        SignIn::App(_) => false,
    };
    if asks_for_them {
        report.fault(format!(
            "sign_in.organizations: Clerk has no scope user:org:read on this instance, and refuses \
             whoever asks for it\n\
             hint: remove the setting, {SWITCH_ON}"
        ));
    }
    for conditions in config.access.of_organizations() {
        report.fault(format!(
            "access: the rule for {conditions} gives nobody anything: this instance has no \
             organizations\n\
             hint: remove the rule, {SWITCH_ON}"
        ));
    }
}
