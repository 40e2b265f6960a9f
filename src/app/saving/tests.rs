//! When what is known is written, and where.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::{Config, Source};
use crate::domain::Timestamp;
use crate::snapshot::Snapshot;
use crate::state;
use crate::troubles::Troubles;
use crate::upstream::{Clients, Stats};

const START: Duration = Duration::from_secs(1_790_000_000);

/// A second, which lets what is due at a time happen.
const MOMENT: Duration = Duration::from_secs(1);

/// An exporter's part that writes, at work, and all that it goes by.
struct Kept {
    folder: tempfile::TempDir,
    snapshots: watch::Sender<Arc<Snapshot>>,
    in_force: watch::Sender<Arc<InForce>>,
    running: task::JoinHandle<()>,
    shutdown: CancellationToken,
}

fn in_force(folder: &Path, state_dir: &str, clock: &Clock) -> Arc<InForce> {
    let source = Source {
        name: "test.yaml",
        base_dir: folder,
        env: &|_| None,
        now: Timestamp::default(),
    };
    let text = format!(
        "elements: {{ client_id: a, client_secret: b }}\ntenants:\n  - customer_id: 00000000-0000-0000-0000-000000000001\n    \
         tenant_id: 00000000-0000-0000-0000-000000000002\n{state_dir}"
    );
    let config = Config::parse(&text, &source).unwrap();
    let stats = Stats::register(&Registry::new()).unwrap();
    let clients = Clients::of_elements(&config.elements, &stats, clock);
    Arc::new(InForce {
        config,
        clients,
        reloads: 0,
    })
}

fn clock() -> Clock {
    let start = Instant::now();
    Clock::from_fn(move || Timestamp::from_unix(START + start.elapsed()))
}

impl Kept {
    fn start(state_dir: &str) -> Self {
        let clock = clock();
        let folder = tempfile::tempdir().unwrap();
        let (snapshots, read) = watch::channel(Arc::default());
        let first = in_force(folder.path(), state_dir, &clock);
        let opened = first.config.state_dir.as_deref();
        let opened = opened.map(|path| StateDir::open(path, clock.now()).0);
        let (in_force, changes) = watch::channel(first);
        let shutdown = CancellationToken::new();
        let saving = Saving {
            folder: opened,
            storage: Storage::register(&Registry::new(), Troubles::default(), clock.clone())
                .unwrap(),
            in_force: changes,
            snapshots: read,
            clock,
        };
        Self {
            folder,
            snapshots,
            in_force,
            running: tokio::spawn(saving.run(shutdown.clone())),
            shutdown,
        }
    }

    fn publish(&self) {
        self.snapshots.send_replace(Arc::default());
    }

    fn reload(&self, state_dir: &str) {
        let now = in_force(self.folder.path(), state_dir, &clock());
        self.in_force.send_replace(now);
    }

    /// The second at which the file in this folder was written.
    fn written(&self, name: &str) -> Option<u64> {
        let far = Timestamp::from_unix(START * 2);
        let saved = state::read(&self.folder.path().join(name), far).unwrap()?;
        Some(
            saved
                .written_at
                .since(Timestamp::from_unix(START))
                .as_secs(),
        )
    }

    async fn end(self) -> PathBuf {
        self.shutdown.cancel();
        self.running.await.unwrap();
        self.folder.keep()
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_is_written_every_five_minutes_and_what_does_not_is_not() {
    let kept = Kept::start("state_dir: a");
    kept.publish();
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(kept.written("a"), None);
    tokio::time::sleep(2 * MOMENT).await;
    assert_eq!(kept.written("a"), Some(300));
    tokio::time::sleep(SAVE_EVERY).await;
    assert_eq!(kept.written("a"), Some(300), "nothing has changed");
    kept.publish();
    tokio::time::sleep(SAVE_EVERY).await;
    assert_eq!(kept.written("a"), Some(900));
}

#[tokio::test(start_paused = true)]
async fn at_the_shutdown_all_is_written_at_once() {
    let kept = Kept::start("state_dir: a");
    kept.publish();
    tokio::time::sleep(MOMENT).await;
    let folder = kept.end().await;
    let saved = state::read(&folder.join("a"), Timestamp::from_unix(START * 2));
    let written_at = saved.unwrap().unwrap().written_at;
    assert_eq!(written_at, Timestamp::from_unix(START + MOMENT));
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reload_with_another_folder_writes_all_that_is_known_there_from_then_on() {
    let kept = Kept::start("state_dir: a");
    kept.publish();
    tokio::time::sleep(SAVE_EVERY + MOMENT).await;
    kept.reload("state_dir: b");
    tokio::time::sleep(SAVE_EVERY).await;
    assert_eq!(kept.written("a"), Some(300));
    assert_eq!(kept.written("b"), Some(600));
    // Nothing more is kept, and then it is again.
    kept.reload("");
    kept.publish();
    tokio::time::sleep(SAVE_EVERY).await;
    assert_eq!(kept.written("b"), Some(600));
    kept.reload("state_dir: a");
    tokio::time::sleep(SAVE_EVERY).await;
    assert_eq!(kept.written("a"), Some(1200));
}

#[tokio::test(start_paused = true)]
async fn a_reload_with_the_same_folder_changes_nothing() {
    let kept = Kept::start("state_dir: a");
    kept.publish();
    tokio::time::sleep(SAVE_EVERY + MOMENT).await;
    kept.reload("state_dir: a");
    tokio::time::sleep(SAVE_EVERY).await;
    assert_eq!(kept.written("a"), Some(300));
}

#[tokio::test(start_paused = true)]
async fn without_a_folder_nothing_is_written() {
    let kept = Kept::start("");
    kept.publish();
    tokio::time::sleep(SAVE_EVERY * 2).await;
    let folder = kept.end().await;
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    fs::remove_dir_all(folder).unwrap();
}
