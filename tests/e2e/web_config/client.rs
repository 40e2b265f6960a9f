//! A client of both servers: curl, with all that it can choose. It knows nothing about the servers.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// What a client brings along.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub(super) path: &'static str,
    /// `false` for HTTP/1.1 only.
    pub(super) http2: bool,
    /// The only version of TLS, such as `1.2`; all of them without it.
    pub(super) version: Option<&'static str>,
    /// The only cipher suite of TLS 1.2, by OpenSSL's name.
    pub(super) suite: Option<&'static str>,
    /// The only group, by OpenSSL's name.
    pub(super) group: Option<&'static str>,
    /// The name of its certificate.
    pub(super) certificate: Option<&'static str>,
    /// Name and password, with a colon.
    pub(super) user: Option<&'static str>,
    /// The certificate that the server must show.
    pub(super) trusts: Option<&'static str>,
}

/// What a client got.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The connection was not accepted, or closed without an answer.
    NoAnswer,
    Answer {
        status: u16,
        version: String,
        /// `www-authenticate` and the headers that can be configured, in their order by name.
        headers: Vec<String>,
    },
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no answer"),
            Self::Answer {
                status,
                version,
                headers,
            } => write!(f, "{status} by HTTP/{version} {headers:?}"),
        }
    }
}

impl Outcome {
    /// Reads what curl prints: the head, and its own line of status and version behind it.
    fn read(text: &str) -> Self {
        let (head, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text));
        let (status, version) = last.split_once(' ').unwrap();
        let status = status.parse().unwrap();
        if status == 0 {
            return Self::NoAnswer;
        }
        let mut headers: Vec<_> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| format!("{}: {}", name.to_lowercase(), value.trim()))
            .filter(|line| COMPARED.iter().any(|name| line.starts_with(name)))
            .collect();
        headers.sort();
        Self::Answer {
            status,
            version: version.trim().to_owned(),
            headers,
        }
    }
}

/// Without `x-content-type-options`, whose one value the exporter always sends, as do Go's own error pages.
const COMPARED: [&str; 5] = [
    "www-authenticate:",
    "strict-transport-security:",
    "x-frame-options:",
    "x-xss-protection:",
    "content-security-policy:",
];

impl Client {
    pub(super) fn new(path: &'static str) -> Self {
        Self {
            path,
            http2: true,
            ..Self::default()
        }
    }

    /// Asks the server at this address once, by `http` or `https`. The folder has the certificates.
    pub(super) fn ask(&self, scheme: &str, address: &str, folder: &Path) -> Outcome {
        let mut curl = Command::new("curl");
        curl.current_dir(folder);
        curl.args(["--silent", "--noproxy", "*", "--max-time", "30"]);
        curl.args(["--output", "/dev/null", "--dump-header", "-"]);
        curl.args(["--write-out", "\n%{http_code} %{http_version}"]);
        curl.arg(if self.http2 { "--http2" } else { "--http1.1" });
        if scheme == "https" {
            match self.trusts {
                Some(server) => curl.args(["--cacert", &format!("{server}.crt")]),
                None => curl.arg("--insecure"),
            };
            // The lowest level, at which OpenSSL speaks all that it can.
            let suites = self.suite.unwrap_or("DEFAULT");
            curl.args(["--ciphers", &format!("{suites}@SECLEVEL=0")]);
            if let Some(version) = self.version {
                curl.args([&format!("--tlsv{version}"), "--tls-max", version]);
            } else {
                curl.arg("--tlsv1.0");
            }
            if let Some(group) = self.group {
                curl.args(["--curves", group]);
            }
            if let Some(name) = self.certificate {
                curl.args(["--cert", &format!("{name}.crt")]);
                curl.args(["--key", &format!("{name}.key")]);
            }
        }
        if let Some(user) = self.user {
            curl.args(["--user", user]);
        }
        curl.arg(format!("{scheme}://{address}{}", self.path));
        let output = curl.output().unwrap();
        Outcome::read(&String::from_utf8_lossy(&output.stdout))
    }
}
