//! How far this machine's clock is from that of an API's hosts, by the header `Date` of answers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use http::header::{AGE, DATE, HeaderMap};
use prometheus::{GaugeVec, opts};

use crate::domain::{Api, Timestamp};

use super::gauges::values;

/// So many answers tell it, so that a single host with a wrong clock does not.
const ANSWERS: usize = 15;

/// The clock skews of all APIs, and their metric.
#[derive(Debug, Clone)]
pub(super) struct ClockSkews {
    gauge: GaugeVec,
    /// By API.
    last: Arc<Mutex<HashMap<&'static str, Skews>>>,
}

/// The metric of all skews.
///
/// # Errors
/// Never: its name is one.
pub(super) fn gauge() -> prometheus::Result<GaugeVec> {
    let opts = opts!(
        "avepoint_api_clock_skew_seconds",
        "Clock of this machine minus the Date of an API's responses in seconds, median of the last ones; above 0 if this \
         machine is ahead."
    );
    GaugeVec::new(opts, &["api"])
}

impl ClockSkews {
    pub(super) fn new(gauge: GaugeVec) -> Self {
        Self {
            gauge,
            last: Arc::default(),
        }
    }

    /// Takes in that a host said it is this late, at this time of ours. Its time is of whole seconds and a little older
    /// than the end of the request, so that a second or two is no skew. Returns the skew in seconds.
    pub(super) fn saw(&self, api: Api, ours: Timestamp, theirs: Timestamp) -> f64 {
        let api = api.as_str();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let median = last.entry(api).or_default().add(skew(ours, theirs));
        let median = median as f64 / 1000.0;
        self.gauge.with_label_values(&[api]).set(median);
        median
    }

    /// The skews in seconds, by API.
    pub(super) fn all(&self) -> Vec<(String, f64)> {
        values(&self.gauge, "api")
    }

    /// Forgets an API that is no longer asked.
    pub(super) fn forget(&self, api: Api) {
        let api = api.as_str();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.remove(api);
        let _ = self.gauge.remove_label_values(&[api]);
    }
}

/// The last skews, in milliseconds, the oldest first.
#[derive(Debug, Default)]
struct Skews(VecDeque<i64>);

impl Skews {
    /// Takes in one more, and returns the median of the last ones.
    fn add(&mut self, skew: i64) -> i64 {
        if self.0.len() == ANSWERS {
            self.0.pop_front();
        }
        self.0.push_back(skew);
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

fn skew(ours: Timestamp, theirs: Timestamp) -> i64 {
    let millis = |time: Timestamp| i64::try_from(time.since_unix().as_millis()).unwrap_or(i64::MAX);
    millis(ours) - millis(theirs)
}

/// When the host that answered says that it is; `None` where a cache answered in its place.
pub(super) fn time_of(headers: &HeaderMap) -> Option<Timestamp> {
    if headers.contains_key(AGE) {
        return None;
    }
    date(headers.get(DATE)?.to_str().ok()?)
}

/// An HTTP date: RFC 9110, section 5.6.7.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(Timestamp::from_unix(date.duration_since(UNIX_EPOCH).ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::header::HeaderValue;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn the_median_of_the_last_answers_counts() {
        let mut skews = Skews::default();
        assert_eq!(skews.add(-18_000), -18_000);
        for _ in 0..3 {
            skews.add(5);
        }
        assert_eq!(skews.add(i64::MAX), 5, "one wrong host on either side");
        for _ in 0..ANSWERS {
            skews.add(60);
        }
        assert_eq!(skews.add(0), 60);
        assert_eq!(skews.0.len(), ANSWERS);
    }

    #[test]
    fn a_clock_that_is_ahead_is_above_zero() {
        assert_eq!(skew(at(100), at(70)), 30_000);
        assert_eq!(skew(at(70), at(100)), -30_000);
    }

    #[test]
    fn only_a_date_of_the_host_itself_tells_its_time() {
        let read = |date: &'static str, age: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_static(date));
            headers.extend(age.map(|age| (AGE, HeaderValue::from_static(age))));
            time_of(&headers)
        };
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(read(date, None), Some(at(784_111_777)));
        assert_eq!(read(date, Some("0")), None);
        for date in [
            "",
            "yesterday",
            "784111777",
            "Sun, 06 Nov 1969 08:49:37 GMT",
        ] {
            assert_eq!(read(date, None), None, "{date}");
        }
        assert_eq!(time_of(&HeaderMap::new()), None);
    }
}
