//! Far more clients than the exporter has room for, against the real program: every scrape is answered meanwhile.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::http::get;
use crate::program::{Program, exporter, until};

const MIB: u64 = 1 << 20;

/// What clients that send and read nothing may cost, in bytes.
const MOST: u64 = 100 * MIB;

/// A demo whose first round has ended.
struct Demo {
    program: Program,
    address: String,
}

impl Demo {
    async fn start(tenants: usize) -> Self {
        let tenants_flag = format!("--tenants={tenants}");
        let program = Program::start(&mut exporter([
            "demo",
            &tenants_flag,
            "--users=5",
            "--latency=0s",
            "--evolve=0s",
            "--listen=127.0.0.1:0",
            "--web.listen-address=127.0.0.1:0",
        ]));
        let address = until("the address", async || {
            let text = program.stdout();
            let (_, after) = text.split_once("http://")?;
            let (address, _) = after.split_once("/metrics")?;
            Some(address.to_owned())
        })
        .await;
        until("the first round", async || {
            let text = get(&address, "/metrics").await.text();
            (text.matches("\navepoint_backup_users{").count() == tenants).then_some(())
        })
        .await;
        Self { program, address }
    }

    /// Fails the test unless scrapes are answered.
    async fn answers(&self, during: &str) {
        for _ in 0..5 {
            let scrape = get(&self.address, "/metrics");
            let answer = tokio::time::timeout(crate::program::PATIENCE, scrape).await;
            assert_eq!(answer.unwrap().status, 200, "{during}");
        }
    }

    /// What it has in memory, in bytes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }
}

/// As many files as this process may have open, and how many that is.
fn open_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    current.map_or(usize::MAX, |most| usize::try_from(most).unwrap())
}

#[tokio::test]
async fn ten_thousand_idle_clients_endless_heads_and_stopped_readers_hurt_no_scrape() {
    let demo = Demo::start(100).await;
    let before = demo.memory();
    // Some systems allow no more than some thousand files.
    let idle = 10_000.min(open_files() - 3_000);
    let mut clients = Vec::new();
    for _ in 0..idle {
        clients.push(TcpStream::connect(&demo.address).await.unwrap());
    }
    demo.answers("idle connections").await;
    for _ in 0..2_000 {
        let mut stream = TcpStream::connect(&demo.address).await.unwrap();
        let head = format!(
            "GET /metrics HTTP/1.1\r\nHost: a\r\nA: {}",
            "a".repeat(8 * 1024)
        );
        // Some have to go before all of it is sent.
        let _ = stream.write_all(head.as_bytes()).await;
        clients.push(stream);
    }
    demo.answers("heads that never end").await;
    for _ in 0..300 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(demo.address.parse().unwrap()).await.unwrap();
        let _ = stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            .await;
        clients.push(stream);
    }
    demo.answers("readers that have stopped").await;
    let during = demo.memory();
    assert!(
        during < before + MOST,
        "{} MiB more",
        (during - before) / MIB
    );
    drop(clients);
    demo.answers("none of them").await;
    until("the memory to come back", async || {
        (demo.memory() < before + MOST / 4).then_some(())
    })
    .await;
}
