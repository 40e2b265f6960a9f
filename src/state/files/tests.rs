//! What becomes of the file and its folder, whatever is there.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::state::example::{at, snapshot};

/// A folder that does not exist yet, and what it is in.
fn missing() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a").join("state");
    (parent, folder)
}

/// A folder with this file in it.
fn with(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let (parent, folder) = missing();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(NAME), text).unwrap();
    (parent, folder)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // The lock stays, whatever becomes of the file.
    let mut names: Vec<_> = names.filter(|name| name != LOCK).collect();
    names.sort();
    names
}

fn text_at(seconds: u64) -> Vec<u8> {
    format::write(&snapshot(), at(seconds)).unwrap()
}

#[test]
fn a_folder_that_is_missing_is_made_and_what_is_written_there_is_read_again() {
    let (_parent, folder) = missing();
    assert!(read(&folder, at(1000)).unwrap().is_none());
    assert!(!folder.exists());
    let (mut state, saved) = StateDir::open(&folder, at(1000));
    assert!(saved.is_none() && names(&folder).is_empty());
    state.write(&snapshot(), at(1000));
    assert_eq!(names(&folder), [NAME]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join(NAME))), (0o700, 0o600));
    let (_, saved) = StateDir::open(&folder, at(1001));
    assert_eq!(saved.unwrap().tenants().count(), 3);
    assert_eq!(
        read(&folder, at(1001)).unwrap().unwrap().written_at,
        at(1000)
    );
}

#[test]
fn a_file_on_its_way_is_never_read_and_does_not_stay() {
    let (_parent, folder) = with(&text_at(1000));
    let on_its_way = StateDir::open(&folder, at(1000)).0.on_its_way().unwrap();
    let (_, path) = on_its_way.keep().unwrap();
    fs::write(&path, text_at(1500)).unwrap();
    assert_eq!(names(&folder).len(), 2);
    let (_, saved) = StateDir::open(&folder, at(2000));
    assert_eq!(saved.unwrap().written_at, at(1000));
    assert_eq!(names(&folder), [NAME]);
}

#[test]
fn a_file_that_cannot_be_used_is_set_aside_whole_and_the_next_one_is_written() {
    for bad in [&b"{"[..], b"[]", &text_at(2000 + 86_401)] {
        let (_parent, folder) = with(bad);
        assert!(read(&folder, at(2000)).is_err());
        assert_eq!(names(&folder), [NAME], "to read changes nothing");
        let (mut state, saved) = StateDir::open(&folder, at(2000));
        assert!(saved.is_none());
        assert_eq!(names(&folder), [SET_ASIDE]);
        assert_eq!(fs::read(folder.join(SET_ASIDE)).unwrap(), bad);
        state.write(&snapshot(), at(2000));
        assert_eq!(names(&folder), [NAME, SET_ASIDE]);
        assert!(StateDir::open(&folder, at(2000)).1.is_some());
    }
}

#[test]
fn the_last_file_that_was_set_aside_is_the_one_that_stays() {
    let (_parent, folder) = with(b"second");
    fs::write(folder.join(SET_ASIDE), "first").unwrap();
    StateDir::open(&folder, at(0));
    assert_eq!(names(&folder), [SET_ASIDE]);
    assert_eq!(fs::read(folder.join(SET_ASIDE)).unwrap(), b"second");
}

#[test]
fn a_file_that_is_too_large_is_refused_by_its_length() {
    let (_parent, folder) = with(b"");
    let file = File::options().write(true).open(folder.join(NAME));
    // Of holes, so it takes no room on the disk.
    file.unwrap().set_len(MOST_BYTES + 1).unwrap();
    let mut outcome = Ok(None);
    let allocated = allocation_counter::measure(|| outcome = read(&folder, at(0)));
    assert_eq!(outcome.unwrap_err().to_string(), "is larger than 256MiB");
    assert!(allocated.bytes_max < 1 << 20, "{allocated:?}");
}

#[test]
fn something_else_of_that_name_is_set_aside_too() {
    let (_parent, folder) = missing();
    fs::create_dir_all(folder.join(NAME).join("inner")).unwrap();
    let (mut state, saved) = StateDir::open(&folder, at(0));
    assert!(saved.is_none());
    assert_eq!(names(&folder), [SET_ASIDE]);
    state.write(&snapshot(), at(1000));
    assert_eq!(names(&folder), [NAME, SET_ASIDE]);
}

