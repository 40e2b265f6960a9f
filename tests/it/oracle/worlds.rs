//! Random worlds, drawn so that users collide: few ids, few addresses, and those in several spellings.

use avepoint_exporter::domain::{CustomerId, TenantId};
use avepoint_exporter::simulator::{Fault, Module, ProtectedUser, SecurityUser, Statuses, Tenant};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::figures::Circumstances;

/// The rows of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) security: Vec<SecurityUser>,
    pub(super) protected: Vec<ProtectedUser>,
}

/// A service, and how it is asked.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) tenants: Vec<Rows>,
    pub(super) gzip: bool,
    pub(super) how: Circumstances,
}

impl Case {
    pub(super) fn tenants(&self) -> Vec<Tenant> {
        let tenants = self.tenants.iter().zip(1..).map(|(rows, n)| {
            Tenant::given(
                CustomerId::from_bits(1000 + n),
                TenantId::from_bits(n),
                rows.security.clone(),
                rows.protected.clone(),
            )
        });
        tenants.collect()
    }
}

/// Faults after which the figures still follow from the rows.
const FAULTS: &[Fault] = &[
    Fault::PascalCase,
    Fault::Bom,
    Fault::NextLink,
    Fault::NoContent,
    Fault::Clamp,
    Fault::MoveRows,
    Fault::UnknownCodes,
    Fault::NullFields,
];

pub(super) fn case() -> impl Strategy<Value = Case> {
    let how = (
        prop_oneof![1..=6_usize, 1..=100_usize],
        subsequence(FAULTS, 0..=4),
        any::<bool>(),
    )
        .prop_map(|(page_limit, faults, exclude_test_users)| Circumstances {
            page_limit,
            faults,
            exclude_test_users,
            tick: 0,
        });
    (vec(rows(), 1..=3), any::<bool>(), how).prop_map(|(tenants, gzip, how)| Case {
        tenants,
        gzip,
        how,
    })
}

fn rows() -> impl Strategy<Value = Rows> {
    (vec(security_user(), 0..40), vec(protected_user(), 0..40)).prop_map(|(security, protected)| {
        Rows {
            security,
            protected,
        }
    })
}

fn security_user() -> impl Strategy<Value = SecurityUser> {
    let statuses = option::weighted(
        0.9,
        prop_oneof![
            3 => vec(status(), 0..5).prop_map(Statuses::Codes),
            1 => status().prop_map(Statuses::One),
        ],
    );
    (
        id(),
        address(),
        address(),
        option::of(prop::bool::weighted(0.2)),
        statuses,
        may_be_nameless(),
    )
        .prop_map(
            |(id, mail, user_principal_name, is_test_user, statuses, nameless)| {
                let named = [&id, &mail, &user_principal_name]
                    .into_iter()
                    .flatten()
                    .any(|name| !name.is_empty());
                SecurityUser {
                    id: if named || nameless {
                        id
                    } else {
                        Some("user-0".to_owned())
                    },
                    mail,
                    user_principal_name,
                    display_name: Some("Ada \"the\" Countess\n\\".to_owned()),
                    is_test_user,
                    statuses,
                    ..SecurityUser::default()
                }
            },
        )
}

fn protected_user() -> impl Strategy<Value = ProtectedUser> {
    let module = (module(), prop::bool::weighted(0.6)).prop_map(|(module, is_protected)| Module {
        module,
        is_protected,
    });
    (
        id(),
        address(),
        option::weighted(0.9, vec(module, 0..4)),
        may_be_nameless(),
    )
        .prop_map(|(id, email, modules, nameless)| {
            let named = [&id, &email]
                .into_iter()
                .flatten()
                .any(|name| !name.is_empty());
            ProtectedUser {
                id: if named || nameless {
                    id
                } else {
                    Some("user-0".to_owned())
                },
                email,
                display_name: None,
                modules,
            }
        })
}

/// One row in so many may name nobody, which fails its listing.
fn may_be_nameless() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.01)
}

fn id() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        12 => (0..24_u8).prop_map(|n| Some(format!("user-{n}"))),
        // Ids know letter case, and may look like an address.
        2 => select(vec!["USER-1", "ann@x.example", "a \"b\" \\"]).prop_map(|id| Some(id.to_owned())),
        4 => Just(None),
        1 => Just(Some(String::new())),
    ]
}

fn address() -> impl Strategy<Value = Option<String>> {
    let spelt = (select(ADDRESSES), 0..3_u8).prop_map(|(address, spelling)| match spelling {
        0 => address.to_owned(),
        1 => address.to_uppercase(),
        _ => {
            let mut letters = address.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            first.chain(letters).collect()
        }
    });
    prop_oneof![
        12 => spelt.prop_map(Some),
        6 => (0..30_u8).prop_map(|n| Some(format!("Person{n}@x.example"))),
        1 => ".{1,4}".prop_map(Some),
        4 => Just(None),
        1 => Just(Some(String::new())),
    ]
}

/// Addresses whose letters have two cases in several ways.
const ADDRESSES: &[&str] = &[
    "ann@x.example",
    "bob@x.example",
    "o'neil+\"tag\"\\@x.example",
    "user-1",
    "änne@x.example",
    "straße@x.example",
    "strasse@x.example",
    "\u{130}nci@x.example",
    "i\u{307}nci@x.example",
    "\u{212a}im@x.example",
    "kim@x.example",
    "χρήστος@x.example",
    "νίκος.μ@x.example",
    "😀@x.example",
    "a-name-so-long-that-no-buffer-on-the-stack-holds-it-a-name-so-long-that-no-buffer-on-the-stack-holds-it-\
     a-name-so-long-that-no-buffer-on-the-stack-holds-it@x.example",
];

fn status() -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => 0..=8_i64,
        4 => select(vec![-1, 9, 12, 62, 63, 64, 65, 4113, i64::MAX, i64::MIN]),
        1 => any::<i64>(),
    ]
}

fn module() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => select(vec![0, 2]),
        4 => select(vec![-1, 1, 3, 62, 63, 64, 99, i64::MAX, i64::MIN]),
        1 => any::<i64>(),
    ]
}
