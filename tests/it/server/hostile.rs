//! What clients get that speak no HTTP, or a bad one.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::http::{Answer, exchange, get, rest};
use crate::server::{Server, short, web};

/// Sends bytes; the answer must have this status, and the connection be closed.
async fn check(server: &Server, bytes: &[u8], expected: u16) {
    let answer = exchange(&server.address, bytes).await;
    let status = Answer::read(&answer).map(|answer| answer.status);
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    assert_eq!(status, Some(expected), "{text:?}");
    server.is_well().await;
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let server = Server::starved(1, web()).await;
    for bytes in [
        &b"GET\r\n\r\n"[..],
        b"GET /\r\n\r\n",
        b"GET /metrics\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"G\0T / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\n: c\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        // A TLS client, as far as its hello goes without an answer.
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\x8f\x1d\x42\x07\x00\x00\x00\x0d\x0a\x0d\x0a",
    ] {
        check(&server, bytes, 400).await;
    }
    // HTTP/2 with prior knowledge would not understand an answer.
    let answer = exchange(&server.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let server = Server::starved(1, web()).await;
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(17 * 1024));
    check(&server, long.as_bytes(), 431).await;
    let endless = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(100 * 1024));
    check(&server, endless.as_bytes(), 431).await;
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(17 * 1024));
    check(&server, path.as_bytes(), 431).await;
    let mut many = "GET / HTTP/1.1\r\n".to_owned();
    for n in 0..500 {
        write!(many, "a{n}: b\r\n").unwrap();
    }
    check(&server, format!("{many}\r\n").as_bytes(), 431).await;
    let fits = format!("GET / HTTP/1.0\r\nA: {}\r\n\r\n", "a".repeat(15 * 1024));
    check(&server, fits.as_bytes(), 200).await;
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_one_after_the_other() {
    let server = Server::starved(1, web()).await;
    let one = "GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = exchange(
        &server.address,
        format!("{}{last}", one.repeat(50)).as_bytes(),
    )
    .await;
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 51);
    assert!(answers.ends_with("</html>\n"), "{answers}");
    let absolute =
        b"GET http://elsewhere.example/-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    check(&server, absolute, 200).await;
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let server = Server::starved(1, short()).await;
    for (method, expected) in [("GET", 200), ("POST", 405)] {
        for body in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            let text = format!("{method} /metrics HTTP/1.1\r\nHost: a\r\n{body}\r\n\r\n");
            check(&server, text.as_bytes(), expected).await;
        }
    }
    let expects =
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    check(&server, expects, 405).await;
}

#[tokio::test]
async fn who_sends_nothing_half_a_head_or_nothing_more_is_closed() {
    let server = Server::starved(1, short()).await;
    let tls = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    for bytes in [
        &b""[..],
        b"G",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-",
        b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\r\n",
        tls,
    ] {
        let start = Instant::now();
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_no_way_to_stay_longer() {
    let server = Server::starved(1, short()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let start = Instant::now();
    let mut answer = [0; 100];
    while stream.write_all(b"a").await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20));
        let closed =
            tokio::time::timeout(Duration::from_millis(20), stream.read(&mut answer)).await;
        if matches!(closed, Ok(Ok(0) | Err(_))) {
            break;
        }
    }
}

#[tokio::test]
async fn silent_connections_keep_no_scrape_waiting() {
    let server = Server::starved(1, web()).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(&server.address).await.unwrap());
    }
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(get(&server.address, "/metrics").await.status, 200);
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    drop(silent);
}

#[tokio::test]
async fn of_more_silent_connections_than_there_is_room_for_the_oldest_go() {
    let mut narrow = web();
    narrow.limits.connections = 5;
    let server = Server::starved(1, narrow).await;
    let mut silent = Vec::new();
    for _ in 0..15 {
        silent.push(TcpStream::connect(&server.address).await.unwrap());
    }
    server.is_well().await;
    // The last ones may still send their request; the first ones were closed.
    let mut oldest = silent.remove(0);
    assert!(rest(&mut oldest).await.is_empty());
    let mut newest = silent.pop().unwrap();
    newest
        .write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let answer = Answer::read(&rest(&mut newest).await).unwrap();
    assert_eq!(answer.status, 200);
}
