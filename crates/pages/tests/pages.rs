//! What holds for every page, and what a person and a browser can do with the forms.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_mcp_pages as pages;
use pages::{ClientIdentity, ConsentPage, DonePage, RedirectKind};
use scraper::{ElementRef, Html, Selector};
use sha2::{Digest, Sha256};

fn select<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    html.select(&selector).collect()
}

fn texts(html: &Html, selector: &str) -> Vec<String> {
    select(html, selector)
        .iter()
        .map(|element| {
            let text: String = element.text().collect();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn consent(name: &str) -> ConsentPage<'static> {
    let mut samples = ConsentPage::samples().into_iter();
    samples.find(|(sample, _)| *sample == name).unwrap().1
}

#[test]
fn every_page_as_it_is() {
    for sample in pages::samples() {
        // The stylesheet is the same everywhere, and is pinned by its hash.
        let body = sample.html.split_once("<body>").unwrap().1;
        insta::assert_snapshot!(sample.name, body);
    }
}

#[test]
fn every_page_is_well_formed_and_accessible() {
    for sample in pages::samples() {
        let name = sample.name;
        let html = Html::parse_document(&sample.html);
        assert_eq!(html.errors, Vec::<String>::new(), "{name}: parse errors");
        assert_eq!(select(&html, "html[lang=en]").len(), 1, "{name}: lang");
        assert_eq!(select(&html, "h1").len(), 1, "{name}: one h1");
        assert_eq!(select(&html, "main").len(), 1, "{name}: one main");
        let title = texts(&html, "title").concat();
        assert!(title.contains(" · "), "{name}: title {title:?}");
        let viewport = select(&html, "meta[name=viewport]")[0]
            .attr("content")
            .unwrap();
        assert!(
            !viewport.contains("maximum-scale") && !viewport.contains("user-scalable"),
            "{name}: zoom must stay possible"
        );

        let ids: Vec<_> = select(&html, "[id]")
            .iter()
            .map(|element| element.attr("id").unwrap().to_owned())
            .collect();
        let unique: HashSet<_> = ids.iter().cloned().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: ids are unique");
        for attribute in ["for", "aria-labelledby", "aria-describedby"] {
            for element in select(&html, &format!("[{attribute}]")) {
                let target = element.attr(attribute).unwrap();
                assert!(
                    unique.contains(target),
                    "{name}: {attribute}={target} points nowhere"
                );
            }
        }
        for control in select(&html, "input:not([type=hidden])") {
            let id = control.attr("id").unwrap();
            let label = texts(&html, &format!("label[for={id}]"));
            assert!(
                label.len() == 1 && !label[0].is_empty(),
                "{name}: label of {id}"
            );
        }
        for section in select(&html, "fieldset") {
            let legends = section
                .child_elements()
                .filter(|child| child.value().name() == "legend")
                .count();
            assert_eq!(legends, 1, "{name}: legend");
        }
    }
}

#[test]
fn no_page_has_script_or_anything_from_elsewhere() {
    for sample in pages::samples() {
        let name = sample.name;
        let html = Html::parse_document(&sample.html);
        let foreign = "script, iframe, object, embed, img, video, audio, svg, base, \
                       meta[http-equiv], link:not([rel=icon]), [src], [srcset], [style], [autofocus]";
        assert_eq!(texts(&html, foreign), Vec::<String>::new(), "{name}");
        for element in select(&html, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(!attribute.starts_with("on"), "{name}: {attribute}={value}");
            }
        }
        for icon in select(&html, "link") {
            assert!(
                icon.attr("href")
                    .unwrap()
                    .starts_with("data:image/svg+xml,"),
                "{name}"
            );
        }
        for link in select(&html, "a") {
            let href = link.attr("href").unwrap();
            let scheme = href.split(':').next().unwrap();
            let ours = href.starts_with('/') && !href.starts_with("//");
            assert!(
                ours || ["http", "https", "cursor", "vscode"].contains(&scheme),
                "{name}: {href}"
            );
            if ["http", "https"].contains(&scheme) {
                assert_eq!(
                    link.attr("rel"),
                    Some("noreferrer noopener"),
                    "{name}: {href}"
                );
            }
        }
    }
    assert!(!pages::STYLE.contains("url(") && !pages::STYLE.contains("@import"));
}

#[test]
fn the_policy_names_the_hash_of_the_style_that_pages_carry() {
    let policy = pages::CONTENT_SECURITY_POLICY;
    let hash = STANDARD.encode(Sha256::digest(pages::STYLE));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
             frame-ancestors 'none'"
        ),
        "put the hash of style.css into security.rs"
    );
    for sample in pages::samples() {
        let html = Html::parse_document(&sample.html);
        let style: String = select(&html, "style")[0].text().collect();
        assert_eq!(style, pages::STYLE, "{}", sample.name);
    }
}

