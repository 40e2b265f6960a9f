//! Text that is kept compressed, as most clients want it.

use bytes::{Buf as _, Bytes, BytesMut};
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress};

/// A text, compressed so that any number of these in a row make one gzip body.
///
/// Each could be a gzip body of its own: Prometheus reads several in a row. But others stop after the first, as curl
/// does, and take that for all.
#[derive(Debug, Default)]
pub struct Packed {
    /// As deflate has it, each piece up to a whole byte, none empty, and without an end.
    pieces: Vec<Bytes>,
    crc: Crc,
    text_len: u64,
}

/// What a gzip body begins with: deflate, no name, no time, any system.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The end of what is deflated: an empty last block.
const END: &[u8] = &[3, 0];

/// Neighbours are copied together up to this size in bytes: less is more work to send than to copy.
const SMALL: usize = 16 * 1024;

impl Packed {
    /// Compresses a text.
    pub fn new(text: &[u8]) -> Self {
        Packer::default().pack(text)
    }

    /// Length of the text in bytes.
    pub const fn text_len(&self) -> u64 {
        self.text_len
    }

    /// Length in bytes of what is compressed.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Whether there is no text.
    pub const fn is_empty(&self) -> bool {
        self.text_len == 0
    }

    /// Puts another text behind this one. Nothing is copied.
    pub fn push(&mut self, other: &Self) {
        self.pieces.extend(other.pieces.iter().cloned());
        self.crc.combine(&other.crc);
        self.text_len += other.text_len;
    }

    /// Copies pieces that are small together with their neighbours.
    pub(super) fn compact(&mut self) {
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut small = BytesMut::new();
        for piece in self.pieces.drain(..) {
            if small.len() + piece.len() <= SMALL {
                small.extend_from_slice(&piece);
                continue;
            }
            if !small.is_empty() {
                pieces.push(small.split().freeze());
            }
            if piece.len() < SMALL {
                small.extend_from_slice(&piece);
            } else {
                pieces.push(piece);
            }
        }
        if !small.is_empty() {
            pieces.push(small.freeze());
        }
        self.pieces = pieces;
    }

    /// All these texts as one in a single piece of memory, in which each of them keeps its own part.
    pub(super) fn gather<'a>(all: impl IntoIterator<Item = &'a mut Self>) -> Self {
        let mut all: Vec<_> = all.into_iter().collect();
        let len = all.iter().map(|one| one.len()).sum();
        let mut place = BytesMut::with_capacity(len);
        let mut whole = Self::default();
        for one in &all {
            one.pieces
                .iter()
                .for_each(|piece| place.extend_from_slice(piece));
            whole.crc.combine(&one.crc);
            whole.text_len += one.text_len;
        }
        let place = place.freeze();
        let mut rest = place.clone();
        for one in &mut all {
            let len = one.len();
            let part = rest.split_to(len);
            one.pieces = Some(part)
                .filter(|part| !part.is_empty())
                .into_iter()
                .collect();
        }
        whole.pieces = Some(place)
            .filter(|place| !place.is_empty())
            .into_iter()
            .collect();
        whole
    }

    /// The text.
    pub fn text(&self) -> Bytes {
        let mut unpacking = Unpacking::new([self]);
        let mut text = BytesMut::new();
        while let Some(piece) = unpacking.next(usize::try_from(self.text_len).unwrap_or(usize::MAX))
        {
            text.extend_from_slice(&piece);
        }
        text.freeze()
    }
}

/// These texts as one gzip body.
pub fn gzip<'a>(texts: impl IntoIterator<Item = &'a Packed>) -> Vec<Bytes> {
    let mut all = Packed::default();
    all.pieces.push(Bytes::from_static(HEAD));
    texts.into_iter().for_each(|text| all.push(text));
    let crc = all.crc;
    let tail = [END, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()];
    all.pieces.push(tail.concat().into());
    all.pieces
}

/// Compresses one text after the other.
#[derive(Debug)]
pub(super) struct Packer(Compress);

impl Default for Packer {
    fn default() -> Self {
        Self(Compress::new(Compression::default(), false))
    }
}

impl Packer {
    /// Compresses a text, without regard to those before.
    pub(super) fn pack(&mut self, text: &[u8]) -> Packed {
        if text.is_empty() {
            return Packed::default();
        }
        self.0.reset();
        let mut deflated = Vec::with_capacity(text.len() / 8 + 64);
        let mut rest = text;
        loop {
            let before = self.0.total_in();
            // It brings what is written to a whole byte. Into memory, it cannot fail.
            let _ = self
                .0
                .compress_vec(rest, &mut deflated, FlushCompress::Sync);
            let read = usize::try_from(self.0.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(read..).unwrap_or_default();
            // With room left, nothing waits to be written.
            if deflated.len() < deflated.capacity() {
                break;
            }
            deflated.reserve(deflated.len());
        }
        deflated.shrink_to_fit();
        let mut crc = Crc::new();
        crc.update(text);
        Packed {
            pieces: vec![deflated.into()],
            crc,
            text_len: text.len() as u64,
        }
    }
}

/// Texts that are read piece by piece, so that they are never in memory as a whole.
#[derive(Debug)]
pub struct Unpacking {
    /// The rest, last piece first.
    pieces: Vec<Bytes>,
    inflate: Decompress,
    left: u64,
}

impl Unpacking {
    /// From the beginning of these.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a Packed>) -> Self {
        let mut all = Packed::default();
        texts.into_iter().for_each(|text| all.push(text));
        all.pieces.reverse();
        Self {
            pieces: all.pieces,
            inflate: Decompress::new(false),
            left: all.text_len,
        }
    }

    /// Length of the rest in bytes.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The next piece of the text, `most` bytes long unless it is the last one; `None` at the end.
    pub fn next(&mut self, most: usize) -> Option<Bytes> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        let mut text = Vec::with_capacity(len);
        while text.len() < len {
            let piece = self.pieces.last_mut();
            let input: &[u8] = piece.as_ref().map_or(&[], |piece| piece.as_ref());
            let (before, written) = (self.inflate.total_in(), text.len());
            let inflate = &mut self.inflate;
            let _ = inflate.decompress_vec(input, &mut text, FlushDecompress::None);
            let read = usize::try_from(self.inflate.total_in() - before).unwrap_or(usize::MAX);
            // What was compressed here can be read here, so there is more until all is read.
            if read == 0 && text.len() == written {
                return None;
            }
            if let Some(piece) = piece {
                piece.advance(read.min(piece.len()));
                if piece.is_empty() {
                    self.pieces.pop();
                }
            }
        }
        self.left -= text.len() as u64;
        Some(text.into()).filter(|text: &Bytes| !text.is_empty())
    }
}
