//! Identifiers of customers and tenants. Both are GUIDs upstream; kept as numbers, so that
//! one written in capitals is the same tenant, and so that none can bend a URL's path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text was not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID; expected 32 hexadecimal digits such as 0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec")]
pub struct InvalidId;

/// Where the hyphens stand in the text of a GUID.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The 128 bits of a GUID, however it is written: capitals, braces or none, hyphens or none, spaces around.
pub fn guid(text: &str) -> Option<u128> {
    let text = text.trim();
    let within = text.strip_prefix('{').map(|text| text.strip_suffix('}'));
    let bytes = within.unwrap_or(Some(text))?.as_bytes();
    let has_hyphens = match bytes.len() {
        36 => true,
        32 => false,
        _ => return None,
    };
    let mut value = 0u128;
    for (at, byte) in bytes.iter().enumerate() {
        if has_hyphens && HYPHENS.contains(&at) {
            if *byte != b'-' {
                return None;
            }
        } else {
            let digit = char::from(*byte).to_digit(16)?;
            value = value << 4 | u128::from(digit);
        }
    }
    Some(value)
}

fn write(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        value >> 96,
        value >> 80 & 0xffff,
        value >> 64 & 0xffff,
        value >> 48 & 0xffff,
        value & 0xffff_ffff_ffff
    )
}

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u128);

        impl $name {
            /// The id with this number as its 128 bits.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The id's 128 bits.
            pub const fn bits(self) -> u128 {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                guid(text).map(Self).ok_or(InvalidId)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, f)
            }
        }
    };
}

guid!(
    /// A Microsoft 365 tenant's id.
    TenantId
);
guid!(
    /// The id of a customer in AvePoint Elements.
    CustomerId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_however_it_is_written() {
        for text in [
            "0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec",
            "0C7715B3-BC2F-4C4C-A8A0-F3634DCFACEC",
            "{0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec}",
            " 0c7715b3bc2f4c4ca8a0f3634dcfacec\n",
        ] {
            let id: TenantId = text.parse().unwrap();
            assert_eq!(id.to_string(), "0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec");
        }
    }

    #[test]
    fn what_is_no_guid_is_refused() {
        for text in [
            "",
            "contoso",
            "0c7715b3bc2f4c4ca8a0f3634dcface",
            "{0c7715b3-bc2f-4c4c-a8a0-f3634dcfacec",
            "0c7715b3-bc2f-4c4c-a8a0-f3634dcface",
            "0c7715b3-bc2f-4c4c-a8a0-f3634dcfaceg",
            "0c7715b3+bc2f-4c4c-a8a0-f3634dcfacec",
            "../../../../../../../../../../../..",
        ] {
            assert_eq!(text.parse::<CustomerId>(), Err(InvalidId), "{text:?}");
        }
    }
}
