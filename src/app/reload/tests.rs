//! What becomes of the files that the configuration names while the exporter runs.

use std::fs;

use super::*;

const TEXT: &str = "elements: { client_id: a, client_secret_file: app.secret }\ntenants:\n  - customer_id: \
                    00000000-0000-0000-0000-000000000001\n    tenant_id: 00000000-0000-0000-0000-000000000002\n";

/// A configuration in force, with its secret in a file.
struct Running {
    folder: tempfile::TempDir,
    file: Arc<ConfigFile>,
    reloader: Reloader,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, TEXT).unwrap();
        fs::write(folder.path().join("app.secret"), "one").unwrap();
        let file = ConfigFile::read(&path).unwrap();
        let registry = Registry::new();
        let stats = Stats::register(&registry).unwrap();
        let config = file.parse().unwrap();
        let reloader = Reloader::new(&config, stats, Clock::system(), &registry).unwrap();
        Self {
            folder,
            file: Arc::new(file),
            reloader,
        }
    }

    fn write(&self, secret: Option<&str>) {
        let path = self.folder.path().join("app.secret");
        match secret {
            Some(secret) => fs::write(path, secret).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }

    /// Looks at the files. Returns whether all is well by the metric.
    async fn look(&mut self) -> bool {
        self.reloader.look(&self.file).await;
        self.reloader.successful.get() == 1
    }
}

#[tokio::test]
async fn a_file_that_is_missing_at_two_looks_is_an_error_until_it_is_back() {
    let mut running = Running::start();
    assert!(running.look().await);
    running.write(None);
    assert!(running.look().await, "it may be on its way");
    assert!(!running.look().await);
    let error = running.reloader.files_refused.clone().unwrap();
    assert!(
        error.ends_with("app.secret is missing; put it back"),
        "{error}"
    );
    running.write(Some("one"));
    assert!(running.look().await);
    for secret in ["two", "three"] {
        running.write(None);
        assert!(running.look().await);
        running.write(Some(secret));
        assert!(running.look().await);
    }
}

#[tokio::test]
async fn a_reload_that_a_missing_file_has_failed_is_done_when_the_file_is_there() {
    let mut running = Running::start();
    let path = running.folder.path().join("config.yaml");
    running.write(None);
    let error = running.reloader.reload(&path).await.unwrap_err();
    assert!(error.contains("app.secret"), "{error}");
    assert!(
        running.reloader.try_again().await.is_none(),
        "still missing"
    );
    assert!(!running.look().await);
    for secret in ["one", "two"] {
        running.write(Some(secret));
        let reloads = running.reloader.in_force.borrow().reloads;
        let accepted = running.reloader.try_again().await;
        if secret == "one" {
            assert!(accepted.is_some());
            assert_eq!(running.reloader.in_force.borrow().reloads, reloads + 1);
            assert!(running.reloader.shared.stats.troubles.now().is_empty());
        } else {
            assert!(accepted.is_none(), "once is enough");
        }
        assert!(running.look().await);
    }
    // A text that is wrong stays refused, whatever its files are.
    fs::write(&path, format!("{TEXT}nonsense: 1\n")).unwrap();
    assert!(running.reloader.reload(&path).await.is_err());
    assert!(running.reloader.try_again().await.is_none());
    assert!(!running.look().await);
    fs::write(&path, TEXT).unwrap();
    assert!(
        running.reloader.try_again().await.is_none(),
        "nobody asked for it"
    );
    assert!(running.reloader.reload(&path).await.is_ok());
    assert!(running.look().await);
}

#[tokio::test]
async fn a_bad_file_that_is_deleted_stays_an_error() {
    let mut running = Running::start();
    running.write(Some(""));
    assert!(!running.look().await);
    running.write(None);
    for _ in 0..3 {
        assert!(!running.look().await);
    }
    running.write(Some("two"));
    assert!(running.look().await);
}
