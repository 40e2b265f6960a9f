//! The files of a refresh token, and steps on them that hold at any moment the power may fail. Knows nothing of
//! token services.
//!
//! Beside the token's own file, which holds it and a line break, there are:
//!
//! - `<file>.lock`, locked by the one process that may exchange the token, and saying which that is;
//! - `<file>.exchange`, there while the token is being exchanged: which one (by its hash), and since when;
//! - `<file>.rotated`, the new token on its way: it becomes the token's file by being renamed. Only a whole one
//!   ends with a line break; what the disk lost of it reads as zeros.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64_URL;

use crate::domain::{Secret, Timestamp, text};
use crate::lock::{self, NotHeld};

/// For the owner alone.
const PRIVATE: u32 = 0o600;

/// A token has 2 KiB at most; a larger file is the wrong file.
const MAX_BYTES: u64 = 64 << 10;

/// A token, told apart from others without knowing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenHash(String);

impl TokenHash {
    pub(super) fn of(token: &Secret) -> Self {
        Self(BASE64_URL.encode(digest(&SHA256, token.expose().as_bytes())))
    }
}

/// That a token is being exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) token: TokenHash,
    pub(super) since: Timestamp,
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {step} {}: {cause}", path.display())]
pub(super) struct FileError {
    step: &'static str,
    path: PathBuf,
    cause: io::Error,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NoLock {
    /// Who has it, as far as is known.
    Taken(String),
    Failed(FileError),
}

/// Where the files are.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    pub(super) token: PathBuf,
    pub(super) lock: PathBuf,
    exchange: PathBuf,
    rotated: PathBuf,
}

