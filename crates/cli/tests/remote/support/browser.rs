//! As much of a browser as the pages need: cookies and forms. No scripts: there are none.

use std::collections::BTreeMap;

use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::http::{Request, Response, get, post};

/// A person's browser, with its cookies. As in every browser, a host's ports share them.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Whose address the proxy in front of the server says it is.
    address: String,
}

/// A page that a browser shows.
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) response: Response,
}

impl Browser {
    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            ..Self::default()
        }
    }

    /// One request with this browser's cookies; redirects are not followed.
    pub(crate) fn get(&mut self, url: &str) -> Response {
        self.send(url, get(url).header("accept", "text/html"))
    }

    /// Posts a form as a page of `origin` does.
    pub(crate) fn post(&mut self, url: &str, fields: &[(&str, &str)], origin: &str) -> Response {
        let request = post(url).header("accept", "text/html");
        self.send(url, request.header("origin", origin).form(fields))
    }

    pub(crate) fn send(&mut self, url: &str, request: Request) -> Response {
        let response = self.addressed(url, request).send();
        let host = self.cookies.entry(host(url)).or_default();
        for line in response.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.to_ascii_lowercase().contains("max-age=0") || value.is_empty() {
                host.remove(name);
            } else {
                host.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// One request that this browser gives up as soon as it is sent.
    pub(crate) fn abandon(&self, url: &str, request: Request) {
        self.addressed(url, request).abandon();
    }

    fn addressed(&self, url: &str, request: Request) -> Request {
        let request = request.header("x-forwarded-for", &self.address);
        let cookies = self.cookie_header(url);
        match cookies.is_empty() {
            true => request,
            false => request.header("cookie", &cookies),
        }
    }

    /// Follows redirects within `origins`. Gives the page where they end, or the address beyond.
    pub(crate) fn follow(
        &mut self,
        mut response: Response,
        mut url: String,
        origins: &[&str],
    ) -> Result<Page, String> {
        for _ in 0..20 {
            if !(300..400).contains(&response.status) {
                return Ok(Page { url, response });
            }
            let to = Url::parse(&url).unwrap().join(&response.location());
            url = to.unwrap().to_string();
            if !origins.contains(&origin(&url).as_str()) {
                return Err(url);
            }
            response = self.get(&url);
        }
        panic!("too many redirects, the last to {url}");
    }

    pub(crate) fn cookie(&self, url: &str, name: &str) -> Option<&str> {
        Some(self.cookies.get(&host(url))?.get(name)?)
    }

    pub(crate) fn set_cookie(&mut self, url: &str, name: &str, value: &str) {
        let host = self.cookies.entry(host(url)).or_default();
        host.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn forget_cookie(&mut self, url: &str, name: &str) {
        if let Some(host) = self.cookies.get_mut(&host(url)) {
            host.remove(name);
        }
    }

    /// Every cookie's value.
    pub(crate) fn cookie_values(&self) -> impl Iterator<Item = &str> {
        let all = self.cookies.values().flat_map(BTreeMap::values);
        all.map(String::as_str)
    }

    fn cookie_header(&self, url: &str) -> String {
        let known = self.cookies.get(&host(url));
        let pairs = known.into_iter().flatten();
        let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }
}

impl Page {
    pub(crate) fn html(&self) -> Html {
        Html::parse_document(&self.response.text())
    }

    /// What the page's text says, blanks joined.
    pub(crate) fn words(&self) -> String {
        let html = self.html();
        let text: String = html.root_element().text().collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The fields that the form with this action sends as it stands: ticked boxes ticked.
    #[track_caller]
    pub(crate) fn form(&self, action: &str) -> Vec<(String, String)> {
        let html = self.html();
        let forms = Selector::parse("form").unwrap();
        let mut forms = html.select(&forms);
        let form = forms
            .find(|form| form.attr("action") == Some(action))
            .unwrap_or_else(|| panic!("no form to {action} at {}: {}", self.url, self.words()));
        let fields = Selector::parse("input[name], select[name]").unwrap();
        form.select(&fields).filter_map(field).collect()
    }

    /// The names and attributes of every element.
    pub(crate) fn count(&self, selector: &str) -> usize {
        self.html()
            .select(&Selector::parse(selector).unwrap())
            .count()
    }
}

fn field(element: ElementRef<'_>) -> Option<(String, String)> {
    let name = element.attr("name")?.to_owned();
    if element.value().name() == "select" {
        let option = Selector::parse("option").unwrap();
        let chosen = element.select(&option).next()?;
        return Some((name, chosen.attr("value")?.to_owned()));
    }
    let is_box = matches!(element.attr("type"), Some("checkbox" | "radio"));
    if is_box && element.attr("checked").is_none() {
        return None;
    }
    Some((name, element.attr("value").unwrap_or_default().to_owned()))
}

pub(crate) fn origin(url: &str) -> String {
    Url::parse(url).unwrap().origin().ascii_serialization()
}

fn host(url: &str) -> String {
    Url::parse(url).unwrap().host_str().unwrap().to_owned()
}
