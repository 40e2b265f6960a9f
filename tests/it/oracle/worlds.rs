//! Random worlds, drawn so that users collide: few ids, few addresses, and those in several spellings.

mod partner;

use avepoint_exporter::domain::{CustomerId, TenantId};
use avepoint_exporter::simulator::{
    Customer, CustomerTenant, DirectoryUser, Fault, Module, OlderSecurityUser, PartnerUser,
    ProtectedUser, SecurityUser, Statuses, Tenant, World,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::NOW;
use super::figures::{Circumstances, Security};

/// The rows of one tenant.
#[derive(Debug, Clone)]
struct Rows {
    security: Vec<SecurityUser>,
    older: Vec<OlderSecurityUser>,
    directory: Vec<DirectoryUser>,
    protected: Vec<ProtectedUser>,
    partner: Vec<PartnerUser>,
    deleted: Vec<PartnerUser>,
}

/// A service, and how it is asked.
#[derive(Debug, Clone)]
pub(super) struct Case {
    tenants: Vec<Rows>,
    customers: Vec<Customer>,
    pub(super) gzip: bool,
    pub(super) how: Circumstances,
}

/// Customers beside those of the tenants have ids from here on.
const FIRST_CUSTOMER: u128 = 1000;
const MOST_TENANTS: usize = 3;

impl Case {
    pub(super) fn world(&self) -> World {
        let tenants = self.tenants.iter().zip(1..).map(|(rows, n)| {
            let rows = rows.clone();
            let (customer, tenant) = (
                CustomerId::from_bits(FIRST_CUSTOMER + n),
                TenantId::from_bits(n),
            );
            Tenant::given(customer, tenant, rows.security, rows.protected)
                .with_older_security(rows.older)
                .with_directory(rows.directory)
                .with_partner_users(rows.partner, rows.deleted)
        });
        World::given_with(self.customers.clone(), tenants.collect())
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
    Fault::ForeignHeader,
    Fault::TokenOnly,
    Fault::RespelledIds,
    Fault::OddDates,
    Fault::HalfSetUp,
    Fault::MfaNotCompliant,
];

pub(super) fn case() -> impl Strategy<Value = Case> {
    let page_limit = || prop_oneof![1 => 1..=6_usize, 3 => 1..=100_usize];
    let how = (
        (page_limit(), page_limit()),
        subsequence(FAULTS, 0..=4),
        security(),
        any::<bool>(),
        option::weighted(0.7, 0..=4_usize),
        any::<bool>(),
    )
        .prop_map(
            |(
                (page_limit, partner_page_limit),
                faults,
                security,
                directory,
                partner_center,
                discovery,
            )| {
                Circumstances {
                    page_limit,
                    partner_page_limit,
                    faults,
                    security,
                    directory,
                    partner_center,
                    discovery,
                    ..Circumstances::default()
                }
            },
        );
    let tenants = vec(rows(), MOST_TENANTS);
    (tenants, vec(customer(), 0..12), any::<bool>(), how).prop_map(
        |(tenants, customers, gzip, how)| Case {
            tenants,
            customers,
            gzip,
            how,
        },
    )
}

fn security() -> impl Strategy<Value = Security> {
    let scan = (
        select(vec!["v3", "batch"]),
        select(vec!["auto", "codes", "flags"]),
        any::<bool>(),
    );
    let scan = scan.prop_map(
        |(endpoint, status_encoding, exclude_test_users)| Security::Scan {
            endpoint,
            status_encoding,
            exclude_test_users,
        },
    );
    prop_oneof![4 => scan, 1 => Just(Security::Counts)]
}

fn rows() -> impl Strategy<Value = Rows> {
    (
        vec(security_user(), 0..25),
        vec(older_user(), 0..25),
        vec(directory_user(), 0..25),
        vec(protected_user(), 0..25),
        vec(partner::user(), 0..25),
        vec(partner::user(), 0..10),
    )
        .prop_map(
            |(security, older, directory, protected, partner, deleted)| Rows {
                security,
                older,
                directory,
                protected,
                partner,
                deleted,
            },
        )
}

fn customer() -> impl Strategy<Value = Customer> {
    let id = |first: u128| {
        prop_oneof![
            40 => (1..=8_u128).prop_map(move |n| Some(CustomerId::from_bits(first + n).to_string())),
            4 => (10..=15_u128).prop_map(move |n| Some(CustomerId::from_bits(first + n).to_string().to_uppercase())),
            1 => select(vec![None, Some(String::new()), Some("contoso".to_owned())]),
        ]
    };
    // Any of the tenants, whoever else has them too.
    let tenant_id = prop_oneof![
        60 => (1..=MOST_TENANTS as u128).prop_map(|n| Some(TenantId::from_bits(n).to_string())),
        1 => Just(None),
    ];
    let tenant = (tenant_id, name()).prop_map(|(id, name)| CustomerTenant { id, name });
    let code = || option::of(prop_oneof![6 => 0..=7_i64, 1 => select(vec![-1, 99])]);
    (
        id(FIRST_CUSTOMER),
        (name(), name()),
        (code(), code()),
        option::weighted(0.8, vec(tenant, 0..3)),
    )
        .prop_map(
            |(id, (organization, country_or_region), (job_status, management_mode), tenants)| {
                Customer {
                    id,
                    organization,
                    owner_email: Some("owner@x.example".to_owned()),
                    job_status,
                    country_or_region,
                    management_mode,
                    tenants,
                }
            },
        )
}

/// What a customer, a tenant or a country is called.
fn name() -> impl Strategy<Value = Option<String>> {
    option::weighted(
        0.8,
        select(vec![
            "Contoso",
            " Fabrikam\n",
            "",
            " \t",
            "a \"b\" \\",
            "Bell\u{7}tower\nTwo",
            "Zürich 😀",
        ])
        .prop_map(str::to_owned),
    )
}

/// A time as text; rarely what is none.
fn date() -> impl Strategy<Value = Option<String>> {
    const DAY: i64 = 86_400;
    let now = NOW.cast_signed();
    let near = select(vec![
        0,
        1,
        8 * DAY - 1,
        8 * DAY,
        31 * DAY - 1,
        31 * DAY,
        -DAY,
    ]);
    let seconds = prop_oneof![near, -400 * DAY..40 * DAY].prop_map(move |ahead| now + ahead);
    let written = (seconds, 0..5_usize).prop_map(|(seconds, spelling)| {
        let (format, zone) = [
            ("%Y-%m-%dT%H:%M:%SZ", 0),
            ("%Y-%m-%dT%H:%M:%S.1234567Z", 0),
            ("%Y-%m-%dT%H:%M:%S+05:30", 5 * 3600 + 1800),
            ("%Y-%m-%dT%H:%M:%S-08:00", -8 * 3600),
            ("%Y-%m-%dT%H:%M:%S", 0),
        ][spelling];
        let time = jiff::Timestamp::from_second(seconds + zone).unwrap();
        time.strftime(format).to_string()
    });
    prop_oneof![
        80 => written.prop_map(Some),
        40 => select(NOT_SET).prop_map(|text| Some(text.to_owned())),
        // How .NET writes "never".
        5 => select(vec!["9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59Z", "2026-10-01"])
            .prop_map(|text| Some(text.to_owned())),
        60 => Just(None),
        1 => Just(Some("soon".to_owned())),
    ]
}

const NOT_SET: &[&str] = &[
    "",
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00Z",
];

fn older_user() -> impl Strategy<Value = OlderSecurityUser> {
    let bits = prop_oneof![
        30 => 0..1024_i64,
        4 => select(vec![1 << 40, i64::MAX, 4113, 1 << 62]),
        1 => Just(-1),
    ];
    (security_user(), date(), option::weighted(0.9, bits)).prop_map(|(user, end_date, status)| {
        OlderSecurityUser {
            user: SecurityUser { end_date, ..user },
            office_phone: None,
            status,
        }
    })
}

fn directory_user() -> impl Strategy<Value = DirectoryUser> {
    let age = option::of(prop_oneof![
        select(vec![
            0,
            30,
            31,
            60,
            61,
            90,
            91,
            180,
            181,
            365,
            366,
            -1,
            i64::MAX,
            i64::MIN
        ]),
        0..500_i64,
    ]);
    (security_user(), age, date()).prop_map(|(user, age, end_date)| DirectoryUser {
        user: SecurityUser {
            age,
            end_date,
            ..user
        },
        office_phone: Some("+1".to_owned()),
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
