//! Bodies of answers: whole ones, and those that break, trickle or flood. Knows nothing of what is in them.

use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Interval;

/// A byte of a slow body comes so often.
const PACE: Duration = Duration::from_secs(1);
/// What the filling of an oversized body is sent in, and how many of them.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 1024;
/// What the filling of a gzip bomb is repeated in, and how often.
const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 256;
/// What stands around the filling: an empty page, of AvePoint and of Partner Center, with a field that
/// nobody knows.
const BEFORE: &str = r#"{"data":[],"metadata":{"pageIndex":1,"pageSize":50,"totalCount":0},"totalCount":0,"items":[],"filling":""#;
const AFTER: &str = "\"}";

/// How many rows a page of empty rows has.
const EMPTY_ROWS: usize = 4_000_000;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum AnswerBody {
    /// All at once.
    Whole(Bytes),
    /// Less than is promised, then the connection ends.
    Cut {
        sent: Bytes,
        promised: u64,
        /// So often the server is let to send what it has before the end.
        pauses: u8,
    },
    /// A byte at a time.
    Slow { rest: Bytes, pace: Interval },
    /// Piece by piece, without a length.
    Flood(std::vec::IntoIter<Bytes>),
}

impl AnswerBody {
    /// The first half of these bytes, then the end of the connection.
    pub(super) fn cut(mut bytes: Bytes) -> Self {
        let promised = bytes.len() as u64;
        bytes.truncate(bytes.len() / 2);
        Self::Cut {
            sent: bytes,
            promised,
            pauses: 2,
        }
    }

    /// These bytes, one per second.
    pub(super) fn slow(bytes: Bytes) -> Self {
        Self::Slow {
            rest: bytes,
            pace: tokio::time::interval(PACE),
        }
    }

    /// A page of 64 MiB; all of the filling is the same 64 KiB.
    pub(super) fn oversized() -> Self {
        let filling = Bytes::from(vec![b'a'; CHUNK]);
        let mut chunks = vec![filling; CHUNKS + 2];
        if let [first, .., last] = chunks.as_mut_slice() {
            *first = Bytes::from_static(BEFORE.as_bytes());
            *last = Bytes::from_static(AFTER.as_bytes());
        }
        Self::Flood(chunks.into_iter())
    }

    /// A page of very many rows with nothing in them, of AvePoint or of Partner Center.
    pub(super) fn empty_rows(of_partner: bool) -> Self {
        let (before, after) = if of_partner {
            (r#"{"totalCount":1,"items":["#, "]}")
        } else {
            (r#"{"data":["#, r#"],"metadata":{"totalCount":1}}"#)
        };
        let rows = "{},".repeat(EMPTY_ROWS);
        let page = [before, rows.trim_end_matches(','), after].concat();
        Self::Whole(page.into())
    }

    /// A page of 256 MiB in gzip's coding.
    pub(super) fn gzip_bomb() -> Self {
        static BOMB: OnceLock<Bytes> = OnceLock::new();
        Self::Whole(BOMB.get_or_init(|| gzip_of_blocks(BLOCKS).into()).clone())
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let data = match self.get_mut() {
            Self::Cut { sent, pauses, .. } if sent.is_empty() => {
                if *pauses == 0 {
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                *pauses -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Whole(bytes) | Self::Cut { sent: bytes, .. } => {
                Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())
            }
            Self::Slow { rest, .. } if rest.is_empty() => None,
            Self::Slow { rest, pace } => {
                std::task::ready!(pace.poll_tick(cx));
                Some(rest.split_to(1))
            }
            Self::Flood(chunks) => chunks.next(),
        };
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) | Self::Slow { rest: bytes, .. } => {
                SizeHint::with_exact(bytes.len() as u64)
            }
            Self::Cut { promised, .. } => SizeHint::with_exact(*promised),
            Self::Flood(_) => SizeHint::new(),
        }
    }
}

/// A page with so many MiB of filling in gzip's coding (RFC 1952), without compressing all of it: after
/// a full flush deflate looks back at nothing, so a compressed block can be repeated as it is.
fn gzip_of_blocks(blocks: usize) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut deflated = |plain: &[u8], flush| {
        let mut out = Vec::with_capacity(8 << 10);
        // It fails only when misused, and the space is more than a thousandth of the largest input.
        deflate.compress_vec(plain, &mut out, flush).ok();
        out
    };
    let block = vec![b'a'; BLOCK];
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(deflated(BEFORE.as_bytes(), FlushCompress::Full));
    out.extend(deflated(&block, FlushCompress::Full).repeat(blocks));
    out.extend(deflated(AFTER.as_bytes(), FlushCompress::Finish));

    let (mut whole, mut of_block, mut of_end) = (Crc::new(), Crc::new(), Crc::new());
    whole.update(BEFORE.as_bytes());
    of_block.update(&block);
    of_end.update(AFTER.as_bytes());
    (0..blocks).for_each(|_| whole.combine(&of_block));
    whole.combine(&of_end);
    out.extend(whole.sum().to_le_bytes());
    out.extend(whole.amount().to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_gzip_bomb_is_whole_and_small() {
        let bomb = gzip_of_blocks(3);
        assert!(bomb.len() < 5 << 10, "{} bytes", bomb.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(bomb.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text.len(), BEFORE.len() + 3 * BLOCK + AFTER.len());
        assert!(text.starts_with(BEFORE) && text.ends_with(AFTER));
    }
}
