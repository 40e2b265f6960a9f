//! Addresses to serve on, as Prometheus' programs take them: `:10044`, `127.0.0.1:10044`, `[::1]:10044`.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None`: on all addresses of the machine.
    host: Option<String>,
    port: u16,
}

/// The text was not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address with a port, such as :10044, 127.0.0.1:10044 or [::1]:10044")]
pub struct InvalidAddress;

impl FromStr for ListenAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress)?;
        let port = port.parse().map_err(|_| InvalidAddress)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match (host, bare) {
            ("", _) => Ok(Self { host: None, port }),
            (_, Some(v6)) if v6.parse::<Ipv6Addr>().is_ok() => Ok(Self {
                host: Some(v6.to_owned()),
                port,
            }),
            (name, None) if !name.contains([':', '[', ']', '/', ' ']) => Ok(Self {
                host: Some(name.to_owned()),
                port,
            }),
            _ => Err(InvalidAddress),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

impl ListenAddress {
    /// Takes the address.
    ///
    /// # Errors
    /// When it is taken by another program, or not one of this machine.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        match &self.host {
            Some(host) => TcpListener::bind((host.as_str(), self.port)).await,
            // A machine without IPv6 has no `::`.
            None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await
                }
                bound => bound,
            },
        }
    }

    /// The same with the port that the listener got, should it have been port 0.
    #[must_use]
    pub fn bound(&self, listener: &TcpListener) -> Self {
        Self {
            host: self.host.clone(),
            port: listener
                .local_addr()
                .map_or(self.port, |address| address.port()),
        }
    }

    /// The address of a socket that somebody else has bound.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        let host = (!address.ip().is_unspecified()).then(|| address.ip().to_string());
        Self {
            host,
            port: address.port(),
        }
    }

    /// The address of a page for a browser on this machine, with or without TLS.
    pub fn url(&self, has_tls: bool, path: &str) -> String {
        let scheme = if has_tls { "https" } else { "http" };
        let local = Self {
            host: self.host.clone().or(Some("localhost".to_owned())),
            port: self.port,
        };
        format!("{scheme}://{local}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_prometheus_reads_them() {
        for text in [":10044", "127.0.0.1:10044", "[::1]:10044", "localhost:0"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!(
            ":1".parse::<ListenAddress>()
                .unwrap()
                .url(false, "/metrics"),
            "http://localhost:1/metrics"
        );
        for text in ["0.0.0.0:1", "[::]:1"] {
            assert_eq!(ListenAddress::of(text.parse().unwrap()).to_string(), ":1");
        }
        for text in ["127.0.0.1:1", "[::1]:1"] {
            assert_eq!(ListenAddress::of(text.parse().unwrap()).to_string(), text);
        }
    }

    #[tokio::test]
    async fn port_0_becomes_the_port_that_was_free() {
        let address: ListenAddress = "127.0.0.1:0".parse().unwrap();
        let listener = address.bind().await.unwrap();
        assert_eq!(
            address.bound(&listener).to_string(),
            listener.local_addr().unwrap().to_string()
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "10044",
            "localhost",
            ":",
            ":x",
            ":65536",
            "::1:10044",
            "[::1]",
            "[x]:1",
            "http://a:1",
            "a b:1",
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidAddress), "{text}");
        }
    }
}
