//! Nothing secret and nothing personal is found in what the exporter shows: log, pages, error texts, `Debug`.
//!
//! All that must not be found holds the word [`PLANTED`], or is one of the simulator's own secrets. Each test
//! also proves that it went over the wire, so that none can pass for want of something to leak.

mod scripted;
mod tap;

use std::fmt::Write as _;
use std::path::Path;

use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::{Clock, CustomerId, TenantId, Timestamp};
use avepoint_exporter::simulator::{
    CLIENT_SECRET, Fault, Module, Options, ProtectedUser, Rule, SecurityUser, Simulator, Statuses,
    Tenant, When, World,
};
use avepoint_exporter::upstream::{Client, ListingSize, Pseudonyms, Stats};

use crate::http::{get, request};
use crate::program::{Program, exporter, until};
use crate::support::{config_text, simulator};

use self::scripted::Scripted;
use self::tap::Tap;

const PLANTED: &str = "planted";

/// `planted-user:planted-proxy-password`, as `Proxy-Authorization` sends it.
const PROXY_CREDENTIALS: &str = "cGxhbnRlZC11c2VyOnBsYW50ZWQtcHJveHktcGFzc3dvcmQ=";

/// Keeps failing tries short.
const HASTY: &str = "  timeout: 1s\n  retry_deadline: 1s\n  rate_limit: { requests_per_second: 1000, burst: 1000, max_concurrent_requests: 64 }\n";

const FIELDS: [&str; 14] = [
    "id",
    "principal",
    "mail",
    "display",
    "first",
    "last",
    "employee",
    "location",
    "company",
    "department",
    "mobile",
    "job",
    "country",
    "email",
];

