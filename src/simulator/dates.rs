//! Days and times as upstream writes them. Knows nothing of what happens on them.

use jiff::Timestamp;

/// What upstream writes for a date that is not set.
pub(super) const NOT_SET: &str = "1970-01-01T00:00:00Z";
/// The length of a day, in seconds.
pub(super) const DAY: i64 = 86_400;

/// The text of a time, in seconds since the epoch.
pub(super) fn text(seconds: i64) -> String {
    // It fails only for times that no calendar has.
    Timestamp::from_second(seconds).map_or_else(|_| NOT_SET.to_owned(), |time| time.to_string())
}

/// The milliseconds since the epoch of a time's text; 0, which is not set, for what is no time.
pub(super) fn millis(text: &str) -> i64 {
    text.parse::<Timestamp>()
        .map_or(0, Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_written_in_either_form() {
        assert_eq!(super::text(0), super::NOT_SET);
        assert_eq!(super::text(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(super::millis("2026-01-01T00:00:00Z"), 1_767_225_600_000);
        assert_eq!(super::millis("soon"), 0);
    }
}
