//! The exporter's demo and the toolkit's server, both with the same web config file.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tempfile::TempDir;

use super::certificates;
use super::client::{Client, Outcome};
use crate::program::{Ended, Program, exporter, until};

/// The name of the file with which both serve.
pub(super) const FILE: &str = "web.yaml";

/// Where `tests/run` puts the toolkit's server.
pub(super) fn toolkit() -> Command {
    let built = std::env::var_os("TOOLKIT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/toolkit/toolkit"),
        PathBuf::from,
    );
    assert!(
        built.exists(),
        "{} is missing: tests/run e2e builds it",
        built.display()
    );
    Command::new(built)
}

/// What the toolkit says about a file: nothing where it accepts it.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    /// By its check.
    pub(super) check: String,
    /// At a start.
    pub(super) start: String,
}

/// What the toolkit says about these files, in their order.
pub(super) fn verdicts(folder: &Path, files: &[String]) -> Vec<Verdict> {
    let output = toolkit()
        .current_dir(folder)
        .arg("validate")
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A folder with all certificates, and the file with which both servers start.
pub(super) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates::make(folder.path());
        Self { folder }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Changes the file with which both serve.
    pub(super) fn configure(&self, text: &str) {
        self.write(FILE, text);
    }

    /// Makes these a server's or a client's certificate and key from now on.
    pub(super) fn replace(&self, name: &str, by: &str) {
        for end in ["crt", "key"] {
            self.write(&format!("{name}.{end}"), &self.read(&format!("{by}.{end}")));
        }
    }

    /// Starts both servers.
    pub(super) async fn start(&self) -> Pair<'_> {
        let started = self.start_exporter().await;
        let (exporter, scheme) = started.unwrap_or_else(|ended| panic!("{ended:?}"));
        self.pair(exporter, scheme).await
    }

    /// Starts the toolkit's server next to this one.
    pub(super) async fn pair(&self, exporter: Server, scheme: String) -> Pair<'_> {
        Pair {
            folder: self,
            scheme,
            toolkit: self.start_toolkit().await,
            exporter,
        }
    }

    fn flags(&self) -> [String; 2] {
        [
            "--web.listen-address=127.0.0.1:0".to_owned(),
            format!("--web.config.file={}", self.path().join(FILE).display()),
        ]
    }

    /// Starts the exporter, which serves by `http` or `https`. Its end, if it does not start.
    pub(super) async fn start_exporter(&self) -> Result<(Server, String), Ended> {
        let mut command = exporter(["demo", "--tenants=1", "--users=1"]);
        let mut program = Program::start(command.args(self.flags()));
        let found = until("the exporter's address or end", async || {
            if program.status().is_some() {
                return Some(None);
            }
            let text = program.stdout();
            let (url, _) = text.split_once("/metrics ")?;
            let (scheme, address) = url.rsplit_once("://")?;
            let scheme = scheme.rsplit(' ').next()?;
            Some(Some((scheme.to_owned(), address.to_owned())))
        })
        .await;
        let Some((scheme, address)) = found else {
            return Err(program.end().await);
        };
        let _program = program;
        Ok((Server { _program, address }, scheme))
    }

    async fn start_toolkit(&self) -> Server {
        let program = Program::start(toolkit().args(self.flags()));
        let address = until("the toolkit's address", async || {
            let text = program.stderr();
            let (_, rest) = text.split_once("address=")?;
            let (address, rest) = rest.split_once('\n')?;
            rest.contains("msg=\"TLS is ").then(|| address.to_owned())
        })
        .await;
        let _program = program;
        Server { _program, address }
    }
}

/// A server; it ends when this is dropped.
pub(super) struct Server {
    _program: Program,
    pub(super) address: String,
}

/// Both servers, with the same file.
pub(super) struct Pair<'a> {
    folder: &'a Folder,
    /// `http` or `https`, as of their start.
    scheme: String,
    pub(super) toolkit: Server,
    pub(super) exporter: Server,
}

/// What both answered to the same client.
#[derive(Debug)]
pub(super) struct Outcomes {
    pub(super) toolkit: Outcome,
    pub(super) exporter: Outcome,
}

impl Pair<'_> {
    /// What comes of these clients, one after the other at each server.
    pub(super) fn ask(&self, clients: &[Client]) -> Vec<Outcomes> {
        let ask = |server: &Server| -> Vec<_> {
            let folder = self.folder.path();
            let outcomes = clients
                .iter()
                .map(|client| client.ask(&self.scheme, &server.address, folder));
            outcomes.collect()
        };
        let (toolkit, exporter) = std::thread::scope(|scope| {
            let toolkit = scope.spawn(|| ask(&self.toolkit));
            let exporter = ask(&self.exporter);
            (toolkit.join().unwrap(), exporter)
        });
        toolkit
            .into_iter()
            .zip(exporter)
            .map(|(toolkit, exporter)| Outcomes { toolkit, exporter })
            .collect()
    }

    /// What comes of one client.
    pub(super) fn ask_one(&self, client: &Client) -> Outcomes {
        self.ask(std::slice::from_ref(client)).remove(0)
    }
}
