//! Partner Center's refresh token, as the real program keeps it: killed at any moment and started again, with a
//! service like Microsoft's, where the old token stays good, and with a strict one, where it dies at once.

mod moments;
mod operator;
mod steps;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use avepoint_exporter::simulator::{
    FIRST_REFRESH_TOKEN, Fault, Options, PARTNER_CLIENT_ID, PARTNER_CLIENT_SECRET, Rule, Simulator,
    When, World,
};
use tempfile::TempDir;

use crate::program::{Ended, Program, exporter};
use crate::support::simulator;

const OK: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(64);

/// What becomes of a refresh token that was exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// It stays good.
    LikeMicrosoft,
    /// It dies at once.
    Strict,
}

/// How an exporter came to an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignedIn {
    ByItself,
    /// The new token was lost; the error said so, and a person brought another one.
    WithHelp,
}

/// An upstream, and a folder for an exporter of it with one refresh token. A start of `poll` exchanges it once.
struct Place {
    folder: TempDir,
    upstream: Simulator,
}

impl Place {
    async fn new(service: Service) -> Self {
        let mut options = Options::new(World::seeded(1, 1, 3));
        if service == Service::Strict {
            options.rules = vec![Rule::new(Fault::StrictRefresh, When::always())];
        }
        Self::with(options).await
    }

    async fn with(options: Options) -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            upstream: simulator(options).await,
        };
        fs::create_dir(place.kept()).unwrap();
        place.put(FIRST_REFRESH_TOKEN);
        fs::set_permissions(place.token_file(), fs::Permissions::from_mode(0o600)).unwrap();
        place.configure(&place.token_file().display().to_string());
        place
    }

    /// Writes a configuration with Partner Center alone, and the refresh token in this file.
    fn configure(&self, token_file: &str) {
        let tenant = &self.upstream.world().tenants()[0];
        let text = format!(
            "elements: {{ client_id: nobody, client_secret: asks }}\n\
             partner_center:\n  api_url: {}\n  token_url: {}\n  client_id: {PARTNER_CLIENT_ID}\n  client_secret: {PARTNER_CLIENT_SECRET}\n  \
             refresh_token_file: {token_file}\n\
             collectors:\n  security_users: {{ enabled: false }}\n  protected_users: {{ enabled: false }}\n  \
             partner_center: {{ enabled: true, interval: 1s }}\n\
             tenants:\n  - {{ customer_id: {}, tenant_id: {} }}\n",
            self.upstream.partner_api_url(),
            self.upstream.partner_token_url(),
            tenant.customer_id,
            tenant.tenant_id,
        );
        fs::write(self.folder.path().join("config.yaml"), text).unwrap();
    }

    /// The folder of the token's file.
    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    fn token_file(&self) -> PathBuf {
        self.kept().join("token")
    }

    /// What the token's file holds.
    fn token(&self) -> String {
        fs::read_to_string(self.token_file()).unwrap()
    }

    /// Puts a token into the file, as a person would.
    fn put(&self, token: &str) {
        fs::write(self.token_file(), format!("{token}\n")).unwrap();
    }

    /// The exporter with these arguments, in this folder.
    fn exporter(&self, arguments: &[&str]) -> Command {
        let mut exporter = exporter(arguments);
        exporter.current_dir(self.folder.path());
        exporter
    }

    fn start(&self, arguments: &[&str]) -> Program {
        Program::start(&mut self.exporter(arguments))
    }

    async fn poll(&self) -> Ended {
        self.start(&["poll"]).end().await
    }

    /// What is in the folder of the token's file.
    fn texts(&self) -> Vec<String> {
        let entries = fs::read_dir(self.kept()).unwrap();
        entries
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect()
    }

    /// Checks that the token's file is there, holds one of the tokens that were handed out and nothing else, and
    /// that others can read neither it nor what lies beside it.
    #[track_caller]
    fn check_files(&self, when: &str) {
        assert!(self.token_file().exists(), "{when}: there is no file");
        let token = self.token();
        let number = token
            .strip_prefix("simulated-refresh-token-")
            .and_then(|rest| rest.strip_suffix('\n')?.parse().ok());
        let handed_out = 1..=1 + self.upstream.stats().refreshes;
        assert!(
            number.is_some_and(|number| handed_out.contains(&number)),
            "{when}: the file holds {token:?}, and handed out were {handed_out:?}"
        );
        for entry in fs::read_dir(self.kept()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{when}: {mode:o} {}", entry.path().display());
        }
    }

    /// Starts the exporter again after it was killed, and checks that it signs in. Only where a strict service has
    /// handed out a token that never came to be written here it need not: then its error must say so, and what to
    /// do, and doing that must help.
    async fn sign_in_again(&self, service: Service, when: &str) -> SignedIn {
        self.check_files(when);
        let found = self.texts();
        let ended = self.poll().await;
        self.check_files(when);
        if ended.code == OK {
            let token = self.token();
            let good = self.upstream.good_refresh_tokens();
            assert!(good.iter().any(|good| *good == token.trim_end()), "{when}");
            return SignedIn::ByItself;
        }
        assert_eq!(service, Service::Strict, "{when}: {}", ended.stderr);
        let [good] = &self.upstream.good_refresh_tokens()[..] else {
            panic!("a strict service has one good token");
        };
        let good = format!("{good}\n");
        assert!(!found.contains(&good), "{when}: {}", ended.stderr);
        let cure = format!(
            "must consent again, with multi-factor authentication, and write the new refresh token to {};",
            self.token_file().display()
        );
        for said in [
            "(invalid_grant)",
            "stopped before it saved the new token",
            &cure,
        ] {
            assert!(ended.stderr.contains(said), "{when}: {}", ended.stderr);
        }
        self.put(good.trim_end());
        let ended = self.poll().await;
        assert_eq!(ended.code, OK, "{when}: {}", ended.stderr);
        self.check_files(when);
        SignedIn::WithHelp
    }
}
