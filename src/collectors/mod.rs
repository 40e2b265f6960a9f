//! Floor 3: listings become figures. Each collector is a folder: `mod.rs` polls and folds the pages of its listing
//! while they are read, `wire.rs` knows the listing's JSON and is private to the folder, `metrics.rs` shows the
//! figures. `join` finds the users of one listing in another. Everything but [`poll`] is pure.

pub mod customers;
pub mod directory;
mod join;
mod pairs;
pub mod partner_center;
pub mod protected_users;
pub mod security_users;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::config::{CollectorKind, Config};
use crate::domain::{Collector, Target, Timestamp, collectors};
use crate::metric::FiguresMetric;
use crate::upstream::{
    ApiError, Cause, Clients, Endpoint, ListingSize, Page, Progress, Rows, pages_of,
};

pub use self::join::{Exposure, ReferenceUsers};

/// Users that are taken to be in a listing that was never read.
pub const ASSUMED_USERS: u64 = 1000;

/// What a collector's folder says of it.
pub trait Collect: Sized {
    /// Its options in the configuration.
    type Options: Copy + PartialEq + Send;

    /// What one poll finds out. Kept over a restart as serde writes it.
    type Figures: fmt::Debug
        + Clone
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;

    /// The metrics of its figures, in the order of the exposition.
    const METRICS: &'static [FiguresMetric<Self::Figures>];

    /// The permission in Elements that its listing needs; `None` if it asks another API.
    fn permission(options: Self::Options) -> Option<&'static str>;

    /// How its figures are made.
    fn how(_options: Self::Options) -> How {
        How::default()
    }

    /// Whether it finds users that another listing is matched against.
    fn is_matched(_options: Self::Options) -> bool {
        false
    }

    /// Whether it finds the same users with other options.
    fn finds_same_users(one: Self::Options, other: Self::Options) -> bool {
        one == other
    }

    /// The number of requests that a poll takes of a listing with this many rows.
    fn requests(_options: Self::Options, rows: u64) -> u64 {
        pages_of(rows)
    }

    /// What a poll finds in an empty listing, matched against these users.
    fn nothing(
        options: Self::Options,
        references: References,
        now: Timestamp,
    ) -> Found<Self::Figures>;

    /// The other collectors whose users the figures were matched against.
    fn joined(_figures: &Self::Figures) -> Vec<Collector> {
        Vec::new()
    }

    /// Removes from the figures what came of matching them with these collectors' users.
    fn forget_joins(_figures: &mut Self::Figures, _others: &[Collector]) {}

    /// Reads the listing of a target and folds it.
    fn poll(
        poll: Poll<'_, Self>,
    ) -> impl Future<Output = Result<Found<Self::Figures>, ApiError>> + Send;
}

/// A collector that is in the table.
pub trait Listed: Collect {
    /// Its row.
    const COLLECTOR: Collector;

    /// Its figures, if these are its own.
    fn of(totals: &Totals) -> Option<&Self::Figures>;
}

/// One poll, as the collector sees it.
#[derive(Debug)]
pub struct Poll<'a, C: Collect> {
    /// The clients to ask.
    pub clients: &'a Clients,
    /// Whose listing to read.
    pub target: &'a Target,
    /// How to read it.
    pub options: C::Options,
    /// The figures of the collector's last successful poll of this target, and whether an earlier process found them.
    pub earlier: Option<(&'a C::Figures, bool)>,
    /// The users to match the listing against.
    pub references: References,
    /// When the poll began.
    pub now: Timestamp,
    /// Counts what was read, even if the poll fails.
    pub progress: &'a Progress,
}

impl<C: Collect> Poll<'_, C> {
    /// Reads the listing of Elements and hands each page to `each`, in order, which returns how many distinct rows there
    /// are so far.
    async fn list<R: Rows>(
        self,
        endpoint: &Endpoint,
        rows: &R,
        each: impl FnMut(&Page<R::Row>) -> Result<u64, Cause> + Send,
    ) -> Result<(), ApiError> {
        let elements = &self.clients.elements;
        elements
            .list(endpoint, rows, self.target, self.progress, each)
            .await
    }
}

/// What a successful poll found.
#[derive(Debug, Clone)]
pub struct Found<F> {
    /// Its figures.
    pub figures: F,
    /// The users that the target's matched listing is matched against from now on.
    pub users: Option<Arc<ReferenceUsers>>,
}

/// How figures are made, as `avepoint_collector_info` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// By reading rows (`scan`), or by asking for totals (`counts`).
    pub mode: &'static str,
    /// The version or form of the listing.
    pub source_endpoint: &'static str,
    /// Whether test users are left out.
    pub exclude_test_users: bool,
}

impl Default for How {
    fn default() -> Self {
        Self {
            mode: "scan",
            source_endpoint: "v3",
            exclude_test_users: false,
        }
    }
}

/// A poll that has ended.
#[derive(Debug)]
pub struct Polled {
    /// What was read until the end, even if the poll failed.
    pub size: ListingSize,
    /// What was found.
    pub outcome: Result<Found<Totals>, ApiError>,
}

