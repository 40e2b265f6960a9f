//! Clients that read slowly or not at all, and the end of the server while they do.

use std::time::Duration;

use avepoint_exporter::app::Web;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::http::{Answer, get, request, rest};
use crate::program::until;
use crate::server::{Server, short, web};

/// With so many tenants the exposition is larger than what the kernel takes for a client that reads nothing.
const TENANTS: usize = 200;

/// A server with a large exposition.
async fn large(web: Web) -> Server {
    let server = Server::starved(TENANTS, web).await;
    until("a large exposition", async || {
        (get(&server.address, "/metrics").await.body.len() > 300_000).then_some(())
    })
    .await;
    server
}

/// A client that asks for the metrics and reads only the beginning.
async fn dawdler(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket
        .connect(server.address.parse().unwrap())
        .await
        .unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut beginning = [0; 15];
    stream.read_exact(&mut beginning).await.unwrap();
    assert_eq!(&beginning, b"HTTP/1.0 200 OK");
    stream
}

/// A client that reads its answer slowly, but reads, until it is told to stop.
fn slow_reader(mut stream: TcpStream) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut little = [0; 1024];
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while stream.read_exact(&mut little).await.is_ok() {
            ticks.tick().await;
        }
    }))
}

#[tokio::test]
async fn more_scrapes_than_allowed_get_503_until_one_ends() {
    let mut two = web();
    two.max_requests = 2;
    two.limits.place = Duration::from_millis(200);
    let server = large(two).await;
    let first = slow_reader(dawdler(&server).await);
    let _second = slow_reader(dawdler(&server).await);
    for method in ["GET", "HEAD"] {
        let answer = request(method, &server.address, "/metrics", "").await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1")),
            "{}",
            answer.head
        );
    }
    server.is_well().await;
    drop(first);
    until("room for a scrape", async || {
        (get(&server.address, "/metrics").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_has_stopped_reading_goes_for_a_scrape_that_needs_the_place() {
    let mut two = web();
    two.max_requests = 2;
    let server = large(two).await;
    let mut stopped = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
            .await
            .unwrap();
        stopped.push(stream);
    }
    // No limit of time has passed for any of them.
    assert_eq!(get(&server.address, "/metrics").await.status, 200);
}

#[tokio::test]
async fn who_stops_reading_is_cut_off_and_makes_room() {
    let mut one = short();
    one.max_requests = 1;
    let server = large(one).await;
    let mut dawdler = dawdler(&server).await;
    until("room for a scrape", async || {
        (get(&server.address, "/metrics").await.status == 200).then_some(())
    })
    .await;
    let got = rest(&mut dawdler).await;
    assert!(got.len() < 300_000, "{} bytes came", got.len());
}

#[tokio::test]
async fn an_answer_under_way_is_finished_before_the_end() {
    let mut server = large(web()).await;
    let mut dawdler = dawdler(&server).await;
    server.shutdown.cancel();
    until("the listener to be closed", async || {
        TcpStream::connect(&server.address).await.err()
    })
    .await;
    assert!(
        !server.running.is_finished(),
        "it did not wait for the client"
    );
    let mut bytes = b"HTTP/1.0 200 OK".to_vec();
    bytes.extend(rest(&mut dawdler).await);
    let answer = Answer::read(&bytes).unwrap();
    let length = answer.header("content-length").unwrap().parse();
    assert_eq!(length, Ok(answer.body.len()));
    let ended = tokio::time::timeout(Duration::from_secs(2), &mut server.running).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_that_nobody_reads_does_not_hold_up_the_end() {
    let mut hasty = web();
    hasty.limits.drain = Duration::from_millis(200);
    let mut server = large(hasty).await;
    let _dawdler = dawdler(&server).await;
    server.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(2), &mut server.running).await;
    ended.unwrap().unwrap().unwrap();
}
