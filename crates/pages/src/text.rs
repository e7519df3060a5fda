//! How foreign text enters a page: nothing of it is markup, nothing of it is invisible, nothing of it
//! is endless, and only web addresses become links.

use std::borrow::Cow;
use std::fmt::{self, Write};

use askama::filters::Escaper;

/// The escaper of every template (`askama.toml`): HTML's special characters become references, and
/// characters that cannot be seen, or that reorder what can be seen, are written out as `\u{202e}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut clean_from = 0;
        for (at, character) in text.char_indices() {
            let reference = match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&#39;",
                _ if is_invisible(character) => "",
                _ => continue,
            };
            dest.write_str(&text[clean_from..at])?;
            if reference.is_empty() {
                write!(dest, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                dest.write_str(reference)?;
            }
            clean_from = at + character.len_utf8();
        }
        dest.write_str(&text[clean_from..])
    }
}

/// Whether a character draws nothing or changes the direction of its neighbours. Line feed and tab
/// are layout of our own commands, and harmless: HTML shows them as a space.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{0000}'..='\u{0008}' | '\u{000b}'..='\u{001f}' | '\u{007f}'..='\u{009f}'
        // Soft hyphen, grapheme joiner, Arabic letter mark, fillers, inherent vowels.
        | '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        // Zero width and direction marks, separators and embeddings, joiners and isolates.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // The braille blank and the Hangul fillers look like spaces and are none.
        | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        // Variation selectors but U+FE0F, which only asks for a colour glyph; byte order mark.
        | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        // Shorthand and musical controls, tag characters, the selectors supplement.
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A name as a page shows it: one line, at most 60 characters, at most two combining marks on a
/// letter (a pile of them would paint over the lines around it), and never empty.
pub(crate) fn name(text: &str) -> String {
    let shown = limited(text, 60);
    if shown.is_empty() {
        "(no name)".to_owned()
    } else {
        shown
    }
}

/// A sentence from elsewhere: as [`name`], at most 300 characters, and it may be empty. Our errors begin
/// small and end without a full stop, as programs put them together; here they are prose. A word that is
/// no plain one, such as `redirect_uri`, stays as it is.
pub(crate) fn sentence(text: &str) -> String {
    let shown = limited(text, 300);
    let first = shown.split_whitespace().next().unwrap_or_default();
    let is_plain = first
        .chars()
        .all(|character| character.is_alphabetic() || [',', ':', ';'].contains(&character));
    let mut characters = shown.chars();
    let mut sentence = match characters.next() {
        Some(start) if is_plain => start.to_uppercase().chain(characters).collect(),
        _ => shown,
    };
    if !sentence.is_empty() && !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

/// A host name or an address as text, at most 120 characters. What is cut is the middle: the end of
/// a host name is the part that says whose it is.
pub(crate) fn address(text: &str) -> Cow<'_, str> {
    const LIMIT: usize = 120;
    let length = text.chars().count();
    if length <= LIMIT {
        return Cow::Borrowed(text);
    }
    let start: String = text.chars().take(30).collect();
    let end: String = text.chars().skip(length - (LIMIT - 31)).collect();
    Cow::Owned(format!("{start}…{end}"))
}

fn limited(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut marks = 0;
    let mut length = 0;
    let mut gap = false;
    for character in text.trim().chars() {
        if character.is_whitespace() {
            gap = true;
            continue;
        }
        marks = if is_combining_mark(character) {
            marks + 1
        } else {
            0
        };
        if marks > 2 {
            continue;
        }
        if length >= limit {
            shown.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            shown.push(' ');
            length += 1;
        }
        shown.push(character);
        length += 1;
    }
    shown
}

