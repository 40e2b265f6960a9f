//! Times as the upstream writes them: ISO 8601, mostly with a zone.

use jiff::civil::{DateTime, Time, date};
use jiff::fmt::temporal::Pieces;

/// A text that is no time. It does not hold the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTime;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// The seconds since the Unix epoch of a time; a time without a zone is in UTC. `None` for what stands for "not
/// set": no text, the epoch, and all before it (.NET writes the year 1).
pub(crate) fn read(text: &str) -> Result<Option<i64>, NoTime> {
    if text.is_empty() {
        return Ok(None);
    }
    let pieces = Pieces::parse(text).map_err(|_| NoTime)?;
    let time = pieces.time().unwrap_or(Time::midnight());
    let zone = pieces.to_numeric_offset();
    // Counted by the calendar, since timestamps end a day before the 31st of December 9999, which is how .NET
    // writes "never".
    let seconds = pieces
        .date()
        .to_datetime(time)
        .duration_since(EPOCH)
        .as_secs()
        - zone.map_or(0, |zone| i64::from(zone.seconds()));
    Ok(Some(seconds).filter(|seconds| *seconds > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        for (text, expected) in [
            ("2017-01-20T00:33:34Z", Some(1_484_872_414)),
            ("2017-01-20T00:33:34.1234567Z", Some(1_484_872_414)),
            ("2017-01-20T01:33:34+01:00", Some(1_484_872_414)),
            ("2017-01-20T00:33:34", Some(1_484_872_414)),
            ("2017-01-20", Some(1_484_870_400)),
            ("9999-12-31T23:59:59.9999999", Some(253_402_300_799)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("1970-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00", None),
            ("0001-01-01T00:00:00+14:00", None),
            ("", None),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for text in [
            "soon",
            "20/01/2017",
            "2017-13-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), Err(NoTime), "{text}");
        }
    }
}
