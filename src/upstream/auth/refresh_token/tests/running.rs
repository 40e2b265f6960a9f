//! What happens to the token while the process runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use tokio::sync::Notify;

use super::super::*;
use super::{Disk, INVALID_GRANT};
use crate::config::PartnerCenter;
use crate::upstream::auth::scripted::{self, Service, grants, partner_center, refuses, strict};
use crate::upstream::auth::source::{Token, TokenSource};
use crate::upstream::http::stats::Stats;

/// What signs in with the token of a disk.
struct SignIn {
    disk: Disk,
    service: Service,
    config: PartnerCenter,
    store: Arc<RefreshTokenFile>,
    stats: Stats,
    source: TokenSource,
}

impl SignIn {
    /// With `token-1` in the file.
    async fn new(reply: impl FnMut(&scripted::Form) -> scripted::Reply + Send + 'static) -> Self {
        let disk = Disk::new(&[("token", "token-1\n")]);
        let service = Service::start(reply).await;
        let config = partner_center(&service.url, disk.token(), None);
        let store = disk.open(None).unwrap();
        let stats = scripted::stats();
        let source = scripted::source(&config, &store, &stats);
        Self {
            disk,
            service,
            config,
            store,
            stats,
            source,
        }
    }

    /// Asks for a token as if there were none.
    async fn renewed(&self) -> Result<Arc<Token>, TokenError> {
        scripted::source(&self.config, &self.store, &self.stats)
            .token()
            .await
    }

    /// The refresh tokens that were handed in.
    fn handed_in(&self) -> Vec<String> {
        let asked = self.service.asked().into_iter();
        asked
            .map(|mut form| form.remove("refresh_token").unwrap())
            .collect()
    }

    fn replace(&self, token: &str) {
        std::fs::write(self.disk.token(), token).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.0.path().join(name)
    }

    fn failures(&self, reason: &str) -> u64 {
        let labels = ["partner_center", reason];
        self.stats.token_failures.with_label_values(&labels).get()
    }

    /// Why the credential fails, by `avepoint_credential_failing`.
    fn failing(&self) -> Vec<String> {
        let families = self.stats.credential_failing.collect();
        let metrics = families.iter().flat_map(MetricFamily::get_metric);
        let reasons = metrics.map(|metric| {
            let labels = metric.get_label();
            assert_eq!(labels[0].value(), "partner_center");
            labels[1].value().to_owned()
        });
        reasons.collect()
    }

    fn gauges(&self) -> [i64; 2] {
        let labels = ["partner_center"];
        let up = self.stats.credential_up.with_label_values(&labels).get();
        let requests = self.stats.token_requests.with_label_values(&labels).get();
        [up, i64::try_from(requests).unwrap()]
    }
}

/// Lets this time pass in an instant.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn each_exchange_stores_the_new_token_before_the_access_token_is_handed_out() {
    let at = SignIn::new(strict()).await;
    for next in ["token-2", "token-3", "token-4"] {
        at.renewed().await.unwrap();
        at.disk.assert_holds_only(next);
    }
    assert_eq!(at.handed_in(), ["token-1", "token-2", "token-3"]);
    assert_eq!(at.gauges(), [1, 3]);
    let rotated = at
        .stats
        .refresh_token_rotation
        .with_label_values(&["partner_center"]);
    let now = scripted::NOW.as_secs_f64();
    assert_eq!(rotated.get().to_bits(), now.to_bits());
}

#[tokio::test]
async fn a_token_that_a_process_before_stored_is_as_old_as_its_file() {
    let disk = Disk::new(&[("token", "token-1\n")]);
    let stored = UNIX_EPOCH + Duration::from_hours(80 * 24);
    let file = std::fs::File::options().write(true).open(disk.token());
    file.unwrap().set_modified(stored).unwrap();
    let service = Service::start(strict()).await;
    let config = partner_center(&service.url, disk.token(), None);
    let stats = scripted::stats();
    let _source = scripted::source(&config, &disk.open(None).unwrap(), &stats);
    let rotated = stats
        .refresh_token_rotation
        .with_label_values(&["partner_center"]);
    assert_eq!(rotated.get().to_bits(), 6_912_000_f64.to_bits());
}

