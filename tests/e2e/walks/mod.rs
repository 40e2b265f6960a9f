//! Failures as the person on call meets them, each with real processes: the log, a metric, the status, the alert and its
//! runbook name the same cause and the same step. A test for each failure, by what fails.

mod credentials;
mod network;
mod own;
mod scene;
mod upstream;
