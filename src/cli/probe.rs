//! The command `probe`: asks a running exporter whether it is healthy or ready, for images without a shell.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use url::Url;

use crate::domain::PromDuration;

/// Whom to ask, and what.
#[derive(Debug, Args)]
pub(super) struct Probe {
    /// Address of the exporter
    #[arg(long, value_name = "URL", value_parser = exporter_url, default_value = "http://localhost:10044")]
    url: Url,
    /// Ask whether it is ready, not whether it is healthy
    #[arg(long)]
    ready: bool,
    /// Longest time to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: PromDuration,
}

/// What to do if the main address does not let a probe in.
const LOCKED: &str =
    "start the exporter with --web.probe-listen-address and pass this address to --url";

impl Probe {
    /// Asks once.
    ///
    /// # Errors
    /// When there is no answer, or any other than 200.
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let url = self.page();
        let timeout = self.timeout.0;
        let answer = ask(url.clone(), timeout).await;
        let status = answer.map_err(|error| {
            let advice = match url.scheme() {
                "https" => format!(
                    "if its certificate is not trusted or it asks for one of yours, {LOCKED}"
                ),
                _ => "is it running, and does it listen there? see --url".to_owned(),
            };
            anyhow::anyhow!(
                "failed to ask {url}: {}; {advice}",
                cause(error, self.timeout)
            )
        })?;
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::SERVICE_UNAVAILABLE if self.ready => {
                bail!("{url} answered {status}: the first round of polls is still running")
            }
            StatusCode::UNAUTHORIZED => {
                bail!("{url} answered {status}, it wants a password; {LOCKED}")
            }
            status => {
                bail!("{url} answered {status}, not 200; is it an exporter's address? see --url")
            }
        }
    }

    /// The page to ask, whether or not the address names one already.
    fn page(&self) -> Url {
        let mut url = self.url.clone();
        let path = url.path();
        let pages = [HEALTHY, READY];
        let named = pages
            .iter()
            .find_map(|page| Some((*page, path.strip_suffix(page)?)));
        let (named, base) = named.unwrap_or((HEALTHY, path));
        let page = if self.ready { READY } else { named };
        let path = format!("{}{page}", base.trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

const HEALTHY: &str = "/-/healthy";
const READY: &str = "/-/ready";

/// Asks a page, and nobody else on the way: no proxy, and no address that the answer names.
async fn ask(url: Url, timeout: Duration) -> reqwest::Result<StatusCode> {
    let mut client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .timeout(timeout);
    if url.scheme() == "http" {
        // An image may have no certificates, and needs none then.
        client = client.tls_certs_only([]);
    }
    Ok(client.build()?.get(url).send().await?.status())
}

/// The innermost cause of an error, which says most.
fn cause(error: reqwest::Error, timeout: PromDuration) -> String {
    if error.is_timeout() {
        return format!("no answer within {timeout}");
    }
    anyhow::Error::new(error).root_cause().to_string()
}

fn exporter_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).context("expected a URL such as http://localhost:10044")?;
    if !["http", "https"].contains(&url.scheme())
        || url.query().is_some()
        || url.fragment().is_some()
    {
        bail!("expected a URL such as http://localhost:10044");
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!(
            "expected no user name and password; start the exporter with --web.probe-listen-address"
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, ready: bool, expected: &str) {
        let probe = Probe {
            url: exporter_url(url).unwrap(),
            ready,
            timeout: PromDuration(Duration::from_secs(1)),
        };
        assert_eq!(probe.page().as_str(), expected, "{url}");
    }

    #[test]
    fn the_page_is_found_with_or_without_its_path() {
        check("http://a:1", false, "http://a:1/-/healthy");
        check("http://a:1/", true, "http://a:1/-/ready");
        check("http://a:1/-/healthy", false, "http://a:1/-/healthy");
        check("http://a:1/-/healthy", true, "http://a:1/-/ready");
        check("http://a:1/-/ready", false, "http://a:1/-/ready");
        check("https://a/exporter/", false, "https://a/exporter/-/healthy");
        check(
            "https://a/exporter/-/ready",
            true,
            "https://a/exporter/-/ready",
        );
    }
}
