//! Odd answers that the simulated upstream does not know, from a server that answers what it is told.

use std::io::Write as _;

use avepoint_exporter::config::Config;
use avepoint_exporter::simulator::{Listing, Simulator, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{error_of, options};
use crate::support::{config, poll, simulator};

/// A server that gives these answers in turn, each on a connection of its own, the last one again and again.
/// Tokens come from the simulated upstream.
async fn told(answers: Vec<Vec<u8>>) -> (Simulator, Config) {
    let simulator = simulator(options(World::seeded(1, 1, 20), &[])).await;
    let mut config = config(&simulator, "  timeout: 5s\n  retry_deadline: 5s\n", "");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    config.elements.api_url = url.parse().unwrap();
    tokio::spawn(async move {
        for n in 0.. {
            let mut stream = asked(&listener).await;
            let answer = answers.get(n).or(answers.last()).unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (simulator, config)
}

/// The next connection, once its request has come.
async fn asked(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.read_buf(&mut request).await.unwrap();
    }
    stream
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let length = body.len();
    write!(
        answer,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    )
    .unwrap();
    answer.extend_from_slice(body);
    answer
}

#[tokio::test]
async fn a_whole_body_of_another_shape_is_not_asked_for_again() {
    for (body, reason) in [
        (r#"{"data": [null]}"#, "decode"),
        (r#"{"data": {}}"#, "decode"),
        (r#"{"data": [{"id": 5}]}"#, "decode"),
        (r#"{"data": [{"displayName": "Alice"}]}"#, "decode"),
        (
            r#"{"data": [], "metadata": {"totalCount": "7"}}"#,
            "implausible",
        ),
        (r#"{"data": [{"id": "a", "status": "Alice"}]}"#, "decode"),
        (r#"{"error": "Alice"}"#, "decode"),
        (
            r#"{"data": [{"id": "a"}], "nextLink": "\\\\Alice"}"#,
            "refused",
        ),
        (
            r#"{"data": [{"id": "a"}], "nextLink": "javascript:Alice"}"#,
            "refused",
        ),
        ("[]", "decode"),
        ("Alice", "decode"),
        ("{\"data\": [{\"id\": \"\u{1}\"}]}", "decode"),
    ] {
        let (_simulator, config) = told(vec![
            answer("200 OK", "", body.as_bytes()),
            answer("403 Forbidden", "", b""),
        ])
        .await;
        let error = error_of(&config, Listing::Security).await;
        assert_eq!(error.reason().as_str(), reason, "{body}: {error}");
        assert!(!format!("{error} {error:?}").contains("Alice"), "{error:?}");
    }
}

#[tokio::test]
async fn the_status_of_a_failure_counts_whatever_its_body() {
    let gone = answer("403 Forbidden", "", b"");
    for (failure, next, reason) in [
        // Not offered, as proxies send it.
        (
            answer("503 Busy", "content-encoding: br\r\n", b"..."),
            &gone,
            "forbidden",
        ),
        (
            answer("404 Gone", "content-encoding: br\r\n", b"..."),
            &gone,
            "not_found",
        ),
        (
            answer("404 Gone", "content-encoding: gzip\r\n", b"no gzip"),
            &gone,
            "not_found",
        ),
        // The connection breaks inside of it.
        (
            answer("404 Gone", "", &[b' '; 1000])[..500].to_vec(),
            &gone,
            "not_found",
        ),
        (
            answer("404 Gone", "", &vec![b' '; 1_000_000]),
            &gone,
            "not_found",
        ),
        // What is no failure and no success either.
        (answer("206 Partial Content", "", b"{}"), &gone, "decode"),
        (answer("501 Not Implemented", "", b""), &gone, "unavailable"),
        (
            answer("200 OK", "content-encoding: br\r\n", b"..."),
            &gone,
            "decode",
        ),
    ] {
        let (_simulator, config) = told(vec![failure, next.clone()]).await;
        let error = error_of(&config, Listing::Security).await;
        assert_eq!(error.reason().as_str(), reason, "{error}");
    }
}

#[tokio::test]
async fn an_error_whose_body_never_ends_keeps_its_status_and_its_request_id() {
    let (_simulator, mut config) = told(vec![]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    config.elements.api_url = url.parse().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let mut stream = asked(&listener).await;
            let head =
                b"HTTP/1.1 403 Forbidden\r\nrequest-id: 4b1d-0001\r\ncontent-length: 100\r\n\r\n{}";
            stream.write_all(head).await.unwrap();
            open.push(stream);
        }
    });
    let error = error_of(&config, Listing::Security).await;
    assert_eq!(error.reason().as_str(), "forbidden", "{error}");
    assert_eq!(error.request_id.unwrap().to_string(), "4b1d-0001");
}

#[tokio::test]
async fn a_body_that_breaks_or_is_too_much_keeps_its_request_id() {
    let id = "request-id: 4b1d-0002\r\n";
    let too_many = format!(
        "{{\"data\": [], \"metadata\": {{\"totalCount\": {}}}}}",
        u64::MAX
    );
    for (answers, reason) in [
        (
            answer("200 OK", id, &[b' '; 1000])[..500].to_vec(),
            "connection",
        ),
        (answer("200 OK", id, too_many.as_bytes()), "limit"),
    ] {
        let (_simulator, mut config) = told(vec![answers]).await;
        config.elements.http.retry_deadline = std::time::Duration::from_millis(100);
        let error = error_of(&config, Listing::Security).await;
        assert_eq!(error.reason().as_str(), reason, "{error}");
        assert_eq!(error.request_id.unwrap().to_string(), "4b1d-0002");
    }
}

#[tokio::test]
async fn an_answer_that_is_empty_is_cut_short_and_one_without_content_is_not() {
    let (_simulator, config) = told(vec![answer("200 OK", "", b"")]).await;
    let error = error_of(&config, Listing::Security).await;
    assert_eq!(error.reason().as_str(), "decode");
    let no_content =
        b"HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
    let (_simulator, config) = told(vec![no_content.to_vec()]).await;
    let exposition = poll(&config).await;
    let tenant = config.tenants[0].tenant.tenant_id;
    assert_eq!(
        exposition.of(tenant, "avepoint_security_users", &[]),
        Some(0.0)
    );
}
