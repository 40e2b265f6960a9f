//! Sizes in bytes as operators write them: `16MiB`.

use std::fmt;
use std::str::FromStr;

/// The units, largest first, in bytes.
const UNITS: [(&str, usize); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub usize);

/// The text was not a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a size with its unit such as 512KiB or 16MiB")]
pub struct InvalidByteSize;

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let unit_at = text
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(InvalidByteSize)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, size) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(InvalidByteSize)?;
        let number: usize = number.parse().map_err(|_| InvalidByteSize)?;
        number.checked_mul(*size).map(Self).ok_or(InvalidByteSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |size: &usize| self.0 >= *size && self.0.is_multiple_of(*size);
        let (unit, size) = UNITS
            .into_iter()
            .find(|(_, size)| fits(size))
            .unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_with_their_unit() {
        for (text, bytes) in [
            ("16MiB", 16 << 20),
            ("1GiB", 1 << 30),
            ("1536KiB", 1536 << 10),
            ("7B", 7),
            ("0B", 0),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn a_size_without_a_binary_unit_is_refused() {
        for text in [
            "",
            "16",
            "16M",
            "16MB",
            "MiB",
            "-1MiB",
            "1.5GiB",
            "16 MiB",
            "99999999999999999999GiB",
            "18014398509481984GiB",
        ] {
            assert_eq!(text.parse::<ByteSize>(), Err(InvalidByteSize), "{text:?}");
        }
    }
}
