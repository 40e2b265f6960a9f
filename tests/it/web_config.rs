//! Web config files get the verdict that Prometheus' exporter-toolkit gives them, by the table in `tests/web_config`.

use avepoint_exporter::server::Lock;

use crate::web_cases;

#[test]
fn files_are_accepted_and_refused_as_by_the_toolkit() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("folder");
    let cases = web_cases::written_to(&folder);
    assert!(cases.len() > 400);
    for (case, file) in cases {
        let ours = Lock::read(&folder.join(file));
        let is_same = ours.is_ok() == case.error.is_empty();
        // A reason that is no longer needed is to be deleted.
        assert_eq!(
            is_same,
            case.exporter.is_empty(),
            "{case:?}\nours: {:?}",
            ours.err()
        );
    }
}
