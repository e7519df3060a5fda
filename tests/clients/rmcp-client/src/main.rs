//! rmcp's own client with its OAuth state machine, driven by a test over its standard input and output.
//!
//! Arguments: the MCP endpoint, a redirect URI, `sessions` or `stateless`, and an identity: `register`, `document URL`
//! or `known CLIENT_ID`. It prints the URL that a browser is to open, reads where that ended, and then answers each line
//! `{"tool": …, "arguments": …}`, `{"refresh": true}`, `{"tools": true}` or `{"kept": true}` with a line.

use std::io::{BufRead as _, Write as _};

use rmcp::{
    ServiceExt as _,
    model::{CallToolRequestParams, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt as _},
    transport::{
        StreamableHttpClientTransport,
        auth::{AuthClient, AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

type Fault = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, redirect_uri, lifecycle, way, rest @ ..] = arguments.as_slice() else {
        return Err("URL, redirect URI, lifecycle and identity are wanted".into());
    };
    let name = rest.first().cloned().unwrap_or_default();
    let request = AuthorizationRequest::new(redirect_uri).with_initial_scope_selection();
    let request = match way.as_str() {
        "document" => request.with_client_metadata_url(name),
        "known" => request.with_preregistered_client(name),
        _ => request.with_client_name("rmcp client"),
    };
    let mut state = OAuthState::new(url.as_str(), None).await?;
    state.start_authorization(request).await?;
    say(&json!({"open": state.get_authorization_url().await?}))?;
    let mut lines = lines_of_stdin();
    let back = lines.recv().await.ok_or("nobody came back")??;
    state.handle_callback_url(&back).await?;
    let manager = state.into_authorization_manager().ok_or("not authorized")?;

    let http = AuthClient::new(reqwest::Client::default(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
    let transport = StreamableHttpClientTransport::with_client(http.clone(), config);
    let client = match lifecycle.as_str() {
        "stateless" => {
            let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
            let discover = ClientLifecycleMode::Discover { preferred_versions };
            ().serve_with_lifecycle(transport, discover).await?
        }
        _ => ().serve(transport).await?,
    };
    say(&json!({"connected": true}))?;
    while let Some(line) = lines.recv().await {
        let wish: Value = serde_json::from_str(&line?)?;
        let answer = if wish["tools"] == true {
            let tools = client
                .list_all_tools()
                .await
                .map_err(|error| error.to_string());
            tools.map(|tools| json!(tools.iter().map(|tool| &tool.name).collect::<Vec<_>>()))
        } else if wish["refresh"] == true {
            let manager = http.auth_manager.lock().await;
            let refreshed = manager
                .refresh_token()
                .await
                .map_err(|error| error.to_string());
            refreshed.map(|_| json!(true))
        } else if wish["kept"] == true {
            let manager = http.auth_manager.lock().await;
            let kept = manager
                .get_credentials()
                .await
                .map_err(|error| error.to_string());
            kept.map(|(client_id, tokens)| json!({"client_id": client_id, "tokens": tokens}))
        } else {
            let tool = wish["tool"].as_str().unwrap_or_default().to_owned();
            let mut call = CallToolRequestParams::new(tool);
            call.arguments = wish["arguments"].as_object().cloned();
            let called = client
                .call_tool(call)
                .await
                .map_err(|error| error.to_string());
            called
                .and_then(|result| serde_json::to_value(result).map_err(|error| error.to_string()))
        };
        say(&match answer {
            Ok(result) => json!({"result": result}),
            Err(error) => json!({"error": error}),
        })?;
    }
    client.cancel().await?;
    Ok(())
}

/// Read by a thread of its own, so that the client's streams go on while nothing is wished.
fn lines_of_stdin() -> mpsc::UnboundedReceiver<std::io::Result<String>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn say(line: &Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
