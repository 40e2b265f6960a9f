//! Nothing secret and nothing personal is found in what the exporter shows: log, pages, error texts, `Debug`.
//!
//! All that must not be found holds the word [`PLANTED`], or is one of the simulator's own secrets. Each test
//! also proves that it went over the wire, so that none can pass for want of something to leak.

mod planted;
mod scripted;
mod sign_in;
mod tap;

use std::fmt::Write as _;
use std::sync::Arc;

use avepoint_exporter::collectors::{self, Earlier, security_users};
use avepoint_exporter::config::{
    CollectorKind, Config, NoOptions, PartnerCenterOptions, SecurityEndpoint, SecurityMode,
    SecurityOptions, Source, StatusEncoding,
};
use avepoint_exporter::domain::{Clock, Target, TenantId, Timestamp};
use avepoint_exporter::simulator::{
    CLIENT_SECRET, FIRST_REFRESH_TOKEN, Fault, Listing, Options, PARTNER_CLIENT_SECRET, Rule,
    Simulator, When,
};
use avepoint_exporter::upstream::{
    Client, Clients, Progress, Pseudonyms, RefreshTokenFile, Shared, Stats,
};
use tempfile::TempDir;

use crate::http::{get, request};
use crate::program::{Program, exporter, until};
use crate::support::{config_text, simulator};

use self::planted::{STATE_DIR, config_of_all, world};
use self::scripted::Scripted;
use self::tap::Tap;

const PLANTED: &str = "planted";

/// What the file for the next start is called among what a run shows.
const WARM_START: &str = "the warm-start file";

/// `planted-user:planted-proxy-password`, as `Proxy-Authorization` sends it.
const PROXY_CREDENTIALS: &str = "cGxhbnRlZC11c2VyOnBsYW50ZWQtcHJveHktcGFzc3dvcmQ=";

/// Keeps failing tries short.
const HASTY: &str = "  timeout: 1s\n  retry_deadline: 1s\n  rate_limit: { requests_per_second: 1000, burst: 1000, max_concurrent_requests: 64 }\n";

/// Configurations that are refused, each with a secret at the place that is wrong, or beside it.
const REFUSED: [&str; 9] = [
    "elements: { client_id: x, client_secret: [planted-secret] }\n",
    "elements: { client_id: x, client_secret: { planted-secret: planted-secret } }\n",
    "elements: { client_id: x, client_secret: \"planted-secret }\n",
    "elements: { client_id: x, client_secret: planted-secret, proxy_url: \"http://planted-user:planted-proxy-password@[\" }\n",
    "elements: { client_id: x, client_secret: planted-secret, certificate: { file: x, password_file: x } }\n",
    "partner_center: { client_id: x, client_secret: planted-secret, refresh_token_file: nowhere/token }\n",
    "partner_center: { client_id: x, client_secret: planted-secret, refresh_token_file: bad }\n",
    "partner_center: { client_id: x, client_secret: y, refresh_token_file: none, refresh_token_env: planted-refresh-token }\n",
    "partner_center: { client_id: x, client_secret: y, refresh_token: planted-refresh-token }\n",
];

/// Fails the test if anything in the text must not be there.
#[track_caller]
fn check(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for secret in [
        PLANTED,
        PROXY_CREDENTIALS,
        CLIENT_SECRET,
        PARTNER_CLIENT_SECRET,
        "simulated-token",
        "simulated-partner-token",
        "simulated-refresh-token",
    ] {
        if let Some(at) = lower.find(&secret.to_lowercase()) {
            let around: String = text
                .chars()
                .skip(at.saturating_sub(200))
                .take(400)
                .collect();
            panic!("{what} holds {secret}: … {around} …");
        }
    }
    assert!(
        !text.is_empty(),
        "{what} is empty, so nothing was looked for"
    );
}

