//! A world whose every text is planted, and a configuration that has all of it read.

use avepoint_exporter::domain::{CustomerId, TenantId};
use avepoint_exporter::simulator::{
    Customer, CustomerTenant, DirectoryUser, Module, OlderSecurityUser, PARTNER_CLIENT_ID,
    PARTNER_CLIENT_SECRET, PartnerUser, ProtectedUser, SecurityUser, Simulator, Statuses, Tenant,
    Word, World,
};

use super::HASTY;
use crate::support::config_text;

/// The planted fields of a listing of AvePoint's.
const FIELDS: [&str; 14] = [
    "id",
    "principal",
    "mail",
    "display",
    "first",
    "last",
    "employee",
    "location",
    "company",
    "department",
    "mobile",
    "job",
    "country",
    "email",
];

/// The planted fields of Partner Center's listings.
const PARTNER_FIELDS: [&str; 8] = [
    "id",
    "principal",
    "display",
    "first",
    "last",
    "immutable",
    "phone",
    "password",
];

/// What every planted text of the world begins with, up to the number of its user.
pub(super) fn texts() -> Vec<String> {
    let of = |listing: &str, fields: &[&str]| -> Vec<_> {
        let fields = fields.iter();
        fields
            .map(|field| format!("lanted-{listing}{field}-"))
            .collect()
    };
    // `email` is a field of the backup listing, which knows people by the ids of the security listing.
    let (security, _) = FIELDS.split_at(13);
    [
        of("", &FIELDS),
        of("older-", &[security, &["office"]].concat()),
        of("directory-", &[security, &["office"]].concat()),
        of("partner-", &PARTNER_FIELDS),
        of("deleted-", &PARTNER_FIELDS),
        ["owner-", "place", "state", "domain", "time"]
            .map(|text| format!("lanted-{text}"))
            .to_vec(),
    ]
    .concat()
}

/// The value planted in a field of user `k` of a listing.
fn text(listing: &str, field: &str, k: usize) -> String {
    match field {
        "principal" | "mail" | "email" | "owner" => {
            format!("Planted-{listing}{field}-{k}@leak.example")
        }
        _ => format!("planted-{listing}{field}-{k}"),
    }
}

/// A user of AvePoint's. Listings know each other's users by id, by address, or not at all.
fn security(listing: &str, k: usize) -> SecurityUser {
    let planted = |field| Some(text(listing, field, k));
    SecurityUser {
        id: planted("id").filter(|_| !k.is_multiple_of(3)),
        user_principal_name: planted("principal"),
        mail: planted("mail").filter(|_| k % 3 != 1),
        display_name: planted("display"),
        first_name: planted("first"),
        last_name: planted("last"),
        employee_id: planted("employee"),
        location: planted("location"),
        company: planted("company"),
        department: planted("department"),
        mobile: planted("mobile"),
        job_title: planted("job"),
        is_test_user: Some(k == 2),
        age: Some(4711),
        start_date: None,
        end_date: None,
        country_or_region: planted("country"),
        statuses: Some(Statuses::Codes(vec![0, 3, 12])),
    }
}

fn older(k: usize) -> OlderSecurityUser {
    OlderSecurityUser {
        user: security("older-", k),
        office_phone: Some(text("older-", "office", k)),
        status: Some(0b1001),
    }
}

fn directory(k: usize) -> DirectoryUser {
    DirectoryUser {
        user: security("directory-", k),
        office_phone: Some(text("directory-", "office", k)),
    }
}

fn protected(k: usize) -> ProtectedUser {
    ProtectedUser {
        id: (k % 3 == 1).then(|| text("", "id", k)),
        email: Some(text("", "email", k)),
        display_name: Some(text("", "display", k)),
        modules: Some(vec![Module {
            module: 0,
            is_protected: k.is_multiple_of(2),
        }]),
    }
}

fn partner(listing: &str, k: usize) -> PartnerUser {
    let planted = |field| Some(text(listing, field, k));
    PartnerUser {
        id: planted("id"),
        user_principal_name: planted("principal"),
        display_name: planted("display"),
        first_name: planted("first"),
        last_name: planted("last"),
        usage_location: Some(if k == 4 { "planted-place" } else { "CH" }.to_owned()),
        state: Some(Word::text("planted-state")).filter(|_| k == 3),
        user_domain_type: Some(Word::text("planted-domain")).filter(|_| k == 2),
        immutable_id: planted("immutable"),
        phone_number: planted("phone"),
        last_directory_sync_time: None,
        soft_deletion_time: None,
        force_change_password: Some(true),
        password: planted("password"),
    }
}

/// A world of these many tenants, each of a customer of its own.
pub(super) fn world(tenants: u128) -> World {
    let tenant = |n| {
        let mut active: Vec<_> = (0..5).map(|k| partner("partner-", k)).collect();
        // Fails the poll, so that the others do without.
        active[1].last_directory_sync_time = (n == 1).then(|| "planted-time".to_owned());
        Tenant::given(
            CustomerId::from_bits(n),
            TenantId::from_bits(n),
            (0..5).map(|k| security("", k)).collect(),
            (0..5).map(protected).collect(),
        )
        .with_older_security((0..5).map(older).collect())
        .with_directory((0..5).map(directory).collect())
        .with_partner_users(active, (0..3).map(|k| partner("deleted-", k)).collect())
    };
    // Names of customers and tenants are there to be shown.
    let customer = |n: u128| Customer {
        id: Some(CustomerId::from_bits(n).to_string()),
        organization: Some(format!("Customer {n}")),
        owner_email: Some(text("", "owner", 0)),
        job_status: Some(4711),
        country_or_region: Some("CH".to_owned()),
        management_mode: Some(1),
        tenants: Some(vec![CustomerTenant {
            id: Some(TenantId::from_bits(n).to_string()),
            name: Some(format!("tenant{n}.example")),
        }]),
    };
    World::given_with(
        (1..=tenants).map(customer).collect(),
        (1..=tenants).map(tenant).collect(),
    )
}

/// Partner Center with a refresh token in the file `token`.
pub(super) fn partner_center(upstream: &Simulator) -> String {
    format!(
        "partner_center:\n  api_url: {}\n  token_url: {}\n  client_id: {PARTNER_CLIENT_ID}\n  client_secret: {PARTNER_CLIENT_SECRET}\n  \
         refresh_token_file: token\n  rate_limit: {{ requests_per_second: 1000, burst: 1000 }}\n\
         collectors: {{ partner_center: {{ enabled: true }}, directory: {{ enabled: true }} }}\n",
        upstream.partner_api_url(),
        upstream.partner_token_url(),
    )
}

/// Where what is known is kept, in the folder of the configuration.
pub(super) const STATE_DIR: &str = "state_dir: state\n";

/// A configuration of all collectors, of discovery and of a warm start; each second tenant has the older form of the security
/// listing. `elements` are more lines of that section.
pub(super) fn config_of_all(upstream: &Simulator, elements: &str) -> String {
    let sections = format!(
        "{}discovery: {{ enabled: true }}\n{STATE_DIR}",
        partner_center(upstream)
    );
    let text = config_text(upstream, &format!("{HASTY}{elements}"), &sections);
    let (sections, tenants) = text.rsplit_once("tenants:\n").unwrap();
    let older = ", collectors: { security_users: { endpoint: batch } } }";
    let tenants = tenants.lines().enumerate().map(|(n, line)| {
        let line = line.strip_suffix(" }").unwrap();
        format!("{line}{}\n", if n % 2 == 0 { older } else { " }" })
    });
    format!("{sections}tenants:\n{}", tenants.collect::<String>())
}
