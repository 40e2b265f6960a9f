//! The file in its folder: read with a bound, replaced as a whole, and set aside where it cannot be used.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::Saved;
use super::format::{self, Unusable};
use crate::domain::{PromDuration, Timestamp};
use crate::lock::{self, NotHeld};
use crate::snapshot::Snapshot;

const NAME: &str = "warm-start.json";

/// What cannot be used is kept under this name: the last such file, so that they do not fill the disk.
const SET_ASIDE: &str = "warm-start.json.set-aside";

/// Held by the one process that writes here.
const LOCK: &str = "warm-start.json.lock";

/// A file on its way begins with this, and is never read.
const ON_ITS_WAY: &str = "warm-start.json.new-";

/// The largest fleet that discovery takes, with all collectors, has half of it.
const MOST_BYTES: u64 = 256 << 20;

/// Two looks at a clock may differ by this much, even if it was set meanwhile.
const SKEW: Duration = Duration::from_secs(300);

/// The folder that an exporter keeps its knowledge in.
#[derive(Debug)]
pub struct StateDir {
    folder: PathBuf,
    /// Held as long as this is there; `None` while another process holds it, or the folder cannot be written.
    lock: Option<File>,
    /// Whether there is a file that can neither be used nor set aside.
    is_blocked: bool,
    /// What the log says is wrong, as long as it is.
    complaint: Option<String>,
}

/// What the file in this folder says; `None` where there is none. Changes nothing.
///
/// # Errors
/// Why the file cannot be used.
pub fn read(folder: &Path, now: Timestamp) -> Result<Option<Saved>, Unusable> {
    let path = folder.join(NAME);
    match fs::metadata(&path) {
        // To open a pipe could take for ever.
        Ok(metadata) if !metadata.is_file() => return Err(Unusable::NoFile),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Err(Unusable::TooLarge),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(Unusable::Unreadable)?,
    };
    let mut text = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut text))
        .map_err(Unusable::Unreadable)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Unusable::TooLarge);
    }
    format::read(&text, now).map(Some)
}

/// Bytes that a trial writes: an empty file fits on a full disk.
static TRIAL: [u8; 64 << 10] = [0; 64 << 10];

/// Finds out whether a process of this user could keep its knowledge in this folder. Leaves nothing behind.
///
/// # Errors
/// Those of the operating system.
pub fn probe(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|one| one.is_dir());
    // A relative path of one name is in the directory that this process runs in.
    let there = there.filter(|one| *one != Path::new(""));
    tempfile::Builder::new()
        .prefix(ON_ITS_WAY)
        .tempfile_in(there.unwrap_or(Path::new(".")))
        .and_then(|mut file| file.as_file_mut().write_all(&TRIAL))
        // The kind alone: the text names a file that nobody asked for.
        .map_err(|error| io::Error::from(error.kind()))
}

