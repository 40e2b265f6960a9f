//! The files that come with the program are those of the repository: all of them, as `assets` writes them and as a
//! running exporter serves them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use avepoint_exporter::bundle::FOLDERS;

use super::demo::demo;
use super::{FAILED, OK, USAGE};
use crate::http::{get, request};
use crate::program::{Ended, Program, exporter};

/// The files of the repository that belong to the program, by where `assets` writes them.
fn tree() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    for (from, to, extension) in [
        ("dashboards", "dashboards/", "json"),
        ("rules", "rules/", "yml"),
        ("docs/runbooks", "runbooks/", "md"),
    ] {
        for entry in fs::read_dir(root.join(from)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|have| have == extension) {
                let name = path.file_name().unwrap().to_str().unwrap();
                files.insert(format!("{to}{name}"), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// The same with what is written only.
fn written() -> BTreeMap<String, String> {
    let example = include_str!("../../../deploy/alertmanager.yml");
    let mut files = tree();
    files.insert("alertmanager.yml".to_owned(), example.to_owned());
    files
}

/// What is in a folder and those in it.
fn below(folder: &Path) -> BTreeMap<String, String> {
    fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                walk(&path, &format!("{name}/"), files);
            } else {
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, "", &mut files);
    files
}

async fn assets(folder: &Path) -> Ended {
    Program::start(exporter(["assets", "--out=out"]).current_dir(folder))
        .end()
        .await
}

#[test]
fn the_program_has_the_files_of_the_repository() {
    let bundled: Vec<_> = FOLDERS
        .iter()
        .flat_map(|folder| {
            let files = folder.files.iter();
            files.map(|file| format!("{}/{}", folder.name, file.name))
        })
        .collect();
    let tree: Vec<_> = tree().into_keys().collect();
    assert_eq!(
        bundled, tree,
        "src/bundle.rs lists other files than the folders have"
    );
}

#[tokio::test]
async fn alerts_lead_to_the_runbooks_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = async |url: &str| {
        let url = format!("--runbook-url={url}");
        Program::start(exporter(["assets", "--out=out", &url]).current_dir(folder.path()))
            .end()
            .await
    };
    for url in [
        "http://exporter.example.com:10044/runbooks",
        "http://exporter.example.com:10044/runbooks/",
    ] {
        let ended = write(url).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
        let alerts = &below(&folder.path().join("out"))["rules/avepoint-alerts.yml"];
        let links: Vec<_> = alerts
            .lines()
            .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
            .collect();
        assert!(links.len() > 20, "{links:?}");
        for link in links {
            let name = link.strip_prefix("http://exporter.example.com:10044/runbooks/AvePoint");
            assert!(
                name.and_then(|name| name.strip_suffix(".md")).is_some(),
                "{link}"
            );
        }
    }
    for wrong in [
        "",
        "exporter/runbooks",
        "file:///runbooks",
        "http://x/?a=b",
        "javascript:x",
    ] {
        let ended = write(wrong).await;
        assert_eq!(ended.code, USAGE, "{wrong}");
        assert!(ended.stderr.contains("expected a URL"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn assets_writes_all_files_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    // The second time there are files already, and others beside them.
    for round in 0..2 {
        let ended = assets(folder.path()).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (OK, ""));
        let said: BTreeSet<_> = ended.stdout.lines().map(str::to_owned).collect();
        let changed = "out/rules/avepoint-recording.yml";
        let expected: BTreeSet<_> = written()
            .keys()
            .map(|name| format!("out/{name}"))
            .map(|path| match round {
                1 if path == changed => format!("{path} (previous file kept as {path}.old)"),
                _ => path,
            })
            .collect();
        assert_eq!(said, expected);
        let mut found = below(&folder.path().join("out"));
        if round == 1 {
            let kept = found.remove("rules/avepoint-recording.yml.old");
            assert_eq!(kept.unwrap(), "changed");
            assert_eq!(found.remove("rules/own.yml").unwrap(), "mine");
        }
        assert_eq!(found, written());
        let rules = folder.path().join("out/rules");
        fs::write(rules.join("own.yml"), "mine").unwrap();
        fs::write(rules.join("avepoint-recording.yml"), "changed").unwrap();
    }
    let mode = folder.path().join("out/rules/avepoint-recording.yml");
    let mode = fs::metadata(mode).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o044,
        0o666 & !umask() & 0o044,
        "who else may read the files"
    );
}

/// The umask of this process, as its children have it.
fn umask() -> u32 {
    let said = Command::new("sh").args(["-c", "umask"]).output().unwrap();
    u32::from_str_radix(String::from_utf8(said.stdout).unwrap().trim(), 8).unwrap()
}

#[tokio::test]
async fn assets_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out"), "a file").unwrap();
    let ended = assets(folder.path()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert_eq!(
        ended.stderr,
        "avepoint-exporter: failed to create the directory out/dashboards; choose another one with --out: Not a \
         directory \
         (os error 20)\n"
    );

    let folder = tempfile::tempdir().unwrap();
    let way = folder.path().join("out/rules/avepoint-recording.yml");
    fs::create_dir_all(way).unwrap();
    let ended = assets(folder.path()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert_eq!(
        ended.stderr,
        "avepoint-exporter: failed to write out/rules/avepoint-recording.yml; check free space and permissions, or \
         choose another directory with --out: Is a directory (os error 21)\n"
    );
}

#[tokio::test]
async fn a_full_disk_leaves_the_files_that_were_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(assets(folder.path()).await.code, OK);
    let out = folder.path().join("out");
    let before = below(&out);
    // As on a full disk: files cannot grow.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"])
        .arg(exporter([""; 0]).get_program())
        .args(["assets", "--out=out"])
        .current_dir(folder.path());
    let ended = Program::start(&mut command).end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (FAILED, ""));
    assert!(
        ended
            .stderr
            .starts_with("avepoint-exporter: failed to write out/dashboards/")
            && ended.stderr.ends_with("File too large (os error 27)\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(below(&out), before);
}

#[tokio::test]
async fn a_running_exporter_serves_the_same_files() {
    let (_program, address) = demo(&[]).await;
    let mut links = BTreeSet::new();
    for folder in ["dashboards", "rules", "runbooks"] {
        let moved = get(&address, &format!("/{folder}")).await;
        let to = format!("{folder}/");
        assert_eq!(
            (moved.status, moved.header("location")),
            (308, Some(to.as_str()))
        );
        let list = get(&address, &format!("/{to}")).await.text();
        for (at, href) in list.match_indices("href=\"") {
            let link = list[at + href.len()..].split('"').next().unwrap();
            links.insert(format!("{to}{link}"));
        }
        let unknown = get(&address, &format!("/{to}unknown")).await;
        assert_eq!(unknown.status, 404);
        let text = unknown.text();
        let mut names = tree().into_keys().filter(|name| name.starts_with(&to));
        assert!(names.all(|name| text.contains(&name[to.len()..])), "{text}");
    }
    assert!(links.iter().eq(tree().keys()), "{links:?}");
    for (name, text) in tree() {
        let path = format!("/{name}");
        let content_type = match name.rsplit_once('.').unwrap().1 {
            "json" => "application/json",
            "yml" => "text/yaml; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        let plain = get(&address, &path).await;
        assert_eq!((plain.status, plain.text()), (200, text.clone()), "{path}");
        let zipped = request("GET", &address, &path, "Accept-Encoding: gzip\r\n").await;
        assert_eq!(zipped.header("content-encoding"), Some("gzip"));
        assert_eq!(zipped.gunzipped(), text, "{path}");
        let head = request("HEAD", &address, &path, "").await;
        assert!(head.body.is_empty());
        assert_eq!(
            head.header("content-length"),
            plain.header("content-length")
        );
        for answer in [plain, zipped, head] {
            assert_eq!(answer.header("content-type"), Some(content_type));
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        }
    }
}
