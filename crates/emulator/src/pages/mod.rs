//! The pages: plain HTML and CSS, no script, nothing loaded from elsewhere. Every text that comes
//! from outside goes through [`escape`].

pub(crate) mod consent;
pub(crate) mod home;
pub(crate) mod inbox;
pub(crate) mod sign_in;

use crate::model::User;
use std::fmt::Write as _;

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f4f6;--card:#fff;--text:#1b1b21;--soft:#5a5a66;--line:#d9d9e0;--main:#4338ca;--on:#fff;--bad:#a3142a;--bad-bg:#fdecee}\
@media(prefers-color-scheme:dark){:root{--page:#131316;--card:#1f1f23;--text:#f1f1f4;--soft:#a9a9b5;--line:#3a3a42;--main:#a5b4fc;--on:#16163a;--bad:#ffb3bd;--bad-bg:#3d161c}}\
*{box-sizing:border-box}\
body{margin:0;padding:2rem 1rem;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif}\
main{max-width:28rem;margin:0 auto;padding:1.75rem;background:var(--card);border:1px solid var(--line);border-radius:.9rem}\
h1{margin:0 0 .25rem;font-size:1.35rem;line-height:1.3}h2{margin:1.5rem 0 .5rem;font-size:1rem}\
p{margin:.35rem 0}small,.soft{color:var(--soft)}small{font-size:.85rem}ul{margin:.5rem 0;padding-left:1.25rem}\
a{color:var(--main)}code{font-size:.9em;overflow-wrap:anywhere}\
button{font:inherit;cursor:pointer;border-radius:.5rem;padding:.6rem .9rem;border:1px solid var(--line);background:none;color:inherit}\
button:hover{border-color:var(--main)}:focus-visible{outline:3px solid var(--main);outline-offset:2px}\
button.main{background:var(--main);border-color:var(--main);color:var(--on);font-weight:600}\
.people{list-style:none;margin:0;padding:0;display:grid;gap:.4rem}\
.people button{width:100%;text-align:left;display:block}.people small{display:block}\
.row{display:flex;gap:.6rem;margin-top:1.25rem}.row button{flex:1}\
label{display:block;font-weight:600;margin-bottom:.25rem}\
input,select{font:inherit;width:100%;padding:.55rem .7rem;border:1px solid var(--line);border-radius:.5rem;background:var(--page);color:inherit}\
.field{margin:.75rem 0}.problem{padding:.7rem .9rem;border-radius:.5rem;background:var(--bad-bg);color:var(--bad)}\
footer{max-width:28rem;margin:1rem auto 0;text-align:center;color:var(--soft);font-size:.85rem}";

/// A whole page. `content` is HTML.
fn page(title: &str, content: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main>{content}</main>\
         <footer>Clerk emulator: nothing here is a secret, and no message leaves this machine.</footer>\
         </body></html>\n",
        title = escape(title),
    )
}

/// The page of a refusal: what happened, and the code by which documentation knows it.
pub(crate) fn error(title: &str, code: &str, message: &str) -> String {
    let content = format!(
        "<h1>{}</h1><p class=\"problem\" role=\"alert\">{}</p><p><small>Error <code>{}</code></small></p>\
         <p><a href=\"/\">Home of the emulator</a></p>",
        escape(title),
        escape(message),
        escape(code)
    );
    page(title, &content)
}

/// Text in HTML, between tags or in a quoted attribute. Invisible characters show themselves.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A field that is not shown.
fn hidden(name: &str, value: &str) -> String {
    let (name, value) = (escape(name), escape(value));
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
}

fn problem(text: Option<&str>) -> String {
    let text = text.map(|text| format!("<p class=\"problem\" role=\"alert\">{}</p>", escape(text)));
    text.unwrap_or_default()
}

/// How a page names the person who is signed in.
pub(crate) fn account(user: &User) -> String {
    let name = user.label();
    match user.identifier().filter(|identifier| *identifier != name) {
        Some(identifier) => format!("{name} ({identifier})"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            escape("<script>\"&'\u{202e}"),
            "&lt;script&gt;&quot;&amp;&#39;\\u{202e}"
        );
    }
}
