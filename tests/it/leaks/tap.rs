//! A wire-tap: passes connections on and keeps what went through.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Seen = Arc<Mutex<Vec<u8>>>;

/// A wire-tap. It ends when it is dropped.
pub(super) struct Tap {
    url: String,
    seen: Seen,
    _tasks: JoinSet<()>,
}

impl Tap {
    /// Stands before what is at this origin.
    pub(super) async fn before(origin: &str) -> Self {
        let target = origin.replace("http://", "");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Seen::default();
        let all = Arc::clone(&seen);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let seen = Arc::clone(&all);
                let target = target.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else {
                        return;
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    // Whichever ends first ends both, as a cut connection must be seen as one.
                    tokio::select! {
                        () = pass(from_client, to_server, &seen) => {}
                        () = pass(from_server, to_client, &seen) => {}
                    }
                });
            }
        });
        Self {
            url,
            seen,
            _tasks: tasks,
        }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// All that went through, in both directions.
    pub(super) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, seen: &Seen) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        seen.lock().unwrap().extend_from_slice(&buffer[..n]);
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
