//! `clerk-mcp healthcheck`: asks a running server whether it can do its work. For containers, which
//! have no other HTTP client.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use clerk::{HttpTransport, Transport as _};
use http::{Request, StatusCode};

use crate::{
    environment::{self, CLERK_MCP_BIND},
    failure::Failure,
    printer::Printer,
};

/// Where a server listens that is not told otherwise.
const DEFAULT_BIND: &str = "127.0.0.1:8788";
/// Its readiness probe: the database answers, and no shutdown has begun.
const PATH: &str = "/readyz";
/// Less than what orchestrators commonly wait for a probe, so that the reason is still told.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The answer is one line.
const LARGEST_ANSWER: usize = 4096;

#[derive(Debug, clap::Args)]
pub(crate) struct HealthcheckArguments {
    /// What to ask [default: /readyz at the address of `CLERK_MCP_BIND`, else at 127.0.0.1:8788]
    #[arg(value_name = "URL")]
    url: Option<String>,
}

/// Ends well if the server answers 200 within 4 seconds.
pub(crate) async fn run(arguments: HealthcheckArguments, printer: &Printer) -> Result<(), Failure> {
    let url = match arguments.url {
        Some(url) => url,
        None => default_url(environment::read(CLERK_MCP_BIND)?.as_deref())?,
    };
    let request = Request::get(&url)
        .body(Bytes::new())
        .map_err(|error| Failure::usage(format!("{url}: {error}\nhint: write http://…{PATH}")))?;
    let transport = HttpTransport::new()
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .largest_body(LARGEST_ANSWER);
    let answer = transport.send(request).await.map_err(|error| {
        Failure::failed(format!(
            "{url}: {error}\nhint: name the server's address, if it listens elsewhere"
        ))
    })?;
    let said = String::from_utf8_lossy(answer.body());
    let said = said.trim();
    match answer.status() {
        StatusCode::OK => printer.result(said),
        status => Err(Failure::failed(format!("{url}: {status}: {said}"))),
    }
}

/// The readiness probe of the server that listens there. One that listens on every address is asked
/// on the loopback one.
fn default_url(bind: Option<&str>) -> Result<String, Failure> {
    let bind = bind.unwrap_or(DEFAULT_BIND);
    let numeric = match bind.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => bind.to_owned(),
    };
    let mut address: SocketAddr = numeric.parse().map_err(|_| {
        Failure::usage(format!(
            "{CLERK_MCP_BIND}={bind} is not an address and a port\nhint: write it like {DEFAULT_BIND}"
        ))
    })?;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{address}{PATH}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn asks_where_the_server_listens() {
        for (bind, url) in [
            (None, "http://127.0.0.1:8788/readyz"),
            (Some("0.0.0.0:80"), "http://127.0.0.1:80/readyz"),
            (Some("[::]:8080"), "http://[::1]:8080/readyz"),
            (Some("10.0.0.7:8788"), "http://10.0.0.7:8788/readyz"),
            (Some("localhost:8788"), "http://127.0.0.1:8788/readyz"),
        ] {
            assert_eq!(default_url(bind).unwrap(), url);
        }
        let failure = default_url(Some("8788")).unwrap_err().to_string();
        assert!(failure.contains("CLERK_MCP_BIND=8788"), "{failure}");
    }
}
