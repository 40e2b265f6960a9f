//! Text that is kept compressed, as most clients want it.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// A piece of text, compressed so that any number of pieces in a row make one gzip body.
///
/// Each could be a gzip body of its own: Prometheus reads several in a row. But others stop after the first, as curl
/// does, and take that for all.
#[derive(Debug, Clone)]
pub struct Packed {
    /// As deflate has it, up to a whole byte and without an end.
    deflated: Bytes,
    text_len: usize,
    crc: Arc<Crc>,
}

/// What a gzip body begins with: deflate, no name, no time, any system.
const HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The end of what is deflated: an empty last block.
const END: &[u8] = &[3, 0];

impl Packed {
    /// Compresses a text. Writing into memory cannot fail.
    pub fn new(text: &[u8]) -> Self {
        let deflated = Vec::with_capacity(text.len() / 8);
        let mut encoder = DeflateEncoder::new(deflated, Compression::default());
        let _ = encoder.write_all(text);
        // Brings it to a whole byte. What the encoder would write as its end is left to it.
        let _ = encoder.flush();
        let mut deflated = std::mem::take(encoder.get_mut());
        deflated.shrink_to_fit();
        let mut crc = Crc::new();
        crc.update(text);
        Self {
            deflated: deflated.into(),
            text_len: text.len(),
            crc: Arc::new(crc),
        }
    }

    /// How long the text is, in bytes.
    pub const fn text_len(&self) -> usize {
        self.text_len
    }

    /// The text. What was compressed here can be read here.
    pub fn text(&self) -> Bytes {
        let mut text = Vec::with_capacity(self.text_len);
        let _ = DeflateDecoder::new((&*self.deflated).chain(END)).read_to_end(&mut text);
        text.into()
    }
}

/// These pieces as one gzip body.
pub fn gzip<'a>(pieces: impl IntoIterator<Item = &'a Packed>) -> Vec<Bytes> {
    let mut body = vec![Bytes::from_static(HEAD)];
    let mut crc = Crc::new();
    for piece in pieces {
        crc.combine(&piece.crc);
        body.push(piece.deflated.clone());
    }
    let tail = [END, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()];
    body.push(tail.concat().into());
    body
}
