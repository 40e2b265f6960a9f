//! What others ask of the loop that polls, and who asks.

use tokio::sync::{mpsc, oneshot};

use crate::domain::TenantId;

/// Asks the loop that polls: for the polls of one tenant, or only whether it still runs.
#[derive(Debug, Clone)]
pub struct Demand(mpsc::Sender<Wanted>);

#[derive(Debug)]
pub(super) enum Wanted {
    /// All polls of one tenant, without waiting for their time.
    Poll {
        tenant: TenantId,
        /// Takes whether this tenant is polled at all.
        is_known: oneshot::Sender<bool>,
    },
    /// A sign of life.
    Sign(oneshot::Sender<()>),
}

impl Demand {
    pub(super) fn new() -> (Self, mpsc::Receiver<Wanted>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Asks for the polls of this tenant. Returns whether it is polled at all; `None` if the exporter is shutting down.
    pub async fn poll(&self, tenant: TenantId) -> Option<bool> {
        let (is_known, answer) = oneshot::channel();
        self.ask(Wanted::Poll { tenant, is_known }, answer).await
    }

    /// Waits until the loop that polls answers: for ever while it hangs. Returns false if the exporter is shutting down.
    pub async fn is_alive(&self) -> bool {
        let (sign, answer) = oneshot::channel();
        self.ask(Wanted::Sign(sign), answer).await.is_some()
    }

    async fn ask<T>(&self, wanted: Wanted, answer: oneshot::Receiver<T>) -> Option<T> {
        self.0.send(wanted).await.ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_loop_is_alive_when_it_answers_and_not_before() {
        let (demand, mut wanted) = Demand::new();
        let mut sign = Box::pin(demand.is_alive());
        assert_eq!(sign.as_mut().now_or_never(), None);
        let Some(Some(Wanted::Sign(answer))) = wanted.recv().now_or_never() else {
            panic!("nothing was asked");
        };
        assert_eq!(sign.as_mut().now_or_never(), None);
        answer.send(()).unwrap();
        assert_eq!(sign.now_or_never(), Some(true));
        drop(wanted);
        assert_eq!(demand.is_alive().now_or_never(), Some(false));
    }
}
