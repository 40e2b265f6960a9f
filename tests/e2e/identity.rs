//! The program signs in to a foreign identity provider: npm's `oidc-provider`, which checks client secrets and
//! signed assertions by the standards and not by what this project thinks of them. Needs `node`, and the packages
//! that `tests/run e2e` installs.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use tempfile::TempDir;

use crate::program::{Ended, Program, exporter, until};

/// Where `tests/run` puts the provider and its packages.
fn installed() -> PathBuf {
    std::env::var_os("IDENTITY_PROVIDER").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/identity-provider"),
        PathBuf::from,
    )
}

/// A self-signed certificate and its RSA key, as PEM in one text.
fn certificate_and_key() -> String {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    certificate.pem() + &key.serialize_pem()
}

/// The provider, with the listings behind it, and the files of its clients.
struct Provider {
    program: Program,
    url: String,
    folder: TempDir,
}

impl Provider {
    async fn start() -> Self {
        let script = installed().join("provider.mjs");
        assert!(
            script.exists(),
            "{} is missing: tests/run e2e installs it",
            script.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("registered.pem");
        std::fs::write(&certificate, certificate_and_key()).unwrap();
        std::fs::write(folder.path().join("other.pem"), certificate_and_key()).unwrap();
        let mut command = Command::new("node");
        command.arg(script).arg(&certificate);
        let program = Program::start(&mut command);
        let url = until("the provider's address", async || {
            let said = program.stdout();
            let (_, rest) = said.split_once("ready at ")?;
            Some(rest.split_once('\n')?.0.to_owned())
        })
        .await;
        Self {
            program,
            url,
            folder,
        }
    }

    /// Polls the tenant behind the provider once, with these keys of the client's.
    async fn poll(&self, client: &str) -> Ended {
        let file = self.folder.path().join("config.yaml");
        let config = format!(
            "elements:\n  api_url: {0}\n  token_url: {0}/token\n  {client}\ntenants:\n  \
             - {{ customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000002 }}\n",
            self.url
        );
        std::fs::write(&file, config).unwrap();
        let mut command = exporter(["poll"]);
        command.arg("--config.file").arg(&file);
        Program::start(&mut command).end().await
    }
}

fn check_signed_in(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for sample in [
        "avepoint_credential_up{credential=\"elements\"} 1",
        "m365_tenant_name=\"00000000-0000-0000-0000-000000000002\",status=\"high_risk\"} 1",
        "avepoint_token_requests_total{credential=\"elements\"} 1",
    ] {
        assert!(ended.stdout.contains(sample), "{sample}\n{}", ended.stdout);
    }
}

fn check_refused(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("invalid_client"), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("avepoint_credential_up{credential=\"elements\"} 0"),
        "{}",
        ended.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_identity_provider_takes_the_client_secret_and_no_other() {
    let provider = Provider::start().await;
    let client = "client_id: by-secret\n  client_secret: the secret of by-secret";
    check_signed_in(&provider.poll(client).await);
    check_refused(&provider.poll(&format!("{client}, misspelt")).await);
    let said = provider.program.stdout();
    assert!(
        said.contains("given to by-secret by client_secret_post\n"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_identity_provider_takes_a_signed_assertion_and_none_of_another_key() {
    let provider = Provider::start().await;
    let client = "client_id: by-key\n  certificate: { file: registered.pem }";
    // Twice, since it refuses an assertion that it has seen before.
    for _ in 0..2 {
        check_signed_in(&provider.poll(client).await);
    }
    check_refused(&provider.poll(&client.replace("registered", "other")).await);
    let said = provider.program.stdout();
    assert_eq!(
        said.matches("given to by-key by private_key_jwt\n").count(),
        2,
        "{said}"
    );
}
