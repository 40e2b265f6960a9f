//! Floor 0: a file that one process at a time holds, also of those that share a disk from several machines. Knows
//! nothing of what it protects.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Why a process does not hold a lock.
#[derive(Debug)]
pub enum NotHeld {
    /// Another process holds it: which one, as far as is known.
    Taken(String),
    /// The operating system refused a step, such as `open`.
    Failed {
        /// What was to be done with the file.
        step: &'static str,
        /// The refusal.
        cause: io::Error,
    },
}

/// Locks out other processes for as long as the file that is returned is open. The file says who holds it, and stays.
///
/// # Errors
/// When another process holds it, or the file cannot be opened or locked.
pub fn hold(path: &Path) -> Result<File, NotHeld> {
    const PRIVATE: u32 = 0o600;
    let failed = |step| move |cause| NotHeld::Failed { step, cause };
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.mode(PRIVATE).open(path).map_err(failed("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whatever is in it, it is there to be shown.
            let _ = file.take(200).read_to_string(&mut holder);
            let holder = holder.trim().replace(char::is_control, " ");
            return Err(NotHeld::Taken(holder));
        }
        Err(TryLockError::Error(cause)) => return Err(failed("lock")(cause)),
    }
    // Containers that share a volume may all be process 1.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let holder = format!("process {} on host {}\n", std::process::id(), host.trim());
    // On a full disk nobody can be told who holds it, but it is held.
    let _ = file
        .set_len(0)
        .and_then(|()| file.write_all(holder.as_bytes()));
    Ok(file)
}
