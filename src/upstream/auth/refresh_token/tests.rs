//! What lies on the disk before and after: each state that a process can leave behind when it is killed, and what
//! the next one makes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use crate::upstream::auth::scripted::{self, NOW, Reply, Service, grants, partner_center, refuses};
use crate::upstream::auth::source::TokenSource;

mod running;

const INVALID_GRANT: &str = "the token service refuses the refresh token (invalid_grant)";

/// A directory with the files of a refresh token.
struct Disk(TempDir);

impl Disk {
    fn new(files: &[(&str, &str)]) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            fs::write(disk.0.path().join(name), content).unwrap();
        }
        disk
    }

    fn token(&self) -> PathBuf {
        self.0.path().join("token")
    }

    fn open(&self, first: Option<&str>) -> Result<Arc<RefreshTokenFile>, RefreshTokenFileError> {
        let first = first.map(|token| Secret::from(token.to_owned()));
        RefreshTokenFile::open(&self.token(), first)
    }

    /// The files and what is in them; what the lock's file says depends on the process.
    fn files(&self) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap_or_default())
            })
            .filter(|(name, _)| name != "token.lock")
            .collect();
        files.sort();
        files
    }

    #[track_caller]
    fn assert_holds_only(&self, token: &str) {
        let expected = [("token".to_owned(), format!("{token}\n"))];
        assert_eq!(self.files(), expected);
    }
}

/// The note that this token is being exchanged since [`NOW`].
fn note(token: &str) -> String {
    let hash = TokenHash::of(&Secret::from(token.to_owned()));
    let disk = Disk::new(&[]);
    let files = Files::around(&disk.token()).unwrap();
    let exchange = Exchange {
        token: hash,
        since: NOW,
    };
    files.begin_exchange(&exchange).unwrap();
    fs::read_to_string(disk.0.path().join("token.exchange")).unwrap()
}

/// Opens the file and asks a service that accepts this token only, and hands out `next` for it. Returns the error,
/// if there is one.
async fn sign_in(disk: &Disk, first: Option<&str>, accepted: &'static str) -> Option<String> {
    let reply = move |form: &scripted::Form| -> Reply {
        if form["refresh_token"] == accepted {
            grants("next")
        } else {
            refuses("invalid_grant")
        }
    };
    let service = Service::start(reply).await;
    let config = partner_center(&service.url, disk.token(), first);
    let source = open_source(&config, disk, first);
    let error = source.token().await.err().map(|error| error.to_string());
    assert_eq!(service.asked().len(), 1);
    if error.is_none() {
        disk.assert_holds_only("next");
    }
    error
}

fn open_source(config: &config::PartnerCenter, disk: &Disk, first: Option<&str>) -> TokenSource {
    scripted::source(config, &disk.open(first).unwrap(), &scripted::stats())
}

#[tokio::test]
async fn killed_while_it_asked_the_old_token_is_tried_and_if_it_is_dead_the_error_says_why() {
    let files = [("token", "old\n"), ("token.exchange", &note("old"))];
    assert_eq!(sign_in(&Disk::new(&files), None, "old").await, None);

    let disk = Disk::new(&files);
    let error = sign_in(&disk, None, "new").await.unwrap();
    let expected = format!(
        "{INVALID_GRANT}; the exporter sent it at 2027-01-01T00:00:00Z to exchange it for a new token, but \
         stopped before it saved the new token; a user with the role Admin agent must consent again, with multi-factor \
         authentication, and write the new refresh token to {}; until then the exporter retries at most once an hour",
        disk.token().display()
    );
    assert_eq!(error, expected);
    let again = sign_in(&disk, None, "new").await.unwrap();
    assert_eq!(again, expected, "a further start says it too");

    fs::write(disk.token(), "by hand").unwrap();
    let error = sign_in(&disk, None, "new").await.unwrap();
    assert!(!error.contains("stopped"), "another token: {error}");
}

#[tokio::test]
async fn killed_while_it_wrote_the_new_token_what_there_is_of_it_is_thrown_away() {
    for torn in ["", "ne", "new", "n\0w\n", "\n"] {
        let files = [
            ("token", "old\n"),
            ("token.exchange", &note("old")),
            ("token.rotated", torn),
        ];
        let disk = Disk::new(&files);
        let error = sign_in(&disk, None, "new").await.unwrap();
        assert!(
            error.contains("but stopped before it saved the new token"),
            "{error}"
        );
        let left: Vec<_> = disk.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["token", "token.exchange"]);
        assert_eq!(sign_in(&Disk::new(&files), None, "old").await, None);
    }
}

#[tokio::test]
async fn killed_before_the_new_token_was_in_place_it_is_put_there() {
    let disk = Disk::new(&[
        ("token", "old\n"),
        ("token.exchange", &note("old")),
        ("token.rotated", "new\n"),
    ]);
    drop(disk.open(None).unwrap());
    disk.assert_holds_only("new");
    assert_eq!(sign_in(&disk, None, "new").await, None);

    let rotated = [
        ("token.exchange", &*note("first")),
        ("token.rotated", "new\n"),
    ];
    let disk = Disk::new(&rotated);
    drop(disk.open(Some("first")).unwrap());
    disk.assert_holds_only("new");
}

#[tokio::test]
async fn killed_before_the_note_was_removed_nothing_was_lost() {
    let disk = Disk::new(&[("token", "new\n"), ("token.exchange", &note("old"))]);
    drop(disk.open(None).unwrap());
    disk.assert_holds_only("new");
    let error = sign_in(&disk, None, "another").await.unwrap();
    assert!(
        error.starts_with(&format!("{INVALID_GRANT}; a user with")),
        "{error}"
    );
}