#[tokio::test]
async fn while_it_is_asked_the_old_token_and_a_note_lie_on_the_disk() {
    let (seen, seeing) = (
        Arc::new(std::sync::Mutex::new(None)),
        Arc::new(std::sync::Mutex::new(None)),
    );
    let (place, found) = (Arc::clone(&seen), Arc::clone(&seeing));
    let at = SignIn::new(move |_| {
        let path: Option<PathBuf> = place.lock().unwrap().clone();
        let read = |ending: &str| {
            std::fs::read_to_string(path.clone().unwrap().with_extension(ending)).unwrap()
        };
        *found.lock().unwrap() = Some((read(""), read("exchange")));
        grants("token-2")
    })
    .await;
    *seen.lock().unwrap() = Some(at.disk.token());
    at.renewed().await.unwrap();
    let expected = ("token-1\n".to_owned(), super::note("token-1"));
    assert_eq!(*seeing.lock().unwrap(), Some(expected));
}

#[tokio::test]
async fn a_service_that_gives_no_new_token_or_the_same_leaves_the_old_one_in_place() {
    for reply in [
        r#"{"access_token": "a"}"#,
        r#"{"access_token": "a", "refresh_token": "token-1"}"#,
    ] {
        let at = SignIn::new(move |_| Some((200, reply.to_owned()))).await;
        at.renewed().await.unwrap();
        at.renewed().await.unwrap();
        at.disk.assert_holds_only("token-1");
        assert_eq!(at.handed_in(), ["token-1", "token-1"]);
    }
}

#[tokio::test]
async fn a_new_token_is_stored_even_beside_an_access_token_that_is_of_no_use() {
    let body = r#"{"access_token": "a", "token_type": "mac", "refresh_token": "token-2"}"#;
    let at = SignIn::new(move |_| Some((200, body.to_owned()))).await;
    let error = at.renewed().await.unwrap_err().to_string();
    assert!(error.contains("its token_type is not Bearer"), "{error}");
    at.disk.assert_holds_only("token-2");
}

#[tokio::test]
async fn two_sources_of_one_token_never_exchange_it_at_once() {
    let at = SignIn::new(strict()).await;
    let other = scripted::source(&at.config, &at.store, &at.stats);
    let (one, two) = tokio::join!(at.source.token(), other.token());
    assert!(one.is_ok() && two.is_ok());
    at.disk.assert_holds_only("token-3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_is_cancelled_does_not_cancel_the_exchange() {
    let (asked, go_on) = (
        Arc::new(Notify::new()),
        Arc::new(std::sync::Barrier::new(2)),
    );
    let (is_asked, barrier) = (Arc::clone(&asked), Arc::clone(&go_on));
    let at = SignIn::new(move |_| {
        is_asked.notify_one();
        tokio::task::block_in_place(|| barrier.wait());
        grants("token-2")
    });
    let at = Arc::new(at.await);
    let poll = tokio::spawn({
        let at = Arc::clone(&at);
        async move { at.source.token().await.map(drop) }
    });
    asked.notified().await;
    poll.abort();
    assert!(poll.await.unwrap_err().is_cancelled());
    go_on.wait();
    at.store.settled().await;
    at.disk.assert_holds_only("token-2");
    at.source.token().await.unwrap();
    assert_eq!(
        at.handed_in(),
        ["token-1"],
        "the access token was not lost either"
    );
}

#[tokio::test]
async fn an_exchange_that_is_only_spawned_yet_is_waited_for() {
    let at = SignIn::new(strict()).await;
    // Polled once, on the one thread there is: the task is spawned, and has not run.
    tokio::select! {
        biased;
        _ = at.source.token() => panic!("it did not wait"),
        () = std::future::ready(()) => {}
    }
    at.store.settled().await;
    at.disk.assert_holds_only("token-2");
}

#[tokio::test]
async fn while_a_token_is_valid_nobody_waits_for_another_one() {
    let at = SignIn::new(strict()).await;
    let first = at.source.token().await.unwrap();
    pass(Duration::from_mins(56)).await;
    let exchanging = at.store.state.lock().await;
    let again = at.source.token().await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    drop(exchanging);
    at.store.settled().await;
    at.disk.assert_holds_only("token-3");
    let renewed = at.source.token().await.unwrap();
    assert!(!Arc::ptr_eq(&first, &renewed));
}

#[tokio::test]
async fn a_new_token_that_cannot_be_written_is_used_from_memory_and_written_when_that_is_possible()
{
    let at = SignIn::new(strict()).await;
    std::fs::create_dir(at.path("token.rotated")).unwrap();
    at.renewed().await.unwrap();
    at.renewed().await.unwrap();
    assert_eq!(at.handed_in(), ["token-1", "token-2"]);
    assert_eq!(
        std::fs::read_to_string(at.disk.token()).unwrap(),
        "token-1\n"
    );
    assert_eq!(
        std::fs::read_to_string(at.path("token.exchange")).unwrap(),
        super::note("token-1")
    );
    assert_eq!(at.gauges(), [1, 2], "there are tokens meanwhile");
    assert_eq!(at.failing(), ["storage"]);

    at.source.token().await.unwrap();
    // From here on nothing is sent, since the access token is good for an hour.
    tokio::time::pause();
    tokio::time::advance(WRITE_AGAIN_AFTER).await;
    at.source.token().await.unwrap();
    std::fs::remove_dir(at.path("token.rotated")).unwrap();
    at.source.token().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(at.disk.token()).unwrap(),
        "token-1\n",
        "just tried"
    );
    tokio::time::advance(WRITE_AGAIN_AFTER).await;
    at.source.token().await.unwrap();
    tokio::time::resume();
    at.disk.assert_holds_only("token-4");
    assert!(at.failing().is_empty());
    at.renewed().await.unwrap();
    at.disk.assert_holds_only("token-5");
}

