//! The distinct codes of one listing, numbered as they come, so that any set of them fits one word.

use std::collections::BTreeMap;

use crate::domain::CodeSet;
use crate::upstream::Cause;

/// The most distinct codes that a listing may have. Each becomes series for ever, and far fewer are documented.
const MOST_CODES: usize = 64;

/// A set of a [`CodeTable`]'s codes, one bit for each.
pub(in crate::collectors) type Mask = u64;

/// The distinct codes of one listing.
#[derive(Debug, Default)]
pub(in crate::collectors) struct CodeTable(Vec<i64>);

impl CodeTable {
    /// The mask of a row's codes. Codes that are new get the next bits.
    ///
    /// # Errors
    /// `Limit` when the listing has too many distinct codes.
    pub(in crate::collectors) fn mask(&mut self, codes: &CodeSet) -> Result<Mask, Cause> {
        let mut mask = 0;
        for code in codes.iter() {
            mask |= 1 << self.bit(code)?;
        }
        Ok(mask)
    }

    fn bit(&mut self, code: i64) -> Result<usize, Cause> {
        if let Some(bit) = self.0.iter().position(|known| *known == code) {
            return Ok(bit);
        }
        if self.0.len() == MOST_CODES {
            return Err(Cause::Limit(format!(
                "the listing has more than {MOST_CODES} distinct codes"
            )));
        }
        self.0.push(code);
        Ok(self.0.len() - 1)
    }

    /// The codes with their masks, in the order in which they came.
    pub(in crate::collectors) fn iter(&self) -> impl Iterator<Item = (i64, Mask)> + '_ {
        self.0
            .iter()
            .enumerate()
            .map(|(bit, code)| (*code, 1 << bit))
    }
}

/// How many users have each code of a [`CodeTable`].
#[derive(Debug)]
pub(in crate::collectors) struct CodeCounts([u64; MOST_CODES]);

impl Default for CodeCounts {
    fn default() -> Self {
        Self([0; MOST_CODES])
    }
}

impl CodeCounts {
    /// Counts one user who has all the codes of the mask.
    pub(in crate::collectors) fn add(&mut self, mask: Mask) {
        let mut rest = mask;
        while let Some(count) = self.0.get_mut(rest.trailing_zeros() as usize) {
            *count += 1;
            rest &= rest - 1;
        }
    }

    /// The counts by code: those of `known`, zeros included, and those that the listing had besides.
    pub(in crate::collectors) fn by_code<C: From<i64> + Ord + Copy>(
        &self,
        table: &CodeTable,
        known: &[C],
    ) -> BTreeMap<C, u64> {
        let zeros = known.iter().map(|code| (*code, 0));
        let counts = table.0.iter().zip(self.0);
        let counts = counts.map(|(code, count)| (C::from(*code), count));
        zeros.chain(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BackupModule;

    #[test]
    fn a_listing_may_have_64_codes_whatever_they_are_and_no_more() {
        let mut table = CodeTable::default();
        let codes: CodeSet = (1000..1064).collect();
        assert_eq!(table.mask(&codes).unwrap(), u64::MAX);
        assert_eq!(table.mask(&CodeSet::from_iter([1063])).unwrap(), 1 << 63);
        assert!(matches!(
            table.mask(&CodeSet::from_iter([0])),
            Err(Cause::Limit(_))
        ));
    }

    #[test]
    fn known_codes_are_counted_from_zero_and_unknown_ones_when_they_come() {
        let mut table = CodeTable::default();
        let mut counts = CodeCounts::default();
        for codes in [vec![7, 2], vec![7], vec![]] {
            counts.add(table.mask(&codes.into_iter().collect()).unwrap());
        }
        let counts = counts.by_code(&table, BackupModule::KNOWN);
        assert_eq!(
            counts,
            [(0, 0), (2, 1), (7, 2)]
                .map(|(code, n)| (BackupModule::from(code), n))
                .into()
        );
    }
}
