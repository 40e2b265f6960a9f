//! Starting again: what an exporter knew is there at once, wherever it was written and whatever has become of that.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use avepoint_exporter::domain::TenantId;
use serde_json::Value;

use crate::api::Api;
use crate::cli::{DOES_NOT_FIT, Folder, OK, serve};
use crate::http::get;
use crate::program::{Program, exporter, until};
use crate::support::Exposition;

const STATE: &str = "state_dir: state\n";
const OWN: TenantId = TenantId::from_bits(1);
const FOUND: TenantId = TenantId::from_bits(2);

const UP: &str = "avepoint_exporter_state_dir_up";

/// What the status says of where figures are kept.
async fn storage(address: &str) -> Value {
    let text = get(address, "/api/v1/status").await.text();
    serde_json::from_str::<Value>(&text).unwrap()["storage"].take()
}

/// A configuration with the tenant `OWN`, and discovery.
fn sections(state_dir: &str) -> String {
    format!(
        "discovery: {{ enabled: true }}\ntenants:\n  - {{ customer_id: {OWN}, tenant_id: {OWN} }}\n{state_dir}"
    )
}

fn folder(api: &Api, sections: &str) -> Folder {
    let folder = Folder::with(&api.config(sections));
    let secret = folder.folder.path().join("secret");
    fs::write(&secret, "right").unwrap();
    fs::set_permissions(secret, Permissions::from_mode(0o600)).unwrap();
    folder
}

fn file(folder: &Folder) -> PathBuf {
    folder.folder.path().join("state/warm-start.json")
}

/// An upstream that lists the tenant `FOUND` beside.
async fn api() -> Api {
    let api = Api::start().await;
    api.state().customers = Some(vec![
        (1, "Contoso", vec![(1, "contoso")]),
        (5, "Fabrikam", vec![(2, "fabrikam")]),
    ]);
    api
}

async fn scrape(address: &str) -> Exposition {
    Exposition::read(&get(address, "/metrics").await.text())
}

async fn ready(address: &str) -> u16 {
    get(address, "/-/ready").await.status
}

/// Serves until the first round has ended and both tenants have figures, ends, and returns what was shown last.
async fn serve_once(folder: &Folder) -> Exposition {
    let (program, address) = serve(folder, &[]).await;
    let shown = until("figures of both", async || {
        let shown = scrape(&address).await;
        let joined = shown.all("avepoint_exposed_users", &[("status", "high_risk")]);
        (joined.count() == 2).then_some(shown)
    })
    .await;
    assert_eq!(ready(&address).await, 200);
    end(program).await;
    shown
}

async fn end(program: Program) -> String {
    program.signal("TERM");
    let ended = program.end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    ended.stderr
}

/// All series of tenants and customers, but for those that count, or that look ahead.
fn kept(shown: &Exposition) -> Vec<String> {
    let names = shown.names().filter(|name| {
        let of_tenants = [
            "avepoint_exposed",
            "avepoint_security",
            "avepoint_backup",
            "avepoint_collector_",
            "avepoint_tenant",
            "avepoint_customer",
            "avepoint_discovery",
        ];
        of_tenants.iter().any(|start| name.starts_with(start))
            && !name.ends_with("_total")
            && !name.ends_with("next_poll_timestamp_seconds")
    });
    let mut lines: Vec<_> = names
        .flat_map(|name| {
            let samples = shown.all(name, &[]);
            samples.map(move |(labels, value)| format!("{name} {labels:?} {value}"))
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

/// An upstream's address that takes connections and never answers, so that what is shown is what was known.
fn hanging() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

#[tokio::test]
async fn after_a_restart_everything_is_there_at_once_although_the_upstream_is_gone() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    let before = serve_once(&folder).await;

    let gone = hanging();
    let config = fs::read_to_string(folder.config()).unwrap();
    let url = config.lines().find_map(|line| line.split_once("api_url: "));
    let url = url.unwrap().1;
    let elsewhere = format!("http://{}", gone.local_addr().unwrap());
    fs::write(folder.config(), config.replace(url, &elsewhere)).unwrap();
    let (program, address) = serve(&folder, &[]).await;
    assert_eq!(ready(&address).await, 200);
    let shown = scrape(&address).await;
    let kept_before = kept(&before);
    assert!(kept_before.len() > 100, "{kept_before:#?}");
    assert_eq!(kept(&shown), kept_before);
    for tenant in [OWN, FOUND] {
        for collector in ["security_users", "protected_users"] {
            let of = |name| shown.of(tenant, name, &[("collector", collector)]);
            assert_eq!(of("avepoint_collector_up"), Some(1.0));
            assert_eq!(of("avepoint_collector_polls_total"), Some(0.0));
        }
    }
    // What it could not learn, it keeps: the next one knows it all the same.
    end(program).await;
    let (program, address) = serve(&folder, &[]).await;
    assert_eq!(kept(&scrape(&address).await), kept_before);
    end(program).await;
}

#[tokio::test]
async fn after_a_restart_all_is_polled_at_once_and_counted_from_nothing() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    serve_once(&folder).await;
    let before = api.asked_of(2);
    let (program, address) = serve(&folder, &[]).await;
    let polls = |shown: &Exposition| {
        let labels = [("collector", "protected_users")];
        shown.of(FOUND, "avepoint_collector_polls_total", &labels)
    };
    until("the first round", async || {
        (polls(&scrape(&address).await) == Some(1.0)).then_some(())
    })
    .await;
    assert_eq!(api.asked_of(2), before + 2);
    end(program).await;
}

#[tokio::test]
async fn discovery_that_fails_or_finds_nothing_after_a_restart_changes_nothing() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    serve_once(&folder).await;
    for (customers, reason) in [(None, "forbidden"), (Some(vec![]), "implausible")] {
        api.state().customers = customers;
        let (program, address) = serve(&folder, &[]).await;
        let shown = until("discovery", async || {
            let shown = scrape(&address).await;
            let failures = shown.get("avepoint_discovery_failures_total", &[("reason", reason)]);
            (failures == Some(1.0)).then_some(shown)
        })
        .await;
        let name = [("m365_tenant_name", "fabrikam")];
        assert!(shown.of(FOUND, "avepoint_backup_users", &name).is_some());
        let log = end(program).await;
        if reason == "implausible" {
            assert!(
                log.contains("error=\"implausible response: no customers any more; "),
                "{log}"
            );
        }
    }
    // Now it is right, and the operator says so.
    fs::remove_file(file(&folder)).unwrap();
    let (program, address) = serve(&folder, &[]).await;
    until("discovery", async || {
        let up = scrape(&address).await.get("avepoint_discovery_up", &[]);
        (up == Some(1.0)).then_some(())
    })
    .await;
    end(program).await;
}

