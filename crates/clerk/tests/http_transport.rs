//! `HttpTransport` against real sockets on this machine.
