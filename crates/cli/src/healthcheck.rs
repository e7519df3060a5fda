//! `clerk-mcp healthcheck`: asks a running server whether it can do its work. For containers, which
//! have no other HTTP client.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use clerk::{HttpTransport, Transport as _, TransportErrorKind};
use http::{Request, StatusCode, Uri};
use server::Serve;

use crate::{failure::Failure, printer::Printer};

/// The server's readiness probe: the database answers, and no shutdown has begun.
const PATH: &str = "/readyz";
/// Less than what orchestrators commonly wait for a probe, so that the reason is still told.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The answer is one line.
const LARGEST_ANSWER: usize = 4096;
const HOW_TO_NAME_IT: &str = "name the server's address, as in `clerk-mcp healthcheck 127.0.0.1:8788`, \
    or its configuration with --config";

#[derive(Debug, clap::Args)]
pub(crate) struct HealthcheckArguments {
    /// What to ask: an address and port or a URL, at /readyz where it has no path [default: where the
    /// configuration makes `serve` listen, of every address the loopback one]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Configuration file of `serve` that says where it listens, unless `CLERK_MCP_BIND` does [default:
    /// clerk-mcp.toml, if there is one]
    #[arg(long, short, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
}

/// Ends well if the server answers 200 within 4 seconds.
pub(crate) async fn run(arguments: HealthcheckArguments, printer: &Printer) -> Result<(), Failure> {
    let url = match (arguments.url, arguments.config) {
        (Some(named), _) => probe_at(&named)?,
        (None, Some(file)) => probe_of(Serve::new().config(file).load_bind()?),
        (None, None) => probe_of(Serve::new().load_bind()?),
    };
    let request = Request::get(&url)
        .body(Bytes::new())
        .map_err(|error| Failure::usage(format!("{url}: {error}\nhint: {HOW_TO_NAME_IT}")))?;
    let transport = HttpTransport::new()
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .largest_body(LARGEST_ANSWER);
    let answer = transport.send(request).await.map_err(|error| {
        let hint = match error.kind {
            TransportErrorKind::Connect => {
                format!("does the server run, and there? If elsewhere, {HOW_TO_NAME_IT}")
            }
            TransportErrorKind::Timeout => {
                "whatever listens there does not answer in time: the server's log may say why"
                    .to_owned()
            }
            _ => no_probe(),
        };
        Failure::failed(format!("{url}: {error}\nhint: {hint}"))
    })?;
    let said = String::from_utf8_lossy(answer.body());
    let said = said.trim();
    let failed = |hint: &str| {
        let status = answer.status();
        Err(Failure::failed(format!(
            "{url}: {status}: {said}\nhint: {hint}"
        )))
    };
    match answer.status() {
        StatusCode::OK => printer.result(said),
        StatusCode::SERVICE_UNAVAILABLE => {
            failed("the server is there but not ready: its log says why")
        }
        _ => failed(&no_probe()),
    }
}

fn no_probe() -> String {
    format!("that is not how {PATH} of a clerk-mcp server answers: {HOW_TO_NAME_IT}")
}

/// The readiness probe of the server that somebody names, or the very URL where it has a path.
fn probe_at(named: &str) -> Result<String, Failure> {
    let named = named.trim();
    let url = match named.contains("://") {
        true => named.to_owned(),
        false => format!("http://{named}"),
    };
    let wrong =
        |problem: &str| Failure::usage(format!("{named}: {problem}\nhint: {HOW_TO_NAME_IT}"));
    let parsed: Uri = url
        .parse()
        .map_err(|error| wrong(&format!("it is no URL: {error}")))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it is neither http nor https"));
    }
    // A resolver would take a lone number for the address 0.0.x.y.
    let host = parsed.host().unwrap_or_default();
    if host.is_empty() || host.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("it has no host"));
    }
    let authority = parsed
        .authority()
        .map_or("", |authority| authority.as_str());
    if !authority.ends_with(host) && parsed.port_u16().is_none() {
        return Err(wrong("what follows the host is no port"));
    }
    Ok(match parsed.path_and_query().map(|path| path.as_str()) {
        None | Some("" | "/") => format!("{}{PATH}", url.trim_end_matches('/')),
        Some(_) => url,
    })
}

/// The readiness probe of the server that listens there. One that listens on every address is asked
/// on the loopback one.
fn probe_of(mut bind: SocketAddr) -> String {
    if bind.ip().is_unspecified() {
        bind.set_ip(match bind {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{bind}{PATH}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn asks_where_the_server_listens() {
        for (bind, url) in [
            ("127.0.0.1:8788", "http://127.0.0.1:8788/readyz"),
            ("0.0.0.0:80", "http://127.0.0.1:80/readyz"),
            ("[::]:8080", "http://[::1]:8080/readyz"),
            ("10.0.0.7:8788", "http://10.0.0.7:8788/readyz"),
        ] {
            assert_eq!(probe_of(bind.parse().unwrap()), url);
        }
    }

    #[test]
    fn a_named_server_is_asked_at_its_probe_and_a_named_path_there() {
        for (named, url) in [
            ("127.0.0.1:8802", "http://127.0.0.1:8802/readyz"),
            ("localhost:8802", "http://localhost:8802/readyz"),
            ("[::1]:8802", "http://[::1]:8802/readyz"),
            (" mcp.example.com ", "http://mcp.example.com/readyz"),
            ("http://127.0.0.1:8802", "http://127.0.0.1:8802/readyz"),
            ("https://mcp.example.com/", "https://mcp.example.com/readyz"),
            ("http://127.0.0.1:1/healthz", "http://127.0.0.1:1/healthz"),
            ("127.0.0.1:1/a?b=c", "http://127.0.0.1:1/a?b=c"),
        ] {
            assert_eq!(probe_at(named).unwrap(), url);
        }
        for named in [
            "no URL",
            "8802",
            ":8802",
            "",
            "http://",
            "ftp://host",
            "host:99999",
        ] {
            let failure = probe_at(named).unwrap_err();
            assert_eq!(failure.code(), crate::failure::USAGE);
            assert!(failure.to_string().contains("hint: name"), "{failure}");
        }
    }
}
