//! The bytes of an answer while it is read, bounded in their number.

use std::io::{self, Write};
use std::ops::Deref;

use memmap2::MmapMut;

/// A page has some fifty thousand bytes. An answer of more than this is not one of those that come all the time.
const LARGE: usize = 1 << 20;

/// The bytes of an answer so far.
///
/// Those of a large answer are in memory of its own, which goes back to the system with it: a general allocator
/// would keep as much for each thread that ever met such an answer.
#[derive(Debug)]
pub(crate) struct Body {
    most: usize,
    small: Vec<u8>,
    large: Option<Large>,
}

/// They are too many.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

#[derive(Debug)]
struct Large {
    bytes: MmapMut,
    len: usize,
}

impl Body {
    /// An empty one that takes `most` bytes at most, with room for the expected bytes.
    pub(crate) fn new(most: usize, expected: u64) -> Self {
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        Self {
            most,
            small: Vec::with_capacity(expected.min(LARGE).min(most)),
            large: None,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When they are too many.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let len = self.len() + bytes.len();
        if len > self.most {
            return Err(TooLarge);
        }
        if len <= LARGE {
            self.small.extend_from_slice(bytes);
            return Ok(());
        }
        if self.large.is_none() {
            // The system gives memory only as it is written to. Where it gives none, the answer is too large indeed.
            let mut mapped = MmapMut::map_anon(self.most).map_err(|_| TooLarge)?;
            let small = std::mem::take(&mut self.small);
            if let Some(start) = mapped.get_mut(..small.len()) {
                start.copy_from_slice(&small);
            }
            self.large = Some(Large {
                bytes: mapped,
                len: small.len(),
            });
        }
        if let Some(large) = &mut self.large
            && let Some(room) = large.bytes.get_mut(large.len..len)
        {
            room.copy_from_slice(bytes);
            large.len = len;
        }
        Ok(())
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.large {
            Some(large) => large.bytes.get(..large.len).unwrap_or_default(),
            None => &self.small,
        }
    }
}

/// For decoders, whose output it takes.
impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.add(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(TooLarge) => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_in_order_whatever_its_size() {
        for (pieces, of) in [
            (0, 10),
            (10, 10),
            (3, LARGE / 2),
            (5, LARGE - 1),
            (3, LARGE * 2),
        ] {
            let mut body = Body::new(16 * LARGE, 100);
            let mut expected = Vec::new();
            for piece in 0..pieces {
                let bytes: Vec<u8> = (0..of)
                    .map(|at| u8::try_from((at + piece) % 251).unwrap())
                    .collect();
                body.add(&bytes).unwrap();
                expected.extend(bytes);
            }
            assert!(*body == *expected, "{pieces} of {of} bytes");
            assert_eq!(body.large.is_some(), expected.len() > LARGE);
        }
    }

    #[test]
    fn it_takes_as_much_as_allowed_and_not_a_byte_more() {
        for most in [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE] {
            let mut body = Body::new(most, u64::MAX);
            body.add(&vec![7; most]).unwrap();
            assert_eq!(body.len(), most);
            assert_eq!(body.add(&[7]), Err(TooLarge));
            assert_eq!(body.len(), most);
        }
    }
}
