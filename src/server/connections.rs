//! Accepting connections, speaking TLS and HTTP on them, and ending them in an orderly way.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits::Limits;
use super::pages::Pages;
use super::tls::has_expired;
use super::traffic::{Connection, Traffic};
use super::wires::{Line, Watched};
use crate::domain::PromDuration;

/// The largest head of a request. Prometheus sends a few hundred bytes.
const MAX_HEAD_BYTES: u16 = 16 * 1024;

/// Requests at once on one connection of HTTP/2. Prometheus makes one, a browser as many as a page has parts.
const MAX_STREAMS: u32 = 32;

/// Requests that a client of HTTP/2 has taken back before they were accepted, and those that the server had to reset.
/// With more of either, the connection is an attack.
const MAX_RESETS: usize = 32;

/// What of an answer of HTTP/2 waits in memory until the client takes it, in bytes.
const STREAM_BUFFER: usize = 64 * 1024;

/// What the kernel keeps of an answer until the client takes it, in bytes; it doubles that. By itself it would take
/// megabytes for a client that reads nothing, and not tell for long that a slow one reads.
const SEND_BUFFER: usize = 128 * 1024;

/// After an error in accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
struct Shared {
    pages: Arc<Pages>,
    traffic: Arc<Traffic>,
    limits: Limits,
    shutdown: CancellationToken,
}

/// Serves the pages until the shutdown, then finishes the answers that are under way.
pub async fn serve(
    listeners: Vec<TcpListener>,
    pages: Arc<Pages>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let shared = Arc::new(Shared {
        pages,
        traffic: Traffic::new(limits),
        limits,
        shutdown,
    });
    let connections = TaskTracker::new();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let (shared, connections) = (Arc::clone(&shared), connections.clone());
        accepting.spawn(async move {
            let stopped = shared.shutdown.clone();
            while let Some(stream) = stopped.run_until_cancelled(next(&listener)).await {
                // Without a place it is closed at once: all that are open get their answers just now.
                if let Some(place) = shared.traffic.enter() {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        let connection = Arc::clone(&place.connection);
                        tokio::select! {
                            () = connection.closed() => {}
                            () = speak(stream, &shared, &connection) => {}
                        }
                        drop(place);
                    });
                }
            }
        });
    }
    let all_ended = async {
        while accepting.join_next().await.is_some() {}
        connections.close();
        tokio::time::timeout(limits.drain, connections.wait()).await
    };
    let ended = tokio::select! {
        ended = all_ended => ended,
        () = shared.traffic.sweep() => Ok(()),
    };
    if ended.is_err() {
        tracing::warn!(
            connections = connections.len(),
            after = %PromDuration(limits.drain),
            "closed connections still open at the shutdown deadline"
        );
    }
}

/// Answers the requests of one connection, in the protocol that the client and the web configuration agree on.
async fn speak(stream: TcpStream, shared: &Shared, connection: &Arc<Connection>) {
    let tls = match shared.pages.lock() {
        Some(lock) if lock.has_tls() => lock.tls().await,
        _ => None,
    };
    let Some(tls) = tls else {
        let stream = Line::new(stream, Arc::clone(connection));
        return speak_http1(stream, shared, connection, &CancellationToken::new()).await;
    };
    if speaks_no_tls(&stream).await {
        return refuse_plain_http(stream).await;
    }
    match TlsAcceptor::from(tls.config).accept(stream).await {
        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
        Ok(stream)
            if tls.verifies
                && let Some([certificate, ..]) = stream.get_ref().1.peer_certificates()
                && has_expired(certificate) =>
        {
            tracing::debug!("the client's certificate has expired since the session began");
        }
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            speak_http2(stream, shared, connection, &tls.replaced).await;
        }
        Ok(stream) => {
            let stream = Line::new(stream, Arc::clone(connection));
            speak_http1(stream, shared, connection, &tls.replaced).await;
        }
    }
}

/// What hyper calls for each request.
fn service(
    shared: &Shared,
    connection: &Arc<Connection>,
    replaced: &CancellationToken,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Watched>,
    Error = io::Error,
    Future: Send + 'static,
> + use<> {
    let (pages, traffic) = (Arc::clone(&shared.pages), Arc::clone(&shared.traffic));
    let (connection, replaced) = (Arc::clone(connection), replaced.clone());
    service_fn(move |mut request: Request<Incoming>| {
        let answer = connection.begin();
        let (pages, replaced) = (Arc::clone(&pages), replaced.clone());
        request.extensions_mut().insert(Arc::clone(&traffic));
        request.extensions_mut().insert(Arc::clone(&connection));
        async move {
            let response = pages.answer(request).await;
            // This client may be one of those that are not let in any more.
            if replaced.is_cancelled() {
                return Err(io::Error::other(
                    "the web configuration admits other clients from now on",
                ));
            }
            Ok(response.map(|body| Watched::new(body, answer)))
        }
    })
}

async fn speak_http1<S: AsyncRead + AsyncWrite + Unpin>(
    stream: Line<S>,
    shared: &Shared,
    connection: &Arc<Connection>,
    replaced: &CancellationToken,
) {
    let served = http1::Builder::new()
        // Not hyper's concern: the traffic is watched as a whole.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES.into())
        .serve_connection(TokioIo::new(stream), service(shared, connection, replaced));
    until_its_end(shared, replaced, pin!(served), |served| {
        served.graceful_shutdown();
    })
    .await;
}

async fn speak_http2<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: &Shared,
    connection: &Arc<Connection>,
    replaced: &CancellationToken,
) {
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES.into())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_send_buf_size(STREAM_BUFFER)
        .serve_connection(TokioIo::new(stream), service(shared, connection, replaced));
    until_its_end(shared, replaced, pin!(served), |served| {
        served.graceful_shutdown();
    })
    .await;
}

/// Serves a connection until the client ends it; or, with `finish`, until the answers under way have ended, if the
/// exporter stops, other clients are let in from now on, or the connection is old.
async fn until_its_end<C>(
    shared: &Shared,
    replaced: &CancellationToken,
    mut served: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
) where
    C: Future<Output = hyper::Result<()>>,
{
    let limits = shared.limits;
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shared.shutdown.cancelled() => {
            finish(served.as_mut());
            served.await
        }
        () = async {
            tokio::select! {
                () = replaced.cancelled() => {}
                () = tokio::time::sleep(limits.lifetime) => {}
            }
        } => {
            finish(served.as_mut());
            let last_answer = tokio::time::timeout(limits.last_answer, served).await;
            last_answer.unwrap_or(Ok(()))
        }
    };
    // Errors of a client are its own matter: it gets a 4xx from hyper, or is gone.
    if let Err(error) = ended {
        tracing::debug!(%error, "connection failed");
    }
}

/// Whether a client begins with what no handshake begins with: a letter.
async fn speaks_no_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first[0].is_ascii_alphabetic()
}

/// Tells a client that it needs TLS, which it cannot find out from a closed connection.
async fn refuse_plain_http(mut stream: TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Connection: close\r\n\r\nthis address speaks TLS; use https://\n";
    let _ = stream.write_all(ANSWER).await;
    let _ = stream.shutdown().await;
    // Bytes that nobody read would make the system take the answer back.
    let mut rest = stream.take(u64::from(MAX_HEAD_BYTES));
    let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
}

/// The next connection.
async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers go out in one or two writes; waiting for more to send only delays them.
                let _ = stream.set_nodelay(true);
                let _ = set_socket_send_buffer_size(&stream, SEND_BUFFER);
                return stream;
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
