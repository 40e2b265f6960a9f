//! Asking for the configuration to be read again, without knowing how that is done.

use tokio::sync::{mpsc, oneshot};

/// Who asked, and waits for what came of it: why the configuration before stays in force, if it does.
pub type Asked = oneshot::Sender<Result<(), String>>;

/// Asks for the configuration to be read again. Who asks while it is being read waits for a reading of their own.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<Asked>);

impl Reload {
    /// An asker, and where those who ask are heard.
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks, and waits for what comes of it.
    ///
    /// # Errors
    /// Why the configuration before stays in force.
    pub async fn ask(&self) -> Result<(), String> {
        let (asked, answer) = oneshot::channel();
        // Nobody listens any more when the exporter ends.
        let ends = || "the exporter is shutting down".to_owned();
        self.0.send(asked).await.map_err(|_| ends())?;
        answer.await.map_err(|_| ends())?
    }
}
