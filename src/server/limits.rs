//! How much of the server one client may take.

use std::time::Duration;

/// What one client may take from the others. No flag sets it: the defaults fit every Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; for a further one, one that waits has to go. Default: 512, below the usual limit of 1024
    /// open files, with room for the connections to the upstream.
    pub connections: usize,
    /// For the handshake and the head of a request, and between two requests of one connection. Default: 10 s.
    pub head: Duration,
    /// For a client to take something of its answer. Default: 10 s.
    pub stall: Duration,
    /// For a place among the large answers, of which `--web.max-requests` are under way at once. Default: 5 s, half of the
    /// shortest time that Prometheus is usually told to wait.
    pub place: Duration,
    /// For a connection: at its end it finishes the answers that are under way, and closes. Default: 60 s.
    pub lifetime: Duration,
    /// For those last answers, however steadily they are read. Default: 30 s.
    pub last_answer: Duration,
    /// For answers that are under way at the shutdown. Default: 3 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            place: Duration::from_secs(5),
            lifetime: Duration::from_secs(60),
            last_answer: Duration::from_secs(30),
            drain: Duration::from_secs(3),
        }
    }
}
