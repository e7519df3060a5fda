//! A model that knows its lines: a server on this machine that answers each request with the next
//! row of its script, and keeps what it was asked.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use serde_json::Value;

use super::Failure;

/// A server that plays the model.
pub struct ScriptedModel {
    url: String,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl ScriptedModel {
    /// Starts a model that answers with `script`, row by row, and then goes away.
    pub fn start(script: Vec<Value>) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let requests = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for answer in script {
                let Ok((connection, _)) = listener.accept() else {
                    return;
                };
                if exchange(connection, &answer, &kept).is_err() {
                    return;
                }
            }
        });
        Ok(Self { url, requests })
    }

    /// Where its API begins: `http://127.0.0.1:port/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far, each a request's JSON.
    pub fn requests(&self) -> Vec<Value> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Whoever has the answer finds the request among those kept.
fn exchange(
    connection: TcpStream,
    answer: &Value,
    kept: &Mutex<Vec<Value>>,
) -> Result<(), Failure> {
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    kept.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(serde_json::from_slice(&body)?);
    let answer = answer.to_string();
    let length = answer.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    let mut connection = reader.into_inner();
    connection.write_all(head.as_bytes())?;
    connection.write_all(answer.as_bytes())?;
    Ok(())
}
