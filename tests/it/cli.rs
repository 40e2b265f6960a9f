//! The command line of the real program: what it prints, where, and its exit status.

mod assets;
mod demo;
mod discover;
mod end;
mod files;
mod flags;
mod fleet;
mod flood;
mod log;
mod poll;
mod poll_now;
mod probe;
mod reload;
mod systemd;
mod warm_start;
mod web;

use std::net::TcpListener;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::program::{Ended, Program, exporter, until};

const OK: Option<i32> = Some(0);
const FAILED: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(64);
const DOES_NOT_FIT: Option<i32> = Some(2);

/// A folder of its own with a configuration in it.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), config).unwrap();
        Self { folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    /// Starts the exporter in this folder.
    fn start(&self, arguments: &[&str]) -> Program {
        Program::start(exporter(arguments).current_dir(self.folder.path()))
    }
}

/// Starts `serve` on a free port. Returns it with its address, as its log has it.
async fn serve(folder: &Folder, flags: &[&str]) -> (Program, String) {
    let arguments = [&["serve", "--web.listen-address=127.0.0.1:0"], flags].concat();
    let program = folder.start(&arguments);
    let address = until("the log to say where it serves", async || {
        let text = program.stderr();
        let (_, rest) = text.split_once("http://")?;
        let (address, _) = rest.split_once("/metrics")?;
        Some(address.to_owned())
    })
    .await;
    (program, address)
}

/// Runs the exporter without a configuration to its end.
async fn run(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    Program::start(exporter(arguments).current_dir(folder.path()))
        .end()
        .await
}

