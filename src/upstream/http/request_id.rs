//! The id of a request, for the upstream's support: its own, or one that we send along.

use std::fmt;

/// The id of a request. It goes into logs, so of headers only short ids of harmless characters are taken: a header is
/// the sender's text and could hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Longer than any id that is seen (a GUID has 36 characters).
    const MAX_LEN: usize = 64;

    /// A new one: a random GUID.
    pub fn random() -> Self {
        let [a, b, c, d] = [(32, 8), (16, 4), (16, 4), (16, 4)]
            .map(|(bits, width): (u32, usize)| format!("{:0width$x}", fastrand::u64(..1 << bits)));
        Self(format!("{a}-{b}-{c}-{d}-{:012x}", fastrand::u64(..1 << 48)))
    }

    /// Takes a header's value, if it looks like an id.
    pub fn from_header(value: &str) -> Option<Self> {
        let harmless = |c: char| c.is_ascii_hexdigit() || matches!(c, '-' | ':' | '.' | '_' | '|');
        let fits = !value.is_empty() && value.len() <= Self::MAX_LEN && value.chars().all(harmless);
        fits.then(|| Self(value.to_owned()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_that_could_be_a_mail_address_or_a_token_is_not_taken() {
        let guid = "5f2c7a0e-7f5b-4b51-9df0-7d1d8f3a2b11";
        assert_eq!(RequestId::from_header(guid).unwrap().to_string(), guid);
        assert_eq!(
            RequestId::from_header("0HMVD9:00000002").map(|id| id.to_string()),
            None
        );
        assert_eq!(RequestId::from_header("alice@contoso.example"), None);
        assert_eq!(RequestId::from_header("eyJhbGciOi"), None);
        assert_eq!(RequestId::from_header(""), None);
        assert_eq!(RequestId::from_header(&"a".repeat(65)), None);
    }
}
