//! The program's worker threads: two sets that share none, so that work on one side cannot hold up the other. Knows
//! nothing of what runs on them.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// The worker threads of the program. They are told to end with [`Threads::end`], and do not outlive the process.
#[derive(Debug)]
pub(super) struct Threads {
    serving: Runtime,
    polling: Runtime,
}

impl Threads {
    /// Starts both sets, each with a thread for each core.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub(super) fn start() -> io::Result<Self> {
        let start = |name| {
            Builder::new_multi_thread()
                .enable_all()
                .thread_name(name)
                .build()
        };
        Ok(Self {
            serving: start("serving")?,
            polling: start("polling")?,
        })
    }

    /// For the program itself, and for all that must not wait for an upstream: pages, reloads, the end.
    pub(super) fn serving(&self) -> &Handle {
        self.serving.handle()
    }

    /// For all that deals with an upstream. What it sends can keep a thread busy for seconds: hyper skips interim
    /// answers (1xx) for as long as more of them arrive.
    pub(super) fn polling(&self) -> &Handle {
        self.polling.handle()
    }

    /// Ends both without waiting for what still runs.
    pub(super) fn end(self) {
        self.serving.shutdown_background();
        self.polling.shutdown_background();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Longer than any wait of these tests, on however busy a machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Keeps all threads of this set busy until the sender is dropped.
    fn hold(set: &Handle) -> Vec<mpsc::Sender<()>> {
        let (held, holds) = mpsc::channel();
        let threads = set.metrics().num_workers();
        let releases = (0..threads).map(|_| {
            let (release, released) = mpsc::channel::<()>();
            let held = held.clone();
            set.spawn(async move {
                held.send(()).unwrap();
                let _ = released.recv();
            });
            release
        });
        let releases: Vec<_> = releases.collect();
        for _ in 0..threads {
            holds.recv_timeout(PATIENCE).unwrap();
        }
        releases
    }

    /// Whether a task runs on this set.
    fn goes_on(set: &Handle) -> bool {
        let (done, is_done) = mpsc::channel();
        set.spawn(async move {
            tokio::task::yield_now().await;
            let _ = done.send(());
        });
        is_done.recv_timeout(PATIENCE).is_ok()
    }

    #[test]
    fn each_set_goes_on_while_all_threads_of_the_other_are_held_up() {
        let threads = Threads::start().unwrap();
        for (held, other) in [
            (threads.polling(), threads.serving()),
            (threads.serving(), threads.polling()),
        ] {
            let releases = hold(held);
            assert!(goes_on(other));
            drop(releases);
            assert!(goes_on(held));
        }
        // Nor does the end wait for a thread that is held up.
        let _releases = hold(threads.polling());
        threads.end();
    }
}
