//! The time of day, as a parameter: everything that asks for it holds a [`Clock`], so a test can hold it still.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A time of day: the time since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// The time this long after the Unix epoch.
    pub const fn from_unix(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// Seconds since the Unix epoch.
    pub fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// The time since the Unix epoch.
    pub const fn since_unix(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead (a clock that was set back).
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This time and `wait` more.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

/// As RFC 3339 has it, in UTC and with whole seconds: `1994-11-06T08:49:37Z`. With another precision (`{:.3}`), with
/// that many digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0.as_millis()).ok();
        let date = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        // There is no form for what comes after the year 9999.
        let date = date.unwrap_or(jiff::Timestamp::MAX);
        match f.precision() {
            Some(digits) => write!(f, "{date:.digits$}"),
            None => write!(f, "{date:.0}"),
        }
    }
}

/// Tells the time of day.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::from_fn(|| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the machine's clock"
            )]
            let now = SystemTime::now();
            Timestamp(now.duration_since(UNIX_EPOCH).unwrap_or_default())
        })
    }

    /// A clock that answers what `now` returns.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