/// An upstream that misbehaves in every way that answers fast, each way often, and never twice the same.
async fn nasty() -> Simulator {
    let mut options = Options {
        page_limit: 2,
        retry_after: std::time::Duration::ZERO,
        // Whoever follows there would hand over the token.
        foreign_origin: "http://127.0.0.1:9".to_owned(),
        ..Options::new(world(12))
    };
    let faults = [
        Fault::Throttle,
        Fault::ThrottleDate,
        Fault::ExpireTokens,
        Fault::Unavailable,
        Fault::Cut,
        Fault::Truncate,
        Fault::UnknownCodes,
        Fault::NullFields,
        Fault::PascalCase,
        Fault::Bom,
        Fault::NextLink,
        Fault::Deep,
        Fault::NotJson,
        Fault::Redirect,
        Fault::ForeignLink,
        Fault::Forbidden,
        Fault::NotFound,
        Fault::BadRequest,
    ];
    options.rules = faults
        .into_iter()
        .zip([
            7, 11, 13, 9, 17, 10, 2, 3, 4, 5, 6, 23, 19, 29, 25, 31, 37, 41,
        ])
        .map(|(fault, n)| Rule::new(fault, When::every(n)))
        .chain([Rule::new(Fault::SecretEcho, When::every(6))])
        .collect();
    simulator(options).await
}

