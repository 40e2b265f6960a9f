//! Certificates of servers that nobody here vouches for, told apart from other failures of TLS, since their remedy is a
//! setting. It knows no connections: it reads the text of their error.

use std::fmt;

/// Why a server's certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// No known authority issued it.
    UnknownIssuer,
    /// It is that of an authority, which issued it to itself.
    SelfSigned,
}

impl Untrusted {
    /// Reads the text of an error of the TLS library; `None` if it is about something else.
    pub(super) fn read(text: &str) -> Option<Self> {
        let problem = text.strip_prefix("invalid peer certificate: ")?;
        // The library wraps the second in types of its own.
        [Self::UnknownIssuer, Self::SelfSigned]
            .into_iter()
            .find(|one| problem.contains(one.name()))
    }

    /// As the TLS library calls it, and so people search for it.
    const fn name(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "UnknownIssuer",
            Self::SelfSigned => "CaUsedAsEndEntity",
        }
    }

    /// How to correct it, for the end of a message.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::UnknownIssuer => {
                "; set elements.ca_file to the certificate of the CA that issued it, which usually belongs to a proxy \
                 that inspects TLS"
            }
            Self::SelfSigned => {
                "; give the server a certificate that a CA has issued, and set elements.ca_file to that CA's certificate \
                 (usually the server is a proxy that inspects TLS)"
            }
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self {
            Self::UnknownIssuer => "issued by an unknown CA",
            Self::SelfSigned => "self-signed",
        };
        write!(f, "the server's certificate is {problem} ({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_without_a_known_issuer_are_told_apart() {
        for (text, expected) in [
            (
                "invalid peer certificate: UnknownIssuer",
                Some(Untrusted::UnknownIssuer),
            ),
            (
                "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))",
                Some(Untrusted::SelfSigned),
            ),
            ("invalid peer certificate: Expired", None),
            ("UnknownIssuer", None),
            ("connection refused", None),
        ] {
            assert_eq!(Untrusted::read(text), expected, "{text}");
        }
    }
}