/// The blocks of combining diacritical marks. Vowel signs of other scripts are letters to their
/// readers and are not counted.
fn is_combining_mark(character: char) -> bool {
    matches!(character,
        '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// `url` if a page may link to it: `http` or `https`, a host, no user name before it (that could
/// pass for the host), and ASCII that can be seen throughout.
pub(crate) fn web_link(url: &str) -> Option<&str> {
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        let start = url.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme)
            .then(|| &url[scheme.len()..])
    })?;
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or("");
    let visible = url.len() <= 2000 && url.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && !host.is_empty() && !host.contains('@')).then_some(url)
}

/// `url` if it is a path on this server, or a web address.
pub(crate) fn own_or_web_link(url: &str) -> Option<&str> {
    let own = url.starts_with('/')
        && !url.starts_with("//")
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if own { Some(url) } else { web_link(url) }
}

/// A web address without its scheme and without a lone slash at the end, for people to read.
pub(crate) fn without_scheme(url: &str) -> Cow<'_, str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    address(rest.strip_suffix('/').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut shown = String::new();
        Visible.write_escaped_str(&mut shown, text).unwrap();
        shown
    }

    #[test]
    fn markup_becomes_references_and_invisible_characters_are_written_out() {
        assert_eq!(
            escaped("a<b>&\"c'"),
            "a&lt;b&gt;&amp;&quot;c&#39;",
            "markup"
        );
        assert_eq!(
            escaped("x\u{202e}y\u{200b}z\u{0}"),
            r"x\u{202e}y\u{200b}z\u{0}"
        );
        assert_eq!(escaped("Zoë 🏳️ 日本\nline\ttab"), "Zoë 🏳️ 日本\nline\ttab");
        assert_eq!(escaped(""), "");
    }

    #[test]
    fn names_are_one_line_short_and_never_empty() {
        assert_eq!(name("  Claude\r\n\n  Code "), "Claude Code");
        assert_eq!(name(" \t"), "(no name)");
        assert_eq!(name(&"x".repeat(60)), "x".repeat(60));
        assert_eq!(name(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
        let piled = format!("a{}b", "\u{0301}".repeat(40));
        assert_eq!(name(&piled), "a\u{0301}\u{0301}b");
        assert_eq!(sentence(" "), "");
    }

    #[test]
    fn what_programs_say_becomes_a_sentence() {
        for (text, shown) in [
            (
                "the client is not known here",
                "The client is not known here.",
            ),
            ("this, and that", "This, and that."),
            ("Go back.", "Go back."),
            ("is it you?", "Is it you?"),
            ("`scope` is missing", "`scope` is missing."),
            ("redirect_uri is missing", "redirect_uri is missing."),
            (
                "https://mcp.example.com is another",
                "https://mcp.example.com is another.",
            ),
            ("no scheme `x`", "No scheme `x`."),
        ] {
            assert_eq!(sentence(text), shown);
        }
        assert!(sentence(&"long ".repeat(100)).ends_with('…'));
    }

    #[test]
    fn a_long_address_keeps_its_end() {
        let long = format!("claude.ai.{}.evil.example", "a".repeat(300));
        let shown = address(&long);
        assert_eq!(shown.chars().count(), 120);
        assert!(shown.ends_with(".evil.example"));
        assert_eq!(address("claude.ai"), "claude.ai");
    }

    #[test]
    fn only_web_addresses_are_links() {
        for good in [
            "https://a.example",
            "HTTP://a.example/x?y#z",
            "https://a.example/@name",
        ] {
            assert_eq!(web_link(good), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "//a.example",
            "/path",
            "https://",
            "https:///x",
            "https://claude.ai@evil.example/",
            "https://a.example/\u{202e}x",
            " https://a.example",
            "java\nscript:x",
            "httpsé",
            "",
        ] {
            assert_eq!(web_link(bad), None, "{bad:?}");
        }
        assert_eq!(own_or_web_link("/authorize?x=1"), Some("/authorize?x=1"));
        for bad in ["//evil.example", "/\\evil.example", "javascript:x", "/a b"] {
            assert_eq!(own_or_web_link(bad), None, "{bad:?}");
        }
    }
}
