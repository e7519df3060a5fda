//! `HttpTransport` against real sockets on this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clerk_mcp_clerk::{HttpTransport, Transport, TransportError, TransportErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const SECRET: &str = "sk_test_abcdefghijklmnop1234";

/// Reads a request's head and answers with `reply`, on one connection after the other.
async fn server(reply: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let head = read_head(&mut socket).await;
            assert!(
                head.starts_with("get /v1/users?q=hidden http/1.1\r\n"),
                "{head}"
            );
            assert!(
                head.contains(&format!("authorization: bearer {SECRET}")),
                "{head}"
            );
            socket.write_all(reply).await.unwrap();
            socket.flush().await.unwrap();
        }
    });
    (address, task)
}

/// The request line and headers, in small letters.
async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn request(address: SocketAddr) -> http::Request<Bytes> {
    http::Request::get(format!("http://{address}/v1/users?q=hidden"))
        .header("authorization", format!("Bearer {SECRET}"))
        .body(Bytes::new())
        .unwrap()
}

async fn failure(transport: &HttpTransport, address: SocketAddr) -> TransportError {
    let error = transport.send(request(address)).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("hidden") && !shown.contains("sk_test_"),
        "{shown}"
    );
    error
}

#[tokio::test]
async fn a_whole_answer() {
    let (address, _server) =
        server(b"HTTP/1.1 404 Not Found\r\nCf-Ray: r\r\nContent-Length: 3\r\n\r\n{ }").await;
    let answer = HttpTransport::new().send(request(address)).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_ref()),
        (404, b"{ }".as_slice())
    );
    assert_eq!(answer.headers()["cf-ray"], "r");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (address, _server) =
        server(b"HTTP/1.1 302 Found\r\nLocation: /v1/x\r\nContent-Length: 0\r\n\r\n").await;
    let answer = HttpTransport::new().send(request(address)).await.unwrap();
    assert_eq!(answer.status(), 302);
}

#[tokio::test]
async fn a_refused_connection() {
    // Nobody's: a free port could be another test's in a moment.
    let address = "127.0.0.1:1".parse().unwrap();
    let error = failure(&HttpTransport::new(), address).await;
    assert_eq!(error.kind, TransportErrorKind::Connect);
    assert!(error.message.contains("could not connect"), "{error}");
    assert!(error.message.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_slow_server() {
    let transport = HttpTransport::new().timeout(Duration::from_millis(100));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let halting = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [silent.local_addr().unwrap(), halting.local_addr().unwrap()];
    let _server = tokio::spawn(async move {
        let (mut socket, _) = halting.accept().await.unwrap();
        read_head(&mut socket).await;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    for address in addresses {
        let error = failure(&transport, address).await;
        assert_eq!(error.kind, TransportErrorKind::Timeout, "{error:?}");
        assert_eq!(error.message, "no answer within 0.1 s");
    }
}

#[tokio::test]
async fn a_connection_that_breaks() {
    for reply in [
        b"".as_slice(),
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[1,",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    ] {
        let (address, _server) = server(reply).await;
        let error = failure(&HttpTransport::new(), address).await;
        assert_eq!(
            error.kind,
            TransportErrorKind::Interrupted,
            "{reply:?} {error:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let transport = HttpTransport::new().largest_body(4);
    for (reply, fits) in [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[12]".as_slice(),
            true,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[123]", false),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[1,2,3,4]",
            false,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n[",
            false,
        ),
    ] {
        let (address, _server) = server(reply).await;
        if fits {
            transport.send(request(address)).await.unwrap();
        } else {
            let error = failure(&transport, address).await;
            assert_eq!(error.kind, TransportErrorKind::BodyTooLarge, "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_arrives_as_it_is() {
    let (address, _server) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>").await;
    let answer = HttpTransport::new().send(request(address)).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"<html>");
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            read_head(&mut socket).await;
            socket
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
                .await
                .unwrap();
        }
    });
    let transport = HttpTransport::new();
    for _ in 0..3 {
        transport.send(request(address)).await.unwrap();
    }
    server.await.unwrap();
}

/// Runs itself again in a process whose environment names a proxy that does not exist.
#[tokio::test]
async fn this_machine_is_never_reached_through_a_proxy() {
    const NAME: &str = "this_machine_is_never_reached_through_a_proxy";
    const INNER: &str = "CLERK_MCP_TEST_INSIDE";
    if std::env::var_os(INNER).is_none() {
        let dead = "http://127.0.0.1:1";
        let outcome = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(INNER, "1")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .envs([
                ("HTTP_PROXY", dead),
                ("HTTPS_PROXY", dead),
                ("ALL_PROXY", dead),
            ])
            .output()
            .unwrap();
        assert!(
            outcome.status.success(),
            "{}",
            String::from_utf8_lossy(&outcome.stdout)
        );
        return;
    }
    let (address, _server) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").await;
    HttpTransport::new().send(request(address)).await.unwrap();
    let remote = http::Request::get("https://clerk.invalid/")
        .body(Bytes::new())
        .unwrap();
    let error = HttpTransport::new().send(remote).await.unwrap_err();
    assert!(
        error.message.to_lowercase().contains("refused"),
        "the proxy was asked: {error:?}"
    );
}