/// Fails the test if anything in the text must not be there.
#[track_caller]
fn check(what: &str, text: &str) {
    let lower = text.to_lowercase();
    for secret in [PLANTED, CLIENT_SECRET, "simulated-token", PROXY_CREDENTIALS] {
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

/// The value planted in a field of user `k`.
fn text(field: &str, k: usize) -> String {
    match field {
        "principal" | "mail" | "email" => format!("Planted-{field}-{k}@leak.example"),
        _ => format!("planted-{field}-{k}"),
    }
}

/// A world whose every text is planted. Users know each other by id, by address, or not at all.
fn world(tenants: u128) -> World {
    let planted = |field, k| Some(text(field, k));
    let security = |k: usize| SecurityUser {
        id: planted("id", k).filter(|_| !k.is_multiple_of(3)),
        user_principal_name: planted("principal", k),
        mail: planted("mail", k).filter(|_| k % 3 != 1),
        display_name: planted("display", k),
        first_name: planted("first", k),
        last_name: planted("last", k),
        employee_id: planted("employee", k),
        location: planted("location", k),
        company: planted("company", k),
        department: planted("department", k),
        mobile: planted("mobile", k),
        job_title: planted("job", k),
        is_test_user: Some(k == 2),
        age: Some(4711),
        start_date: None,
        end_date: None,
        country_or_region: planted("country", k),
        statuses: Some(Statuses::Codes(vec![0, 3, 12])),
    };
    let protected = |k: usize| ProtectedUser {
        id: planted("id", k).filter(|_| k % 3 == 1),
        email: planted("email", k),
        display_name: planted("display", k),
        modules: Some(vec![Module {
            module: 0,
            is_protected: k.is_multiple_of(2),
        }]),
    };
    let tenant = |n| {
        Tenant::given(
            CustomerId::from_bits(n),
            TenantId::from_bits(n),
            (0..5).map(security).collect(),
            (0..5).map(protected).collect(),
        )
    };
    World::given((1..=tenants).map(tenant).collect())
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

/// All that a run of the program shows: of `poll` its outputs, of `serve` its pages as well.
async fn outputs(config: &str, format: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, config).unwrap();
    let start = |command: &str| {
        let mut exporter = exporter([command, "--log.level=trace"]);
        if command == "serve" {
            exporter.arg("--web.listen-address=127.0.0.1:0");
        }
        exporter.arg(format!("--log.format={format}"));
        exporter.arg("--config.file").arg(&file);
        Program::start(&mut exporter)
    };
    let poll = start("poll");
    let serve = start("serve");
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
    for path in ["/", "/metrics", "/-/ready", "/-/healthy", "/nothing"] {
        let answer = get(&address, path).await;
        found.push((
            path.to_owned(),
            format!("{}\n{}", answer.head, answer.text()),
        ));
    }
    let zipped = request("GET", &address, "/metrics", "Accept-Encoding: gzip\r\n").await;
    found.push(("/metrics by gzip".to_owned(), zipped.gunzipped()));
    serve.signal("TERM");
    let served = serve.end().await;
    let polled = poll.end().await;
    assert!(
        polled.stderr.contains("failed"),
        "nothing failed: {}",
        polled.stderr
    );
    let checked = start("check").end().await;
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
        let config = config_text(&upstream, HASTY, "").replace(&upstream.url(), &tap.url());
        // Which requests the faults meet depends on their order: a run without a token reads no listing at all.
        // So it runs again until everything was there to be shown, and every fault that counts did strike.
        let mut runs = 0;
        let missing = loop {
            check_all(&outputs(&config, format).await);
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
    let fields = FIELDS.map(|field| format!("lanted-{field}-"));
    let others = [
        CLIENT_SECRET,
        "Bearer simulated-token-",
        r#""message":"Bearer simulated-token-"#,
    ];
    let mut missing: Vec<String> = fields
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
async fn a_secret_that_the_token_service_refuses_is_not_shown() {
    let upstream = simulator(Options::new(world(2))).await;
    let tap = Tap::before(&upstream.url()).await;
    let config = config_text(&upstream, HASTY, "")
        .replace(&upstream.url(), &tap.url())
        .replace(CLIENT_SECRET, "planted-secret");
    let outputs = outputs(&config, "json").await;
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
    check_all(&outputs(&config, "logfmt").await);
    assert!(tap.seen().contains(PROXY_CREDENTIALS));

    let gone = config.replace(&host, "127.0.0.1:9");
    let outputs = outputs(&gone, "logfmt").await;
    check_all(&outputs);
    assert!(
        outputs
            .iter()
            .any(|(_, text)| text.contains("elements.proxy_url"))
    );
}

#[tokio::test]
async fn an_answer_of_another_shape_is_not_quoted() {
    let upstream = Scripted::start().await;
    let mut config = format!(
        "elements:\n  api_url: {0}\n  token_url: {0}/token\n  client_id: x\n  client_secret: planted-secret\n{HASTY}tenants:\n",
        upstream.url()
    );
    for n in 0..scripted::answers() {
        writeln!(
            config,
            "  - {{ customer_id: {n:08x}-0000-0000-0000-000000000000, tenant_id: {n:08x}-0000-0000-0000-000000000000 }}"
        )
        .unwrap();
    }
    let outputs = outputs(&config, "logfmt").await;
    check_all(&outputs);
    assert_eq!(upstream.unsent(), Vec::<usize>::new());
    // Each answer was bad, or there was nothing to tell of it.
    let log = &outputs
        .iter()
        .find(|(what, _)| what == "the log of poll")
        .unwrap()
        .1;
    assert_eq!(
        log.matches("poll failed").count(),
        2 * scripted::answers(),
        "{log}"
    );
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

#[tokio::test]
async fn debug_shows_neither_users_nor_secrets() {
    let upstream = nasty().await;
    let tap = Tap::before(&upstream.url()).await;
    let host = tap.url().replace("http://", "");
    let proxy = format!("  proxy_url: http://planted-user:planted-proxy-password@{host}\n");
    let text = config_text(&upstream, &format!("{HASTY}{proxy}"), "");
    let source = Source {
        name: "test.yaml",
        base_dir: Path::new("."),
        env: &|_| None,
        now: Timestamp::default(),
    };
    let config = Config::parse(&text, &source).unwrap();
    let mut shown = format!("{source:?} {config:?} {config:#?}");
    let stats = Stats::register(&prometheus::Registry::new()).unwrap();
    let permissions = ["elements.um.user.read.all", "elements.cbprotected.read.all"];
    let client = Client::elements(
        &config.elements,
        &permissions,
        &Pseudonyms::default(),
        &stats,
        &Clock::system(),
    )
    .unwrap();
    let (mut rows, mut errors) = (0, 0);
    for tenant in &config.tenants {
        let mut each = |page: &dyn std::fmt::Debug| write!(shown, "{page:?}").unwrap();
        let size = &mut ListingSize::default();
        let security = client.security_users(&tenant.tenant, Default::default(), size, |page| {
            rows += page.rows.len();
            each(&page);
            Ok(())
        });
        let security = security.await;
        let size = &mut ListingSize::default();
        let protected = client
            .protected_users(&tenant.tenant, size, |page| {
                each(&page);
                Ok(())
            })
            .await;
        for error in [security.err(), protected.err()].into_iter().flatten() {
            errors += 1;
            write!(shown, "{error} {error:?} {error:#?}").unwrap();
        }
    }
    write!(shown, "{client:?} {client:#?} {stats:?}").unwrap();
    check("Debug", &shown);
    assert!(rows > 0 && errors > 3, "{rows} rows, {errors} errors");
    assert!(tap.seen().contains(PROXY_CREDENTIALS));
}

#[test]
#[should_panic(expected = "a page holds planted")]
fn a_leak_would_be_found() {
    check("a page", "user=PLANTED-mail-1@leak.example");
}
