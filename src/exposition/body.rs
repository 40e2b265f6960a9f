//! Keeps the series of the targets compressed, and renders again only what has changed, so that a scrape sends bytes
//! and a poll costs little however large the fleet is.
//!
//! The text is cut into blocks: the samples that one metric has of a few targets. So the times and counters of these
//! targets, which change with each poll, are in other blocks than their figures, and other targets' samples are not
//! touched. Heads stand apart from samples, since only they differ between the formats.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use crate::domain::Timestamp;
use crate::snapshot::{CollectorSnapshot, Snapshot, TargetSnapshot};

use super::catalogue::{Row, rows};
use super::format::{ByFormat, Format};
use super::packed::{Packed, Packer};
use super::render::{in_order, scopes, write_fleet, write_targets};

/// Targets in a block, at most. Each block repeats their ids and names, so fewer make the whole larger: with 16 it is
/// 1.25 times the size of one stream at 60,000 series and more.
const TARGETS: usize = 16;

/// The same for fleets of up to [`SMALL_FLEET`] targets. One stream would still see the names of the metric before, so
/// with 16 the whole would be 1.4 times its size.
const TARGETS_OF_SMALL_FLEET: usize = 32;

/// See [`TARGETS_OF_SMALL_FLEET`].
const SMALL_FLEET: usize = 200;

/// Up to this length in bytes, the text is compressed as a whole: that takes a few milliseconds, and blocks would be
/// nearly twice as large.
const WHOLE: u64 = 1536 * 1024;

/// The series of the targets, ready to be sent.
#[derive(Debug, Default)]
pub struct Body {
    forms: ByFormat<Packed>,
    /// Whether each poll had been tried once when it was rendered, or an earlier process knew figures that were fresh.
    pub is_ready: bool,
}

impl Body {
    /// The series of the targets at this moment.
    pub fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        Blocks::default().render(snapshot, now)
    }

    /// The series in this format, without its end.
    pub const fn form(&self, format: Format) -> &Packed {
        self.forms.get(format)
    }
}

/// The blocks of the last exposition, to make the next one of.
#[derive(Debug)]
pub struct Blocks {
    columns: Vec<Column>,
    groups: Vec<Group>,
    rendered_at: Timestamp,
    packer: Packer,
    hasher: RandomState,
}

/// The samples of one metric.
#[derive(Debug)]
struct Column {
    row: Row,
    heads: ByFormat<Packed>,
    /// The fleet's, then those of each group.
    blocks: Vec<Block>,
    /// All blocks as one.
    whole: Packed,
    has_changed: bool,
}

/// The samples that one metric has of one group.
#[derive(Debug, Default)]
struct Block {
    packed: Packed,
    /// Of its text.
    hash: u64,
}

/// Some targets whose samples of one metric share a block.
#[derive(Debug)]
struct Group {
    targets: Vec<Arc<TargetSnapshot>>,
    /// When the next of their figures becomes stale.
    next_stale: Option<Timestamp>,
}

impl Default for Blocks {
    fn default() -> Self {
        let mut packer = Packer::default();
        let columns = rows().map(|row| Column::new(row, &mut packer));
        Self {
            columns: columns.collect(),
            groups: Vec::new(),
            rendered_at: Timestamp::default(),
            packer,
            hasher: RandomState::new(),
        }
    }
}

