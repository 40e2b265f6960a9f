//! Secrets, certificates and the refresh token.

use std::fs;
use std::path::Path;
use std::time::Duration;

use avepoint_exporter::domain::Clock;
use avepoint_exporter::simulator::{
    CLIENT_SECRET, FIRST_REFRESH_TOKEN, Options, PARTNER_CLIENT_ID, PARTNER_CLIENT_SECRET,
    Simulator, World,
};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::program::until;

use super::scene::{
    Scene, Told, alerts, config, elements, exporter_down, folder, nobody, serve, simulator, start,
    tenants, upstream, write_private,
};

/// What the runbook of a missing exporter says of its exit status.
const USAGE_STEP: &str = "Exit status 64 means a wrong argument or an invalid";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_client_secret_and_its_correction() {
    let upstream = upstream(3, Vec::new()).await;
    let config = config(&upstream, &[]);
    let folder = folder(&config);
    let secret = folder.path().join("elements.secret");
    write_private(&secret, "wrong");
    let scene = Scene::start_in(folder).await;
    scene
        .tells(&Told {
            log: &[
                "token request failed",
                "reason=invalid_client",
                "elements.secret)",
                "compare elements.client_id",
            ],
            metric: "avepoint_credential_failing{credential=\"elements\", reason=\"invalid_client\"} == 1",
            trouble: ("credential", &["refuses the client id or its secret"]),
            next_step: "Compare the client id and the credential with the app registration",
            alert: ("AvePointCredentialRefused", "critical", "invalid_client"),
            runbook: "`invalid_client`: client id and secret (or certificate) differ from the app registration",
        })
        .await;
    write_private(&secret, CLIENT_SECRET);
    scene.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_at_the_start() {
    let upstream = upstream(1, Vec::new()).await;
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
    let certificate = format!(
        "{{ file: {0}/expired.crt, key_file: {0}/expired.key }}",
        certificates.display()
    );
    let lines = [("client_secret_file", ""), ("certificate", &*certificate)];
    let config = config(&upstream, &lines);
    let address = nobody();
    let (prometheus, _room) = Scene::alone(&address).await;
    let folder = folder(&config);
    let listen = format!("--web.listen-address={address}");
    let ended = start(&folder, &[&listen]).end().await;
    assert_eq!(ended.code, Some(64));
    for words in [
        "elements.certificate.file",
        "tests/certificates/expired.crt\" expired at 2026-11-23T",
        "expected a certificate that is valid now",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    exporter_down(&prometheus, USAGE_STEP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expires_while_the_exporter_runs() {
    // Long enough for the start on a busy machine.
    let life = Duration::from_secs(20);
    let now = Clock::system().now().since_unix();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + now - Duration::from_secs(3600);
    params.not_after = epoch + now + life;
    let key = fs::read_to_string("tests/certificates/app.key").unwrap();
    let key = KeyPair::from_pem(&key).unwrap();
    let certificate = params.self_signed(&key).unwrap();

    let mut options = Options::new(World::seeded(1, 3, 20));
    options.certificate = Some(certificate.der().to_vec());
    // So that tokens are asked for again and again.
    options.token_lifetime = Duration::from_secs(2);
    let upstream = simulator(options).await;
    let lines = [
        ("client_secret_file", ""),
        ("certificate", "{ file: app.crt, key_file: app.key }"),
    ];
    let folder = folder(&config(&upstream, &lines));
    fs::write(folder.path().join("app.crt"), certificate.pem()).unwrap();
    write_private(&folder.path().join("app.key"), &key.serialize_pem());
    let scene = Scene::start_in(folder).await;
    scene
        .tells(&Told {
            log: &[
                "token request failed",
                "the client certificate in ",
                "app.crt expired at ",
                "add a new certificate to the app registration",
            ],
            metric: "avepoint_client_certificate_expiry_timestamp_seconds < time() and on () \
                     avepoint_credential_failing{credential=\"elements\"}",
            trouble: (
                "credential",
                &["the client certificate in ", "app.crt expired at "],
            ),
            next_step: "renew the credential if it has expired",
            alert: ("AvePointCredentialRefused", "critical", "invalid_client"),
            runbook: "or have expired",
        })
        .await;
    let alert = ("AvePointCertificateExpiring", "warning", "has expired");
    alerts(&scene.prometheus, alert, "Create a new key and certificate").await;
}

/// A configuration with Partner Center's collector, and the file of the refresh token that it names.
fn with_partner_center(upstream: &Simulator, folder: &TempDir) -> (String, std::path::PathBuf) {
    let tokens = folder.path().join("tokens");
    fs::create_dir_all(&tokens).unwrap();
    let file = tokens.join("partner-center.token");
    let section = format!(
        "partner_center:\n  client_id: {PARTNER_CLIENT_ID}\n  client_secret: {PARTNER_CLIENT_SECRET}\n  \
         api_url: {}\n  token_url: {}\n  refresh_token_file: {}\n",
        upstream.partner_api_url(),
        upstream.partner_token_url(),
        file.display(),
    );
    let collectors = "  partner_center: { enabled: true, interval: 1s }\ntenants:\n";
    let tenants = tenants(upstream).replace("tenants:\n", collectors);
    let config = format!("{}{section}{tenants}", elements(upstream, &[]));
    fs::write(folder.path().join("config.yaml"), &config).unwrap();
    (config, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_microsoft_refuses() {
    let upstream = upstream(3, Vec::new()).await;
    let folder = folder("");
    let (_, file) = with_partner_center(&upstream, &folder);
    write_private(&file, "dead");
    let scene = Scene::start_in(folder).await;
    scene
        .tells(&Told {
            log: &[
                "token request failed",
                "credential=partner_center",
                "reason=invalid_grant",
                "must consent again",
                "partner-center.token",
            ],
            metric: "avepoint_credential_failing{credential=\"partner_center\", reason=\"invalid_grant\"} == 1",
            trouble: (
                "partner_center_credential",
                &["refuses the refresh token", "partner-center.token"],
            ),
            next_step: "consent again, and write the new refresh token",
            alert: (
                "AvePointPartnerCenterCredentialRefused",
                "warning",
                "invalid_grant",
            ),
            runbook: "write the new token to `partner_center.refresh_token_file`",
        })
        .await;
    // The other credential has nothing to do with it.
    let elements = scene
        .prometheus
        .query("avepoint_credential_up{credential=\"elements\"}");
    assert_eq!(elements.await[0].value, 1.0);
    write_private(&file, FIRST_REFRESH_TOKEN);
    scene.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_cannot_be_stored() {
    let mut options = Options::new(World::seeded(1, 3, 20));
    // So that the token is exchanged again and again.
    options.token_lifetime = Duration::from_secs(2);
    let upstream = simulator(options).await;
    let folder = folder("");
    let (_, file) = with_partner_center(&upstream, &folder);
    write_private(&file, FIRST_REFRESH_TOKEN);
    let scene = Scene::start_in(folder).await;
    // As a directory that cannot be written would, for root too: what the exporter must write first is taken.
    let note = file.with_file_name("partner-center.token.exchange");
    until("a moment without an exchange", async || {
        fs::create_dir(&note).ok()
    })
    .await;
    scene
        .tells(&Told {
            log: &[
                "token request failed",
                "reason=storage",
                "the refresh token cannot be saved",
                "partner-center.token.exchange",
            ],
            metric: "avepoint_credential_failing{credential=\"partner_center\", reason=\"storage\"} == 1",
            trouble: (
                "refresh_token_not_stored",
                &["the refresh token cannot be saved"],
            ),
            next_step: "Make the directory of partner_center.refresh_token_file writable",
            alert: ("AvePointRefreshTokenNotStored", "warning", "refresh token"),
            runbook: "Do not consent again",
        })
        .await;
    fs::remove_dir(&note).unwrap();
    scene.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_exporter_with_the_same_refresh_token() {
    let upstream = upstream(1, Vec::new()).await;
    let folder = folder("");
    let (_, file) = with_partner_center(&upstream, &folder);
    write_private(&file, FIRST_REFRESH_TOKEN);
    let address = nobody();
    let (prometheus, _room) = Scene::alone(&address).await;
    let (first, _) = serve(&folder, "127.0.0.1:0").await;
    let listen = format!("--web.listen-address={address}");
    let ended = start(&folder, &[&listen]).end().await;
    assert_eq!(ended.code, Some(64));
    let process = format!("is locked by process {} on host", first.id());
    for words in [
        "partner-center.token",
        &process,
        "give this one its own token",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    exporter_down(&prometheus, USAGE_STEP).await;
}
