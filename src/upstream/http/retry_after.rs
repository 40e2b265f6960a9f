//! When an answer asks to come back: the forms of `Retry-After` that services send. Pure.

use std::time::Duration;

use http::header::{HeaderMap, RETRY_AFTER};

use crate::domain::Timestamp;

use super::clock_skew::date;

/// The longest wait that is taken for meant, also the longest deadline of a request. It keeps sums of waits in range.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the headers of an answer ask to wait; `now` is the time of its sender, as far as that is known. Of several values, in one header or in several, the largest counts.
/// RFC 9110, section 10.2.3, has whole seconds and a date; real services also send fractions (`2.128`), lists (`3, 3`)
/// and a unit (`3s`). A value of no such form is ignored, and a date in the past is no wait.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let values = headers.get_all(RETRY_AFTER).iter();
    values
        .filter_map(|value| largest(value.to_str().ok()?, now))
        .max()
}

fn largest(value: &str, now: Timestamp) -> Option<Duration> {
    let items: Vec<&str> = value.split(',').collect();
    // Most dates have a comma in them, too.
    let pairs = items.windows(2).map(|pair| pair.join(","));
    let texts = items.iter().map(|item| (*item).to_owned()).chain(pairs);
    let dates = texts.filter_map(|text| Some(date(&text)?.since(now)));
    let seconds = items.iter().filter_map(|item| seconds(item.trim()));
    seconds.chain(dates).max().map(|wait| wait.min(LONGEST))
}

/// Seconds in digits, with or without a fraction and a unit.
fn seconds(text: &str) -> Option<Duration> {
    let number = text.strip_suffix(['s', 'S']).unwrap_or(text).trim_end();
    // Signs, exponents and names such as `inf` are numbers of Rust, and none of a service.
    if !number.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
        return None;
    }
    let seconds = number.parse().ok()?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: Timestamp = Timestamp::from_unix(Duration::from_secs(784_111_777));

    fn read(values: &[&str]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(RETRY_AFTER, value);
        }
        retry_after(&headers, NOW)
    }

    #[track_caller]
    fn check(values: &[&str], millis: u64) {
        assert_eq!(
            read(values),
            Some(Duration::from_millis(millis)),
            "{values:?}"
        );
    }

    #[test]
    fn seconds_are_read_with_a_fraction_and_with_a_unit() {
        check(&["120"], 120_000);
        check(&[" 0 "], 0);
        check(&["2.128"], 2128);
        check(&["0.5"], 500);
        check(&[".5"], 500);
        check(&["3."], 3000);
        check(&["3s"], 3000);
        check(&["2.128S"], 2128);
        check(&["3 s"], 3000);
    }

    #[test]
    fn a_date_is_the_time_until_then_and_none_if_it_is_past() {
        check(&["Sun, 06 Nov 1994 08:51:37 GMT"], 120_000);
        check(&["Sunday, 06-Nov-94 08:51:37 GMT"], 120_000);
        check(&["Sun Nov  6 08:51:37 1994"], 120_000);
        check(&["Sun, 06 Nov 1994 08:00:00 GMT"], 0);
    }

    #[test]
    fn of_a_list_or_a_repeated_header_the_largest_counts() {
        check(&["3, 3"], 3000);
        check(&["1,4s,2.5"], 4000);
        check(&["2", "5", "1"], 5000);
        check(&["2, soon, ", "7", "-9"], 7000);
        check(&["3, Sun, 06 Nov 1994 08:51:37 GMT, 5"], 120_000);
        check(&["Sun, 06 Nov 1994 08:00:00 GMT", "4"], 4000);
    }

    #[test]
    fn no_wait_is_longer_than_a_day() {
        let day = 24 * 60 * 60 * 1000;
        let endless = "9".repeat(10_000);
        for value in [
            "86400",
            "86401",
            "18446744073709551616",
            &*endless,
            "Sat, 06 Nov 2094 08:51:37 GMT",
        ] {
            check(&[value], day);
        }
    }

    #[test]
    fn a_value_that_is_no_wait_is_ignored() {
        assert_eq!(read(&[]), None);
        for value in [
            "",
            " ",
            ",",
            "soon",
            "-1",
            "+1",
            "-0.5",
            "1e3",
            "NaN",
            "nan",
            "inf",
            "infinity",
            "s",
            ".",
            "1.2.3",
            "\"3\"",
            "'3'",
            "3ms",
            "3 seconds",
            "0x10",
            "1_000",
            "\u{663}",
            "Sun, 06 Nov 1994",
            "1994-11-06T08:51:37Z",
        ] {
            assert_eq!(read(&[value]), None, "{value}");
        }
    }
}
