//! The table of files in `tests/web_config/cases.yaml`: what it says of the toolkit is what the toolkit says, and
//! promtool, which has the toolkit inside, says the same.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::pair::verdicts;

/// A file and what becomes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    text: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    at: String,
    #[expect(dead_code, reason = "for tests/it, which compares our own verdicts")]
    exporter: Option<String>,
}

/// The rows of the table, and their files in this folder, beside those that they name.
fn written_to(folder: &Path) -> (Vec<Case>, Vec<String>) {
    std::fs::create_dir(folder).unwrap();
    for entry in std::fs::read_dir("tests/certificates").unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.join("empty"), "").unwrap();
    let table = std::fs::read_to_string("tests/web_config/cases.yaml").unwrap();
    let cases: Vec<Case> = serde_yaml::from_str(&table).unwrap();
    let quoted = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        serde_json::to_string(&text).unwrap()
    };
    let mut files = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let text = case
            .text
            .replace("%tls%", "cert_file: app.crt, key_file: app.key")
            .replace(
                "%hash%",
                "$2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy",
            )
            .replace("%app.crt%", &quoted("app.crt"))
            .replace("%app.key%", &quoted("app.key"));
        let file = format!("{index}.yaml");
        std::fs::write(folder.join(&file), text).unwrap();
        files.push(file);
    }
    (cases, files)
}

#[test]
fn the_table_of_files_holds_the_verdicts_of_the_toolkit() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("folder");
    let (cases, files) = written_to(&folder);
    let verdicts = verdicts(&folder, &files);
    assert_eq!(verdicts.len(), cases.len());
    for (case, verdict) in cases.iter().zip(verdicts) {
        let is_of_check = case.at != "start";
        assert_eq!(verdict.start, case.error, "{case:?}");
        let check = if is_of_check { &*case.error } else { "" };
        assert_eq!(verdict.check, check, "{case:?}");
    }
}

/// What the toolkit of 2023 does not know, and a suite that Go has banished since.
const NEWER_THAN_PROMTOOL: [&str; 6] = [
    "rate_limit",
    " cert:",
    " key:",
    "client_ca:",
    "client_allowed_sans",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
];

#[test]
fn promtool_gives_the_same_verdicts() {
    crate::prometheus::needed("promtool");
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("folder");
    let (cases, files) = written_to(&folder);
    let output = Command::new("promtool")
        .args(["check", "web-config"])
        .args(&files)
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    for (case, file) in cases.iter().zip(files) {
        let is_newer = |word: &&str| case.text.contains(*word);
        if NEWER_THAN_PROMTOOL.iter().any(is_newer) {
            continue;
        }
        let is_accepted = case.error.is_empty() || case.at == "start";
        let said_of = said
            .lines()
            .find(|line| line.starts_with(&format!("{file} ")));
        assert_eq!(
            said_of.unwrap().ends_with(" SUCCESS"),
            is_accepted,
            "{case:?}"
        );
    }
}
