//! Ports for servers that are started for a test.

use std::net::TcpListener;

/// A port that nobody listens on. Below those that the kernel gives to outgoing connections, so that none of them takes
/// it while the server that has it is not started yet, or dead.
pub fn free_port() -> u16 {
    (0..200)
        .map(|_| 15_000 + uuid::Uuid::new_v4().as_fields().1 % 17_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port is free")
}
