//! An answer's body: pieces that are sent one after the other, without being copied together.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::exposition::{self, Packed};

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Piece {
    /// Sent as it is.
    Ready(Bytes),
    /// Sent as text, when its turn comes.
    Packed(Packed),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Ready(bytes) => bytes.len(),
            Self::Packed(packed) => packed.text_len(),
        }
    }
}

/// A body made of pieces.
#[derive(Debug)]
pub struct Parts {
    pieces: VecDeque<Piece>,
    /// Given back when the last piece is handed to the connection, or the client is gone.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Parts {
    /// These pieces, one after the other.
    pub(super) fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self {
            pieces: pieces.into_iter().filter(|piece| piece.len() > 0).collect(),
            _permit: None,
        }
    }

    /// One text, compressed or as it is.
    pub(super) fn of_text(text: Bytes, gzip: bool) -> Self {
        let pieces = if gzip {
            exposition::gzip([&Packed::new(&text)])
        } else {
            vec![text]
        };
        Self::new(pieces.into_iter().map(Piece::Ready))
    }

    /// Holds the permit until the body is sent.
    pub(super) fn holding(self, permit: OwnedSemaphorePermit) -> Self {
        Self {
            _permit: Some(permit),
            ..self
        }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.pieces.pop_front().map(|piece| match piece {
            Piece::Ready(bytes) => bytes,
            Piece::Packed(packed) => packed.text(),
        });
        Poll::Ready(data.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left: usize = self.pieces.iter().map(Piece::len).sum();
        SizeHint::with_exact(left as u64)
    }
}
