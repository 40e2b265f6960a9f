//! Polls that somebody asks for, and who asks.

use tokio::sync::{mpsc, oneshot};

use crate::domain::TenantId;

/// Asks for all polls of one tenant to begin now, without waiting for their time.
#[derive(Debug, Clone)]
pub struct Demand(mpsc::Sender<Wanted>);

/// A tenant to poll now.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) tenant: TenantId,
    /// Takes whether this tenant is polled at all.
    pub(super) is_known: oneshot::Sender<bool>,
}

impl Demand {
    pub(super) fn new() -> (Self, mpsc::Receiver<Wanted>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks for the polls of this tenant. Returns whether it is polled at all; `None` if the exporter is shutting down.
    pub async fn poll(&self, tenant: TenantId) -> Option<bool> {
        let (is_known, answer) = oneshot::channel();
        self.0.send(Wanted { tenant, is_known }).await.ok()?;
        answer.await.ok()
    }
}
