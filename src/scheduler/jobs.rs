//! The polls that there are, and what each of them waits for.

use crate::config::{CollectorKind, Config};
use crate::domain::{Collector, Timestamp};

use super::slots::Slots;

/// One collector of one tenant.
#[derive(Debug)]
pub(super) struct Job {
    /// Place of the tenant in the snapshot.
    pub(super) tenant: usize,
    /// Place of the collector in the tenant.
    pub(super) collector: usize,
    pub(super) kind: CollectorKind,
    pub(super) slots: Slots,
    pub(super) state: State,
}

/// What a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The first poll of the protected users waits for the tenant's other listings.
    WaitsForOthers,
    Due(Timestamp),
    Running {
        due: Timestamp,
    },
    Done,
}

impl State {
    /// When the next poll is due, or the one that runs was.
    pub(super) fn due(self) -> Option<Timestamp> {
        match self {
            Self::Due(due) | Self::Running { due } => Some(due),
            Self::WaitsForOthers | Self::Done => None,
        }
    }
}

/// The first round: all at once, but for the protected users, which are matched against the other listings.
pub(super) fn plan(config: &Config, now: Timestamp) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (tenant, config) in config.tenants.iter().enumerate() {
        let has_others = config.collectors.len() > 1;
        for (collector, one) in config.collectors.iter().enumerate() {
            let name = one.kind.collector();
            let waits = has_others && name == Collector::ProtectedUsers;
            jobs.push(Job {
                tenant,
                collector,
                kind: one.kind,
                slots: Slots::new(&config.tenant, name, one.interval),
                state: if waits {
                    State::WaitsForOthers
                } else {
                    State::Due(now)
                },
            });
        }
    }
    jobs
}