#[test]
fn headers_forbid_framing_caching_sniffing_and_referrers() {
    let headers = pages::headers();
    for expected in [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", pages::CONTENT_SECURITY_POLICY),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert!(headers.contains(&expected), "{expected:?}");
    }
    // It would bind the redirects to Clerk and to the client that follow a submission.
    assert!(!pages::CONTENT_SECURITY_POLICY.contains("form-action"));
}

/// What a client without script sends when this button is pressed.
fn submission(html: &Html, decision: &str) -> Vec<(String, String)> {
    let form = select(html, "form");
    assert_eq!(form.len(), 1);
    assert_eq!(form[0].attr("method"), Some("post"));
    assert_eq!(form[0].attr("action"), Some("/authorize/consent"));
    let mut fields = Vec::new();
    for control in select(html, "form input[name], form button[name]") {
        let attribute = |name| control.attr(name).unwrap_or_default().to_owned();
        let sent = match (control.value().name(), attribute("type").as_str()) {
            ("button", "submit") => attribute("value") == decision,
            ("input", "checkbox") => control.attr("checked").is_some(),
            ("input", "hidden") => true,
            other => panic!("unexpected control {other:?}"),
        };
        if sent && control.attr("disabled").is_none() {
            fields.push((attribute("name"), attribute("value")));
        }
    }
    fields
}

#[test]
fn the_consent_form_sends_handle_scopes_and_decision() {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let html = Html::parse_document(&ConsentPage::sample().render());
    let expected = |decision| {
        vec![
            field("handle", "J3kq8s0mYw2c5PpVtQ7n4A"),
            field("scope", "tools:read"),
            field("scope", "tools:write"),
            field("decision", decision),
        ]
    };
    assert_eq!(submission(&html, "approve"), expected("approve"));
    assert_eq!(submission(&html, "deny"), expected("deny"));

    let html = Html::parse_document(&consent("consent-registered").render());
    assert_eq!(
        submission(&html, "approve"),
        [
            field("handle", "J3kq8s0mYw2c5PpVtQ7n4A"),
            field("decision", "approve")
        ]
    );
}

#[test]
fn the_enter_key_never_approves() {
    // Enter in a form presses its first submit button (HTML, implicit submission).
    for (name, page) in ConsentPage::samples() {
        let html = Html::parse_document(&page.render());
        let buttons: Vec<_> = select(&html, "button, input[type=submit]")
            .iter()
            .map(|button| button.attr("value").unwrap().to_owned())
            .collect();
        assert_eq!(buttons, ["deny", "approve"], "{name}");
    }
}

#[test]
fn remembering_is_offered_for_web_sites_only() {
    let offered = |page: &ConsentPage<'_>| {
        let html = Html::parse_document(&page.render());
        !select(&html, "input[name=remember][value=yes]:not([checked])").is_empty()
    };
    assert!(offered(&ConsentPage::sample()));
    for name in ["consent-loopback", "consent-private-use"] {
        let page = consent(name);
        assert!(page.remembered_note, "{name} asks for it");
        assert!(!offered(&page), "{name}");
    }
    let unasked = ConsentPage {
        remembered_note: false,
        ..ConsentPage::sample()
    };
    assert!(!offered(&unasked));
}

#[test]
fn the_page_says_who_asks_where_the_answer_goes_and_warns() {
    let facts = |name: &str| {
        let html = Html::parse_document(&consent(name).render());
        (texts(&html, "dd"), texts(&html, ".warning").concat())
    };
    let (verified, warning) = facts("consent-verified");
    assert!(verified[0].starts_with("Verified") && verified[0].contains("claude.ai"));
    assert_eq!(verified[1], "claude.ai");
    assert_eq!(warning, "");

    let (loopback, warning) = facts("consent-loopback");
    assert!(loopback[0].starts_with("Not verified"));
    assert!(loopback[1].contains("127.0.0.1:53682") && loopback[1].contains("this computer"));
    assert!(warning.contains("a program on this computer"));
    assert!(warning.contains("only if you started it yourself"));

    let (private_use, warning) = facts("consent-private-use");
    assert!(private_use[1].contains("cursor:"));
    assert!(warning.contains("Nobody can check which app"));

    let (_, warning) = facts("consent-registered");
    assert!(warning.contains("Nobody has checked this name"));
    assert!(warning.contains("claude.ai.sign-in.agents.example"));
}

const HOSTILE: &str =
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\u{202e}&lt;";