#[test]
fn a_file_that_cannot_be_set_aside_is_not_replaced_until_somebody_removes_it() {
    let (_parent, folder) = with(b"precious");
    fs::create_dir_all(folder.join(SET_ASIDE).join("inner")).unwrap();
    let (mut state, saved) = StateDir::open(&folder, at(0));
    assert!(saved.is_none());
    state.write(&snapshot(), at(1000));
    assert_eq!(fs::read(folder.join(NAME)).unwrap(), b"precious");
    fs::remove_file(folder.join(NAME)).unwrap();
    state.write(&snapshot(), at(1000));
    assert!(read(&folder, at(1000)).unwrap().is_some());
}

#[test]
fn a_folder_that_cannot_be_written_is_no_reason_to_stop_and_is_written_when_it_can_be() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    // Nobody may make anything there, root included.
    symlink("/proc/self/nothing", &folder).unwrap();
    let (mut state, saved) = StateDir::open(&folder, at(0));
    assert!(saved.is_none());
    let complaint = state.complaint.clone();
    assert!(complaint.is_some());
    state.write(&snapshot(), at(1000));
    assert!(state.complaint.is_some());
    fs::remove_file(&folder).unwrap();
    state.write(&snapshot(), at(1000));
    assert_eq!(state.complaint, None);
    assert!(read(&folder, at(1000)).unwrap().is_some());
}

#[test]
fn what_goes_wrong_each_time_is_one_complaint() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state");
    symlink("/proc/self", &folder).unwrap();
    let (mut state, _) = StateDir::open(&folder, at(0));
    let first = state.complaint.clone().unwrap();
    for _ in 0..2 {
        state.write(&snapshot(), at(1000));
        assert_eq!(state.complaint.as_ref(), Some(&first));
    }
}

#[test]
fn a_write_that_fails_leaves_the_file_before_and_nothing_else() {
    let (_parent, folder) = with(&text_at(1000));
    let (mut state, _) = StateDir::open(&folder, at(1000));
    // What cannot be replaced by a file.
    fs::remove_file(folder.join(NAME)).unwrap();
    fs::create_dir_all(folder.join(NAME).join("inner")).unwrap();
    state.write(&snapshot(), at(1100));
    assert!(state.complaint.is_some());
    assert_eq!(names(&folder), [NAME]);
    assert!(folder.join(NAME).join("inner").exists());
}

#[test]
fn of_two_processes_in_one_folder_the_second_keeps_nothing_until_the_first_has_ended() {
    let (_parent, folder) = with(b"of a version that only the first knows");
    fs::write(folder.join(LOCK), "").unwrap();
    let first = lock::hold(&folder.join(LOCK)).unwrap();
    let (mut second, saved) = StateDir::open(&folder, at(1000));
    assert!(saved.is_none());
    assert_eq!(names(&folder), [NAME], "it is not ours to set aside");
    let complaint = second.complaint().unwrap();
    assert!(complaint.starts_with("process "), "{complaint}");
    assert!(complaint.ends_with(" uses it"), "{complaint}");
    second.write(&snapshot(), at(1000));
    assert!(read(&folder, at(1000)).is_err(), "nothing was written");
    drop(first);
    second.write(&snapshot(), at(1000));
    assert_eq!(second.complaint(), None);
    assert!(read(&folder, at(1000)).unwrap().is_some());
}

#[test]
fn whether_a_folder_could_be_written_is_found_out_without_leaving_anything() {
    let (parent, folder) = missing();
    probe(&folder).unwrap();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    assert!(probe(Path::new("/proc/self/state")).is_err());
    probe(Path::new("a-relative-name")).unwrap();
}

#[test]
fn a_folder_that_disappears_is_made_again() {
    let (_parent, folder) = missing();
    let (mut state, _) = StateDir::open(&folder, at(0));
    fs::remove_dir_all(&folder).unwrap();
    state.write(&snapshot(), at(1000));
    assert_eq!(names(&folder), [NAME]);
}
