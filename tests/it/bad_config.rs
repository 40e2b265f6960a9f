//! Bad configurations, one fault per file: `name.yaml` beside `name.txt` with the whole message.
//! `BLESS=1 cargo test --test it bad_config` writes the messages anew; read them before you commit them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use avepoint_exporter::config::{Config, Source};
use avepoint_exporter::domain::Timestamp;

const FOLDER: &str = "tests/it/bad_config";

/// 2027-01-01, when the certificates in `tests/certificates` are valid, but for the expired one.
const NOW: Timestamp = Timestamp::from_unix(Duration::from_secs(1_798_761_600));

/// The environment of the test: one variable that is set, one that is empty, one of several lines.
fn environment(name: &str) -> Option<String> {
    match name {
        "ELEMENTS_SECRET" => Some("s3cr3t-of-the-environment".to_owned()),
        "EMPTY" => Some(String::new()),
        "LINES" => Some("s3cr3t\ns3cr3t\n".to_owned()),
        _ => None,
    }
}

fn message(name: &str) -> String {
    let text = fs::read_to_string(format!("{FOLDER}/{name}.yaml")).unwrap();
    let source = Source {
        name: &format!("{name}.yaml"),
        base_dir: Path::new(FOLDER),
        env: &environment,
        now: NOW,
    };
    match Config::parse(&text, &source) {
        Ok(_) => panic!("{name}.yaml was accepted"),
        Err(error) => format!("{error}\n"),
    }
}

/// The names of the folder's files with this extension.
fn names(extension: &str) -> BTreeSet<String> {
    fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_bad_config_gets_its_whole_message() {
    let configs = names("yaml");
    if std::env::var_os("BLESS").is_some() {
        for name in &configs {
            fs::write(format!("{FOLDER}/{name}.txt"), message(name)).unwrap();
        }
    }
    assert_eq!(
        configs,
        names("txt"),
        "each .yaml has its .txt, and the reverse"
    );
    assert!(configs.len() >= 40, "the folder is nearly empty");
    let mut wrong = String::new();
    for name in &configs {
        let expected = fs::read_to_string(format!("{FOLDER}/{name}.txt")).unwrap();
        let found = message(name);
        if found != expected {
            write!(
                wrong,
                "--- {name}: expected\n{expected}+++ {name}: found\n{found}"
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_message_holds_a_secret() {
    for name in names("txt") {
        let text = fs::read_to_string(format!("{FOLDER}/{name}.txt")).unwrap();
        assert!(!text.contains("hunter2"), "{name}.txt");
        assert!(!text.contains("s3cr3t"), "{name}.txt");
        assert!(!text.contains("471147114711"), "{name}.txt");
    }
}

#[test]
fn each_line_of_a_message_names_its_place_and_what_was_expected() {
    for name in names("txt") {
        let text = fs::read_to_string(format!("{FOLDER}/{name}.txt")).unwrap();
        for line in text.lines() {
            let rest = line.strip_prefix(&format!("{name}.yaml:")).expect(line);
            let mut parts = rest.splitn(3, ':');
            let place: Vec<u32> = parts
                .by_ref()
                .take(2)
                .map(|n| n.parse().expect(line))
                .collect();
            assert!(place.len() == 2 && place.iter().all(|n| *n > 0), "{line}");
            assert!(line.contains("; expected "), "{line}");
        }
    }
}