#[tokio::test]
async fn nothing_is_asked_while_not_even_a_note_can_be_written() {
    let at = SignIn::new(strict()).await;
    std::fs::create_dir(at.path("token.exchange")).unwrap();
    let error = at.renewed().await.unwrap_err().to_string();
    assert!(
        error.starts_with("the refresh token cannot be saved: failed to "),
        "{error}"
    );
    assert!(
        error.contains("; sent no request, so the token in /"),
        "{error}"
    );
    assert_eq!(at.service.asked().len(), 0);
    assert_eq!(at.gauges(), [0, 1]);
    assert_eq!(at.failures("storage"), 1);
    assert_eq!(at.failing(), ["storage"]);
    std::fs::remove_dir(at.path("token.exchange")).unwrap();
    at.renewed().await.unwrap();
    assert!(at.failing().is_empty());
    at.disk.assert_holds_only("token-2");
}

#[tokio::test]
async fn a_file_that_a_person_replaces_is_used_at_the_next_exchange() {
    let at = SignIn::new(|form| grants(&format!("{}+", form["refresh_token"]))).await;
    at.renewed().await.unwrap();
    at.replace("by hand");
    at.renewed().await.unwrap();
    at.disk.assert_holds_only("by hand+");
    assert_eq!(at.handed_in(), ["token-1", "by hand"]);

    std::fs::create_dir(at.path("token.rotated")).unwrap();
    at.renewed().await.unwrap();
    std::fs::remove_dir(at.path("token.rotated")).unwrap();
    at.replace("by hand again");
    at.renewed().await.unwrap();
    at.disk.assert_holds_only("by hand again+");
}

#[tokio::test]
async fn a_file_that_a_person_replaces_during_an_exchange_is_not_overwritten() {
    let place = Arc::new(std::sync::Mutex::new(PathBuf::new()));
    let file = Arc::clone(&place);
    let at = SignIn::new(move |_| {
        std::fs::write(&*file.lock().unwrap(), "by hand\n").unwrap();
        grants("token-2")
    })
    .await;
    *place.lock().unwrap() = at.disk.token();
    at.renewed().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(at.disk.token()).unwrap(),
        "by hand\n"
    );
}

