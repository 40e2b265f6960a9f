//! The exporter's own machine: its disk, its configuration, its port, its memory.

use std::fs;

use super::scene::{
    Scene, Told, alerts, config, exporter_down, folder, serve, start, upstream, write_private,
};
use crate::http::get;
use crate::program::until;

const STATE_DIR: &str = "state_dir: state\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_state_dir_that_cannot_be_written() {
    let upstream = upstream(2, Vec::new()).await;
    let config = format!("{}state_dir: /proc/self/nothing\n", config(&upstream, &[]));
    let scene = Scene::start(&config).await;
    scene
        .tells(&Told {
            log: &["/proc/self/nothing"],
            metric: "avepoint_exporter_state_dir_up == 0",
            trouble: ("storage", &["nothing"]),
            next_step: "Make state_dir writable",
            alert: (
                "AvePointStateDirFailing",
                "warning",
                "cannot write to state_dir",
            ),
            runbook: "The directory is read-only or owned by another user",
        })
        .await;
    let shown = "avepoint_collector_up == 0";
    assert!(scene.prometheus.query(shown).await.is_empty(), "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_at_a_reload() {
    let upstream = upstream(2, Vec::new()).await;
    let config = config(&upstream, &[]);
    let scene = Scene::start(&config).await;
    let file = scene.folder.path().join("config.yaml");
    fs::write(&file, format!("{config}nonsense: 1\n")).unwrap();
    scene.program.signal("HUP");
    scene
        .tells(&Told {
            log: &["failed to reload the configuration", "nonsense"],
            metric: "avepoint_exporter_config_last_reload_successful == 0",
            trouble: ("reload", &["config.yaml:", "nonsense"]),
            next_step: "Correct the configuration and reload",
            alert: (
                "AvePointReloadFailed",
                "warning",
                "refused its configuration",
            ),
            runbook: "Fix the errors that `check` reports",
        })
        .await;
    assert_eq!(scene.status().await["reload"]["up"], false);
    fs::write(&file, config).unwrap();
    scene.program.signal("HUP");
    scene.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_file_that_is_emptied_and_then_deleted() {
    let upstream = upstream(2, Vec::new()).await;
    let config = config(&upstream, &[]);
    let scene = Scene::start(&config).await;
    let secret = scene.folder.path().join("elements.secret");
    let right = fs::read_to_string(&secret).unwrap();
    let told = |words: &'static [&'static str]| Told {
        log: words,
        metric: "avepoint_exporter_config_last_reload_successful == 0",
        trouble: ("reload", &["elements.secret"]),
        next_step: "or correct the file",
        alert: (
            "AvePointReloadFailed",
            "warning",
            "refused its configuration",
        ),
        runbook: "or such a file is missing, write the right contents to the file",
    };
    write_private(&secret, "");
    scene
        .tells(&told(&[
            "refused changed files",
            "elements.secret",
            "is empty",
        ]))
        .await;
    // That does not end it.
    fs::remove_file(&secret).unwrap();
    scene
        .tells(&told(&[
            "refused changed files",
            "elements.secret is missing; put it back",
        ]))
        .await;
    write_private(&secret, &right);
    scene.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken() {
    let upstream = upstream(1, Vec::new()).await;
    let folder = folder(&config(&upstream, &[]));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (prometheus, _room) = Scene::alone(&address).await;
    let ended = start(&folder, &[&format!("--web.listen-address={address}")])
        .end()
        .await;
    assert_eq!(ended.code, Some(1));
    let words = format!("failed to listen on {address}; see --web.listen-address");
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
    exporter_down(
        &prometheus,
        "Any other status is a failure that the log names",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_and_a_damaged_file_lose_nothing_else() {
    let upstream = upstream(2, Vec::new()).await;
    let config = format!("{}{STATE_DIR}", config(&upstream, &[]));
    let folder = folder(&config);
    let (program, address) = serve(&folder, "127.0.0.1:0").await;
    until("the first round", async || {
        (get(&address, "/-/ready").await.status == 200).then_some(())
    })
    .await;
    program.signal("KILL");
    program.end().await;
    fs::create_dir_all(folder.path().join("state")).unwrap();
    fs::write(folder.path().join("state/warm-start.json"), "damaged").unwrap();
    let scene = Scene::start_in(folder).await;
    until("the log about the damaged file", async || {
        let log = scene.program.stderr();
        let mut lines = log.lines();
        lines
            .any(|line| line.contains("warm-start") && line.contains("state/warm-start.json"))
            .then_some(())
    })
    .await;
    until("the figures", async || {
        let found = "count(avepoint_collector_up == 1) == 4";
        (!scene.prometheus.query(found).await.is_empty()).then_some(())
    })
    .await;
    scene.is_well().await;
    until("the end of all alerts about the exporter", async || {
        let firing = scene.prometheus.firing().await;
        // Those about users are of the simulated world.
        let is_ours = |name: &str| {
            [
                "Restarting",
                "Down",
                "StateDir",
                "Stale",
                "Failing",
                "Blind",
            ]
            .iter()
            .any(|part| name.contains(part))
        };
        let mut names = firing.iter().map(|alert| &alert.labels["alertname"]);
        (!names.any(|name| is_ours(name))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_killed_again_and_again() {
    let upstream = upstream(1, Vec::new()).await;
    let config = config(&upstream, &[]);
    let mut scene = Scene::start(&config).await;
    for restarts in 1..=3 {
        until("a scrape", async || {
            let since = "process_start_time_seconds";
            (!scene.prometheus.query(since).await.is_empty()).then_some(())
        })
        .await;
        // As the kernel does it for lack of memory: nothing is logged.
        scene.program.signal("KILL");
        let (program, _) = serve(&scene.folder, &scene.address).await;
        scene.program = program;
        let seen = format!("changes(process_start_time_seconds[1h]) >= {restarts}");
        until(&seen, async || {
            (!scene.prometheus.query(&seen).await.is_empty()).then_some(())
        })
        .await;
    }
    let alert = (
        "AvePointExporterRestarting",
        "critical",
        "the exporter restarts repeatedly",
    );
    let step = "it ran out of memory. Raise the memory limit";
    alerts(&scene.prometheus, alert, step).await;
}
