//! HTTP by hand: what is sent and received, byte for byte.

use std::io::Read as _;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Without the status line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads an answer whose body ends with the connection, as that of HTTP/1.0 does.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let (first, head) = head.split_once("\r\n").unwrap_or((head, ""));
        Some(Self {
            status: first.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: bytes[end + 4..].to_vec(),
        })
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body of all its gzip members together.
    pub(crate) fn gunzipped(&self) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(&*self.body)
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

/// Sends bytes and reads all there is until the other side closes. Fails the test if it does not.
pub(crate) async fn exchange(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who refuses a request may close before all of it is written.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

/// Reads until the other side closes.
pub(crate) async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..n]);
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), read).await;
    assert!(ended.is_ok(), "the connection stays open");
    bytes
}

/// A request by HTTP/1.0. `headers` end with a line break each.
pub(crate) async fn request(method: &str, address: &str, path: &str, headers: &str) -> Answer {
    let text = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n");
    let bytes = exchange(address, text.as_bytes()).await;
    Answer::read(&bytes).unwrap_or_else(|| {
        panic!(
            "{method} {path}: no answer, but {:?}",
            String::from_utf8_lossy(&bytes)
        )
    })
}

/// The page at a path, uncompressed.
pub(crate) async fn get(address: &str, path: &str) -> Answer {
    request("GET", address, path, "").await
}
