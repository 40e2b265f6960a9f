//! With whom a connection is: the host of an address, and the proxy in between. For messages and `check`.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::config::HttpSettings;

/// Which proxy leads to which host.
#[derive(Debug, Clone)]
pub struct Peers(Proxy);

#[derive(Debug, Clone)]
enum Proxy {
    None,
    /// That of `elements.proxy_url`: its host and port.
    Configured(String),
    /// Those of the environment. Shared, since it is large.
    Environment(std::sync::Arc<Matcher>),
}

impl Peers {
    /// By the configuration, or else by the environment.
    pub fn new(config: &HttpSettings, urls: [&Url; 2]) -> Self {
        Self(match &config.proxy_url {
            Some(proxy) => {
                let host = Url::parse(proxy.expose()).ok().map(|url| host_of(&url));
                Proxy::Configured(host.unwrap_or_default())
            }
            None if ignores_environment(urls) => Proxy::None,
            None => Proxy::Environment(std::sync::Arc::new(Matcher::from_env())),
        })
    }

    /// The proxy to this address with where it is set; `None` without one. Never its password.
    pub fn proxy_to(&self, url: &Url) -> Option<String> {
        match &self.0 {
            Proxy::None => None,
            Proxy::Configured(host) => Some(format!("{host} (elements.proxy_url)")),
            Proxy::Environment(matcher) => {
                let found = matcher.intercept(&url.as_str().parse().ok()?)?;
                let host = found.uri().host()?;
                let port = found.uri().port_u16();
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                let scheme = url.scheme().to_uppercase();
                Some(format!("{host}{port} ({scheme}_PROXY or ALL_PROXY)"))
            }
        }
    }

    /// The host of an address, and the proxy to it.
    pub(super) fn to(&self, url: &Url) -> String {
        let host = host_of(url);
        match self.proxy_to(url) {
            Some(proxy) => format!("{host} through the proxy {proxy}"),
            None => host,
        }
    }
}

/// Plain HTTP goes to loopback only. A proxy of the environment would see the token.
pub(super) fn ignores_environment(urls: [&Url; 2]) -> bool {
    urls.iter().any(|url| url.scheme() == "http")
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Secret;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn peers(proxy: Option<&str>, target: &str) -> String {
        let second = Duration::from_secs(1);
        let config = HttpSettings {
            timeout: second,
            connect_timeout: second,
            retry_deadline: second,
            ca_pem: None,
            proxy_url: proxy.map(|proxy| Secret::from(proxy.to_owned())),
        };
        Peers::new(&config, [&url(target), &url(target)]).to(&url(target))
    }

    #[test]
    fn a_peer_is_named_with_its_port_and_the_proxy_without_its_password() {
        assert_eq!(peers(None, "http://127.0.0.1:81/x?y"), "127.0.0.1:81");
        assert_eq!(
            peers(
                Some("http://user:hunter2@proxy.example:3128"),
                "https://api.example/x"
            ),
            "api.example:443 through the proxy proxy.example:3128 (elements.proxy_url)"
        );
    }
}
