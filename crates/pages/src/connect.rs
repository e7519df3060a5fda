//! How each MCP client is told about a server: the commands and settings, made from its address.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// The name that the server gets in a client's settings.
const NAME: &str = "clerk";

/// `encodeURIComponent` of JavaScript, which the clients' own documentation uses.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// How to add the server to one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectGuide {
    /// Short name for `id` attributes and command lines: `claude-code`.
    pub id: &'static str,
    /// The client as people know it.
    pub client: &'static str,
    /// A link that makes the client add the server, where the client offers one.
    pub install: Option<InstallLink>,
    /// What to do, in order.
    pub steps: Vec<ConnectStep>,
}

/// A link that a client's own scheme opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallLink {
    /// Such as "Add to Cursor".
    pub label: &'static str,
    /// Such as `cursor://…`.
    pub href: String,
}

/// One step: a sentence, and what to type or paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectStep {
    /// What to do.
    pub text: &'static str,
    /// A command line for a POSIX shell, a setting, or an address.
    pub code: Option<String>,
}

/// The guides for all clients, those with a command first.
///
/// `mcp_url` is the absolute address of the MCP endpoint, such as `https://mcp.example.com/mcp`.
pub fn connect_guides(mcp_url: &str) -> Vec<ConnectGuide> {
    let url = shell_word(mcp_url);
    vec![
        guide(
            "claude-code",
            "Claude Code",
            [
                step(
                    "In a terminal:",
                    format!("claude mcp add --transport http {NAME} {url}"),
                ),
                step("Then sign in, inside Claude Code:", "/mcp".to_owned()),
            ],
        ),
        claude(mcp_url),
        cursor(mcp_url),
        vs_code(mcp_url),
        guide(
            "codex",
            "Codex",
            [
                step(
                    "In a terminal:",
                    format!("codex mcp add {NAME} --url {url}"),
                ),
                step("Then sign in:", format!("codex mcp login {NAME}")),
            ],
        ),
        guide(
            "gemini-cli",
            "Gemini CLI",
            [
                step(
                    "In a terminal:",
                    format!("gemini mcp add --transport http {NAME} {url}"),
                ),
                step(
                    "Then sign in, inside Gemini CLI:",
                    format!("/mcp auth {NAME}"),
                ),
            ],
        ),
        guide(
            "windsurf",
            "Windsurf",
            [step(
                "In ~/.codeium/windsurf/mcp_config.json:",
                setting(&json!({ "mcpServers": { NAME: { "serverUrl": mcp_url } } })),
            )],
        ),
        guide(
            "inspector",
            "MCP Inspector",
            [step(
                "In a terminal, with Node 22.19 or newer:",
                format!(
                    "npx @modelcontextprotocol/inspector@latest --transport http --server-url {url}"
                ),
            )],
        ),
        guide(
            "other",
            "Any other client",
            [step(
                "Add a remote server of the type Streamable HTTP; the client finds out how to sign in:",
                mcp_url.to_owned(),
            )],
        ),
    ]
}

fn claude(mcp_url: &str) -> ConnectGuide {
    let mut steps = vec![step(
        "In Settings, Connectors, Add custom connector, give this address:",
        mcp_url.to_owned(),
    )];
    if !mcp_url.starts_with("https://") {
        steps.push(ConnectStep {
            text: "Connectors are called from the internet, so this works once the server has a public \
                   https address.",
            code: None,
        });
    }
    guide("claude", "Claude (web, desktop, mobile)", steps)
}

fn cursor(mcp_url: &str) -> ConnectGuide {
    let server = json!({ "url": mcp_url });
    let config = STANDARD.encode(server.to_string());
    ConnectGuide {
        install: Some(InstallLink {
            label: "Add to Cursor",
            href: format!(
                "cursor://anysphere.cursor-deeplink/mcp/install?name={NAME}&config={}",
                utf8_percent_encode(&config, COMPONENT)
            ),
        }),
        ..guide(
            "cursor",
            "Cursor",
            [step(
                "Or in ~/.cursor/mcp.json:",
                setting(&json!({ "mcpServers": { NAME: server } })),
            )],
        )
    }
}

fn vs_code(mcp_url: &str) -> ConnectGuide {
    let server = json!({ "name": NAME, "type": "http", "url": mcp_url }).to_string();
    ConnectGuide {
        install: Some(InstallLink {
            label: "Add to VS Code",
            href: format!(
                "vscode:mcp/install?{}",
                utf8_percent_encode(&server, COMPONENT)
            ),
        }),
        ..guide(
            "vs-code",
            "VS Code",
            [step(
                "Or in a terminal:",
                format!("code --add-mcp {}", shell_word(&server)),
            )],
        )
    }
}

fn guide(
    id: &'static str,
    client: &'static str,
    steps: impl IntoIterator<Item = ConnectStep>,
) -> ConnectGuide {
    ConnectGuide {
        id,
        client,
        install: None,
        steps: steps.into_iter().collect(),
    }
}

fn step(text: &'static str, code: String) -> ConnectStep {
    ConnectStep {
        text,
        code: Some(code),
    }
}

fn setting(value: &Value) -> String {
    // Indented as settings files are; `{:#}` of a JSON value cannot fail.
    format!("{value:#}")
}

/// `text` as one word of a POSIX shell, quoted only if it has to be.
fn shell_word(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte));
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_if_it_has_to_be() {
        assert_eq!(
            shell_word("https://mcp.example.com:8788/mcp"),
            "https://mcp.example.com:8788/mcp"
        );
        assert_eq!(
            shell_word("https://a.example/mcp?x=1&y=2"),
            "'https://a.example/mcp?x=1&y=2'"
        );
        assert_eq!(shell_word("it's $(x)"), r"'it'\''s $(x)'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn install_links_carry_the_settings() {
        let url = "https://mcp.example.com/mcp?team=a+b";
        let guides = connect_guides(url);
        let link = |id: &str| {
            let guide = guides.iter().find(|guide| guide.id == id).unwrap();
            guide.install.as_ref().unwrap().href.clone()
        };

        let cursor = link("cursor");
        let config = cursor.split_once("&config=").unwrap().1;
        let config = percent_encoding::percent_decode_str(config)
            .decode_utf8()
            .unwrap();
        let config: Value =
            serde_json::from_slice(&STANDARD.decode(config.as_bytes()).unwrap()).unwrap();
        assert_eq!(config, json!({ "url": url }));

        let vs_code = link("vs-code");
        let config = vs_code.split_once('?').unwrap().1;
        let config = percent_encoding::percent_decode_str(config)
            .decode_utf8()
            .unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        assert_eq!(
            config,
            json!({ "name": "clerk", "type": "http", "url": url })
        );
    }

    #[test]
    fn connectors_need_a_public_address() {
        let steps = |url: &str| connect_guides(url)[1].steps.len();
        assert_eq!(steps("https://mcp.example.com/mcp"), 1);
        assert_eq!(steps("http://127.0.0.1:8788/mcp"), 2);
    }
}
