//! A bound on how long a file may take: a pipe that nobody writes to, a terminal, and a mount whose server does not
//! answer can each take for ever. Of these only the mount cannot be waited for with a bound, nor be cancelled, so that
//! all is done by a thread, which is left behind then.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, TryRecvError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::retry_on_intr;

/// Longer than the programs behind process substitutions take, and short enough to wait for.
const SECONDS: u8 = 10;

/// A little longer, so that what can be waited for with a bound ends by itself, and no thread is left with it.
const PATIENCE: Duration = Duration::from_secs(SECONDS as u64 + 1);

/// The files that a thread is left with: one for each, however often it is read, until the mount answers or is gone.
static LEFT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn too_long() -> io::Error {
    let message = format!(
        "it took longer than {SECONDS}s (a pipe that nobody writes to, a terminal, or a mount whose server does not \
         answer)"
    );
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// Opens a file for reading. A pipe or a terminal is opened and read without waiting for the other side.
///
/// # Errors
/// Those of the operating system.
pub(super) fn open(file: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(file)
}

/// Waits until there is something to read, or nothing any more. A regular file is always ready.
///
/// # Errors
/// Those of the operating system, and that it takes too long.
pub(super) fn wait_for_more(file: &File) -> io::Result<()> {
    let timeout = Timespec {
        tv_sec: SECONDS.into(),
        tv_nsec: 0,
    };
    let mut files = [PollFd::new(file, PollFlags::IN)];
    match retry_on_intr(|| poll(&mut files, Some(&timeout)))? {
        0 => Err(too_long()),
        _ => Ok(()),
    }
}

fn left() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The result of this work on the file.
///
/// # Errors
/// Those of the work, and that it takes too long.
pub(super) fn within<T: Send + 'static>(
    file: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    wait(PATIENCE, file, work)
}

fn wait<T: Send + 'static>(
    patience: Duration,
    file: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if left().contains(file) {
        return Err(too_long());
    }
    let (done, result) = mpsc::sync_channel(1);
    let path = file.to_owned();
    thread::Builder::new()
        .name("read-file".to_owned())
        .spawn(move || {
            // Nobody may be waiting any more.
            let _ = done.send(work(&path));
            left().remove(&path);
        })?;
    let in_time = result.recv_timeout(patience).or_else(|_| {
        let mut left = left();
        // It may have come just now. If not, the thread removes what is inserted here, since it sends first.
        result.try_recv().inspect_err(|why| {
            if *why == TryRecvError::Empty {
                left.insert(file.to_owned());
            }
        })
    });
    in_time.unwrap_or_else(|_| Err(too_long()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_hangs_is_left_to_one_thread_and_done_again_when_that_has_ended() {
        let file = Path::new("/a/file/of/this/test");
        let (release, held) = mpsc::channel::<()>();
        let hangs = move |_: &Path| {
            let _ = held.recv();
            Ok(1)
        };
        let error = wait(Duration::ZERO, file, hangs).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = wait(PATIENCE, file, |_| -> io::Result<i32> {
            panic!("a second thread")
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(release);
        while left().contains(file) {
            thread::yield_now();
        }
        assert_eq!(wait(PATIENCE, file, |_| Ok(2)).unwrap(), 2);
    }

    #[test]
    fn the_outcome_is_that_of_the_work() {
        let file = Path::new("/another/file/of/this/test");
        let found = wait(PATIENCE, file, |path| Ok(path.to_owned())).unwrap();
        assert_eq!(found, file);
        let missing = wait(PATIENCE, file, |path| std::fs::metadata(path)).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
