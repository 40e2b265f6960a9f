//! The table of files in `tests/web_config`: what it says of the toolkit is what the toolkit says, and promtool, which
//! has the toolkit inside, says the same.

use std::process::Command;

use super::pair::verdicts;
use crate::prometheus::needed;
use crate::web_cases;

#[test]
fn the_table_of_files_holds_the_verdicts_of_the_toolkit() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("folder");
    let (cases, files): (Vec<_>, Vec<_>) = web_cases::written_to(&folder).into_iter().unzip();
    let verdicts = verdicts(&folder, &files);
    assert_eq!(verdicts.len(), cases.len());
    for (case, verdict) in cases.iter().zip(verdicts) {
        assert_eq!(verdict.start, case.error, "{case:?}");
        let is_of_start = case.at == "start";
        let check = if is_of_start { "" } else { &case.error };
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
    needed("promtool");
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("folder");
    let cases = web_cases::written_to(&folder);
    let output = Command::new("promtool")
        .args(["check", "web-config"])
        .args(cases.iter().map(|(_, file)| file))
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    for (case, file) in &cases {
        let is_newer = |word: &&str| case.text.contains(*word);
        if NEWER_THAN_PROMTOOL.iter().any(is_newer) {
            continue;
        }
        let is_accepted = case.error.is_empty() || case.at == "start";
        let of_file = said
            .lines()
            .find(|line| line.starts_with(&format!("{file} ")));
        assert_eq!(
            of_file.unwrap().ends_with(" SUCCESS"),
            is_accepted,
            "{case:?}"
        );
    }
}
