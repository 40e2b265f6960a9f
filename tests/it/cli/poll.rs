//! The commands `poll` and `simulate`.

use std::io::Read as _;
use std::process::{Command, Stdio};

use avepoint_exporter::simulator::{Fault, Options, Rule, When, World};

use crate::cli::{FAILED, Folder, OK, run};
use crate::program::{Program, exporter, until};
use crate::support::{Exposition, config_text, simulator};

/// Keeps failing tries short.
const HASTY: &str = "  timeout: 1s\n  retry_deadline: 1s\n";

#[tokio::test]
async fn a_poll_prints_the_exposition_on_stdout_and_nothing_else() {
    let simulator = simulator(Options::new(World::seeded(1, 3, 40))).await;
    let folder = Folder::with(&config_text(&simulator, "", ""));
    let ended = folder.start(&["poll"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    let exposition = Exposition::read(&ended.stdout);
    for tenant in simulator.world().tenants() {
        let users = exposition.of(tenant.tenant_id, "avepoint_security_users", &[]);
        assert_eq!(users, Some(tenant.security_count(0) as f64));
    }
    for name in exposition.names() {
        assert!(
            name.starts_with("avepoint_") || name.starts_with("process_"),
            "{name}"
        );
    }
    assert!(
        exposition
            .get("avepoint_exporter_build_info", &[])
            .is_some()
    );
}

#[tokio::test]
async fn a_poll_that_fails_in_part_prints_the_rest_and_says_so_by_its_exit_status() {
    let world = World::seeded(1, 3, 40);
    let failing = world.tenants()[1].tenant_id;
    let mut options = Options::new(world);
    options.rules = vec![Rule::new(
        Fault::Forbidden,
        When::always().for_tenant(failing),
    )];
    let simulator = simulator(options).await;
    let folder = Folder::with(&config_text(&simulator, HASTY, ""));
    // The lines tell the tenant at whatever level they are written.
    let ended = folder.start(&["poll", "--log.level=warn"]).end().await;
    assert_eq!(ended.code, FAILED);
    let exposition = Exposition::read(&ended.stdout);
    assert_eq!(exposition.all("avepoint_security_users", &[]).count(), 2);
    let lines: Vec<_> = ended.stderr.lines().collect();
    let [first, second, last] = lines.as_slice() else {
        panic!("{}", ended.stderr)
    };
    for line in [first, second] {
        let words = ["level=warn", "reason=forbidden", &failing.to_string()];
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    assert_eq!(
        *last,
        "avepoint-exporter: 2 polls failed; see the log above"
    );
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_is_no_reason_to_panic() {
    let simulator = simulator(Options::new(World::seeded(1, 3, 40))).await;
    let folder = Folder::with(&config_text(&simulator, "", ""));
    let binary = exporter(["poll"]).get_program().to_owned();
    for (redirect, expected) in [
        // Nobody reads stdout: said on stderr.
        ("poll | true; exit ${PIPESTATUS[0]}", FAILED),
        ("check | true; exit ${PIPESTATUS[0]}", FAILED),
        // Nobody reads stderr.
        (
            "poll --config.file=none.yaml 2> >(exec true); exit $?",
            Some(64),
        ),
        // Both are closed.
        ("poll >&- 2>&-; exit $?", OK),
    ] {
        // The pipe is closed before the program writes: its reader is gone at once, the poll takes longer.
        let script = format!("\"$0\" {redirect}");
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script).arg(&binary);
        bash.current_dir(folder.config().parent().unwrap());
        let ended = Program::start(&mut bash).end().await;
        assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
        // A reader that was not gone in time leaves nothing to complain of.
        assert!(
            ended.code == expected || ended.code == OK,
            "{redirect}: {ended:?}"
        );
    }
}

#[tokio::test]
async fn the_simulator_prints_a_config_that_poll_takes_as_it_is() {
    let upstream = Program::start(&mut exporter([
        "simulate",
        "--listen=127.0.0.1:0",
        "--tenants=6",
        "--users=30",
        "--seed=3",
    ]));
    let world = World::seeded(3, 6, 30);
    let config = until("the printed configuration", async || {
        let text = upstream.stdout();
        let last = world.tenants().last().unwrap().tenant_name.clone();
        (text.contains(&last) && text.ends_with("}\n")).then_some(text)
    })
    .await;
    let folder = Folder::with(&config);
    let ended = folder.start(&["poll"]).end().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    let exposition = Exposition::read(&ended.stdout);
    for tenant in world.tenants() {
        let users = exposition.of(tenant.tenant_id, "avepoint_security_users", &[]);
        assert_eq!(users, Some(tenant.security_count(0) as f64));
        let names = [
            ("customer_name", tenant.customer_name.as_str()),
            ("m365_tenant_name", &tenant.tenant_name),
        ];
        assert_eq!(
            exposition.of(tenant.tenant_id, "avepoint_tenant_info", &names),
            Some(1.0)
        );
    }
    upstream.signal("TERM");
    assert_eq!(upstream.end().await.code, OK);
}

#[tokio::test]
async fn a_poll_without_a_reachable_upstream_fails_and_says_what_to_look_at() {
    let folder = Folder::with(
        "elements: { api_url: 'http://127.0.0.1:9', token_url: 'http://127.0.0.1:9/token', client_id: x, \
         client_secret: y, timeout: 1s, retry_deadline: 1s }\ntenants:\n\
         - { customer_id: 00000001-0000-0000-0000-000000000000, tenant_id: 00000001-0000-0000-0000-000000000000 }\n",
    );
    let ended = folder.start(&["poll"]).end().await;
    assert_eq!(ended.code, FAILED);
    for words in [
        "reason=connection",
        "check elements.token_url",
        "2 polls failed",
    ] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    let exposition = Exposition::read(&ended.stdout);
    assert_eq!(
        exposition.get("avepoint_credential_up", &[("credential", "elements")]),
        Some(0.0)
    );
    assert_eq!(run(&["poll", "--help"]).await.code, OK);
}

#[tokio::test]
async fn no_proxy_of_the_environment_sees_a_token_for_loopback() {
    let simulator = simulator(Options::new(World::seeded(1, 1, 40))).await;
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::with(&config_text(&simulator, HASTY, ""));
    let mut poll = exporter(["poll"]);
    let address = format!("http://{}", proxy.local_addr().unwrap());
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
    ] {
        poll.env(name, &address);
    }
    let ended = Program::start(poll.current_dir(folder.folder.path()))
        .end()
        .await;
    assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
    let asked = tokio::time::timeout(std::time::Duration::ZERO, proxy.accept()).await;
    assert!(asked.is_err(), "the proxy was asked");
}

#[tokio::test]
async fn a_pipe_that_stays_full_does_not_keep_the_program_from_ending() {
    let mut simulate = exporter([
        "simulate",
        "--tenants=2000",
        "--users=1",
        "--listen=127.0.0.1:0",
    ]);
    let mut simulate = simulate
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The configuration is larger than a pipe, and only its beginning is read.
    let mut beginning = [0; 20];
    simulate
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut beginning)
        .unwrap();
    let pid = simulate.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = until("the end of the program", async || {
        simulate.try_wait().unwrap()
    })
    .await;
    assert_eq!(status.code(), FAILED);
}

#[tokio::test]
async fn the_first_round_is_shown_on_a_terminal_and_nowhere_else() {
    let mut options = Options::new(World::seeded(1, 3, 40));
    options.latency = std::time::Duration::from_millis(100);
    let simulator = simulator(options).await;
    let folder = Folder::with(&config_text(&simulator, HASTY, ""));
    let binary = exporter(["poll"]).get_program().to_owned();
    for (redirect, shown) in [("", true), ("2>errors", false)] {
        // `script` gives the program a terminal.
        let command = format!("{} poll >metrics {redirect}", binary.to_str().unwrap());
        let mut terminal = Command::new("script");
        terminal
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder.folder.path());
        let ended = Program::start(&mut terminal).end().await;
        assert_eq!(ended.code, OK, "{}", ended.stdout);
        assert_eq!(
            ended.stdout.contains("/6 listings"),
            shown,
            "{}",
            ended.stdout
        );
    }
    let metrics = std::fs::read_to_string(folder.folder.path().join("metrics")).unwrap();
    assert!(!metrics.contains("listings,"));
    let errors = std::fs::read_to_string(folder.folder.path().join("errors")).unwrap();
    assert_eq!(errors, "");
}