impl Files {
    /// The files around this one. Links are followed first, so that one token has one lock, and so that a link
    /// is not replaced by a file.
    pub(super) fn around(path: &Path) -> Result<Self, FileError> {
        let wrong = |cause| FileError {
            step: "find",
            path: path.to_owned(),
            cause,
        };
        let token = match fs::canonicalize(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let directory = path.parent().filter(|parent| *parent != Path::new(""));
                let directory = directory.unwrap_or(Path::new("."));
                let name = path.file_name().ok_or(ErrorKind::InvalidInput);
                let name = name.map_err(|kind| wrong(kind.into()))?;
                fs::canonicalize(directory).map(|directory| directory.join(name))
            }
            found => found,
        };
        let token = token.map_err(wrong)?;
        let beside = |ending: &str| {
            let mut name = OsString::from(&token);
            name.push(ending);
            PathBuf::from(name)
        };
        Ok(Self {
            directory: token.parent().unwrap_or(Path::new("/")).to_owned(),
            lock: beside(".lock"),
            exchange: beside(".exchange"),
            rotated: beside(".rotated"),
            token,
        })
    }

    /// Locks out other processes for as long as the file that is returned is open.
    pub(super) fn lock(&self) -> Result<File, NoLock> {
        lock::hold(&self.lock).map_err(|error| match error {
            NotHeld::Taken(holder) => NoLock::Taken(holder),
            NotHeld::Failed { step, cause } => NoLock::Failed(failed(step, &self.lock)(cause)),
        })
    }

    /// The token; `None` while there is no file. From now on nobody else can read it.
    pub(super) fn read(&self) -> Result<Option<Secret>, FileError> {
        let path = &self.token;
        let failed = |step| failed(step, path);
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed("read"))?,
        };
        let mode = file
            .metadata()
            .map_err(failed("read"))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let corrected = file.set_permissions(Permissions::from_mode(PRIVATE));
            tracing::warn!(
                file = %path.display(),
                mode = format_args!("{:o}", mode & 0o7777),
                corrected = corrected.is_ok(),
                "refresh token file was readable by other users; its mode must be 0600"
            );
        }
        let text = read(file).map_err(failed("read"))?;
        let token = text.expose().trim_ascii();
        let wrong = match token {
            "" => "it is empty",
            _ if token.contains(char::is_control) => {
                "it contains several lines or a control character"
            }
            _ => return Ok(Some(Secret::from(token.to_owned()))),
        };
        let expected = format!("{wrong}; expected only the refresh token");
        Err(failed("read")(io::Error::other(expected)))
    }

    /// When the token's file was last written; `None` while there is none.
    pub(super) fn written(&self) -> Option<Timestamp> {
        let modified = fs::metadata(&self.token).and_then(|file| file.modified());
        let since_unix = modified.ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::from_unix(since_unix))
    }

    /// Writes the new token durably, in place of the one before. At any moment one of the two is there, whole.
    pub(super) fn store(&self, token: &Secret) -> Result<(), FileError> {
        let line = Secret::from(format!("{}\n", token.expose()));
        write(&self.rotated, line.expose().as_bytes())?;
        self.install()
    }

    /// The new token that a process before wrote, if it came to write all of it.
    pub(super) fn rotated(&self) -> Result<Option<Secret>, FileError> {
        let text = match File::open(&self.rotated).and_then(read) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(None),
            text => text.map_err(failed("read", &self.rotated))?,
        };
        let line = text.expose().strip_suffix('\n');
        let whole = line.filter(|token| !token.is_empty() && !token.contains(char::is_control));
        Ok(whole.map(|token| Secret::from(token.to_owned())))
    }

    /// Puts the new token in the place of the one before.
    pub(super) fn install(&self) -> Result<(), FileError> {
        // It may have been another process that wrote it, and was ended before this.
        File::open(&self.rotated)
            .and_then(|file| file.sync_all())
            .map_err(failed("write", &self.rotated))?;
        fs::rename(&self.rotated, &self.token).map_err(failed("replace", &self.token))?;
        self.sync_directory()
    }

    /// Removes the remains of a new token that was not written to its end.
    pub(super) fn discard_rotated(&self) -> Result<(), FileError> {
        remove(&self.rotated)
    }

    /// Notes durably that this token is about to be exchanged.
    pub(super) fn begin_exchange(&self, exchange: &Exchange) -> Result<(), FileError> {
        let since = exchange.since.since_unix().as_secs();
        let line = format!("{} {since}\n", exchange.token.0);
        write(&self.exchange, line.as_bytes())?;
        self.sync_directory()
    }

    /// The exchange that was not ended; `None` also for a note that was not written to its end, since then
    /// nothing was asked.
    pub(super) fn exchange(&self) -> Result<Option<Exchange>, FileError> {
        let text = match File::open(&self.exchange).and_then(read) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(None),
            text => text.map_err(failed("read", &self.exchange))?,
        };
        let line = text.expose().strip_suffix('\n');
        let exchange = line.and_then(|line| line.split_once(' '));
        Ok(exchange.and_then(|(hash, since)| {
            Some(Exchange {
                token: TokenHash(hash.to_owned()),
                since: Timestamp::from_unix(Duration::from_secs(since.parse().ok()?)),
            })
        }))
    }

    /// Removes the note. It need not be durable: a note on a token that is not in use any more counts for nothing.
    pub(super) fn end_exchange(&self) -> Result<(), FileError> {
        remove(&self.exchange)
    }

    /// Finds out whether a new token could be stored.
    pub(super) fn probe(&self) -> Result<(), FileError> {
        // No line break, so that nobody ever takes it for a token.
        write(&self.rotated, b"probe")?;
        remove(&self.rotated)
    }

    fn sync_directory(&self) -> Result<(), FileError> {
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed("write", &self.directory))
    }
}

fn failed(step: &'static str, path: &Path) -> impl Fn(io::Error) -> FileError {
    move |cause| FileError {
        step,
        path: path.to_owned(),
        cause,
    }
}

/// Writes a new file durably; its name is not, until its directory is.
fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    // A file that is there already could be readable by others.
    remove(path)?;
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path);
    file.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    })
    .map_err(failed("write", path))
}

fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("remove", path)),
    }
}

fn read(file: File) -> io::Result<Secret> {
    let invalid = |wrong: &str| io::Error::new(ErrorKind::InvalidData, format!("it {wrong}"));
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(invalid("is larger than 64KiB"));
    }
    text::utf8(bytes).map(Secret::from).map_err(invalid)
}
