//! Requests whose clients hang up: while rmcp has no room for them, and while their answer is on its way.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use clerk::BoxFuture;
use futures_util::future::join_all;
use rmcp::transport::Transport as _;
use serde_json::{Value, json};
use store::sessions::MemorySessions;

use super::{places::Place, *};

/// Passes once nobody has anything to do.
const A_WHILE: Duration = Duration::from_secs(1);

struct Noon;

impl Env for Noon {
    fn now(&self) -> u64 {
        1_800_000_000_000
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        7
    }
}

fn anybody() -> Principal {
    Principal {
        key: PrincipalKey::new(Some("user_1"), Some("client")),
        ended: Arc::default(),
        served: None,
    }
}

fn message<M: serde::de::DeserializeOwned>(message: Value) -> M {
    serde_json::from_value(message).unwrap()
}

fn ask(id: i64) -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "id": id, "method": "ping"}))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_went_on_its_way_frees_its_id() {
    /// More than rmcp takes from clients before its handler reads any.
    const REQUESTS: i64 = 80;
    let most = MostSessions {
        all: 1,
        of_person: 1,
    };
    let sessions = OwnedSessions::new(
        most,
        Duration::from_secs(60),
        Arc::new(MemorySessions::default()),
        Arc::new(Noon),
        Arc::default(),
    );
    let created = OwnedSessions::owned_by(anybody(), sessions.create_session()).await;
    let (id, mut transport) = created.unwrap().unwrap();
    let initialize = message(
        json!({"jsonrpc": "2.0", "id": "first", "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}}}),
    );
    let initialized: ServerJsonRpcMessage = message(json!({"jsonrpc": "2.0", "id": "first",
        "result": {"protocolVersion": "2025-11-25", "capabilities": {},
            "serverInfo": {"name": "test", "version": "1"}}}));
    let handler = async {
        transport.receive().await.unwrap();
        transport.send(initialized).await.unwrap();
    };
    let (answer, ()) = tokio::join!(sessions.initialize_session(&id, initialize), handler);
    answer.unwrap();

    // The handler reads nothing, until all clients have hung up. Some of their requests still waited then.
    let asked = join_all((0..REQUESTS).map(|number| sessions.create_stream(&id, ask(number))));
    assert!(tokio::time::timeout(A_WHILE, asked).await.is_err());
    let mut pushed = BTreeSet::new();
    while let Ok(received) = tokio::time::timeout(A_WHILE, transport.receive()).await {
        let received = serde_json::to_value(received.unwrap()).unwrap();
        pushed.insert(received["id"].as_i64().unwrap());
    }
    assert!(!pushed.is_empty());

    for number in 0..REQUESTS {
        let again = sessions.create_stream(&id, ask(number)).await;
        if pushed.contains(&number) {
            // It is under way, and its client may come back for the answer.
            assert!(matches!(again, Err(SessionFault::RepeatedId)), "{number}");
            let answer = message(json!({"jsonrpc": "2.0", "id": number, "result": {}}));
            transport.send(answer).await.unwrap();
            let once_more = sessions.create_stream(&id, ask(number)).await;
            assert!(once_more.is_ok(), "{number} was answered");
        } else {
            assert!(again.is_ok(), "{number} never went on its way");
        }
        transport.receive().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_lost_connection_did_not_read_is_there_for_the_next() {
    let streams = Streams::new(Arc::new(MemorySessions::default()), Arc::new(Noon));
    let (streams, session) = (Arc::new(streams), SessionId::from("session"));
    let mut first = ServerSseMessage::default();
    first.event_id = Some(Place::begin("stream".to_owned(), None).to_string());
    let begun = streams.begin(&session, &ask(1), &mut first).unwrap();
    begun.pushed();
    let come_back = || {
        let place = first.event_id.as_deref().and_then(Place::parse).unwrap();
        Box::pin(Arc::clone(&streams).request_after(Arc::clone(&session), place))
    };
    let read = |message: Option<ServerSseMessage>| {
        let message = message.unwrap().message.unwrap();
        serde_json::to_value(&*message).unwrap()
    };
    let lost = come_back();
    tokio::time::sleep(A_WHILE).await;
    let mut answer = ServerSseMessage::default();
    answer.message = Some(message(json!({"jsonrpc": "2.0", "id": 1, "result": {}})));
    streams.store_event("stream", &answer).await.unwrap();
    // It is on its way, when the connection turns out to be none.
    tokio::time::sleep(A_WHILE).await;
    drop(lost);
    let mut again = come_back();
    assert_eq!(read(again.next().await)["result"], json!({}));
    assert!(again.next().await.is_none());
    let mut too_late = come_back();
    assert_eq!(read(too_late.next().await)["error"]["code"], -32603);
}
