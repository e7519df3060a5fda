//! A person's browser: cookies, forms and redirects, on the way from a client to its code.

use std::collections::BTreeMap;

use scraper::{Html, Selector};
use serde_json::{Value, json};
use url::Url;

use crate::http::{Request, Response, get, post};
use crate::plan::Loss;
use crate::proxy::Outcome;
use crate::world::World;

/// Where the owner's application is, with `sign_in.mode = "app"`: the browser itself does what its one
/// route has to do.
pub(crate) const APP_URL: &str = "http://127.0.0.1:9";

/// Why a sign-in got no code: it is begun anew.
pub(crate) struct Interrupted(pub(crate) String);

pub(crate) struct Browser<'a> {
    world: &'a World,
    /// Whose address the proxy in front of the server says it is.
    address: &'a str,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World, address: &'a str) -> Self {
        Self {
            world,
            address,
            cookies: BTreeMap::new(),
        }
    }

    /// From Clerk's own authorization request to the code: signs in and consents there.
    pub(crate) fn sign_in_at_clerk(
        mut self,
        authorize: &str,
        person: &str,
    ) -> Result<String, Interrupted> {
        let back = self.through_clerk(authorize.to_owned(), person)?;
        parameter(&back, "code").ok_or_else(|| Interrupted(format!("no code of Clerk's: {back}")))
    }

    /// From the authorization request to the code: consents, signs in at Clerk, comes back. The
    /// answer with the code may get lost.
    pub(crate) fn sign_in(
        mut self,
        authorize: &str,
        person: &str,
        loss: Loss,
    ) -> Result<String, Interrupted> {
        let ours = self.world.proxy.url.clone();
        let (mut url, mut response) = self.follow(authorize.to_owned(), &ours)?;
        let consent = "/authorize/consent";
        let mut fields = form(&response, consent)
            .ok_or_else(|| Interrupted(format!("no consent page: {}", response.brief())))?;
        fields.push(("decision".to_owned(), "approve".to_owned()));
        response = self.post(&format!("{ours}{consent}"), &fields, &ours)?;
        url = location(&url, &response)?;
        if url.starts_with(APP_URL) {
            url = self.lend_session(&url, person)?;
        } else {
            url = self.through_clerk(url, person)?;
        }
        if !url.starts_with(&format!("{ours}/callback")) {
            return Err(Interrupted(format!("Clerk did not lead back: {url}")));
        }
        let response = self.send(&url, get(&url), loss)?;
        let back = location(&url, &response)?;
        parameter(&back, "code").ok_or_else(|| Interrupted(format!("no code: {back}")))
    }

    /// Through Clerk's pages, as this person who allows everything, to where they lead.
    fn through_clerk(&mut self, mut url: String, person: &str) -> Result<String, Interrupted> {
        let clerk = self.world.clerk.clone();
        for _ in 0..6 {
            if !url.starts_with(&clerk) {
                break;
            }
            let response;
            (url, response) = self.follow(url, &clerk)?;
            if !url.starts_with(&clerk) {
                break;
            }
            let (action, button) = match url.contains("/oauth/consent") {
                true => ("/oauth/consent", ("decision", "allow")),
                false => ("/sign-in", ("user_id", person)),
            };
            let mut fields = form(&response, action)
                .ok_or_else(|| Interrupted(format!("no page of Clerk: {}", response.brief())))?;
            fields.retain(|(name, _)| name != "email_address");
            fields.push((button.0.to_owned(), button.1.to_owned()));
            let to = format!("{clerk}{action}");
            let response = self.post(&to, &fields, &clerk)?;
            url = location(&to, &response)?;
        }
        Ok(url)
    }

    /// What the route `/auth/mcp` of the owner's application does for somebody who is signed in there.
    fn lend_session(&self, route: &str, person: &str) -> Result<String, Interrupted> {
        let token = session_token(self.world, person)?;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &parameter(route, "state").unwrap_or_default())
            .append_pair("clerk_token", &token)
            .finish();
        let callback = parameter(route, "callback_url").unwrap_or_default();
        Ok(format!("{callback}?{query}"))
    }

    /// Follows redirects within `origin`; gives the page where they end, or the answer that leads
    /// out with the address beyond.
    fn follow(&mut self, mut url: String, origin: &str) -> Result<(String, Response), Interrupted> {
        for _ in 0..10 {
            let response = self.send(&url, get(&url), Loss::Nothing)?;
            if response.status == 200 {
                return Ok((url, response));
            }
            url = location(&url, &response)?;
            if !url.starts_with(origin) || url.starts_with(&self.callback()) {
                return Ok((url, response));
            }
        }
        Err(Interrupted(format!("too many redirects, to {url}")))
    }

    fn callback(&self) -> String {
        format!("{}/callback", self.world.proxy.url)
    }

    fn post(
        &mut self,
        url: &str,
        fields: &[(String, String)],
        origin: &str,
    ) -> Result<Response, Interrupted> {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
        let request = post(url).header("origin", origin).form(&fields);
        self.send(url, request, Loss::Nothing)
    }

    fn send(&mut self, url: &str, request: Request, loss: Loss) -> Result<Response, Interrupted> {
        let cookies = self.cookies.iter();
        let cookies: Vec<String> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header("accept", "text/html")
            .header("x-forwarded-for", self.address)
            .header("cookie", &cookies.join("; "));
        let outcome = if url.starts_with(&self.world.proxy.url) {
            self.world.proxy.send(request, loss)
        } else {
            request.send().map_or(Outcome::Lost(None), Outcome::Answer)
        };
        let Outcome::Answer(response) = outcome else {
            return Err(Interrupted(format!("no answer of {url}")));
        };
        if response.status == 500 && url.starts_with(&self.world.proxy.url) {
            self.world
                .violation(format!("{url} was answered with {}", response.brief()));
        }
        // As in every browser, the ports of a host share cookies.
        for line in response.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if attributes.to_ascii_lowercase().contains("max-age=0") || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

/// A token of a new session of this person's, made with the secret key.
pub(crate) fn session_token(world: &World, person: &str) -> Result<String, Interrupted> {
    let at_clerk = |path: &str, body: &Value| {
        let request = post(&format!("{}/v1/{path}", world.clerk));
        let answer = request.bearer("sk_test_emulate").json(body).send();
        match answer {
            Ok(answer) if answer.status == 200 => Ok(answer.json()),
            other => Err(Interrupted(format!("a session at Clerk: {other:?}"))),
        }
    };
    let session = at_clerk("sessions", &json!({ "user_id": person }))?;
    let session = session["id"].as_str().unwrap_or_default();
    let token = at_clerk(&format!("sessions/{session}/tokens"), &json!({}))?;
    Ok(token["jwt"].as_str().unwrap_or_default().to_owned())
}

fn location(url: &str, response: &Response) -> Result<String, Interrupted> {
    let to = response.header("location");
    if !(300..400).contains(&response.status) || to.is_empty() {
        return Err(Interrupted(format!("{url}: {}", response.brief())));
    }
    let base = Url::parse(url).map_err(|error| Interrupted(error.to_string()))?;
    let to = base
        .join(to)
        .map_err(|error| Interrupted(error.to_string()))?;
    Ok(to.to_string())
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let mut values = url.query_pairs().filter(|(known, _)| known == name);
    values.next().map(|(_, value)| value.into_owned())
}

/// The fields that the form with this action sends as it stands: ticked boxes ticked.
fn form(page: &Response, action: &str) -> Option<Vec<(String, String)>> {
    let html = Html::parse_document(&page.body);
    let forms = Selector::parse("form").ok()?;
    let inputs = Selector::parse("input[name]").ok()?;
    let form = html
        .select(&forms)
        .find(|form| form.attr("action") == Some(action))?;
    let fields = form.select(&inputs).filter(|input| {
        let is_box = matches!(input.attr("type"), Some("checkbox" | "radio"));
        !is_box || input.attr("checked").is_some()
    });
    let fields = fields.filter_map(|input| {
        let value = input.attr("value").unwrap_or_default();
        Some((input.attr("name")?.to_owned(), value.to_owned()))
    });
    Some(fields.collect())
}
