//! A Clerk in this process. A program that talks to the real one takes `clerk::HttpTransport` and its
//! own `clerk::Env` instead, as `crates/cli/src/connect.rs` does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clerk::{BoxFuture, Client, Env, SecretKey, Transport, TransportError, TransportErrorKind};
use emulator::{Answer, Clock, DEFAULT_SECRET_KEY, Emulator, Random, Seed};

use super::Failure;

pub(super) fn client() -> Result<Client, Failure> {
    let time = Arc::new(Time(AtomicU64::new(1_790_000_000_000)));
    let emulator = Emulator::new(&Seed::default(), time.clone(), Box::new(Counting(1)))?;
    let key = SecretKey::parse(DEFAULT_SECRET_KEY)?;
    Ok(Client::builder(key, Arc::new(Line(emulator)), time).build())
}

struct Line(Emulator);

impl Transport for Line {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let answer = match self.0.handle(request).answer {
            Answer::Response(response) => Ok(response),
            Answer::DropConnection => Err(TransportError {
                kind: TransportErrorKind::Interrupted,
                message: "the emulator dropped the connection".into(),
            }),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// A clock that moves only when somebody sleeps: the example says the same at every run.
struct Time(AtomicU64);

impl Clock for Time {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Env for Time {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis.max(1), Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        4
    }
}

/// Bytes that differ, which is all that ids need here.
struct Counting(u64);

impl Random for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = self.0.to_be_bytes();
            for (byte, random) in chunk.iter_mut().zip(random) {
                *byte = random;
            }
        }
    }
}
