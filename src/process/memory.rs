//! Keeps what is in memory from others: the client secrets, the tokens, and for a while the users of a listing.

use rustix::io;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// From now on a crash writes no core file, whatever the limits and the core pattern of the machine are, and other
/// processes of the same user can neither attach to this one nor read its memory and environment.
///
/// # Errors
/// What the kernel says, or a sandbox that forbids it.
pub fn protect() -> io::Result<()> {
    // Not even for a program that the core pattern names: that one gets no core from what is not dumpable.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
}
