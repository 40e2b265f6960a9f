//! Ending: SIGTERM and SIGINT, whatever is under way.

use std::time::Duration;

use avepoint_exporter::simulator::{Fault, Options, Rule, Simulator, When, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::cli::{FAILED, Folder, OK, serve};
use crate::program::{Program, exporter, until};
use crate::support::{config_text, simulator};

/// The contract is 5 s.
const IN_TIME: Duration = Duration::from_secs(5);

async fn hanging() -> Simulator {
    let mut options = Options::new(World::seeded(1, 4, 50));
    options.rules = vec![Rule::new(Fault::Hang, When::always())];
    simulator(options).await
}

/// Signals a program and checks that it ends well and in time.
async fn check(program: Program, signal: &str) -> String {
    let start = Instant::now();
    program.signal(signal);
    let ended = program.end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    ended.stderr
}

#[tokio::test]
async fn serve_ends_in_time_while_the_upstream_hangs() {
    for signal in ["TERM", "INT"] {
        let upstream = hanging().await;
        let folder = Folder::with(&config_text(&upstream, "", ""));
        let (program, _) = serve(&folder, &[]).await;
        until("requests that hang", async || {
            (upstream.stats().in_flight > 0).then_some(())
        })
        .await;
        let log = check(program, signal).await;
        assert!(log.contains("exporter stopped"), "{log}");
        assert!(!log.contains("failed"), "a cancelled poll fails: {log}");
    }
}

#[tokio::test]
async fn serve_ends_in_time_while_the_token_service_hangs() {
    let mut options = Options::new(World::seeded(1, 4, 50));
    options.rules = vec![Rule::new(
        Fault::Hang,
        When::always().on(avepoint_exporter::simulator::Listing::Token),
    )];
    let upstream = simulator(options).await;
    let folder = Folder::with(&config_text(&upstream, "", ""));
    let (program, _) = serve(&folder, &[]).await;
    until("a token request", async || {
        (upstream.stats().token_requests > 0).then_some(())
    })
    .await;
    check(program, "TERM").await;
}

#[tokio::test]
async fn serve_ends_in_time_although_clients_keep_their_connections() {
    let upstream = hanging().await;
    let folder = Folder::with(&config_text(&upstream, "", ""));
    let (program, address) = serve(&folder, &[]).await;
    let _silent = TcpStream::connect(&address).await.unwrap();
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-")
        .await
        .unwrap();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    idle.read_u8().await.unwrap();
    check(program, "TERM").await;
}

#[tokio::test]
async fn the_demo_ends_in_time_while_polls_run_and_while_they_hang() {
    for more in ["--latency=300ms", "--faults=hang:1"] {
        let arguments = ["demo", "--web.listen-address=127.0.0.1:0", more];
        let program = Program::start(&mut exporter(arguments));
        until("the demo to begin", async || {
            program.stdout().contains("Ctrl-C").then_some(())
        })
        .await;
        check(program, "TERM").await;
    }
}

#[tokio::test]
async fn a_poll_that_is_interrupted_prints_nothing() {
    let upstream = hanging().await;
    let folder = Folder::with(&config_text(&upstream, "", ""));
    let program = folder.start(&["poll"]);
    until("requests that hang", async || {
        (upstream.stats().in_flight > 0).then_some(())
    })
    .await;
    program.signal("INT");
    let ended = program.end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert_eq!(
        ended.stderr,
        "avepoint-exporter: interrupted before all polls ended; printed nothing\n"
    );
}
