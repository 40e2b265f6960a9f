//! Asking for the configuration to be read again, without knowing how that is done.

use tokio::sync::{mpsc, oneshot};

/// Takes the result of a reload: the reason if the previous configuration stays in force.
pub type Asked = oneshot::Sender<Result<(), String>>;

/// Asks for the configuration to be read again. A request during a reload leads to one more.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<Asked>);

impl Reload {
    /// The sender and the receiver of the requests.
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks, and waits for the result.
    ///
    /// # Errors
    /// Why the previous configuration stays in force.
    pub async fn ask(&self) -> Result<(), String> {
        let (asked, answer) = oneshot::channel();
        // Nobody listens any more when the exporter ends.
        let ends = || "the exporter is shutting down".to_owned();
        self.0.send(asked).await.map_err(|_| ends())?;
        answer.await.map_err(|_| ends())?
    }
}
