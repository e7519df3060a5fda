//! Redeems authorization codes and refreshes what they gave, each as fast as answers come, and prints
//! one line of JSON: a pair is one redemption and one refresh.
//!
//! ```text
//! token-load --url URL [--connections N] < forms
//! ```
//!
//! Each line of standard input is the form of a redemption. Every pair comes from an address of its
//! own (`X-Forwarded-For`), so that limits per address, which are not measured here, do not count.

use std::{
    collections::VecDeque,
    io::Read as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bench_remote::{
    Result,
    connection::{Connection, Target},
    flags::flag,
    latencies::Summary,
};
use serde::Serialize;
use serde_json::Value;

type Forms = Arc<Mutex<VecDeque<(usize, String)>>>;

#[derive(Default)]
struct Took {
    redemptions: Vec<Duration>,
    refreshes: Vec<Duration>,
}

#[derive(Serialize)]
struct Printed {
    redemptions: Summary,
    refreshes: Summary,
}

async fn pairs(target: Target, forms: Forms) -> Result<Took> {
    let mut connection = Connection::open(&target).await?;
    let mut took = Took::default();
    loop {
        let next = forms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some((number, form)) = next else {
            return Ok(took);
        };
        let address = format!(
            "10.{}.{}.{}",
            number >> 16 & 255,
            number >> 8 & 255,
            number & 255
        );
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", address.as_str()),
        ];
        let request = target.post(&headers, &form);
        let began = Instant::now();
        let refresh_token = token(&mut connection, &request).await?;
        took.redemptions.push(began.elapsed());
        let client = form.split('&').find(|pair| pair.starts_with("client_id="));
        let client = client.ok_or("a form names its client")?;
        let form = format!("grant_type=refresh_token&refresh_token={refresh_token}&{client}");
        let request = target.post(&headers, &form);
        let began = Instant::now();
        token(&mut connection, &request).await?;
        took.refreshes.push(began.elapsed());
    }
}

/// The refresh token of the answer.
async fn token(connection: &mut Connection, request: &[u8]) -> Result<String> {
    let answer = connection.exchange(request).await?;
    let tokens: Value = serde_json::from_slice(answer.body).unwrap_or_default();
    match tokens["refresh_token"].as_str() {
        Some(token) if tokens["access_token"].is_string() => Ok(token.to_owned()),
        _ => Err(format!("these are no tokens: {}", answer.text()).into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let target = Target::parse(&flag("--url", String::new())?)?;
    let connections: usize = flag("--connections", 1)?;
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let forms: Forms = Arc::new(Mutex::new(
        input.lines().map(str::to_owned).enumerate().collect(),
    ));
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(pairs(target.clone(), Arc::clone(&forms))))
        .collect();
    let mut took = Took::default();
    for task in tasks {
        let mut more = task.await??;
        took.redemptions.append(&mut more.redemptions);
        took.refreshes.append(&mut more.refreshes);
    }
    let elapsed = began.elapsed();
    let printed = Printed {
        redemptions: Summary::of(took.redemptions, elapsed),
        refreshes: Summary::of(took.refreshes, elapsed),
    };
    println!("{}", serde_json::to_string(&printed)?);
    Ok(())
}