#[tokio::test]
async fn a_name_that_discovery_gave_stays_when_discovery_is_off_and_a_removed_tenant_leaves_nothing()
 {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    serve_once(&folder).await;
    assert!(
        fs::read_to_string(file(&folder))
            .unwrap()
            .contains("fabrikam")
    );
    let listed = format!("tenants:\n  - {{ customer_id: {OWN}, tenant_id: {OWN} }}\n{STATE}");
    fs::write(folder.config(), api.config(&listed)).unwrap();
    let (program, address) = serve(&folder, &[]).await;
    let shown = scrape(&address).await;
    assert_eq!(shown.all("avepoint_tenant_info", &[]).count(), 1);
    let names = [
        ("m365_tenant_name", "contoso"),
        ("customer_name", "Contoso"),
    ];
    assert_eq!(shown.of(OWN, "avepoint_tenant_info", &names), Some(1.0));
    end(program).await;
    let text = fs::read_to_string(file(&folder)).unwrap();
    assert!(
        text.contains("contoso") && !text.contains("abrikam"),
        "{text}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_set_aside_and_the_exporter_starts_as_without() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    fs::create_dir(folder.folder.path().join("state")).unwrap();
    fs::write(file(&folder), "{\"format\": \"avepoint-exporter wa").unwrap();
    let (program, address) = serve(&folder, &[]).await;
    until("figures", async || {
        let shown = scrape(&address).await;
        shown.of(FOUND, "avepoint_backup_users", &[])
    })
    .await;
    let log = end(program).await;
    assert_eq!(log.matches("renamed and ignored").count(), 1, "{log}");
    assert!(log.contains("is damaged at line 1, column"), "{log}");
    assert!(log.contains("state/warm-start.json.set-aside"), "{log}");
    let aside = folder.folder.path().join("state/warm-start.json.set-aside");
    assert!(fs::read_to_string(aside).unwrap().ends_with("wa"));
    assert!(fs::read_to_string(file(&folder)).unwrap().ends_with('}'));
}

#[tokio::test]
async fn a_disk_without_room_leaves_the_file_before_and_is_said_at_the_start() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    serve_once(&folder).await;
    let before = fs::read(file(&folder)).unwrap();
    // No file may have any bytes; pipes may.
    let serving = exporter(["serve", "--web.listen-address=127.0.0.1:0"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"])
        .arg(serving.get_program())
        .args(serving.get_args())
        .current_dir(folder.folder.path());
    let program = Program::start(&mut limited);
    until("the first round", async || {
        program.stderr().contains("exporter started").then_some(())
    })
    .await;
    let log = end(program).await;
    let line = log
        .lines()
        .find(|line| line.contains("cannot write to state_dir"));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("File too large"), "{line}");
    assert_eq!(fs::read(file(&folder)).unwrap(), before);
    let entries = fs::read_dir(folder.folder.path().join("state")).unwrap();
    assert_eq!(
        entries.count(),
        2,
        "that file and the lock; what was on its way has gone"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_once_and_no_reason_to_end() {
    let api = api().await;
    let folder = folder(&api, &sections("state_dir: /proc/self/nothing\n"));
    let (program, address) = serve(&folder, &[]).await;
    let shown = until("figures", async || {
        let shown = scrape(&address).await;
        let found = shown.of(FOUND, "avepoint_backup_users", &[]);
        found.map(|_| shown)
    })
    .await;
    assert_eq!(shown.get(UP, &[]), Some(0.0));
    let error = storage(&address).await["error"].to_string();
    assert!(
        error.contains("os error") || error.contains("not"),
        "{error}"
    );
    let ended = folder.start(&["check"]).end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("so a restart will lose the figures: make it writable"),
        "{}",
        ended.stdout
    );
    let log = end(program).await;
    assert_eq!(log.matches("state_dir").count(), 1, "{log}");
}

#[tokio::test]
async fn of_two_exporters_in_one_state_dir_the_second_says_so_and_leaves_it_to_the_first() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    let (first, first_address) = serve(&folder, &[]).await;
    let (second, second_address) = serve(&folder, &[]).await;
    for (address, up) in [(&first_address, 1.0), (&second_address, 0.0)] {
        assert_eq!(scrape(address).await.get(UP, &[]), Some(up));
    }
    assert_eq!(storage(&first_address).await["error"], Value::Null);
    let error = storage(&second_address).await["error"].to_string();
    assert!(
        error.contains("process ") && error.contains(" uses it"),
        "{error}"
    );
    let log = end(second).await;
    assert!(log.contains("give each exporter one of its own"), "{log}");
    assert!(!file(&folder).exists(), "the first has not saved yet");
    end(first).await;
    assert!(file(&folder).exists());
}

#[tokio::test]
async fn poll_and_check_write_nothing_and_poll_reads_nothing() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    for command in ["poll", "check"] {
        let ended = folder.start(&[command]).end().await;
        assert_eq!(ended.code, OK, "{}", ended.stderr);
        assert!(!folder.folder.path().join("state").exists(), "{command}");
    }
    fs::create_dir(folder.folder.path().join("state")).unwrap();
    fs::write(file(&folder), "damaged").unwrap();
    for command in ["poll", "check"] {
        let ended = folder.start(&[command]).end().await;
        assert_eq!(ended.code, OK);
        assert!(!ended.stderr.contains("warm-start"), "{}", ended.stderr);
    }
    assert_eq!(fs::read(file(&folder)).unwrap(), b"damaged");
}