fn hostile_consent(text: &'static str, url: &'static str) -> Vec<String> {
    let kinds = [
        RedirectKind::Https,
        RedirectKind::Loopback,
        RedirectKind::PrivateUse { scheme: text },
    ];
    let mut rendered = Vec::new();
    for kind in kinds {
        for identity in [
            ClientIdentity::VerifiedDomain(text),
            ClientIdentity::Registered,
        ] {
            let mut page = consent("consent-signed-in");
            page.server_name = text;
            page.action = text;
            page.handle = text;
            page.client.name = text;
            page.client.identity = identity;
            page.client.client_uri = Some(url);
            page.client.policy_uri = Some(url);
            page.client.tos_uri = Some(url);
            page.redirect.host = text;
            page.redirect.kind = kind;
            page.person = Some(text);
            for scope in &mut page.scopes {
                scope.value = text;
                scope.title = text;
                scope.description = text;
            }
            rendered.push(page.render());
        }
    }
    rendered
}

fn hostile_others(text: &'static str, url: &'static str) -> Vec<String> {
    use pages::*;
    let mut rendered = vec![
        SignInFailedPage {
            server_name: text,
            reason: SignInFailure::Declined,
            retry: Some(url),
        }
        .render(),
        LinkExpiredPage {
            server_name: text,
            problem: LinkProblem::Expired,
        }
        .render(),
        AuthorizeErrorPage {
            server_name: text,
            error_code: text,
            message: text,
            hint: Some(text),
        }
        .render(),
        ClientsOnlyPage {
            server_name: text,
            home: url,
        }
        .render(),
        NotFoundPage {
            server_name: text,
            path: text,
            home: url,
        }
        .render(),
        ErrorPage {
            server_name: text,
            status: 400,
            message: text,
            hint: Some(text),
        }
        .render(),
        HomePage {
            server_name: text,
            mcp_url: text,
            version: text,
            sign_in_mode: SignInMode::ClerkOauth,
            emulated: Some(vec![EmulatedPerson {
                name: text,
                email: text,
                role: text,
                without_session: true,
            }]),
        }
        .render(),
    ];
    for person in [
        None,
        Some(DemoPerson {
            name: text,
            email: text,
            actor: Some(text),
        }),
    ] {
        let order = DemoOrder {
            id: text,
            product: text,
            quantity: 1,
            total: text.to_owned(),
            status: text,
            placed_on: text,
        };
        rendered.push(
            DemoHomePage {
                person,
                orders: vec![order],
                sign_in_url: url,
                api_url: text,
                mcp_home: url,
            }
            .render(),
        );
    }
    for redirect_kind in [
        RedirectKind::Https,
        RedirectKind::Loopback,
        RedirectKind::PrivateUse {
            scheme: "javascript",
        },
    ] {
        rendered.push(
            DonePage {
                server_name: text,
                client_name: text,
                outcome: Outcome::Approved,
                redirect_url: url,
                redirect_kind,
            }
            .render(),
        );
    }
    rendered
}

/// Every element and the names of its attributes, in order: what markup there is, whatever the text.
fn skeleton(html: &str) -> Vec<String> {
    let html = Html::parse_document(html);
    select(&html, "*")
        .iter()
        .map(|element| {
            let attributes: Vec<_> = element.value().attrs().map(|(name, _)| name).collect();
            format!("{} {attributes:?}", element.value().name())
        })
        .collect()
}

#[test]
fn text_from_elsewhere_never_becomes_markup() {
    const BAD_URL: &str = "javascript:alert(1)//\"><script>";
    let hostile = [
        hostile_consent(HOSTILE, BAD_URL),
        hostile_others(HOSTILE, BAD_URL),
    ]
    .concat();
    let plain = [hostile_consent("plain", ""), hostile_others("plain", "")].concat();
    assert_eq!(hostile.len(), plain.len());
    for (hostile, plain) in hostile.iter().zip(&plain) {
        assert_eq!(skeleton(hostile), skeleton(plain));
        assert!(
            !hostile.contains('\u{202e}'),
            "direction overrides are written out"
        );
        let html = Html::parse_document(hostile);
        assert_eq!(
            texts(&html, "a[href^='javascript' i]"),
            Vec::<String>::new()
        );
    }
    // What was written out can still be read.
    let html = Html::parse_document(&hostile[0]);
    assert!(texts(&html, "h1")[0].contains("<script>alert(1)</script>"));
}

#[test]
fn unticking_is_suggested_only_where_it_is_possible() {
    let mut page = ConsentPage::sample();
    let notes =
        |page: &ConsentPage<'_>| texts(&Html::parse_document(&page.render()), "form .note").len();
    assert_eq!(notes(&page), 1);
    page.scopes.truncate(1);
    assert_eq!(notes(&page), 0, "an approval approves something");
}

