//! The file's contents: what is written of a snapshot, and what of it is believed when it is read again.
//!
//! Figures are written as their collectors have them. What a collector cannot read back starts cold, alone. Nothing is
//! written that a reading of the configuration brings back anyway (labels, schedules), no counters, and nothing of a
//! user.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Saved;
use crate::collectors::Totals;
use crate::config::CollectorConfig;
use crate::domain::{Collector, Target, Timestamp};
use crate::snapshot::{CollectorSnapshot, Figures, LastPoll, Snapshot, TargetSnapshot};

const FORMAT: &str = "avepoint-exporter warm start";
const VERSION: u64 = 2;

/// A file may have been written this much ahead of the clock. A clock is off by some hours when a machine starts before
/// it asks for the time, or takes local time for UTC; one that is off by more says nothing.
const MOST_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// The longest `stale_after` that a configuration may have.
const LONGEST_STALE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why a file cannot be used. None of it quotes the file.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The operating system does not hand it out.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// A folder, a pipe or the like.
    #[error("is not a regular file")]
    NoFile,
    /// Nothing that this program writes is so large.
    #[error("is larger than 256MiB")]
    TooLarge,
    /// Cut, changed, or no JSON at all.
    #[error("is damaged at line {line}, column {column}")]
    Damaged {
        /// From 1 on.
        line: usize,
        /// From 1 on.
        column: usize,
    },
    /// JSON of something else.
    #[error("is not a warm-start file of this program")]
    Foreign,
    /// What it means is not known any more.
    #[error("has version {0} of an older exporter; this exporter reads version {VERSION}")]
    Older(u64),
    /// What it means is not known yet.
    #[error("has version {0} of a newer exporter; this exporter reads version {VERSION}")]
    Newer(u64),
    /// The clock was wrong then, or is now.
    #[error("has a timestamp in the future, {0}; is the clock right?")]
    YetToCome(Timestamp),
    /// What no exporter writes.
    #[error("is invalid: {0}")]
    Implausible(&'static str),
}

/// What says whether the rest can be read.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u64>,
}

/// The file. It is written with values of the types `C` and `T` below, and read with JSON in their place.
#[derive(Serialize, Deserialize)]
struct File<C> {
    format: String,
    version: u64,
    written_at: Timestamp,
    targets: Vec<TargetState<C>>,
}

#[derive(Serialize, Deserialize)]
struct TargetState<C> {
    target: Target,
    /// By the collectors' names. Each is read for itself, and may be of a collector that this exporter does not have.
    collectors: BTreeMap<String, C>,
}

#[derive(Serialize, Deserialize)]
struct CollectorState<T> {
    /// With the options, by which its figures are told from those of other options.
    config: CollectorConfig,
    last_poll: Option<LastPoll>,
    figures: Option<FiguresState<T>>,
}

#[derive(Serialize, Deserialize)]
struct FiguresState<T> {
    at: Timestamp,
    pages: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    unreadable_dates: u64,
    totals: T,
}

/// What most files have none of is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// JSON that is yet to be read.
type Unread = Box<RawValue>;

/// The text of a file.
///
/// # Errors
/// None in practice: it is written into memory.
pub(super) fn write(snapshot: &Snapshot, now: Timestamp) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&File {
        format: FORMAT.to_owned(),
        version: VERSION,
        written_at: now,
        targets: snapshot.shown().map(|one| target(one, now)).collect(),
    })
}

fn target(snapshot: &TargetSnapshot, now: Timestamp) -> TargetState<CollectorState<&Totals>> {
    let collectors = snapshot.collectors.iter().map(|one| {
        let figures = one.figures.as_ref().map(|figures| FiguresState {
            // One that lies ahead was taken before the clock was set back, and would make figures fresh for ever.
            at: figures.at.min(now),
            pages: figures.pages,
            unreadable_dates: figures.unreadable_dates,
            totals: &*figures.totals,
        });
        let state = CollectorState {
            config: one.config,
            last_poll: one.last_poll,
            figures,
        };
        (one.collector().to_string(), state)
    });
    TargetState {
        target: snapshot.target.clone(),
        collectors: collectors.collect(),
    }
}