#[tokio::test]
async fn killed_while_it_wrote_the_note_nothing_was_asked() {
    let whole = note("old");
    for length in 0..whole.len() {
        let disk = Disk::new(&[("token", "old\n"), ("token.exchange", &whole[..length])]);
        drop(disk.open(None).unwrap());
        disk.assert_holds_only("old");
    }
}

#[tokio::test]
async fn what_a_person_put_into_the_file_wins_over_what_was_left() {
    let disk = Disk::new(&[
        ("token", "by hand"),
        ("token.exchange", &note("old")),
        ("token.rotated", "new\n"),
    ]);
    drop(disk.open(None).unwrap());
    assert_eq!(disk.files(), [("token".to_owned(), "by hand".to_owned())]);
    // Nothing was being exchanged, so this is none of ours.
    let disk = Disk::new(&[("token", "old\n"), ("token.rotated", "new\n")]);
    drop(disk.open(None).unwrap());
    disk.assert_holds_only("old");
}

#[tokio::test]
async fn the_start_value_counts_only_while_there_is_no_file() {
    assert_eq!(sign_in(&Disk::new(&[]), Some("first"), "first").await, None);
    let disk = Disk::new(&[("token", "of the file\r\n")]);
    assert_eq!(sign_in(&disk, Some("first"), "of the file").await, None);
    let error = Disk::new(&[]).open(None).unwrap_err().to_string();
    assert!(error.starts_with("no refresh token: /"), "{error}");
}

#[tokio::test]
async fn no_file_is_ever_readable_by_others() {
    let disk = Disk::new(&[
        ("token", "old\n"),
        ("token.exchange", ""),
        ("token.rotated", ""),
    ]);
    let everybody = fs::Permissions::from_mode(0o644);
    for name in ["token", "token.exchange", "token.rotated"] {
        fs::set_permissions(disk.0.path().join(name), everybody.clone()).unwrap();
    }
    let modes = |disk: &Disk| -> Vec<_> {
        let entries = fs::read_dir(disk.0.path()).unwrap();
        let entries = entries.map(|entry| entry.unwrap());
        let mode = |entry: fs::DirEntry| {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        };
        let mut modes: Vec<_> = entries.map(mode).collect();
        modes.sort();
        modes
    };
    let private = |names: &[&str]| -> Vec<_> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), 0o600))
            .collect()
    };
    let files = Files::around(&disk.token()).unwrap();
    let store = disk.open(None).unwrap();
    assert_eq!(modes(&disk), private(&["token", "token.lock"]));
    let exchange = Exchange {
        token: TokenHash::of(&Secret::from("old".to_owned())),
        since: NOW,
    };
    files.begin_exchange(&exchange).unwrap();
    files.store(&Secret::from("new".to_owned())).unwrap();
    drop(store);
    assert_eq!(
        modes(&disk),
        private(&["token", "token.exchange", "token.lock"])
    );
}

#[tokio::test]
async fn a_second_one_is_refused_and_told_who_has_the_file() {
    let disk = Disk::new(&[("token", "old\n")]);
    let first = disk.open(None).unwrap();
    let link = disk.0.path().join("link");
    std::os::unix::fs::symlink(disk.token(), &link).unwrap();
    for path in [disk.token(), link.clone()] {
        let error = RefreshTokenFile::open(&path, None).unwrap_err().to_string();
        let holder = format!("is locked by process {} on host ", std::process::id());
        assert!(error.contains(&holder), "{error}");
        assert!(
            error.contains("/token.lock); only one process may use it"),
            "{error}"
        );
    }
    drop(first);
    fs::remove_file(disk.token()).unwrap();
    assert!(
        disk.open(Some("first")).is_ok(),
        "the lock ends with its holder"
    );
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let disk = Disk::new(&[("elsewhere", "old\n")]);
    std::os::unix::fs::symlink(disk.0.path().join("elsewhere"), disk.token()).unwrap();
    let service = Service::start(|_| grants("next")).await;
    let config = partner_center(&service.url, disk.token(), None);
    open_source(&config, &disk, None).token().await.unwrap();
    assert!(fs::symlink_metadata(disk.token()).unwrap().is_symlink());
    let text = fs::read_to_string(disk.0.path().join("elsewhere")).unwrap();
    assert_eq!(text, "next\n");
}

#[test]
fn what_cannot_be_kept_is_refused_before_anything_is_asked() {
    #[track_caller]
    fn check(path: &Path, expected: &str) {
        let first = Some(Secret::from("hunter2".to_owned()));
        let error = RefreshTokenFile::open(path, first).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(
            error.contains("put partner_center.refresh_token_file into a writable"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
    let disk = Disk::new(&[]);
    check(&disk.0.path().join("nowhere/token"), "failed to find /");
    check(Path::new("/proc/token"), "failed to open /proc/token.lock");
    fs::create_dir(disk.0.path().join("token.rotated")).unwrap();
    check(&disk.token(), "token.rotated: ");
    fs::create_dir(disk.token()).unwrap();
    check(&disk.token(), "failed to read /");
    for (content, expected) in [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("hunter2\nhunter2\n", "it contains several lines"),
        ("hunter2\0", "a control character"),
    ] {
        let disk = Disk::new(&[("token", content)]);
        check(&disk.token(), expected);
    }
    let disk = Disk::new(&[("token", &"hunter2".repeat(10_000))]);
    check(&disk.token(), "it is larger than 64KiB");
}
