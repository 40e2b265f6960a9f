//! An answer's body: pieces that are sent one after the other, without being copied together.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::exposition::{self, Packed, Unpacking};

/// Bytes handed to the connection at once, at most: whether a client still reads is seen between two of these. Fewer
/// would take more writes.
const FRAME: usize = 64 * 1024;

/// What is handed to the connection at once: pieces that need not be in one place. None is empty.
#[derive(Debug, Default)]
pub struct Slices(VecDeque<Bytes>);

impl Buf for Slices {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |piece| piece.as_ref())
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.0);
        pairs
            .map(|(slice, piece)| *slice = IoSlice::new(piece))
            .count()
    }

    fn advance(&mut self, mut by: usize) {
        while let Some(piece) = self.0.front_mut()
            && by > 0
        {
            let of_this = by.min(piece.len());
            piece.advance(of_this);
            by -= of_this;
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
    }
}

/// Takes a frame from the front of these pieces.
fn frame(pieces: &mut VecDeque<Bytes>) -> Slices {
    let mut frame = Slices::default();
    let mut room = FRAME;
    while let Some(piece) = pieces.front_mut()
        && room > 0
    {
        let of_this = piece.split_to(room.min(piece.len()));
        room -= of_this.len();
        frame.0.push_back(of_this);
        if piece.is_empty() {
            pieces.pop_front();
        }
    }
    frame
}

/// A body made of pieces.
#[derive(Debug)]
pub struct Parts {
    rest: Rest,
    /// Given back when the last piece is handed to the connection, or the client is gone.
    _permit: Option<OwnedSemaphorePermit>,
}

/// What is not sent yet.
#[derive(Debug)]
enum Rest {
    /// Sent as it is. None is empty.
    Ready(VecDeque<Bytes>),
    /// Sent as text.
    Packed(Box<Unpacking>),
}

impl Parts {
    /// These bytes.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self::ready([bytes])
    }

    /// These texts, one after the other, compressed or as they are.
    pub(super) fn packed<'a>(texts: impl IntoIterator<Item = &'a Packed>, gzip: bool) -> Self {
        if gzip {
            Self::ready(exposition::gzip(texts))
        } else {
            Self::of(Rest::Packed(Box::new(Unpacking::new(texts))))
        }
    }

    /// One text, compressed or as it is.
    pub(super) fn of_text(text: Bytes, gzip: bool) -> Self {
        if gzip {
            Self::packed([&Packed::new(&text)], gzip)
        } else {
            Self::new(text)
        }
    }

    fn ready(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Self::of(Rest::Ready(pieces.collect()))
    }

    const fn of(rest: Rest) -> Self {
        Self {
            rest,
            _permit: None,
        }
    }

    /// Nothing, and how long it would be: for HEAD.
    pub(super) fn left_out(self) -> (Self, u64) {
        let length = self.size_hint().exact().unwrap_or_default();
        (Self::ready([]), length)
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
    type Data = Slices;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Slices>, Infallible>>> {
        let data = match &mut self.rest {
            Rest::Ready(pieces) => frame(pieces),
            Rest::Packed(texts) => Slices(texts.next(FRAME).into_iter().collect()),
        };
        Poll::Ready(data.has_remaining().then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.rest {
            Rest::Ready(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Rest::Packed(texts) => texts.left(),
        })
    }
}
