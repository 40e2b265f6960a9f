//! Accepting connections, bounding them, and ending them in an orderly way.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::pages::Pages;
use super::stall::StallGuard;

/// The largest head of a request. What Prometheus sends has a few hundred bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// After an error in accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one client may take from the others. No flag sets it: the defaults fit every Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue. Default: 512, below the usual limit of
    /// 1024 open files, with room for the connections to the upstream.
    pub connections: usize,
    /// For the head of a request, and between two requests of one connection. Default: 30 s.
    pub head: Duration,
    /// For a write to make progress. Default: 30 s.
    pub stall: Duration,
    /// For answers that are under way at the shutdown. Default: 3 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(30),
            stall: Duration::from_secs(30),
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
    let connections = Arc::new(Semaphore::new(limits.connections));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(
            listener,
            Arc::clone(&connections),
            Arc::clone(&pages),
            limits,
            shutdown.clone(),
        ));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(
    listener: TcpListener,
    connections: Arc<Semaphore>,
    pages: Arc<Pages>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    while let Some((stream, place)) = shutdown
        .run_until_cancelled(next(&listener, &connections))
        .await
    {
        let pages = Arc::clone(&pages);
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let answer = pages.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let io = TokioIo::new(StallGuard::new(stream, limits.stall));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(io, service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What a client does wrong is its own matter: it gets its 4xx from hyper, or is gone.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "answers still under way after {} s are cut off",
            limits.drain.as_secs()
        );
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
