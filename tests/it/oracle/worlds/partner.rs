//! Random users of Partner Center.

use avepoint_exporter::simulator::{PartnerUser, Word};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{address, date, id, may_be_nameless};

pub(super) fn user() -> impl Strategy<Value = PartnerUser> {
    let states = vec!["active", "Active", "INACTIVE", "inactive", "dormant", ""];
    let domain_types = vec!["none", "Managed", "managed", "FEDERATED", "guest"];
    (
        (id(), address(), may_be_nameless()),
        option::weighted(0.9, word(states)),
        option::weighted(0.9, word(domain_types)),
        location(),
        (date(), date()),
        option::of(any::<bool>()),
    )
        .prop_map(
            |(
                (id, user_principal_name, nameless),
                state,
                user_domain_type,
                usage_location,
                (last_directory_sync_time, soft_deletion_time),
                force_change_password,
            )| {
                let named = [&id, &user_principal_name]
                    .into_iter()
                    .flatten()
                    .any(|name| !name.is_empty());
                PartnerUser {
                    id: if named || nameless {
                        id
                    } else {
                        Some("user-0".to_owned())
                    },
                    user_principal_name,
                    usage_location,
                    state,
                    user_domain_type,
                    last_directory_sync_time,
                    soft_deletion_time,
                    force_change_password,
                    password: Some("secret".to_owned()),
                    ..PartnerUser::default()
                }
            },
        )
}

fn word(words: Vec<&'static str>) -> impl Strategy<Value = Word> {
    prop_oneof![
        12 => select(words).prop_map(Word::text),
        1 => (-1..3_i64).prop_map(Word::Number),
    ]
}

fn location() -> impl Strategy<Value = Option<String>> {
    let locations = vec![
        "CH", "ch", "DE", "US", "us", "FR", "AT", "", "X", "USA", "U1", "Ü", "ab", "Alice",
    ];
    option::weighted(0.9, select(locations).prop_map(str::to_owned))
}
