//! The rows of Partner Center's listings, as plain data. Knows nothing of JSON.

/// A value of one of Microsoft's enumerations, in one of the two ways in which it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// By name, as in every sample.
    Text(String),
    /// By number.
    Number(i64),
}

impl Word {
    /// A name.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A row of the listing of a customer's users, active or deleted. `None` is `null` on the wire in rows
/// with an even index and left out in those with an odd one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are upstream's, by upstream's names"
)]
pub struct PartnerUser {
    pub id: Option<String>,
    pub user_principal_name: Option<String>,
    pub display_name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub usage_location: Option<String>,
    pub state: Option<Word>,
    pub user_domain_type: Option<Word>,
    pub immutable_id: Option<String>,
    pub phone_number: Option<String>,
    pub last_directory_sync_time: Option<String>,
    pub soft_deletion_time: Option<String>,
    /// In the row's `passwordProfile`, as the next one is. Without both there is none.
    pub force_change_password: Option<bool>,
    pub password: Option<String>,
}
