//! The section of a collector as written: the keys that every collector has, and its own options.

/// The keys that every collector has.
#[derive(Default)]
pub(super) struct Schedule<'a> {
    pub(super) enabled: Option<bool>,
    pub(super) interval: Option<&'a str>,
    pub(super) stale_after: Option<&'a str>,
}

/// The section of one collector.
pub(super) trait Section {
    /// When the collector polls.
    fn schedule(&self) -> Schedule<'_>;
}

/// Declares the section of a collector: the keys that every collector has, and these.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($option:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Default, serde::Deserialize)]
        #[serde(default, deny_unknown_fields, expecting = "a mapping of keys")]
        pub(in crate::config) struct $name {
            enabled: Option<bool>,
            interval: Option<String>,
            stale_after: Option<String>,
            $(pub(in crate::config) $option: Option<$type>,)*
        }

        impl $crate::config::section::Section for $name {
            fn schedule(&self) -> $crate::config::section::Schedule<'_> {
                $crate::config::section::Schedule {
                    enabled: self.enabled,
                    interval: self.interval.as_deref(),
                    stale_after: self.stale_after.as_deref(),
                }
            }
        }
    };
}
pub(super) use section;