#[tokio::test]
async fn help_and_version_are_printed_on_stdout() {
    for arguments in [&["--help"][..], &["-h"], &["help"], &["help", "demo"]] {
        let ended = run(arguments).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
        assert!(
            ended.stdout.contains("--web.listen-address"),
            "{}",
            ended.stdout
        );
    }
    let help = run(&["--help"]).await.stdout;
    for command in [
        "serve", "check", "poll", "demo", "simulate", "probe", "assets",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    let version = run(&["--version"]).await;
    let expected = format!("avepoint-exporter {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.stdout), (OK, expected));
}

#[tokio::test]
async fn wrong_arguments_are_named_with_exit_status_64() {
    for (arguments, named) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&["poll", "now"], "now"),
        (&["--web.listen-address=10044"], "--web.listen-address"),
        (&["--web.listen-address=:99999"], "--web.listen-address"),
        (&["--web.max-requests=0"], "--web.max-requests"),
        (&["--web.telemetry-path=metrics"], "--web.telemetry-path"),
        (&["--web.telemetry-path=/"], "--web.telemetry-path"),
        (&["--web.telemetry-path=/-/ready"], "--web.telemetry-path"),
        (&["--web.telemetry-path=/config"], "--web.telemetry-path"),
        (&["--web.telemetry-path=/rules"], "--web.telemetry-path"),
        (
            &["--web.telemetry-path=/dashboards/x"],
            "--web.telemetry-path",
        ),
        (&["--log.level=loud"], "--log.level"),
        (&["--log.format=xml"], "--log.format"),
        (&["check", "--assume-users=-1"], "--assume-users"),
        (&["demo", "--latency=5"], "--latency"),
        (&["demo", "--evolve=soon"], "--evolve"),
        (&["demo", "--tenants=0"], "--tenants"),
        (&["simulate", "--faults=nonsense"], "--faults"),
        (&["simulate", "--listen=localhost"], "--listen"),
        (&["assets"], "--out"),
        (&["probe", "--url=ftp://localhost"], "--url"),
        (
            &["probe", "--url=http://a:b@localhost"],
            "--web.probe-listen-address",
        ),
        (
            &["--web.probe-listen-address=10046"],
            "--web.probe-listen-address",
        ),
    ] {
        let ended = run(arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""));
        assert!(
            ended.stderr.starts_with("error: ") && ended.stderr.contains(named),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn a_config_that_is_missing_is_named_and_so_is_the_demo() {
    for (arguments, file) in [
        (&[][..], "config.yaml"),
        (&["serve"], "config.yaml"),
        (&["poll"], "config.yaml"),
        (&["check", "--config.file=other.yaml"], "other.yaml"),
        (&["--config.file=other.yaml", "check"], "other.yaml"),
    ] {
        let ended = run(arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""));
        assert_eq!(
            ended.stderr,
            format!(
                "avepoint-exporter: {file}: no such file\nsee config.example.yaml for every key, or run \
                 `avepoint-exporter demo`, which needs no configuration\n"
            )
        );
    }
}

#[tokio::test]
async fn a_bad_config_is_refused_with_its_place_by_every_command() {
    let folder = Folder::with("elements:\n  client_id: x\n  client_secrets: y\n");
    for command in ["serve", "poll", "check", "--config.check"] {
        let ended = folder.start(&[command]).end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""));
        assert!(
            ended
                .stderr
                .starts_with("avepoint-exporter: config.yaml:3:3: elements.client_secrets: "),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn a_check_says_what_would_run_and_opens_no_connection() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    upstream.set_nonblocking(true).unwrap();
    let url = format!("http://{}", upstream.local_addr().unwrap());
    // A tenant with both collectors has 79 series, one with security_users alone 23; one is of the fleet.
    let tenant = |n: u32| {
        format!(
            "  - {{ customer_id: {n:08}-0000-0000-0000-000000000000, tenant_id: {n:08}-0000-0000-0000-000000000000 }}\n"
        )
    };
    let folder = Folder::with(&format!(
        "elements: {{ api_url: {url}, token_url: {url}/token, client_id: x, client_secret: y }}\ntenants:\n{}{}{}    \
         collectors: {{ security_users: {{ interval: 1h }}, protected_users: {{ enabled: false }} }}\n",
        tenant(1),
        tenant(2),
        tenant(3)
            .replace("- { ", "- ")
            .replace(", tenant_id", "\n    tenant_id")
            .replace(" }", ""),
    ));
    let expected = format!(
        "\
API                  {url}/
token service        {url}/token
permissions          elements.cbprotected.read.all elements.um.user.read.all
tenants              3
security_users       3 tenants, every 5m to 1h
directory            off
partner_center       off
protected_users      2 tenants, every 15m
series               187 for tenants, plus the exporter's own series
requests per hour    330 to elements, assuming 1000 users per listing (--assume-users)
requests per second  0.09 to elements on average, 10 allowed
requests per round   50 to elements, which take 7s at 1s each
"
    );
    for arguments in [
        &["check"][..],
        &["--config.check"],
        &["serve", "--config.check"],
        &["check", "--assume-users=1000"],
    ] {
        let ended = folder.start(arguments).end().await;
        assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
        assert_eq!(ended.stdout, expected);
    }
    let ended = folder
        .start(&["check", "--assume-users=1000000"])
        .end()
        .await;
    assert!(
        ended.stdout.ends_with(
            "The rate limit is too low: elements needs 91.67 requests/s, 8.00 are possible at 1s each. Set\n  \
             collectors.security_users.interval: 58m to 11h28m\n  \
             collectors.protected_users.interval: 2h52m\n"
        ),
        "{}",
        ended.stdout
    );
    let connection = upstream.accept();
    assert!(connection.is_err(), "{connection:?}");
}

#[tokio::test]
async fn a_check_names_the_proxy_and_where_it_is_set_but_not_its_password() {
    let config = "elements: { client_id: x, client_secret: y }\ndiscovery: { enabled: true }\n";
    let proxy = "http://user:hunter2@proxy.example:3128";
    let folder = Folder::with(&config.replace("y }", &format!("y, proxy_url: '{proxy}' }}")));
    let ended = folder.start(&["check"]).end().await;
    let line = "\nproxy                proxy.example:3128 (elements.proxy_url)\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
    assert!(!ended.stdout.contains("hunter2"));

    let folder = Folder::with(config);
    let mut command = exporter(["check"]);
    command.current_dir(folder.folder.path());
    command.env("HTTPS_PROXY", proxy);
    let ended = Program::start(&mut command).end().await;
    let line = "\nproxy                proxy.example:3128 (HTTPS_PROXY or ALL_PROXY)\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
    assert!(!ended.stdout.contains("hunter2"));
}

#[tokio::test]
async fn a_check_of_all_systems_says_what_each_is_asked() {
    let folder = Folder::with(
        "\
elements: { client_id: x, client_secret: y }
partner_center:
  { tenant: partner.example, client_id: x, client_secret: y, refresh_token_file: token }
collectors:
  security_users: { mode: counts }
  directory: { enabled: true }
  partner_center: { enabled: true, interval: 30m }
discovery: { enabled: true, interval: 2h }
tenants:
  - { customer_id: 00000001-0000-0000-0000-000000000000, tenant_id: 00000001-0000-0000-0000-000000000000 }
",
    );
    let token = folder.folder.path().join("token");
    std::fs::write(&token, "refresh").unwrap();
    // Else the check warns of it.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&token, private).unwrap();
    let ended = folder.start(&["check"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    assert_eq!(
        ended.stdout,
        "\
API                  https://graph.avepointonlineservices.com/
token service        https://identity.avepointonlineservices.com/connect/token
permissions          elements.cbprotected.read.all elements.customers.read.all elements.um.user.read.all
Partner Center       https://api.partnercenter.microsoft.com/
its token service    https://login.microsoftonline.com/partner.example/oauth2/v2.0/token
tenants              1 listed, not counting discovered tenants (--assume-tenants); discovery every 2h
security_users       1 tenant, every 5m; each discovered tenant, every 5m
directory            1 tenant, every 1h; each discovered tenant, every 1h
partner_center       1 tenant, every 30m; each discovered tenant, every 30m
protected_users      1 tenant, every 15m; each discovered tenant, every 15m
mode counts          counts security users without reading them; tenants with this mode have no avepoint_exposed_*
series               105 for tenants, plus the exporter's own series
requests per hour    170 to elements, assuming 1000 users per listing (--assume-users)
requests per second  0.05 to elements on average, 10 allowed
requests per round   30 to elements, which take 8s at 1s each
requests per hour    6 to partner_center, assuming 1000 users per listing (--assume-users)
requests per second  0.00 to partner_center on average, 10 allowed
requests per round   3 to partner_center, which take 3s at 1s each
"
    );
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::with(
        "elements: { api_url: 'http://127.0.0.1:9', client_id: x, client_secret: y }\ntenants:\n\
         - { customer_id: 00000001-0000-0000-0000-000000000000, tenant_id: 00000001-0000-0000-0000-000000000000 }\n",
    );
    for (arguments, flag) in [
        (
            vec![
                "serve".to_owned(),
                format!("--web.listen-address={address}"),
            ],
            "see --web.listen-address",
        ),
        (
            vec![
                "demo".to_owned(),
                "--web.listen-address=127.0.0.1:0".to_owned(),
                format!("--listen={address}"),
            ],
            "choose another with --listen",
        ),
        (
            vec!["simulate".to_owned(), format!("--listen={address}")],
            "choose another with --listen",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = folder.start(&arguments).end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
        assert_eq!(
            ended.stderr,
            format!(
                "avepoint-exporter: failed to listen on {address}; {flag}: Address already in use (os error 98)\n"
            )
        );
    }
}