#[test]
fn what_is_new_is_marked_and_the_mark_explained() {
    let html = Html::parse_document(&ConsentPage::sample().render());
    assert!(texts(&html, ".badge.new").is_empty());
    let mut page = consent("consent-signed-in");
    let html = Html::parse_document(&page.render());
    let marked: Vec<_> = select(&html, ".option")
        .iter()
        .filter(|option| option.text().any(|text| text == "New"))
        .map(|option| option.text().collect::<String>())
        .collect();
    assert_eq!(marked.len(), 1);
    assert!(marked[0].contains("tools:write"), "{marked:?}");
    let note = texts(&html, "#scopes-note").concat();
    assert!(
        note.contains("Untick") && note.contains("marked as new"),
        "{note}"
    );
    // Alone it is still explained.
    page.scopes.remove(0);
    let html = Html::parse_document(&page.render());
    let note = texts(&html, "#scopes-note").concat();
    assert!(
        !note.contains("Untick") && note.contains("marked as new"),
        "{note}"
    );
}

#[test]
fn links_of_clients_are_web_addresses_or_absent() {
    let html = Html::parse_document(&consent("consent-registered").render());
    let hrefs: Vec<_> = select(&html, "a")
        .iter()
        .map(|link| link.attr("href").unwrap().to_owned())
        .collect();
    assert_eq!(
        hrefs,
        [
            "https://agents.example/privacy",
            "https://agents.example/terms"
        ],
        "client_uri was javascript:"
    );
}

#[test]
fn the_last_page_links_only_to_the_kind_of_address_that_was_registered() {
    let link = |url: &'static str, kind| {
        let page = DonePage {
            redirect_url: url,
            redirect_kind: kind,
            ..DonePage::sample()
        };
        let html = Html::parse_document(&page.render());
        select(&html, "a")
            .first()
            .map(|link| link.attr("href").unwrap().to_owned())
    };
    let scheme = |scheme| RedirectKind::PrivateUse { scheme };
    let cursor = "cursor://callback?code=a&state=b";
    assert_eq!(link(cursor, scheme("cursor")).as_deref(), Some(cursor));
    let loopback = "http://127.0.0.1:1234/callback?code=a";
    assert_eq!(
        link(loopback, RedirectKind::Loopback).as_deref(),
        Some(loopback)
    );
    for (url, kind) in [
        (cursor, RedirectKind::Https),
        (cursor, scheme("vscode")),
        ("javascript:alert(1)", scheme("javascript")),
        ("JavaScript:alert(1)", scheme("JAVASCRIPT")),
        ("data:text/html,x", scheme("data")),
        ("cursor:", scheme("cursor")),
        ("cursor://a\nb", scheme("cursor")),
        ("no-scheme", scheme("cursor")),
    ] {
        assert_eq!(link(url, kind), None, "{url}");
    }
}

#[test]
fn a_failed_sign_in_says_what_to_do_next() {
    for (name, page) in pages::SignInFailedPage::samples() {
        let html = Html::parse_document(&page.render());
        let next = [texts(&html, ".hint"), texts(&html, "a.button")].concat();
        assert_eq!(next.len(), 1, "{name}: {next:?}");
    }
}

/// Relative luminance as WCAG 2 defines it.
fn luminance(color: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&color[at..at + 2], 16).unwrap();
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn colours_have_enough_contrast_in_light_and_dark() {
    let (light, dark) = pages::STYLE
        .split_once("@media (prefers-color-scheme: dark)")
        .unwrap();
    for (theme, css) in [("light", light), ("dark", dark)] {
        let color = |name: &str| {
            let declaration = format!("--{name}: #");
            let at = css.find(&declaration).unwrap() + declaration.len() - 1;
            &css[at..at + 7]
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (luminance(color(a)), luminance(color(b)));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for (text, ground) in [
            ("ink", "paper"),
            ("ink", "ground"),
            ("soft", "paper"),
            ("soft", "ground"),
            ("accent", "paper"),
            ("accent", "ground"),
            ("accent-hover", "paper"),
            ("on-accent", "accent"),
            ("on-accent", "accent-hover"),
            ("good", "good-ground"),
            ("caution", "caution-ground"),
            ("accent", "new-ground"),
        ] {
            let ratio = contrast(text, ground);
            assert!(ratio >= 4.5, "{theme}: {text} on {ground} is {ratio:.2}");
        }
        // The edges of controls, WCAG 1.4.11.
        for (edge, ground) in [("edge", "paper"), ("edge", "ground")] {
            let ratio = contrast(edge, ground);
            assert!(ratio >= 3.0, "{theme}: {edge} on {ground} is {ratio:.2}");
        }
    }
}
