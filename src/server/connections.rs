//! Accepting connections, bounding them, and ending them in an orderly way.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pages::Pages;
use crate::domain::PromDuration;

/// The largest head of a request. Prometheus sends a few hundred bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// After an error in accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one client may take from the others. No flag sets it: the defaults fit every Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue. Default: 512, below the usual limit of
    /// 1024 open files, with room for the connections to the upstream.
    pub connections: usize,
    /// For the head of a request, and between two requests of one connection. Default: 10 s.
    pub head: Duration,
    /// For a connection: at its end it finishes the answer that is under way, and closes. Default: 60 s.
    pub lifetime: Duration,
    /// For that last answer. A client that reads slowly, or not at all, is cut off then. Default: 30 s.
    pub last_answer: Duration,
    /// For answers that are under way at the shutdown. Default: 3 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            lifetime: Duration::from_secs(60),
            last_answer: Duration::from_secs(30),
            drain: Duration::from_secs(3),
        }
    }
}

/// Serves the pages until the shutdown, then finishes the answers that are under way.
pub async fn serve(
    listeners: Vec<TcpListener>,
    pages: Arc<Pages>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let (places, pages) = (Arc::clone(&places), Arc::clone(&pages));
        let (connections, shutdown) = (connections.clone(), shutdown.clone());
        accepting.spawn(async move {
            while let Some((stream, place)) =
                shutdown.run_until_cancelled(next(&listener, &places)).await
            {
                let answer = answer(stream, Arc::clone(&pages), limits, shutdown.clone());
                connections.spawn(async move {
                    answer.await;
                    drop(place);
                });
            }
        });
    }
    while accepting.join_next().await.is_some() {}
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            after = %PromDuration(limits.drain),
            "closed connections still open at the shutdown deadline"
        );
    }
}

/// Answers the requests of one connection.
async fn answer(stream: TcpStream, pages: Arc<Pages>, limits: Limits, shutdown: CancellationToken) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(pages.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = tokio::time::sleep(limits.lifetime) => {
            connection.as_mut().graceful_shutdown();
            let last_answer = tokio::time::timeout(limits.last_answer, connection).await;
            last_answer.unwrap_or(Ok(()))
        }
    };
    // Errors of a client are its own matter: it gets a 4xx from hyper, or is gone.
    if let Err(error) = ended {
        tracing::debug!(%error, "connection failed");
    }
}

/// The next connection and its place among those that may be open.
async fn next(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    let place = Arc::clone(connections).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers go out in one or two writes; waiting for more to send only delays them.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the error is about a connection that was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
