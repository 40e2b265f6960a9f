//! Times as the upstream writes them: ISO 8601, mostly with a zone, and sometimes a date of another form.

use jiff::civil::{Date, DateTime, Time, date};
use jiff::fmt::temporal::Pieces;

/// A time of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Moment {
    /// Not set: nothing, or one of the values that stand for it.
    #[default]
    Missing,
    /// Seconds since the Unix epoch.
    At(i64),
    /// Something that is no time. It counts as missing, and is counted.
    Unreadable,
}

impl Moment {
    /// The epoch, and all before it (.NET writes the year 1), stand for "not set".
    pub(crate) fn of(seconds: i64) -> Self {
        if seconds > 0 {
            Self::At(seconds)
        } else {
            Self::Missing
        }
    }

    /// The seconds since the Unix epoch, where the time is set.
    pub(crate) fn seconds(self) -> Option<i64> {
        match self {
            Self::At(seconds) => Some(seconds),
            Self::Missing | Self::Unreadable => None,
        }
    }

    /// 1 for what is no time, to be counted.
    pub(crate) fn unreadable(self) -> u64 {
        u64::from(self == Self::Unreadable)
    }
}

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// Reads a time; one without a zone is in UTC. Of forms other than ISO 8601 only the day counts: other listings of
/// AvePoint's were seen with `MM-DD-YYYYT12:00:00Z`.
pub(crate) fn read(text: &str) -> Moment {
    let text = text.trim();
    if matches!(text, "" | "0") || text.eq_ignore_ascii_case("n/a") {
        return Moment::Missing;
    }
    let Ok(pieces) = Pieces::parse(text) else {
        let day = leading_day(text);
        return day.map_or(Moment::Unreadable, |day| {
            Moment::of(
                day.to_datetime(Time::midnight())
                    .duration_since(EPOCH)
                    .as_secs(),
            )
        });
    };
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
    Moment::of(seconds)
}

/// The day with which a text begins: month, day and year, or year, month and day, between hyphens or slashes.
fn leading_day(text: &str) -> Option<Date> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !"-/".contains(c));
    let day = text.get(..end.unwrap_or(text.len()))?;
    let separator = if day.contains('/') { '/' } else { '-' };
    let mut parts = day.split(separator);
    let parts = [parts.next()?, parts.next()?, parts.next()?];
    let [year, month, day] = match parts.map(str::len) {
        [4, 1 | 2, 1 | 2] => parts,
        [1 | 2, 1 | 2, 4] => [parts[2], parts[0], parts[1]],
        _ => return None,
    };
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        for (text, expected) in [
            ("2017-01-20T00:33:34Z", 1_484_872_414),
            (" 2017-01-20T00:33:34Z ", 1_484_872_414),
            ("2017-01-20T00:33:34.1234567Z", 1_484_872_414),
            ("2017-01-20T01:33:34+01:00", 1_484_872_414),
            ("2017-01-20T00:33:34", 1_484_872_414),
            ("2017-01-20", 1_484_870_400),
            ("9999-12-31T23:59:59.9999999", 253_402_300_799),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(read(text), Moment::At(expected), "{text}");
        }
    }

    #[test]
    fn of_other_forms_the_day_counts() {
        for text in [
            "01-20-2017T12:00:00Z",
            "01/20/2017",
            "1/20/2017 12:33:34 PM",
            "2017/01/20",
            "2017/01/20 00:33:34",
            "2017-01-20T99:00",
            "01-20-2017",
        ] {
            assert_eq!(read(text), Moment::At(1_484_870_400), "{text}");
        }
    }

    #[test]
    fn what_stands_for_not_set_is_missing() {
        for text in [
            "",
            " ",
            "0",
            "N/A",
            "n/a",
            "1970-01-01T00:00:00Z",
            "01/01/1970",
            "0001-01-01T00:00:00",
            "0001-01-01T00:00:00+14:00",
            "01-01-0001T00:00:00Z",
        ] {
            assert_eq!(read(text), Moment::Missing, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_unreadable() {
        for text in [
            "soon",
            "20/01/2017",
            "2017-13-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "01-20/2017",
            "2017",
            "-",
            "1-2",
        ] {
            assert_eq!(read(text), Moment::Unreadable, "{text}");
        }
    }
}
