//! The service manager that may have started this process: the sockets it hands over, and what it is told. Where there is
//! none, nobody is told anything.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::TcpListener;

/// Takes the sockets that the service manager hands over, at most once.
///
/// # Errors
/// When there is none, or one is not a TCP socket.
pub fn sockets() -> anyhow::Result<Vec<TcpListener>> {
    let mut handed = ListenFd::from_env();
    ensure!(
        handed.len() > 0,
        "systemd handed over no socket; start the exporter by a .socket unit, or without --web.systemd-socket"
    );
    let mut sockets = Vec::new();
    for index in 0..handed.len() {
        let socket = handed
            .take_tcp_listener(index)
            .with_context(|| {
                format!(
                    "socket {} of systemd is not for TCP; see ListenStream= of the .socket unit",
                    index + 1
                )
            })?
            .context("systemd handed over a socket twice")?;
        socket.set_nonblocking(true)?;
        sockets.push(TcpListener::from_std(socket)?);
    }
    Ok(sockets)
}

/// Tells that the process serves, and how it is.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that a reload begins; [`ready`] tells its end.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "failed to tell systemd of a reload"),
    }
}

/// Tells that the end has begun.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// How often to tell that the process is alive, so that its watchdog does not end it; `None` without a watchdog.
pub fn watchdog() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    (!limit.is_zero()).then_some(limit / 2)
}

/// Tells that the process is alive.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "failed to notify systemd; see NOTIFY_SOCKET");
    }
}