/// What a file's text says.
///
/// # Errors
/// Why it cannot be believed.
pub(super) fn read(text: &[u8], now: Timestamp) -> Result<Saved, Unusable> {
    let damaged = |error: serde_json::Error| Unusable::Damaged {
        line: error.line(),
        column: error.column(),
    };
    let head: Head = serde_json::from_slice(text).map_err(|error| match error.classify() {
        // It is JSON as far as it was read.
        Category::Data => Unusable::Foreign,
        _ => damaged(error),
    })?;
    match head.version {
        _ if head.format.as_deref() != Some(FORMAT) => return Err(Unusable::Foreign),
        Some(VERSION) => {}
        Some(version @ VERSION..) => return Err(Unusable::Newer(version)),
        Some(version @ 1..) => return Err(Unusable::Older(version)),
        _ => return Err(Unusable::Foreign),
    }
    let file: File<Unread> = serde_json::from_slice(text).map_err(damaged)?;
    let written_at = file.written_at;
    let ahead = written_at.since(now);
    if ahead > MOST_AHEAD {
        return Err(Unusable::YetToCome(written_at));
    }
    let times = Times { written_at, ahead };
    let mut ids = BTreeSet::new();
    let mut saved = Saved {
        written_at: written_at.min(now),
        ahead,
        ..Saved::default()
    };
    for target in file.targets {
        let target = target.read(times, &mut saved.cold);
        if !ids.insert(target.id()) {
            return Err(Unusable::Implausible("duplicate target"));
        }
        saved.targets.push(Arc::new(target));
    }
    Ok(saved)
}

/// What a time in the file is held against.
#[derive(Clone, Copy)]
struct Times {
    written_at: Timestamp,
    /// How far that is in the future. All times in the file are taken to be that much too late: figures keep the age
    /// that they had, and none is of the future, which would make it fresh for ever.
    ahead: Duration,
}

impl TargetState<Unread> {
    /// Reads each collector for itself, and counts in `cold` those that cannot be read.
    fn read(self, times: Times, cold: &mut BTreeMap<String, usize>) -> TargetSnapshot {
        let mut collectors = Vec::with_capacity(self.collectors.len());
        for (name, state) in self.collectors {
            let state: Option<CollectorState<Unread>> = serde_json::from_str(state.get()).ok();
            match state.and_then(|state| state.read(&name, times)) {
                Some(collector) => collectors.push(collector),
                None => *cold.entry(name).or_default() += 1,
            }
        }
        // As the configuration has them.
        collectors.sort_by_key(|one: &CollectorSnapshot| {
            Collector::all().position(|other| other == one.collector())
        });
        TargetSnapshot {
            target: self.target,
            collectors,
        }
    }
}

impl CollectorState<Unread> {
    /// `None` for what no exporter writes.
    fn read(self, name: &str, times: Times) -> Option<CollectorSnapshot> {
        let collector = self.config.kind.collector();
        let CollectorConfig {
            interval,
            stale_after,
            ..
        } = self.config;
        let is_configurable = interval <= stale_after && stale_after <= LONGEST_STALE;
        if collector.as_str() != name || !is_configurable {
            return None;
        }
        let figures = match self.figures {
            Some(figures) => {
                if figures.at > times.written_at {
                    return None;
                }
                Some(Figures {
                    at: Timestamp::from_unix(figures.at.since_unix().saturating_sub(times.ahead)),
                    pages: figures.pages,
                    unreadable_dates: figures.unreadable_dates,
                    totals: Arc::new(Totals::read(collector, &figures.totals).ok()?),
                    is_restored: true,
                })
            }
            None => None,
        };
        // Discovery that never succeeded starts as if it had never been tried.
        let counts = figures.is_some() || !collector.is_discovery();
        Some(CollectorSnapshot {
            last_poll: self.last_poll.filter(|_| counts),
            figures,
            ..CollectorSnapshot::new(self.config)
        })
    }
}

#[cfg(test)]
mod tests;
