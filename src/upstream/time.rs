//! Times as the upstream writes them: ISO 8601, mostly with a zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A text that is no time. It does not hold the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoTime;

/// The last year that is written: Microsoft's and .NET's "never". Its last day is later than `jiff` counts.
const NEVER: i16 = 9999;

/// The seconds since the Unix epoch of a time; a time without a zone is in UTC. `None` for what stands for "not
/// set": no text, the epoch, and all before it (.NET writes the year 1).
pub(super) fn read(text: &str) -> Result<Option<i64>, NoTime> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = text
        .parse::<jiff::Timestamp>()
        .or_else(|_| {
            let civil: DateTime = text.parse()?;
            civil.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        })
        .or_else(|_| {
            // Without zone and fractions, which do not matter there.
            let civil: DateTime = text.get(..19).unwrap_or(text).parse().map_err(|_| NoTime)?;
            (civil.year() == NEVER)
                .then_some(jiff::Timestamp::MAX)
                .ok_or(NoTime)
        })?;
    Ok(Some(time.as_second()).filter(|seconds| *seconds > 0))
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
            ("9999-12-31T23:59:59", Some(253_402_207_200)),
            ("9999-12-31T23:59:59Z", Some(253_402_207_200)),
            ("9999-12-31T23:59:59.9999999Z", Some(253_402_207_200)),
            ("9999-12-31T00:00:00+00:00", Some(253_402_207_200)),
            ("1970-01-01T00:00:00Z", None),
            ("0001-01-01T00:00:00", None),
            ("", None),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for text in [
            "soon",
            "20/01/2017",
            "2017-13-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "2017-01-20T25:00:00Z",
        ] {
            assert_eq!(read(text), Err(NoTime), "{text}");
        }
    }
}