impl StateDir {
    /// Makes the folder if it is missing, and reads what was kept there. What is wrong with either is logged: the
    /// exporter goes on without.
    pub fn open(folder: &Path, now: Timestamp) -> (Self, Option<Saved>) {
        let mut this = Self {
            folder: folder.to_owned(),
            lock: None,
            is_blocked: false,
            complaint: None,
        };
        let held = this.hold();
        let saved = match read(folder, now) {
            Ok(saved) => saved,
            // The file of another process is not ours to rename.
            Err(why) if held.is_ok() => {
                this.set_aside(&why);
                None
            }
            Err(_) => None,
        };
        for (collector, targets) in saved.iter().flat_map(|saved| &saved.cold) {
            tracing::warn!(
                collector,
                targets,
                "saved figures are not readable; they are missing until the next poll succeeds"
            );
        }
        if let Some(Saved { ahead, .. }) = saved
            && ahead > SKEW
        {
            tracing::warn!(
                folder = %folder.display(),
                ahead = %PromDuration(Duration::from_secs(ahead.as_secs())),
                "warm-start file has a timestamp in the future; its figures keep the age that they had then, check the \
                 clock of this machine"
            );
        }
        if !this.is_blocked
            && let Err(error) = held.and_then(|()| this.prepare())
        {
            tracing::warn!(
                folder = %folder.display(),
                %error,
                "cannot write to state_dir, so figures will be lost at a restart; make it writable, and give each \
                 exporter one of its own"
            );
            this.complaint = Some(error.to_string());
        }
        (this, saved)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is wrong with it; `None` while what is known is kept.
    pub fn complaint(&self) -> Option<&str> {
        let blocked = "the warm-start file is unusable and cannot be renamed; delete it";
        let blocked = self.is_blocked.then_some(blocked);
        self.complaint.as_deref().or(blocked)
    }

    /// Keeps what is known, in place of what was. Logs when that fails, and when it no longer does.
    pub fn write(&mut self, snapshot: &Snapshot, now: Timestamp) {
        if self.is_blocked && self.folder.join(NAME).exists() {
            return;
        }
        self.is_blocked = false;
        let outcome = self.hold().and_then(|()| {
            let text = format::write(snapshot, now).map_err(io::Error::from)?;
            self.replace(&text)
        });
        match outcome {
            Ok(()) => {
                if self.complaint.take().is_some() {
                    tracing::info!(folder = %self.folder.display(), "writing the warm-start file works again");
                }
            }
            Err(error) => {
                let error = error.to_string();
                // Said once, and not each time.
                if self.complaint.as_ref() != Some(&error) {
                    tracing::error!(
                        folder = %self.folder.display(),
                        error,
                        "failed to write the warm-start file, the previous file stays; check permissions and free \
                         space of state_dir, and that each exporter has one of its own"
                    );
                }
                self.complaint = Some(error);
            }
        }
    }

    fn set_aside(&mut self, why: &Unusable) {
        let file = self.folder.join(NAME);
        let moved_to = self.folder.join(SET_ASIDE);
        match fs::rename(&file, &moved_to) {
            Ok(()) => tracing::warn!(
                file = %file.display(),
                moved_to = %moved_to.display(),
                error = %why,
                "warm-start file is unusable; renamed and ignored"
            ),
            Err(error) => {
                tracing::warn!(
                    file = %file.display(),
                    error = %why,
                    rename_error = %error,
                    "warm-start file is unusable and cannot be renamed; nothing is saved until you delete it"
                );
                self.is_blocked = true;
            }
        }
    }

    /// Locks other processes out, unless that is done. Where the disk knows no locks, nobody is locked out.
    fn hold(&mut self) -> io::Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        self.make_folder()?;
        match lock::hold(&self.folder.join(LOCK)) {
            Ok(lock) => self.lock = Some(lock),
            Err(NotHeld::Taken(holder)) => {
                let holder = if holder.is_empty() {
                    "another process"
                } else {
                    &holder
                };
                return Err(io::Error::other(format!("{holder} uses it")));
            }
            Err(NotHeld::Failed { step: "lock", .. }) => {}
            Err(NotHeld::Failed { cause, .. }) => return Err(cause),
        }
        Ok(())
    }

    /// Finds out whether the file could be written, and removes what processes that were killed have left.
    fn prepare(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(ON_ITS_WAY) {
                fs::remove_file(entry.path())?;
            }
        }
        let mut trial = self.on_its_way()?;
        trial.as_file_mut().write_all(&TRIAL)
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&self.folder)
    }

    /// An empty file next to the one to replace, readable by its owner only. Dropping it deletes it.
    fn on_its_way(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(ON_ITS_WAY)
            .tempfile_in(&self.folder)
            // The kind alone: its text names the file of the trial, which is another each time.
            .map_err(|error| io::Error::from(error.kind()))
    }

    /// Replaces the file durably. At any moment the one before or this one is there, whole.
    fn replace(&self, text: &[u8]) -> io::Result<()> {
        if text.len() as u64 > MOST_BYTES {
            return Err(io::Error::other("it would be larger than 256MiB"));
        }
        // The folder may have been removed meanwhile.
        self.make_folder()?;
        let mut file = self.on_its_way()?;
        file.as_file_mut().write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(NAME))
            .map_err(|failed| failed.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests;
