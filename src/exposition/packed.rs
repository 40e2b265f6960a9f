//! Text that is kept compressed, as most clients want it.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// A piece of text as a gzip member: several in a row are one gzip body.
#[derive(Debug, Clone)]
pub struct Packed {
    gzip: Bytes,
    /// Of the text, in bytes.
    text_len: usize,
}

impl Packed {
    /// Compresses a text.
    pub fn new(text: &str) -> Self {
        Self {
            gzip: gzip(text.as_bytes()),
            text_len: text.len(),
        }
    }

    /// The member.
    pub fn gzip(&self) -> Bytes {
        self.gzip.clone()
    }

    /// How long the text is, in bytes.
    pub const fn text_len(&self) -> usize {
        self.text_len
    }

    /// The text. What was compressed here can be read here.
    pub fn text(&self) -> Bytes {
        let mut text = Vec::with_capacity(self.text_len);
        let _ = GzDecoder::new(&*self.gzip).read_to_end(&mut text);
        text.into()
    }
}

/// Compresses into a gzip member. Writing into memory cannot fail.
pub fn gzip(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::default());
    let _ = encoder.write_all(text);
    let mut member = encoder.finish().unwrap_or_default();
    member.shrink_to_fit();
    member.into()
}
