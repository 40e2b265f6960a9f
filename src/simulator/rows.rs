//! The rows of AvePoint's listings, as plain data. Knows nothing of JSON.

#![expect(
    missing_docs,
    reason = "the fields are upstream's, by upstream's names"
)]

/// The codes of one row, in one of the two ways in which upstream writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statuses {
    /// An array of codes, as in every current sample.
    Codes(Vec<i64>),
    /// A single integer, as in the documentation's table of fields.
    One(i64),
}

impl Statuses {
    /// The codes, however they are written.
    pub fn codes(&self) -> &[i64] {
        match self {
            Self::Codes(codes) => codes,
            Self::One(code) => std::slice::from_ref(code),
        }
    }
}

/// A row of the listing of users with security findings. `None` is `null` on the wire in rows with an
/// even index and left out in those with an odd one, so that every world holds both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityUser {
    pub id: Option<String>,
    pub user_principal_name: Option<String>,
    pub mail: Option<String>,
    pub display_name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub employee_id: Option<String>,
    pub location: Option<String>,
    pub company: Option<String>,
    pub department: Option<String>,
    pub mobile: Option<String>,
    pub job_title: Option<String>,
    pub is_test_user: Option<bool>,
    pub age: Option<i64>,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub country_or_region: Option<String>,
    pub statuses: Option<Statuses>,
}

/// A row of the directory, which lists all users of a tenant. `None` is written as in [`SecurityUser`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryUser {
    /// What both listings say; with `age` (of the password, in days), `end_date` and `is_test_user`.
    pub user: SecurityUser,
    /// `officePhone`.
    pub office_phone: Option<String>,
}

/// A row of the older form of the security listing. `None` is written as in [`SecurityUser`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OlderSecurityUser {
    /// Who it is. Its `statuses` are not written; its dates are, as milliseconds since the epoch, and
    /// `country_or_region` is called `countryRegion`.
    pub user: SecurityUser,
    /// `officePhone`.
    pub office_phone: Option<String>,
    /// `status`: code *n* is bit *n*.
    pub status: Option<i64>,
}

impl From<DirectoryUser> for OlderSecurityUser {
    /// The same user in the older form; a code that no bit can stand for is left out.
    fn from(DirectoryUser { user, office_phone }: DirectoryUser) -> Self {
        let status = user.statuses.as_ref().map(|statuses| {
            let codes = statuses
                .codes()
                .iter()
                .filter(|code| (0..63).contains(*code));
            codes.fold(0, |all, code| all | 1 << code)
        });
        Self {
            user,
            office_phone,
            status,
        }
    }
}

/// A row of the listing of users that Cloud Backup knows. `None` is written as in [`SecurityUser`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedUser {
    pub id: Option<String>,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub modules: Option<Vec<Module>>,
}

/// Whether one part of a user's data is backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    pub module: i64,
    pub is_protected: bool,
}

/// A row of the listing of customers. `None` is written as in [`SecurityUser`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    pub id: Option<String>,
    pub organization: Option<String>,
    pub owner_email: Option<String>,
    pub job_status: Option<i64>,
    pub country_or_region: Option<String>,
    pub management_mode: Option<i64>,
    pub tenants: Option<Vec<CustomerTenant>>,
}

/// A tenant as its customer's row names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerTenant {
    pub id: Option<String>,
    pub name: Option<String>,
}
