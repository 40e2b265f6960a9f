//! Whether others on the machine can get at the file of a secret. Knows nothing of what is in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::StatVfsMountFlags;

/// Warns if others can read or write the file of a secret.
pub fn warn_if_exposed(file: &Path) {
    let Ok(metadata) = fs::metadata(file) else {
        return;
    };
    // A pipe is gone once it is read.
    if metadata.is_file()
        && is_exposed(metadata.mode(), metadata.uid())
        && !is_mounted_read_only(file)
    {
        tracing::warn!(
            file = %file.display(),
            mode = format_args!("{:04o}", metadata.mode() & 0o7777),
            "other users can read or write this secret file; make the exporter's user its owner and run chmod 600 on it"
        );
    }
}

/// Whether a file of this mode and this owner is open to others. Docker and Podman mount secrets with mode 0444 and
/// Kubernetes with 0440 for the group of a pod, both with root as the owner, for a program that does not run as root:
/// nobody may write these, and with mode 0600 the exporter could not read them. On a machine with other users,
/// secrets are made with an editor or a shell, which leave the owner the right to write.
const fn is_exposed(mode: u32, owner: u32) -> bool {
    const OTHERS: u32 = 0o077;
    const WRITE: u32 = 0o222;
    const ROOT: u32 = 0;
    mode & OTHERS != 0 && (mode & WRITE != 0 || owner != ROOT)
}

/// Kubernetes mounts secrets with mode 0644 unless told otherwise, and Docker Compose with the mode of the file outside,
/// both read-only: there, nobody can change the mode, and only the exporter's own container sees the mount.
fn is_mounted_read_only(file: &Path) -> bool {
    rustix::fs::statvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_exposed_unless_it_is_private_or_looks_like_a_mounted_secret() {
        const ROOT: u32 = 0;
        const USER: u32 = 1000;
        for (mode, root, user) in [
            (0o600, false, false),
            (0o400, false, false),
            (0o700, false, false),
            (0o444, false, true),
            (0o440, false, true),
            (0o640, true, true),
            (0o644, true, true),
            (0o620, true, true),
            (0o602, true, true),
            (0o666, true, true),
            (0o100_644, true, true),
            (0o100_444, false, true),
        ] {
            assert_eq!(is_exposed(mode, ROOT), root, "{mode:o}");
            assert_eq!(is_exposed(mode, USER), user, "{mode:o}");
        }
    }

    #[test]
    fn a_read_only_mount_is_told_by_the_file() {
        // Read-only wherever it is mounted, unlike a directory of this test.
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_mounted_read_only(folder.path()));
        assert!(!is_mounted_read_only(Path::new("/nonexistent")));
    }
}
