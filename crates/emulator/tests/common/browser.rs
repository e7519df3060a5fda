//! A browser of a few lines: cookies, forms, redirects; and an OAuth client beside it.

use super::{Fixture, spec};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use clerk_mcp_emulator::{Answer, DEFAULT_URL};
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;

pub(crate) const CLIENT_ID: &str = "clerk_mcp_emulated";
pub(crate) const CLIENT_SECRET: &str = "emulated-client-secret";
pub(crate) const CALLBACK: &str = "http://127.0.0.1:8788/callback";
pub(crate) const STATE: &str = "state-0123456789";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null unless the content type is JSON.
    pub(crate) json: Value,
}

impl Page {
    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers["location"].to_str().unwrap()
    }

    /// The parameters of the location.
    #[track_caller]
    pub(crate) fn answer(&self) -> BTreeMap<String, String> {
        let (_, query) = self.location().split_once('?').unwrap();
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json
    }

    /// Checks a refusal in OAuth's form.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, error: &str) {
        assert_eq!(self.json["error"], error, "{}", self.text);
        assert_eq!(self.status, status, "{}", self.text);
        assert!(self.json["error_description"].is_string(), "{}", self.text);
    }

    /// Checks a refusal in Clerk's form.
    #[track_caller]
    pub(crate) fn clerk_refused(self, status: u16, code: &str) {
        assert_eq!(self.json["errors"][0]["code"], code, "{}", self.text);
        assert_eq!(self.status, status, "{}", self.text);
    }
}

pub(crate) struct Browser<'a> {
    fixture: &'a Fixture,
    cookies: RefCell<BTreeMap<String, String>>,
    accept: &'static str,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(fixture: &'a Fixture) -> Self {
        Self {
            fixture,
            cookies: RefCell::default(),
            accept: "text/html,*/*;q=0.8",
        }
    }

    /// A client that is no browser: it takes anything.
    pub(crate) fn plain(fixture: &'a Fixture) -> Self {
        Self {
            accept: "*/*",
            ..Self::new(fixture)
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    #[track_caller]
    pub(crate) fn send(
        &self,
        method: Method,
        uri: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method.clone())
            .uri(uri)
            .header("host", "127.0.0.1:8789")
            .header("accept", self.accept);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let Answer::Response(response) = self.fixture.emulator.handle(request).answer else {
            panic!("the connection was dropped")
        };
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.borrow_mut();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8(body.to_vec()).unwrap();
        let is_json = parts
            .headers
            .get("content-type")
            .is_some_and(|kind| kind == "application/json");
        let json = if is_json {
            serde_json::from_str(&text).unwrap()
        } else {
            Value::Null
        };
        if is_json {
            spec::check(&method, uri, parts.status.as_u16(), &json);
        }
        Page {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
            json,
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, uri: &str) -> Page {
        self.send(Method::GET, uri, "", &[])
    }

    #[track_caller]
    pub(crate) fn post(&self, uri: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with(uri, fields, &[])
    }

    #[track_caller]
    pub(crate) fn post_with(
        &self,
        uri: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(Method::POST, uri, &encode(fields), &all)
    }

    /// Submits the form of a page: its hidden fields, and what is chosen.
    #[track_caller]
    pub(crate) fn submit(&self, action: &str, page: &Page, chosen: &[(&str, &str)]) -> Page {
        let form = page
            .text
            .split("<form")
            .find(|form| form.contains(&format!("action=\"{action}\"")));
        let form = form.unwrap_or_else(|| panic!("no form posts to {action}: {}", page.text));
        let hidden = hidden_fields(form.split("</form>").next().unwrap());
        let mut fields: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.extend_from_slice(chosen);
        self.post(action, &fields)
    }

    /// From the authorization request to the answer for the client: signs in as the user where
    /// asked to, and allows everything.
    #[track_caller]
    pub(crate) fn authorize(&self, parameters: &[(&str, &str)], user: &str) -> Page {
        self.authorize_in(parameters, user, None)
    }

    #[track_caller]
    pub(crate) fn authorize_in(
        &self,
        parameters: &[(&str, &str)],
        user: &str,
        organization: Option<&str>,
    ) -> Page {
        let mut page = self.get(&authorize_uri(parameters));
        for _ in 0..6 {
            if page.status != 303 {
                return page;
            }
            let location = page.location().to_owned();
            if !location.starts_with('/') {
                return page;
            }
            let shown = self.get(&location);
            page = if location.starts_with("/sign-in") {
                self.submit("/sign-in", &shown, &[("user_id", user)])
            } else if location.starts_with("/oauth/consent") {
                let mut chosen = vec![("decision", "allow")];
                chosen.extend(organization.map(|id| ("organization_id", id)));
                self.submit("/oauth/consent", &shown, &chosen)
            } else {
                shown
            };
        }
        panic!("no end of redirects: {page:?}")
    }

    /// A code of the seeded client.
    #[track_caller]
    pub(crate) fn code(&self, scope: &str, user: &str) -> String {
        let page = self.authorize(&request(scope), user);
        let answer = page.answer();
        assert_eq!(answer["state"], STATE);
        assert_eq!(answer["iss"], DEFAULT_URL);
        answer["code"].clone()
    }

    /// Exchanges a code of the seeded client.
    #[track_caller]
    pub(crate) fn exchange(&self, code: &str) -> Page {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
        ];
        self.as_client("/oauth/token", &fields)
    }

    #[track_caller]
    pub(crate) fn refresh(&self, refresh_token: &str) -> Page {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        self.as_client("/oauth/token", &fields)
    }

    /// The tokens of a whole sign-in.
    #[track_caller]
    pub(crate) fn tokens(&self, scope: &str, user: &str) -> Value {
        let code = self.code(scope, user);
        self.exchange(&code).ok()
    }

    /// A request of the seeded client, which authenticates with Basic.
    #[track_caller]
    pub(crate) fn as_client(&self, uri: &str, fields: &[(&str, &str)]) -> Page {
        let credentials = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
        let authorization = format!("Basic {credentials}");
        self.post_with(uri, fields, &[("authorization", &authorization)])
    }

    #[track_caller]
    pub(crate) fn userinfo(&self, access_token: &str) -> Page {
        let authorization = format!("Bearer {access_token}");
        let headers = [("authorization", authorization.as_str())];
        self.send(Method::GET, "/oauth/userinfo", "", &headers)
    }
}

/// An authorization request of the seeded client.
pub(crate) fn request(scope: &str) -> Vec<(&str, &str)> {
    vec![
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("state", STATE),
    ]
}

pub(crate) fn authorize_uri(parameters: &[(&str, &str)]) -> String {
    format!("/oauth/authorize?{}", encode(parameters))
}

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, position: usize) -> Value {
    let text = token.split('.').nth(position).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn encode(fields: &[(&str, &str)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields).finish()
}

fn hidden_fields(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
    let fields = inputs.map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        let (value, _) = rest.split_once('"').unwrap();
        (unescape(name), unescape(value))
    });
    fields.collect()
}

fn unescape(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let replace = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    pairs.into_iter().fold(text.to_owned(), replace)
}
