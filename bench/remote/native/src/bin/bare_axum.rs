//! What the HTTP library costs alone: a handler that reads the body and answers the same bytes.

use axum::{
    Router, extract::Request, http::header, response::IntoResponse, routing::post,
    serve::ListenerExt as _,
};
use bench_remote::Result;
use bytes::Bytes;
use tokio::net::TcpListener;

const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[{"type":"text","text":"42"}],"structuredContent":{"sum":42},"isError":false}}"#;

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/mcp", listener.local_addr()?);
    let app = Router::new().route("/mcp", post(answer));
    // As in the other native servers: a small answer does not wait for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn answer(request: Request) -> impl IntoResponse {
    // Read, and dropped: the others have to read it too.
    let _ = axum::body::to_bytes(request.into_body(), 64 * 1024).await;
    (
        [(header::CONTENT_TYPE, "application/json")],
        Bytes::from_static(ANSWER),
    )
}
