//! Pages, reload and saving while the threads of the polls do nothing else.

use std::sync::mpsc;

use avepoint_exporter::app::{Exporter, Web};
use avepoint_exporter::config::ConfigFile;
use avepoint_exporter::domain::Clock;
use avepoint_exporter::simulator::{Options, World};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::http::{get, request};
use crate::program::{PATIENCE, until};
use crate::server::web;
use crate::support::{config_text, simulator};

/// Keeps the threads of a runtime busy, all of them once this returns, until the senders are dropped.
fn hold(threads: &Handle) -> Vec<mpsc::Sender<()>> {
    let (held, holds) = mpsc::channel();
    let number = threads.metrics().num_workers();
    let releases = (0..number).map(|_| {
        let (release, released) = mpsc::channel::<()>();
        let held = held.clone();
        threads.spawn(async move {
            held.send(()).unwrap();
            let _ = released.recv();
        });
        release
    });
    let releases = releases.collect();
    for _ in 0..number {
        holds.recv_timeout(PATIENCE).unwrap();
    }
    releases
}

#[tokio::test]
async fn all_pages_a_reload_and_the_end_go_on_while_all_threads_of_the_polls_are_held_up() {
    let upstream = simulator(Options::new(World::seeded(1, 3, 20))).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let often = "state_dir: state\ncollectors: { security_users: { interval: 1s } }\n";
    std::fs::write(&path, config_text(&upstream, "", often)).unwrap();
    let file = ConfigFile::read(&path).unwrap();
    let exporter = Exporter::warm(&file.parse().unwrap(), Clock::system()).unwrap();
    let (exporter, reload) = exporter.reloading(&path, file);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = Web {
        reload: Some(reload),
        ..web()
    };
    let polling = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let shutdown = CancellationToken::new();
    let handle = polling.handle().clone();
    let running = tokio::spawn(exporter.run(vec![listener], web, handle, shutdown.clone()));
    until("the first round", async || {
        (get(&address, "/-/ready").await.status == 200).then_some(())
    })
    .await;

    let releases = hold(polling.handle());
    for path in ["/-/healthy", "/-/ready", "/metrics", "/api/v1/status", "/"] {
        assert_eq!(get(&address, path).await.status, 200, "{path}");
    }
    let answer = request("POST", &address, "/-/reload", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    shutdown.cancel();
    let ended = tokio::time::timeout(PATIENCE, running).await;
    ended.unwrap().unwrap().unwrap();
    assert!(
        std::fs::read_dir(folder.path().join("state"))
            .unwrap()
            .count()
            > 0
    );
    drop(releases);
    polling.shutdown_background();
}

#[tokio::test]
async fn a_panic_on_the_threads_of_the_polls_ends_the_exporter() {
    let upstream = simulator(Options::new(World::seeded(1, 1, 20))).await;
    let config = crate::support::config(&upstream, "", "");
    // The scheduler asks the time, on its own threads; the others ask it here.
    let here = std::thread::current().id();
    let clock = Clock::from_fn(move || {
        assert_eq!(
            std::thread::current().id(),
            here,
            "a fault of ours, on purpose"
        );
        Clock::system().now()
    });
    let exporter = Exporter::new(&config, clock).unwrap();
    let polling = Builder::new_multi_thread().enable_all().build().unwrap();
    let handle = polling.handle().clone();
    let running = tokio::spawn(exporter.run(Vec::new(), web(), handle, CancellationToken::new()));
    let ended = tokio::time::timeout(PATIENCE, running).await;
    assert!(ended.unwrap().unwrap_err().is_panic());
    polling.shutdown_background();
}