#[tokio::test]
async fn a_refused_token_is_not_handed_in_again_until_the_file_changes_or_an_hour_has_passed() {
    let at = SignIn::new(|form| {
        if form["refresh_token"] == "by hand" {
            grants("token-2")
        } else {
            refuses("invalid_grant")
        }
    })
    .await;
    let expected = at.renewed().await.unwrap_err().to_string();
    assert!(
        expected.starts_with(&format!(
            "{INVALID_GRANT}; a user with the role Admin agent must consent again"
        )),
        "{expected}"
    );
    for _ in 0..3 {
        let error = at.renewed().await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(at.gauges(), [0, 1], "no request, and none counted");
    }
    pass(Duration::from_mins(55)).await;
    at.renewed().await.unwrap_err();
    assert_eq!(at.service.asked().len(), 1);
    pass(Duration::from_mins(5)).await;
    at.renewed().await.unwrap_err();
    assert_eq!(at.service.asked().len(), 2);
    assert_eq!(at.gauges(), [0, 2]);
    assert_eq!(at.failures("invalid_grant"), 2);

    at.replace("by hand");
    at.renewed().await.unwrap();
    at.disk.assert_holds_only("token-2");
    assert_eq!(at.gauges(), [1, 3]);
}

#[tokio::test]
async fn a_reload_keeps_the_file_and_brings_a_new_start_value() {
    let disk = Disk::new(&[]);
    let service = Service::start(|form| {
        if form["refresh_token"] == "good" {
            grants("token-2")
        } else {
            refuses("invalid_grant")
        }
    });
    let service = service.await;
    let config = partner_center(&service.url, disk.token(), Some("bad"));
    let store = RefreshTokenFile::keep_or_open(None, &config).unwrap();
    let sign_in = async |config: &PartnerCenter, store: &Arc<RefreshTokenFile>| {
        let source = scripted::source(config, store, &scripted::stats());
        source.token().await.map(drop)
    };
    sign_in(&config, &store).await.unwrap_err();
    let kept = RefreshTokenFile::keep_or_open(Some(&store), &config).unwrap();
    assert!(Arc::ptr_eq(&kept, &store));
    sign_in(&config, &kept).await.unwrap_err();
    assert_eq!(service.asked().len(), 1, "the reload changed nothing");

    let config = partner_center(&service.url, disk.token(), Some("good"));
    let kept = RefreshTokenFile::keep_or_open(Some(&store), &config).unwrap();
    sign_in(&config, &kept).await.unwrap();
    disk.assert_holds_only("token-2");

    let elsewhere = Disk::new(&[("token", "good\n")]);
    let config = partner_center(&service.url, elsewhere.token(), None);
    let other = RefreshTokenFile::keep_or_open(Some(&store), &config).unwrap();
    sign_in(&config, &other).await.unwrap();
    elsewhere.assert_holds_only("token-2");
}

#[tokio::test]
async fn a_reload_does_not_wait_for_an_exchange_and_knows_the_file_by_any_path() {
    let at = SignIn::new(strict()).await;
    let exchanging = at.store.state.lock().await;
    let link = at.path("link");
    std::os::unix::fs::symlink(at.disk.token(), &link).unwrap();
    for path in [at.disk.token(), link] {
        let config = partner_center(&at.service.url, path, Some("first"));
        let kept = RefreshTokenFile::keep_or_open(Some(&at.store), &config).unwrap();
        assert!(Arc::ptr_eq(&kept, &at.store));
    }
    drop(exchanging);
}

#[tokio::test]
async fn a_new_token_whose_answer_is_lost_is_told_of_when_the_old_one_is_refused() {
    let asked = AtomicUsize::new(0);
    let at = SignIn::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => None,
        _ => refuses("invalid_grant"),
    })
    .await;
    let error = at.renewed().await.unwrap_err().to_string();
    assert!(
        error.starts_with("connection to the token service 127.0.0.1:"),
        "{error}"
    );
    let error = at.renewed().await.unwrap_err().to_string();
    let expected = format!(
        "{INVALID_GRANT}; the exporter sent it at 2027-01-01T00:00:00Z to exchange it for a new token, but \
         the response with the new token was lost; a user with the role Admin agent must consent again"
    );
    assert!(error.starts_with(&expected), "{error}");
}