/// A folder with a configuration, and with a refresh token in the file `token`.
fn folder(config: &str, token: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("config.yaml", config),
        ("token", token),
        ("bad", "planted-refresh-token\nplanted-refresh-token\n"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// All that a run of the program shows: of `poll` its outputs, of `serve` its pages as well.
async fn outputs(config: &str, token: &str, format: &str) -> Vec<(String, String)> {
    // Each has a refresh token of its own: only one process may exchange it.
    let folders = [(); 3].map(|()| folder(config, token));
    let start = |command: &str, folder: &TempDir| {
        let mut exporter = exporter([command, "--log.level=trace"]);
        if command == "serve" {
            exporter.args(["--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"]);
        }
        exporter.arg(format!("--log.format={format}"));
        Program::start(exporter.current_dir(folder.path()))
    };
    let poll = start("poll", &folders[0]);
    let serve = start("serve", &folders[1]);
    let address = until("the log to say where it serves", async || {
        let text = serve.stderr();
        let (_, rest) = text.split_once("http://")?;
        Some(rest.split_once("/metrics")?.0.to_owned())
    })
    .await;
    until("the first round", async || {
        (get(&address, "/-/ready").await.status == 200).then_some(())
    })
    .await;
    let mut found = Vec::new();
    for path in [
        "/",
        "/metrics",
        "/api/v1/status",
        "/config",
        "/-/ready",
        "/-/healthy",
        "/nothing",
    ] {
        let answer = get(&address, path).await;
        found.push((
            path.to_owned(),
            format!("{}\n{}", answer.head, answer.text()),
        ));
    }
    let zipped = request("GET", &address, "/metrics", "Accept-Encoding: gzip\r\n").await;
    found.push(("/metrics by gzip".to_owned(), zipped.gunzipped()));
    for refused in REFUSED {
        std::fs::write(folders[1].path().join("config.yaml"), refused).unwrap();
        let answer = request("POST", &address, "/-/reload", "Content-Length: 0\r\n").await;
        assert_eq!(answer.status, 500, "{refused}");
        found.push((format!("/-/reload of {refused}"), answer.text()));
    }
    serve.signal("TERM");
    let served = serve.end().await;
    if config.contains(STATE_DIR) {
        let file = folders[1].path().join("state/warm-start.json");
        let text = std::fs::read_to_string(file).unwrap();
        found.push((WARM_START.to_owned(), text));
    }
    let polled = poll.end().await;
    assert!(
        polled.stderr.contains("failed"),
        "nothing failed: {}",
        polled.stderr
    );
    let checked = start("check", &folders[2]).end().await;
    found.push(("the log of serve".to_owned(), served.stderr));
    found.push(("the log of poll".to_owned(), polled.stderr));
    found.push(("the output of poll".to_owned(), polled.stdout));
    found.push(("the output of check".to_owned(), checked.stdout));
    found
}

fn check_all(outputs: &[(String, String)]) {
    for (what, text) in outputs {
        check(what, text);
    }
}

#[tokio::test]
async fn users_secret_and_token_are_not_shown_whatever_goes_wrong() {
    for format in ["logfmt", "json"] {
        let upstream = nasty().await;
        let tap = Tap::before(&upstream.url()).await;
        let config = config_of_all(&upstream, "").replace(&upstream.url(), &tap.url());
        // Which requests the faults meet depends on their order: a run without a token reads no listing at all.
        // So it runs again until everything was there to be shown, and every fault that counts did strike.
        let mut runs = 0;
        let missing = loop {
            check_all(&outputs(&config, FIRST_REFRESH_TOKEN, format).await);
            runs += 1;
            let missing = not_yet_met(&tap.seen(), &upstream);
            if missing.is_empty() || runs == 10 {
                break missing;
            }
        };
        assert_eq!(missing, Vec::<String>::new(), "after {runs} runs");
    }
}

/// What must have gone over the wire for the test to mean something, and has not.
fn not_yet_met(seen: &str, upstream: &Simulator) -> Vec<String> {
    let others = [
        CLIENT_SECRET,
        PARTNER_CLIENT_SECRET,
        "Bearer simulated-token-",
        "Bearer simulated-partner-token-",
        "refresh_token=simulated-refresh-token-",
        r#""refresh_token":"simulated-refresh-token-"#,
        r#""message":"Bearer simulated-token-"#,
        r#""message":"Bearer simulated-partner-token-"#,
    ];
    let mut missing: Vec<String> = planted::texts()
        .into_iter()
        .chain(others.map(str::to_owned))
        .filter(|text| !seen.contains(text))
        .collect();
    let struck = upstream.stats().struck;
    if !struck.contains_key(&Fault::SecretEcho) || struck.len() < 15 {
        missing.push(format!("faults: only {struck:?}"));
    }
    missing
}

#[tokio::test]
async fn what_is_kept_over_a_restart_holds_no_users_and_no_secrets() {
    let options = Options {
        page_limit: 2,
        // Something has to be said of a failure too.
        rules: vec![Rule::new(
            Fault::Forbidden,
            When::always()
                .on(Listing::Directory)
                .for_tenant(TenantId::from_bits(4)),
        )],
        ..Options::new(world(4))
    };
    let upstream = simulator(options).await;
    let outputs = outputs(&config_of_all(&upstream, ""), FIRST_REFRESH_TOKEN, "json").await;
    check_all(&outputs);
    let kept = outputs.into_iter().find(|(what, _)| what == WARM_START);
    let kept = kept.unwrap().1;
    // Of discovery and of each collector there is something, and of what came of matching them.
    for part in [
        "\"name\":\"Customer 1\"",
        "\"by_status\":{",
        "\"by_password_age\":[",
        "\"by_location\":{\"CH\"",
        "\"exposure\":{\"users\"",
        "\"missing\":{\"directory\"",
    ] {
        assert!(kept.contains(part), "{part}: {kept}");
    }
}

#[tokio::test]
async fn a_secret_that_the_token_service_refuses_is_not_shown() {
    let upstream = simulator(Options::new(world(2))).await;
    let tap = Tap::before(&upstream.url()).await;
    let config = config_text(&upstream, HASTY, "")
        .replace(&upstream.url(), &tap.url())
        .replace(CLIENT_SECRET, "planted-secret");
    let outputs = outputs(&config, FIRST_REFRESH_TOKEN, "json").await;
    check_all(&outputs);
    assert!(tap.seen().contains("client_secret=planted-secret"));
    assert!(
        outputs
            .iter()
            .any(|(_, text)| text.contains("invalid_client"))
    );
}

#[tokio::test]
async fn the_password_of_a_proxy_is_not_shown() {
    let upstream = simulator(Options::new(world(2))).await;
    // The simulator takes requests as a proxy does; one listing then fails, so that there is something to log.
    let tap = Tap::before(&upstream.url()).await;
    let host = tap.url().replace("http://", "");
    let proxy = format!("  proxy_url: http://planted-user:planted-proxy-password@{host}\n");
    let config = config_text(&upstream, &format!("{HASTY}{proxy}"), "")
        + "  - { customer_id: 00000000-0000-0000-0000-00000000aaaa, tenant_id: 00000000-0000-0000-0000-00000000aaaa }\n";
    check_all(&outputs(&config, FIRST_REFRESH_TOKEN, "logfmt").await);
    assert!(tap.seen().contains(PROXY_CREDENTIALS));

    let gone = config.replace(&host, "127.0.0.1:9");
    let outputs = outputs(&gone, FIRST_REFRESH_TOKEN, "logfmt").await;
    check_all(&outputs);
    assert!(
        outputs
            .iter()
            .any(|(_, text)| text.contains("elements.proxy_url"))
    );
}

/// Has each of these pages read by these many collectors, and checks that each poll fails but for that of so many pages
/// `understood`, and what is shown then.
async fn check_pages(
    pages: &'static [&'static str],
    sections: &str,
    collectors: usize,
    understood: usize,
) {
    let upstream = Scripted::with_pages(pages).await;
    let mut config = format!(
        "elements:\n  api_url: {0}\n  token_url: {0}/token\n  client_id: x\n  client_secret: planted-secret\n{HASTY}{1}tenants:\n",
        upstream.url(),
        sections.replace("URL", &upstream.url()),
    );
    for n in 0..pages.len() {
        writeln!(
            config,
            "  - {{ customer_id: {n:08x}-0000-0000-0000-000000000000, tenant_id: {n:08x}-0000-0000-0000-000000000000 }}"
        )
        .unwrap();
    }
    let outputs = outputs(&config, "planted-refresh-token", "logfmt").await;
    check_all(&outputs);
    assert_eq!(upstream.unsent(), Vec::<usize>::new());
    // Each answer was bad, or there was nothing to tell of it.
    let log = &outputs
        .iter()
        .find(|(what, _)| what == "the log of poll")
        .unwrap()
        .1;
    let failed = log.matches("poll failed").count();
    assert_eq!(failed, collectors * (pages.len() - understood), "{log}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_not_quoted() {
    let directory = "collectors: { directory: { enabled: true } }\n";
    // A total that is no number is none.
    check_pages(scripted::PAGES, directory, 3, 1).await;
}

#[tokio::test]
async fn an_answer_of_partner_center_of_another_shape_is_not_quoted() {
    let partner_center = "\
partner_center:
  api_url: URL
  token_url: URL/token
  client_id: x
  client_secret: planted-secret
  refresh_token_file: token
  rate_limit: { requests_per_second: 1000, burst: 1000 }
collectors:
  security_users: { enabled: false }
  protected_users: { enabled: false }
  partner_center: { enabled: true }
";
    // A time that is none is missing.
    check_pages(scripted::PARTNER_PAGES, partner_center, 1, 2).await;
}

#[tokio::test]
async fn a_token_service_that_answers_something_else_is_not_quoted() {
    for answer in scripted::TOKENS {
        let upstream = Scripted::with_token(answer).await;
        let config = format!(
            "elements:\n  api_url: {0}\n  token_url: {0}/token\n  client_id: x\n  client_secret: planted-secret\n{HASTY}\
             tenants:\n  - {{ customer_id: 00000001-0000-0000-0000-000000000000, tenant_id: 00000001-0000-0000-0000-000000000000 }}\n",
            upstream.url()
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), config).unwrap();
        let mut poll = exporter(["poll", "--log.level=trace"]);
        let ended = Program::start(poll.current_dir(folder.path())).end().await;
        assert_eq!(ended.code, Some(1), "{answer}");
        check(answer, &ended.stderr);
        check(answer, &ended.stdout);
    }
}

/// All collectors, with both forms of the security listing.
fn kinds() -> [CollectorKind; 6] {
    let security = |endpoint, encoding| {
        CollectorKind::SecurityUsers(SecurityOptions {
            endpoint,
            encoding,
            mode: SecurityMode::Scan {
                exclude_test_users: false,
            },
        })
    };
    [
        security(SecurityEndpoint::V3, StatusEncoding::Codes),
        security(SecurityEndpoint::Batch, StatusEncoding::Flags),
        CollectorKind::ProtectedUsers(NoOptions),
        CollectorKind::Directory(NoOptions),
        CollectorKind::PartnerCenter(PartnerCenterOptions {
            top_usage_locations: 10,
        }),
        CollectorKind::Customers(NoOptions),
    ]
}

#[tokio::test]
async fn debug_shows_neither_users_nor_secrets() {
    let upstream = nasty().await;
    let tap = Tap::before(&upstream.url()).await;
    let host = tap.url().replace("http://", "");
    let proxy = format!("  proxy_url: http://planted-user:planted-proxy-password@{host}\n");
    let text = config_of_all(&upstream, &proxy).replace(
        "refresh_token_file: token",
        "refresh_token_file: new\n  refresh_token_env: TOKEN",
    );
    let folder = folder(&text, FIRST_REFRESH_TOKEN);
    let source = Source {
        name: "test.yaml",
        base_dir: folder.path(),
        env: &|name| (name == "TOKEN").then(|| FIRST_REFRESH_TOKEN.to_owned()),
        now: Timestamp::default(),
    };
    let config = Config::parse(&text, &source).unwrap();
    let mut shown = format!("{config:?} {config:#?}");
    let stats = Stats::register(&prometheus::Registry::new()).unwrap();
    let permissions = [
        "elements.um.user.read.all",
        "elements.cbprotected.read.all",
        "elements.customers.read.all",
        "partner.um.user.read.all",
    ];
    let shared = Shared::new(stats, Clock::system());
    let elements = &config.elements;
    let client = Client::elements(elements, &permissions, &shared).unwrap();
    let settings = config.partner_center.as_ref().unwrap();
    let first = settings.first_refresh_token.clone();
    assert!(first.is_some());
    let token = RefreshTokenFile::open(&settings.refresh_token_file, first).unwrap();
    let locked = RefreshTokenFile::open(&settings.refresh_token_file, None).unwrap_err();
    write!(shown, "{token:?} {token:#?} {locked:?} {locked}").unwrap();
    let partner_center =
        Client::partner_center(settings, elements, token.clone(), &shared).unwrap();
    let clients = Clients {
        elements: client,
        partner_center: Some(partner_center),
        refresh_token: Some(token.clone()),
    };
    let kinds = kinds();
    let mut rows = kinds.map(|_| 0);
    let mut errors = Vec::new();
    for (at, tenant) in config.tenants.iter().enumerate() {
        let tenant = Target::Tenant(Arc::clone(&tenant.tenant));
        // Each tenant in another order: faults at every so many requests could meet the same listing of them all.
        let mut listings: Vec<_> = rows.iter_mut().zip(kinds).collect();
        listings.rotate_left(at % kinds.len());
        for (rows, kind) in listings {
            let progress = Progress::default();
            let polled = collectors::poll(
                &clients,
                &tenant,
                kind,
                Earlier::default(),
                Timestamp::default(),
                &progress,
            );
            let polled = polled.await;
            write!(shown, "{polled:?} {polled:#?}").unwrap();
            *rows += polled.size.rows;
            errors.extend(polled.outcome.err());
        }
    }
    // What remains of a row, before it is counted.
    let body = format!(
        r#"{{"data": [{{"id": "{PLANTED}-id", "mail": "{PLANTED}@leak.example", "status": [3]}}]}}"#
    );
    let page = security_users::read_page(
        body.as_bytes(),
        StatusEncoding::Codes,
        &Pseudonyms::default(),
    );
    write!(shown, "{:?}", page.unwrap()).unwrap();
    for error in &errors {
        write!(shown, "{error} {error:?} {error:#?}").unwrap();
    }
    write!(shown, "{clients:?} {clients:#?}").unwrap();
    write!(shown, "{shared:?} {token:?}").unwrap();
    check("Debug", &shown);
    let met = rows.iter().all(|&rows| rows > 0) && errors.len() > 3;
    assert!(met, "{rows:?} rows, {} errors", errors.len());
    let seen = tap.seen();
    for secret in [
        PROXY_CREDENTIALS,
        "refresh_token=simulated-refresh-token-1",
        "lanted-owner-",
    ] {
        assert!(seen.contains(secret), "{secret} was never sent");
    }
}

#[test]
#[should_panic(expected = "a page holds planted")]
fn a_leak_would_be_found() {
    check("a page", "user=PLANTED-mail-1@leak.example");
}
