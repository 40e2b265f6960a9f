//! Pages of AvePoint's listings: picks the rows and writes them. Knows the faults that change a page's
//! shape; knows nothing of sockets and tokens.

use super::ask::Ask;
use super::faults::Fault;
use super::listed::Listed;
use super::tenant::again;
use super::wire::{Metadata, Writer};

/// Rows move by so many places.
const MOVED: usize = 3;
/// How deep an unknown field is nested.
const DEPTH: usize = 20_000;
/// The filling of a long link. Clients and servers take addresses of up to 64 KiB.
const LONG: usize = 70_000;

/// Which rows of a listing stand on a page, and what faults make of them.
pub(super) struct Window<'a> {
    pub(super) listed: Listed<'a>,
    /// The indices of the rows that a filter picks; nothing without a filter.
    pub(super) picked: Option<Vec<usize>>,
    /// The place of the first row.
    pub(super) start: usize,
    /// The most rows that there can be.
    pub(super) size: usize,
    pub(super) strikes: &'a [Fault],
}

impl Window<'_> {
    pub(super) fn struck(&self, fault: Fault) -> bool {
        self.strikes.contains(&fault)
    }

    fn endless(&self) -> bool {
        self.struck(Fault::Endless) || self.struck(Fault::EndlessUncounted)
    }

    /// How many rows there really are.
    fn count(&self) -> usize {
        self.picked
            .as_ref()
            .map_or_else(|| self.listed.count(), Vec::len)
    }

    /// The place after the last row.
    pub(super) fn end(&self) -> usize {
        let end = self.start.saturating_add(self.size);
        if self.endless() {
            end
        } else {
            end.min(self.count())
        }
    }

    /// Whether rows follow.
    pub(super) fn goes_on(&self) -> bool {
        self.endless() || self.end() < self.count()
    }

    /// How many rows there are said to be.
    pub(super) fn total(&self) -> Option<usize> {
        if self.struck(Fault::EndlessUncounted) {
            None
        } else if self.struck(Fault::PageTotal) {
            Some(self.end().saturating_sub(self.start))
        } else if self.endless() {
            Some(self.end().saturating_add(self.size))
        } else {
            Some(self.count())
        }
    }

    /// Whether the page is a 204.
    pub(super) fn has_no_content(&self) -> bool {
        self.start >= self.end() && self.struck(Fault::NoContent)
    }

    /// How deep an unknown field before the rows is nested.
    pub(super) fn depth(&self) -> usize {
        if self.struck(Fault::Deep) { DEPTH } else { 0 }
    }

    /// A field at the end of a link's query; empty unless a fault makes links long.
    pub(super) fn link_filling(&self) -> String {
        if self.struck(Fault::LongLink) {
            format!("&filling={}", "a".repeat(LONG))
        } else {
            String::new()
        }
    }

    pub(super) fn writer(&self) -> Writer {
        Writer::new(self.struck(Fault::PascalCase))
    }

    pub(super) fn write_rows(&self, writer: &mut Writer) {
        let moved = if self.start > 0 && self.struck(Fault::MoveRows) {
            MOVED.min(self.size)
        } else {
            0
        };
        for place in self.start..self.end() {
            let place = place - moved;
            if place % 2 == 1 && self.struck(Fault::NullRows) {
                writer.null_row();
                continue;
            }
            let row = match &self.picked {
                None => Some(place),
                Some(picked) => again(picked, place).copied(),
            };
            if let Some(k) = row {
                self.listed.write(writer, k, self.strikes);
            }
        }
    }
}

/// The size of a page: what is asked for, no more than the limit, half of it where a fault says so.
pub(super) fn size(asked: usize, limit: usize, strikes: &[Fault]) -> usize {
    let size = asked.min(limit.max(1));
    if strikes.contains(&Fault::Clamp) {
        (size / 2).max(1)
    } else {
        size
    }
}

/// The page as JSON; nothing for a 204. `link` says where links lead, up to the query, by whether it is
/// to the foreign origin.
pub(super) fn write(
    ask: &Ask,
    listed: Listed<'_>,
    strikes: &[Fault],
    limit: usize,
    link: impl Fn(bool) -> String,
) -> Option<Vec<u8>> {
    let size = size(ask.size, limit, strikes);
    let window = Window {
        listed,
        picked: listed.picked(&ask.filter),
        start: if strikes.contains(&Fault::IgnoredIndex) {
            0
        } else {
            (ask.index - 1).saturating_mul(size)
        },
        size,
        strikes,
    };
    if window.has_no_content() {
        return None;
    }
    let mut writer = window.writer();
    writer.start(window.depth());
    window.write_rows(&mut writer);
    let metadata = Metadata {
        page_index: ask.index,
        page_size: size,
        total_count: window.total(),
    };
    let foreign = window.struck(Fault::ForeignLink);
    let filling = window.link_filling();
    let circle = window.struck(Fault::Circle);
    let linked = foreign || circle || !filling.is_empty();
    let next = (linked || window.goes_on() && window.struck(Fault::NextLink)).then(|| {
        let query = if circle {
            ask.first_query()
        } else {
            ask.next_query()
        };
        format!("{}?{query}{filling}", link(foreign))
    });
    Some(writer.end(metadata, next.as_deref()))
}
