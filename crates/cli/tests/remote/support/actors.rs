//! Clients, people, and the way from one to the other.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::browser::{Browser, Page, origin};
use super::http::{Request, Response, encode, parameter, post};
use super::server::Server;

/// `admin` in public metadata.
pub(crate) const AVA: &str = "user_2EmuAvaMitchell000000000000";
/// Nobody in particular.
pub(crate) const NOAH: &str = "user_2EmuNoahTanaka0000000000000";
/// Nobody in particular either.
pub(crate) const PRIYA: &str = "user_2EmuPriyaRaman0000000000000";
/// `premium` in public metadata.
pub(crate) const LUCAS: &str = "user_2EmuLucasMoreau000000000000";
/// Signs in nowhere else, so that Clerk has no consent of theirs to remember.
pub(crate) const ETHAN: &str = "user_2EmuEthanCho000000000000000";
/// In no organization.
pub(crate) const RUBY: &str = "user_2EmuRubyNguyen0000000000000";

/// The verifier and challenge of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Another verifier of the same form.
pub(crate) const OTHER_VERIFIER: &str = "another-verifier-that-nobody-has-hashed-0123456789";

pub(crate) const HTTPS_CALLBACK: &str = "https://app.example.com/callback";
pub(crate) const LOOPBACK_CALLBACK: &str = "http://127.0.0.1:33418/callback";

/// An address that no other test has: limits are counted by it.
pub(crate) fn new_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "10.{}.{}.{}",
        count >> 16 & 255,
        count >> 8 & 255,
        count & 255
    )
}

/// An OAuth client.
#[derive(Clone)]
pub(crate) struct Client<'a> {
    pub(crate) server: &'a Server,
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) redirect_uri: String,
    /// Where it calls from.
    pub(crate) address: String,
}

/// What a sign-in gave a client.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A request at `/register` from an address of its own.
pub(crate) fn register(server: &Server, document: &Value) -> Response {
    post(&server.at("/register"))
        .header("x-forwarded-for", &new_address())
        .json(document)
        .send()
}

impl<'a> Client<'a> {
    /// A public client that registers itself.
    pub(crate) fn public(server: &'a Server, redirect_uri: &str) -> Self {
        Self::register(server, redirect_uri, "none", "An Honest Client")
    }

