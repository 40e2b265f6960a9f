//! Durations as operators of Prometheus write them: `30s`, `1h30m`, `1d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The units, largest first, in milliseconds. As in Prometheus, a day has 24 hours and a year 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration in Prometheus' syntax: whole numbers with units from `y` down to `ms`, each at most once, largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PromDuration(pub Duration);

/// The text was not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration with its unit such as 30s, 5m or 1h30m")]
pub struct InvalidDuration;

impl FromStr for PromDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if text.is_empty() {
            return Err(InvalidDuration);
        }
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total = 0u64;
        while !rest.is_empty() {
            let (number, tail) = split(rest, |c| c.is_ascii_digit());
            let (unit, tail) = split(tail, |c| c.is_ascii_alphabetic());
            // Going on in the same iterator refuses a unit that is repeated or out of order.
            let (_, millis) = units
                .find(|(name, _)| *name == unit)
                .ok_or(InvalidDuration)?;
            let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
            total = number
                .checked_mul(*millis)
                .and_then(|n| n.checked_add(total))
                .ok_or(InvalidDuration)?;
            rest = tail;
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

/// The text's longest start of such characters, and what follows.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in UNITS {
            let count = millis / size;
            // Weeks and years are read but not written: "1w" for 7 days surprises more than it helps.
            if count > 0 && !matches!(unit, "w" | "y") {
                write!(f, "{count}{unit}")?;
                millis %= size;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: f64, written: &str) {
        let duration: PromDuration = text.parse().unwrap();
        assert_eq!(duration.0, Duration::from_secs_f64(seconds));
        assert_eq!(duration.to_string(), written);
    }

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        check("30s", 30.0, "30s");
        check("1h30m", 5400.0, "1h30m");
        check("90m", 5400.0, "1h30m");
        check("250ms", 0.25, "250ms");
        check("1w", 604_800.0, "7d");
        check("1d12h", 129_600.0, "1d12h");
        check("0", 0.0, "0s");
        check("0s", 0.0, "0s");
    }

    #[test]
    fn what_prometheus_would_not_read_is_refused() {
        for text in [
            "",
            "30",
            "s",
            "-5m",
            "1.5h",
            "5 m",
            "5M",
            "30m1h",
            "5m5m",
            "1h ",
            "99999999999y",
            "5µs",
            "٣s",
        ] {
            assert_eq!(
                text.parse::<PromDuration>(),
                Err(InvalidDuration),
                "{text:?}"
            );
        }
    }
}
