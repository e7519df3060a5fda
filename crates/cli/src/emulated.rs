//! The local Clerk inside this process, as a transport of the Clerk client: no socket, no thread.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use clerk::{BoxFuture, Env, Transport, TransportError, TransportErrorKind};
use emulator::{Answer, Emulator};

use crate::machine::Machine;

/// Sends requests to an emulator in the same process.
pub(crate) struct EmulatedClerk(pub(crate) Arc<Emulator>);

impl Transport for EmulatedClerk {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let reply = self.0.handle(request);
            if !reply.delay.is_zero() {
                Machine.sleep(reply.delay).await;
            }
            match reply.answer {
                Answer::Response(response) => Ok(response),
                Answer::DropConnection => Err(TransportError {
                    kind: TransportErrorKind::Interrupted,
                    message: "the emulator dropped the connection".into(),
                }),
            }
        })
    }
}

/// The emulator's time: what runs beside it moves along when its clock is moved.
pub(crate) struct EmulatedClock(pub(crate) Arc<Emulator>);

impl Env for EmulatedClock {
    fn now(&self) -> u64 {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Machine.sleep(duration)
    }

    fn random(&self) -> u64 {
        Machine.random()
    }
}

/// Sends nothing: for commands that only look at the tools.
pub(crate) struct Unconnected;

impl Transport for Unconnected {
    fn send(
        &self,
        _: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(std::future::ready(Err(TransportError {
            kind: TransportErrorKind::Other,
            message: "this command sends nothing to Clerk".into(),
        })))
    }
}
