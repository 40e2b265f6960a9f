//! Floor 0: the field's words as types. No I/O, no JSON, no HTTP.

mod api;
mod byte_size;
mod clock;
mod codes;
mod collector;
mod duration;
mod ids;
mod partner_center;
mod reason;
mod secret;
mod target;
mod tenant;
pub mod text;
mod user;

pub use api::Api;
pub use byte_size::{ByteSize, InvalidByteSize};
pub use clock::{Clock, Timestamp};
pub use codes::{BackupModule, BackupStatus, CodeSet, ManagementMode, SecurityStatus};
pub use collector::Collector;
pub(crate) use collector::collectors;
pub use duration::{InvalidDuration, PromDuration};
pub use ids::{CustomerId, InvalidId, TenantId, guid};
pub use partner_center::{Country, DomainType, UserState};
pub use reason::Reason;
pub use secret::Secret;
pub use target::{Target, TargetId, Unit};
pub use tenant::{Customer, Tenant, TenantSource, name_or_id};
pub use user::{UserKey, UserKeys};
