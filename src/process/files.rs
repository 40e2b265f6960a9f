//! How many files the process may have open, connections among them.

use rustix::io;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that may be open to the most that the machine allows this process. The usual limit of 1024
/// is for programs that use `select`, and this one does not.
///
/// # Errors
/// What the kernel says, or a sandbox that forbids it.
pub fn raise_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(());
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    tracing::debug!(
        before = limit.current,
        now = limit.maximum,
        "raised the limit of open files"
    );
    Ok(())
}
