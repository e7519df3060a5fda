//! The API of somebody's application, as tools call it: one answer of a kilobyte, for whoever has a
//! bearer token.

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt as _,
};
use bench_remote::{Result, answer};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/v1/orders", listener.local_addr()?);
    let app = Router::new().route("/v1/orders", get(orders));
    // As in the other native servers: a small answer does not wait for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn orders(headers: HeaderMap) -> Response {
    let token = headers.get(header::AUTHORIZATION);
    if !token.is_some_and(|token| token.as_bytes().starts_with(b"Bearer ")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    (
        [(header::CONTENT_TYPE, "application/json")],
        answer::orders(),
    )
        .into_response()
}
