//! The rows of any listing: how they are read, and how many there were.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::Timestamp;
use crate::upstream::http::json::{Fields, JsonError, Object};

use super::paging::Page;

/// How the rows of a listing are asked for and read.
pub(crate) trait Rows: Sync {
    /// What remains of a row, without anything personal.
    type Row: Send;
    /// The fields that are read.
    type Wire<'de>: Fields<'de>;

    /// Reads a row; or says what is wrong with it, without quoting it.
    fn row(&self, wire: &Self::Wire<'_>) -> Result<Self::Row, &'static str>;

    /// How many dates of a row could not be read. They count as missing.
    fn unreadable_dates(_row: &Self::Row) -> u64 {
        0
    }
}

/// Why a row is refused that nothing tells apart from others.
pub(crate) const NOBODY: &str = "has neither id nor mail address nor principal name";

/// How much of a listing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListingSize {
    /// Rows delivered, repeated ones included.
    pub rows: u64,
    /// Pages, tries aside.
    pub pages: u64,
    /// Dates that could not be read and count as missing.
    pub unreadable_dates: u64,
}

/// How much of a listing was read so far. Whoever reads it counts; others may look meanwhile.
#[derive(Debug, Default)]
pub struct Progress {
    since: Timestamp,
    rows: AtomicU64,
    pages: AtomicU64,
    unreadable_dates: AtomicU64,
}

impl Progress {
    /// Nothing was read yet of what is being read since then.
    pub fn since(since: Timestamp) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    /// When the reading began.
    pub fn began(&self) -> Timestamp {
        self.since
    }

    /// Counts a page.
    pub(crate) fn add<R>(&self, page: &Page<R>) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.rows
            .fetch_add(page.rows.len() as u64, Ordering::Relaxed);
        self.unreadable_dates
            .fetch_add(page.unreadable_dates, Ordering::Relaxed);
    }

    /// What was read until now.
    pub fn size(&self) -> ListingSize {
        ListingSize {
            rows: self.rows.load(Ordering::Relaxed),
            pages: self.pages.load(Ordering::Relaxed),
            unreadable_dates: self.unreadable_dates.load(Ordering::Relaxed),
        }
    }
}

/// Reads the rows of a page; the first that is wrong fails it.
pub(crate) fn read_rows<R: Rows>(
    data: &[Object<R::Wire<'_>>],
    rows: &R,
) -> Result<Vec<R::Row>, JsonError> {
    let mut read = Vec::with_capacity(data.len());
    for (at, Object(wire)) in data.iter().enumerate() {
        let row = rows.row(wire).map_err(|fault| {
            JsonError::Unexpected(format!("row {} of the page {fault}", at + 1))
        })?;
        read.push(row);
    }
    Ok(read)
}