#[tokio::test]
async fn a_check_goes_by_what_is_saved_and_says_where_that_is_missing() {
    let api = api().await;
    let folder = folder(&api, &sections(STATE));
    serve_once(&folder).await;
    let check = async || {
        let ended = folder
            .start(&["check", "--assume-users=100000"])
            .end()
            .await;
        let fits = !ended.stdout.contains("The rate limit is too low");
        let expected = if fits { OK } else { DOES_NOT_FIT };
        assert_eq!((ended.code, ended.stderr.as_str()), (expected, ""));
        ended.stdout
    };
    let line = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
    };
    let text = check().await;
    let saved = line(&text, "state_dir");
    let (_, saved_at) = saved.split_once("state: saved ").unwrap();
    assert!(
        line(&text, "tenants ").contains(" 1 listed, 1 discovered "),
        "{text}"
    );
    assert!(line(&text, "security_users").ends_with(" 2 tenants, every 5m"));
    // Two tenants, each with one page every 5 and one every 15 minutes.
    assert_eq!(
        line(&text, "requests per hour"),
        format!(
            "requests per hour    32 to elements, based on the sizes of the last polls, saved {saved_at}"
        )
    );
    assert!(
        line(&text, "series").contains(" for tenants and customers,"),
        "{text}"
    );

    // Another tenant, and other options for one that is known.
    let config = fs::read_to_string(folder.config()).unwrap();
    let other = TenantId::from_bits(3);
    let more = format!(
        "tenants:\n  - {{ customer_id: {other}, tenant_id: {other} }}\n  - customer_id: {OWN}\n    tenant_id: {OWN}\n    \
         collectors: {{ security_users: {{ exclude_test_users: true }} }}\n{STATE}"
    );
    let (start, _) = config.split_once("tenants:\n").unwrap();
    fs::write(folder.config(), format!("{start}{more}")).unwrap();
    let text = check().await;
    assert!(
        line(&text, "requests per hour").ends_with(&format!(
            "based on the sizes of the last polls, saved {saved_at}; assuming 100000 users per listing for 2 of 3 \
             tenants (--assume-users)"
        )),
        "{text}"
    );

    // What discovery knows is taken by the patterns of now.
    let config = config.replace(
        "enabled: true",
        "enabled: true, exclude: { tenant_name: fab.* }",
    );
    fs::write(folder.config(), config).unwrap();
    assert!(line(&check().await, "tenants ").contains(" 1 listed, 0 discovered "));

    fs::write(file(&folder), "[]").unwrap();
    let text = check().await;
    assert!(
        line(&text, "state_dir").ends_with(
            "state: the warm-start file is not a warm-start file of this program; `serve` will rename and ignore it"
        ),
        "{text}"
    );
    assert!(
        line(&text, "requests per hour")
            .ends_with(" assuming 100000 users per listing (--assume-users)")
    );
    fs::remove_file(file(&folder)).unwrap();
    assert!(line(&check().await, "state_dir").ends_with("state: empty, nothing saved yet"));
}