impl Blocks {
    /// The series of the targets at this moment. What is the same as before is not compressed again, and not even
    /// rendered where the targets are the same and none of their figures has become stale.
    pub fn render(&mut self, snapshot: &Snapshot, now: Timestamp) -> Body {
        let groups = grouped(&in_order(snapshot), now);
        // The clock may have been put back, and figures that were stale are fresh again.
        let went_back = now < self.rendered_at;
        for column in &mut self.columns {
            column.resize(groups.len() + 1);
        }
        let mut text = String::new();
        for column in &mut self.columns {
            text.clear();
            write_fleet(&column.row, snapshot, now, &mut text);
            column.set(0, &text, &mut self.packer, &self.hasher);
        }
        for (index, group) in groups.iter().enumerate() {
            let before = self.groups.get(index).filter(|_| !went_back);
            if before.is_some_and(|before| before.is_same(group, now)) {
                continue;
            }
            let scopes = scopes(&group.targets);
            for column in &mut self.columns {
                text.clear();
                write_targets(&column.row, &group.targets, &scopes, now, &mut text);
                column.set(index + 1, &text, &mut self.packer, &self.hasher);
            }
        }
        self.groups = groups;
        self.rendered_at = now;
        self.columns.iter_mut().for_each(Column::gather);
        Body {
            forms: ByFormat::new(|format| self.form(format)),
            is_ready: snapshot.first_round_ended(),
        }
    }

    /// All columns with their heads in this format.
    fn form(&mut self, format: Format) -> Packed {
        let mut form = Packed::default();
        for column in &self.columns {
            if !column.whole.is_empty() {
                form.push(column.heads.get(format));
                form.push(&column.whole);
            }
        }
        if form.text_len() <= WHOLE {
            return self.packer.pack(&form.text());
        }
        form.compact();
        form
    }
}

impl Column {
    fn new(row: Row, packer: &mut Packer) -> Self {
        let heads = ByFormat::new(|format| {
            let (family, mut head) = (&row.family, String::new());
            format.head(&family.name, family.kind.as_str(), family.help, &mut head);
            packer.pack(head.as_bytes())
        });
        Self {
            row,
            heads,
            blocks: Vec::new(),
            whole: Packed::default(),
            has_changed: false,
        }
    }

    fn resize(&mut self, blocks: usize) {
        self.has_changed = self.blocks.len() != blocks;
        self.blocks.resize_with(blocks, Block::default);
    }

    /// Puts this text into a block, unless it is there already.
    fn set(&mut self, index: usize, text: &str, packer: &mut Packer, hasher: &RandomState) {
        let Some(block) = self.blocks.get_mut(index) else {
            return;
        };
        // The key is random: nobody can choose names so that a change keeps the hash.
        let hash = hasher.hash_one(text);
        let is_new = block.packed.is_empty() != text.is_empty();
        if is_new || (!text.is_empty() && block.hash != hash) {
            *block = Block {
                packed: packer.pack(text.as_bytes()),
                hash,
            };
            self.has_changed = true;
        }
    }

    fn gather(&mut self) {
        if self.has_changed {
            let blocks = self.blocks.iter_mut();
            self.whole = Packed::gather(blocks.map(|block| &mut block.packed));
        }
    }
}

impl Group {
    /// Whether the samples of these targets were the same when this group was rendered.
    fn is_same(&self, now: &Self, at: Timestamp) -> bool {
        self.next_stale.is_none_or(|stale| at < stale)
            && self.targets.len() == now.targets.len()
            && self
                .targets
                .iter()
                .zip(&now.targets)
                .all(|(before, now)| Arc::ptr_eq(before, now))
    }
}

/// These targets in groups of nearly the same size.
fn grouped(targets: &[Arc<TargetSnapshot>], now: Timestamp) -> Vec<Group> {
    let most = if targets.len() > SMALL_FLEET {
        TARGETS
    } else {
        TARGETS_OF_SMALL_FLEET
    };
    let groups = targets.len().div_ceil(most).max(1);
    let groups = targets.chunks(targets.len().div_ceil(groups).max(1));
    let groups = groups.map(|targets| {
        let collectors = targets.iter().flat_map(|one| &one.collectors);
        let stale = collectors.filter_map(CollectorSnapshot::stale_at);
        Group {
            targets: targets.to_vec(),
            next_stale: stale.filter(|at| *at > now).min(),
        }
    });
    groups.collect()
}

#[cfg(test)]
mod tests;