    pub(crate) fn register(
        server: &'a Server,
        redirect_uri: &str,
        method: &str,
        name: &str,
    ) -> Self {
        let address = new_address();
        // Identical documents are one client: the address makes it this test's alone.
        let document = json!({
            "client_name": name,
            "client_uri": format!("https://{address}.example.com/"),
            "redirect_uris": [redirect_uri],
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let response = register(server, &document);
        assert_eq!(response.status, 201, "{}", response.text());
        let answer = response.json();
        Self {
            server,
            id: answer["client_id"].as_str().unwrap().to_owned(),
            secret: answer["client_secret"].as_str().map(str::to_owned),
            redirect_uri: redirect_uri.to_owned(),
            address,
        }
    }

    /// The authorization request that an honest client makes.
    pub(crate) fn request(&self) -> Vec<(String, String)> {
        let resource = self.server.mcp();
        let pairs = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("state", "the-clients-state"),
            ("scope", "tools:read tools:write"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", &resource),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    pub(crate) fn authorize_url(&self) -> String {
        self.url_with(&[])
    }

    /// The same with some parameters changed; an empty value leaves one out.
    pub(crate) fn url_with(&self, changes: &[(&str, &str)]) -> String {
        let mut pairs = self.request();
        for (name, value) in changes {
            pairs.retain(|(known, _)| known != name);
            if !value.is_empty() {
                pairs.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        self.url_of(&pairs)
    }

    pub(crate) fn url_of(&self, pairs: &[(String, String)]) -> String {
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        format!("{}?{}", self.server.at("/authorize"), encode(&pairs))
    }

    /// A browser of somebody near this client.
    pub(crate) fn browser(&self) -> Browser {
        Browser::at(&self.address)
    }

    /// A token or revocation request of this client, with its secret in the form.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut fields = fields.to_vec();
        fields.push(("client_id", &self.id));
        if let Some(secret) = &self.secret {
            fields.push(("client_secret", secret));
        }
        self.bare(path).form(&fields).send()
    }

    /// A request of nobody in particular from where this client is.
    pub(crate) fn bare(&self, path: &str) -> Request {
        post(&self.server.at(path)).header("x-forwarded-for", &self.address)
    }

    /// Redeems a code.
    pub(crate) fn redeem(&self, code: &str) -> Response {
        self.redeem_with(code, &[])
    }

    pub(crate) fn redeem_with(&self, code: &str, changes: &[(&str, &str)]) -> Response {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            fields.retain(|(known, _)| known != name);
            if !value.is_empty() {
                fields.push((name, value));
            }
        }
        self.post("/token", &fields)
    }

    pub(crate) fn refresh(&self, token: &str) -> Response {
        self.refresh_with(token, &[])
    }

    pub(crate) fn refresh_with(&self, token: &str, more: &[(&str, &str)]) -> Response {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        fields.extend(more);
        self.post("/token", &fields)
    }

    pub(crate) fn revoke(&self, token: &str) -> Response {
        self.post("/revoke", &[("token", token)])
    }

    /// A code for `person`, who approves everything in a browser of their own.
    #[track_caller]
    pub(crate) fn code(&self, person: &str) -> String {
        let url = self.authorize_url();
        let back = sign_in(self.server, &mut self.browser(), &url, person);
        parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"))
    }

    /// Tokens for `person`.
    #[track_caller]
    pub(crate) fn connect(&self, person: &str) -> Tokens {
        tokens(&self.redeem(&self.code(person)))
    }

    /// Tokens for `person`, who signs in through the demonstration's application.
    #[track_caller]
    pub(crate) fn connect_through_app(&self, person: &str) -> Tokens {
        let url = self.authorize_url();
        let back = sign_in_through_app(self.server, &mut self.browser(), &url, person);
        let code = parameter(&back, "code").unwrap_or_else(|| panic!("no code: {back}"));
        tokens(&self.redeem(&code))
    }

    /// Tokens for `person` of these scopes.
    #[track_caller]
    pub(crate) fn connect_for(&self, person: &str, scope: &str) -> Tokens {
        let url = self.url_with(&[("scope", scope)]);
        let back = sign_in(self.server, &mut self.browser(), &url, person);
        tokens(&self.redeem(&parameter(&back, "code").unwrap()))
    }
}

/// The tokens of a good answer.
#[track_caller]
pub(crate) fn tokens(response: &Response) -> Tokens {
    assert_eq!(response.status, 200, "{}", response.text());
    let answer = response.json();
    let token = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    Tokens {
        access: token("access_token"),
        refresh: token("refresh_token"),
    }
}

/// Opens an authorization request; gives the consent page.
#[track_caller]
pub(crate) fn consent_page(server: &Server, browser: &mut Browser, url: &str) -> Page {
    let response = browser.get(url);
    let page = browser.follow(response, url.to_owned(), &[&server.url]);
    let page = page.unwrap_or_else(|beyond| panic!("no consent page, but {beyond}"));
    assert_eq!(page.response.status, 200, "{}: {}", page.url, page.words());
    page
}

pub(crate) const CONSENT: &str = "/authorize/consent";

/// The fields of the page's form, with the button pressed.
#[track_caller]
pub(crate) fn decision(page: &Page, button: &str) -> Vec<(String, String)> {
    let mut fields = page.form(CONSENT);
    fields.push(("decision".to_owned(), button.to_owned()));
    fields
}

pub(crate) fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

/// Presses a button of the consent page as it stands.
#[track_caller]
pub(crate) fn press(server: &Server, browser: &mut Browser, page: &Page, button: &str) -> Response {
    let fields = decision(page, button);
    browser.post(&server.at(CONSENT), &borrowed(&fields), &server.url)
}

/// Goes through the pages of Clerk as `person`; gives the callback's address, not opened.
#[track_caller]
pub(crate) fn at_clerk(server: &Server, browser: &mut Browser, url: &str, person: &str) -> String {
    at_clerk_pressing(server, browser, url, person, "allow")
}

#[track_caller]
pub(crate) fn at_clerk_pressing(
    server: &Server,
    browser: &mut Browser,
    url: &str,
    person: &str,
    button: &str,
) -> String {
    assert_eq!(origin(url), server.clerk, "not on the way to Clerk: {url}");
    // Whoever was signed in at Clerk in this browser is not any more.
    let cookies = ["__client", "__session", "__client_uat"];
    for cookie in cookies {
        browser.forget_cookie(url, cookie);
    }
    let mut response = browser.get(url);
    let mut here = url.to_owned();
    for _ in 0..5 {
        let page = match browser.follow(response, here.clone(), &[&server.clerk]) {
            Err(beyond) => return beyond,
            Ok(page) => page,
        };
        assert_eq!(page.response.status, 200, "{}: {}", page.url, page.words());
        let (action, button) = match page.url.contains("/oauth/consent") {
            true => ("/oauth/consent", ("decision", button)),
            false => ("/sign-in", ("user_id", person)),
        };
        let mut fields = page.form(action);
        fields.retain(|(name, _)| name != "email_address");
        fields.push((button.0.to_owned(), button.1.to_owned()));
        here = format!("{}{action}", server.clerk);
        response = browser.post(&here, &borrowed(&fields), &server.clerk);
    }
    panic!("Clerk never led back");
}

/// The whole way of somebody who approves everything; gives the address at the client.
#[track_caller]
pub(crate) fn sign_in(server: &Server, browser: &mut Browser, url: &str, person: &str) -> String {
    let page = consent_page(server, browser, url);
    let to_clerk = press(server, browser, &page, "approve").location();
    let callback = at_clerk(server, browser, &to_clerk, person);
    browser.get(&callback).location()
}

/// The same where people sign in through the demonstration's application: its route, the sign-in page of
/// Clerk, and back.
#[track_caller]
pub(crate) fn sign_in_through_app(
    server: &Server,
    browser: &mut Browser,
    url: &str,
    person: &str,
) -> String {
    let callback = callback_of_app(server, browser, url, person);
    // The first answer takes the token out of the address.
    let mut at = callback.clone();
    for _ in 0..3 {
        let next = browser.get(&at).location();
        if origin(&next) != server.url {
            return next;
        }
        at = next;
    }
    panic!("the callback never leads to the client: {callback}");
}

/// The callback's address, not opened.
#[track_caller]
pub(crate) fn callback_of_app(
    server: &Server,
    browser: &mut Browser,
    url: &str,
    person: &str,
) -> String {
    let page = consent_page(server, browser, url);
    let to_app = press(server, browser, &page, "approve").location();
    let known = [server.app.as_str(), &server.clerk];
    assert_eq!(origin(&to_app), server.app, "{to_app}");
    let response = browser.get(&to_app);
    let page = match browser.follow(response, to_app, &known) {
        Err(callback) => return callback,
        Ok(page) => page,
    };
    assert!(
        page.url.contains("/sign-in?"),
        "{}: {}",
        page.url,
        page.words()
    );
    let mut fields = page.form("/sign-in");
    fields.retain(|(name, _)| name != "email_address");
    fields.push(("user_id".to_owned(), person.to_owned()));
    let form = format!("{}/sign-in", server.clerk);
    let response = browser.post(&form, &borrowed(&fields), &server.clerk);
    match browser.follow(response, form, &known) {
        Err(callback) => callback,
        Ok(page) => panic!("no callback, but {}: {}", page.url, page.words()),
    }
}
