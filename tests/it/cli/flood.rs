//! An upstream that answers with interim answers (1xx) without end, as fast as they are read.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cli::{Folder, OK, serve};
use crate::http::get;
use crate::program::until;

const TOKEN: &str = r#"{"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}"#;

/// Polls at once: more than the threads of a usual machine for tests.
const POLLS: usize = 8;

/// Such an upstream, which grants tokens. Its threads end with its clients.
struct Flood {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Flood {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let flood = Self {
            url,
            asked: Arc::clone(&asked),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let asked = Arc::clone(&asked);
                // Fails when the exporter closes the connection.
                thread::spawn(move || answer(stream?, &asked));
            }
        });
        flood
    }

    fn config(&self) -> String {
        let mut text = format!(
            "elements: {{ api_url: '{0}', token_url: '{0}/token', client_id: x, client_secret: y }}\n\
             collectors: {{ protected_users: {{ enabled: false }} }}\ntenants:\n",
            self.url
        );
        for n in 1..=POLLS {
            let id = format!("{n:08}-0000-0000-0000-000000000000");
            writeln!(text, "  - {{ customer_id: {id}, tenant_id: {id} }}").unwrap();
        }
        text
    }
}

fn answer(stream: TcpStream, asked: &AtomicUsize) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    let mut length = 0;
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    if request.contains("/token") {
        reader.read_exact(&mut vec![0; length])?;
        return write!(
            writer,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{TOKEN}",
            TOKEN.len()
        );
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let heads = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(40_000);
    loop {
        writer.write_all(heads.as_bytes())?;
    }
}

#[tokio::test]
async fn pages_are_served_and_the_program_ends_well_while_polls_read_interim_answers_without_end() {
    let upstream = Flood::start();
    let folder = Folder::with(&upstream.config());
    let (program, address) = serve(&folder, &[]).await;
    until("floods", async || {
        (upstream.asked.load(Ordering::Relaxed) >= POLLS / 2).then_some(())
    })
    .await;
    for _ in 0..20 {
        for path in ["/-/healthy", "/metrics", "/api/v1/status"] {
            assert_eq!(get(&address, path).await.status, 200, "{path}");
        }
    }
    program.signal("TERM");
    let ended = program.end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
}