/// The users that a listing is matched against, by the collector whose last successful poll found them.
pub type References = BTreeMap<Collector, Arc<ReferenceUsers>>;

/// What earlier polls of a target have found that a poll goes on from.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// The users of the target's other listings, as far as these are fresh.
    pub references: References,
    /// The figures of the collector's own last successful poll, and whether an earlier process found them.
    pub totals: Option<(Arc<Totals>, bool)>,
}

/// The permissions in Elements that the app registration needs for everything that is configured, in order.
pub fn permissions(config: &Config) -> Vec<&'static str> {
    let permissions: BTreeSet<_> = config
        .collectors()
        .filter_map(|one| permission(one.kind))
        .collect();
    permissions.into_iter().collect()
}

/// Polls a collector of a target.
pub async fn poll(
    clients: &Clients,
    target: &Target,
    kind: CollectorKind,
    earlier: Earlier,
    now: Timestamp,
    progress: &Progress,
) -> Polled {
    let outcome = read(clients, target, kind, earlier, now, progress).await;
    Polled {
        size: progress.size(),
        outcome,
    }
}

/// What there is per collector without any code of its own: it follows from the table and from [`Collect`].
macro_rules! from_table {
    ($($variant:ident $key:ident $options:ident $facts:tt)*) => {
        /// The figures of one poll. Written without the collector's name, which is needed to read them.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Totals {
            $(
                #[doc = concat!("Of the collector `", stringify!($key), "`.")]
                $variant(<$key::$variant as Collect>::Figures),
            )*
        }

        $(
            impl Listed for $key::$variant {
                const COLLECTOR: Collector = Collector::$variant;

                fn of(totals: &Totals) -> Option<&Self::Figures> {
                    match totals {
                        Totals::$variant(figures) => Some(figures),
                        _ => None,
                    }
                }
            }
        )*

        impl Totals {
            /// Removes what came of matching with these collectors' users.
            pub fn forget_joins(&mut self, others: &[Collector]) {
                match self {
                    $(Self::$variant(figures) => $key::$variant::forget_joins(figures, others),)*
                }
            }

            /// The figures of a collector from their JSON.
            ///
            /// # Errors
            /// When they are not what this version writes.
            pub fn read(collector: Collector, json: &RawValue) -> serde_json::Result<Self> {
                match collector {
                    $(Collector::$variant => serde_json::from_str(json.get()).map(Self::$variant),)*
                }
            }
        }

        /// The permission in Elements that a collector needs.
        pub fn permission(kind: CollectorKind) -> Option<&'static str> {
            match kind {
                $(CollectorKind::$variant(options) => $key::$variant::permission(options),)*
            }
        }

        /// How a collector's figures are made.
        pub fn how(kind: CollectorKind) -> How {
            match kind {
                $(CollectorKind::$variant(options) => $key::$variant::how(options),)*
            }
        }

        /// Whether a collector finds users that another listing is matched against.
        pub fn is_matched(kind: CollectorKind) -> bool {
            match kind {
                $(CollectorKind::$variant(options) => $key::$variant::is_matched(options),)*
            }
        }

        /// Whether both are the same collector and find the same users.
        pub fn finds_same_users(one: CollectorKind, other: CollectorKind) -> bool {
            match (one, other) {
                $(
                    (CollectorKind::$variant(one), CollectorKind::$variant(other)) => {
                        $key::$variant::finds_same_users(one, other)
                    }
                )*
                _ => false,
            }
        }

        /// The number of requests that a poll takes of a listing with this many rows; [`ASSUMED_USERS`] where nobody knows.
        pub fn requests(kind: CollectorKind, rows: u64) -> u64 {
            match kind {
                $(CollectorKind::$variant(options) => $key::$variant::requests(options, rows),)*
            }
        }

        /// What a poll finds in an empty listing, matched against these users.
        pub fn nothing(kind: CollectorKind, references: References, now: Timestamp) -> Found<Totals> {
            match kind {
                $(
                    CollectorKind::$variant(options) => {
                        let found = $key::$variant::nothing(options, references, now);
                        found.map(Totals::$variant)
                    }
                )*
            }
        }

        async fn read(
            clients: &Clients,
            target: &Target,
            kind: CollectorKind,
            earlier: Earlier,
            now: Timestamp,
            progress: &Progress,
        ) -> Result<Found<Totals>, ApiError> {
            let Earlier { references, totals } = earlier;
            match kind {
                $(
                    CollectorKind::$variant(options) => {
                        let earlier = totals.as_ref().and_then(|(totals, is_restored)| {
                            Some(($key::$variant::of(totals)?, *is_restored))
                        });
                        let poll = Poll { clients, target, options, earlier, references, now, progress };
                        let found = $key::$variant::poll(poll).await?;
                        Ok(found.map(Totals::$variant))
                    }
                )*
            }
        }
    };
}
collectors!(all from_table);

impl<F> Found<F> {
    fn map<G>(self, with: impl FnOnce(F) -> G) -> Found<G> {
        Found {
            figures: with(self.figures),
            users: self.users,
        }
    }
}
