//! The real program as a child process: started, watched, told to end, and killed with its test.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for what should come at once. Only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Asks again and again until there is an answer. Fails the test with `what` when none comes in time.
#[track_caller]
pub(crate) fn until<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let what = format!("{} at {}", what, std::panic::Location::caller());
    async move {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The exporter with these arguments; the one that `AVEPOINT_EXPORTER_BIN` names, or this build's.
pub(crate) fn exporter<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let binary = std::env::var_os("AVEPOINT_EXPORTER_BIN")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_avepoint-exporter").into());
    let mut command = Command::new(binary);
    command.args(arguments);
    // A proxy of the machine must not come between the exporter and loopback.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

/// A running program.
pub(crate) struct Program {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// What was read of a pipe so far, and the thread that reads it.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let all = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                all.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

impl Program {
    /// Starts a program with both of its outputs captured.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            stdout: Stream::read(child.stdout.take().unwrap()),
            stderr: Stream::read(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Its exit status, if it has ended.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> impl Future<Output = Ended> {
        until("the end of the program", async move || {
            self.status().map(|status| {
                for stream in [&mut self.stdout, &mut self.stderr] {
                    stream.reader.take().map(JoinHandle::join);
                }
                Ended {
                    code: status.code(),
                    stdout: self.stdout(),
                    stderr: self.stderr(),
                }
            })
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
