//! The listing of a customer's users in Partner Center. Source: Microsoft's documentation of Partner Center, "Get a list
//! of all user accounts for a customer".

use crate::domain::{Country, DomainType, Target, UserKeys, UserState};
use crate::upstream::http::json::{Flag, OrDefault, Text, Word, wire};

pub(super) use crate::upstream::http::time::Moment;
use crate::upstream::{
    ApiError, Cause, Client, Endpoint, NOBODY, Page, Progress, Pseudonyms, RequestId, Rows,
};

const ENDPOINT: Endpoint = Endpoint::get(
    "/v1/customers/{tenantId}/users",
    "the role Admin agent (under GDAP also Directory Readers, Global Reader or User Administrator at this customer)",
);

/// What finds the deleted users, who are not in the plain listing.
const DELETED: &str = r#"{"Field":"UserStatus","Value":"Inactive","Operator":"equals"}"#;

/// Reads the users of a tenant, first those who exist, then the deleted ones, and hands each page to `each`, in order,
/// with whether it is of the deleted ones.
pub(super) async fn read(
    client: &Client,
    target: &Target,
    progress: &Progress,
    mut each: impl FnMut(&Page<PartnerUser>, bool) -> Result<u64, Cause> + Send,
) -> Result<(), ApiError> {
    let rows = PartnerRows(&client.pseudonyms);
    let correlation = RequestId::random();
    let listings: [(&[_], bool); 2] = [(&[], false), (&[("filter", DELETED)], true)];
    for (query, deleted) in listings {
        client
            .list_by_links(
                &ENDPOINT,
                &rows,
                (target, query),
                &correlation,
                progress,
                |page| each(page, deleted),
            )
            .await?;
    }
    Ok(())
}

/// What remains of a user in Partner Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartnerUser {
    /// Who it is. The listing knows no mail addresses.
    pub(super) keys: UserKeys,
    /// Whether the user exists.
    pub(super) state: UserState,
    /// Where the user signs in.
    pub(super) domain_type: DomainType,
    /// Where the user uses Microsoft's services.
    pub(super) usage_location: UsageLocation,
    /// Whether the password must be changed at the next sign-in.
    pub(super) must_change_password: bool,
    /// When the user was last brought in line with the customer's own directory.
    pub(super) last_sync: Moment,
    /// When the user was deleted.
    pub(super) deleted: Moment,
}

/// Where a user uses Microsoft's services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UsageLocation {
    /// Not said.
    Unset,
    /// A country.
    Country(Country),
    /// What is no country's two letters.
    Other,
}

/// Reads users of Partner Center.
struct PartnerRows<'a>(&'a Pseudonyms);

impl Rows for PartnerRows<'_> {
    type Row = PartnerUser;
    type Wire<'de> = Wire<'de>;

    fn row(&self, wire: &Wire<'_>) -> Result<PartnerUser, &'static str> {
        let keys = self
            .0
            .keys(wire.id.as_ref(), None, wire.user_principal_name.as_ref());
        let usage_location = match wire.usage_location.as_ref().map(|text| &*text.0) {
            None | Some("") => UsageLocation::Unset,
            Some(text) => Country::new(text).map_or(UsageLocation::Other, UsageLocation::Country),
        };
        Ok(PartnerUser {
            keys: keys.ok_or(NOBODY)?,
            state: wire.state.0.unwrap_or(UserState::Unknown),
            domain_type: wire.user_domain_type.0.unwrap_or(DomainType::Unknown),
            usage_location,
            must_change_password: (wire.password_profile.0.force_change_password.0)
                .unwrap_or(false),
            last_sync: wire.last_directory_sync_time,
            deleted: wire.soft_deletion_time,
        })
    }

    fn unreadable_dates(row: &PartnerUser) -> u64 {
        row.last_sync.unreadable() + row.deleted.unreadable()
    }
}

wire! {
    /// The fields that are read of a row.
    struct Wire<'de>: "a user of Partner Center" {
        "id" => id: Option<Text<'de>>,
        "userPrincipalName" => user_principal_name: Option<Text<'de>>,
        "state" => state: Word<UserState>,
        "userDomainType" => user_domain_type: Word<DomainType>,
        "usageLocation" => usage_location: Option<Text<'de>>,
        "passwordProfile" => password_profile: OrDefault<PasswordProfile>,
        "lastDirectorySyncTime" => last_directory_sync_time: Moment,
        "softDeletionTime" => soft_deletion_time: Moment,
    }
}

wire! {
    /// Of a password profile, all but the password.
    struct PasswordProfile: "a password profile" {
        "forceChangePassword" => force_change_password: Flag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::http::json::read;

    #[test]
    fn a_row_is_read_without_its_password() {
        let row = r#"{"id": "a", "state": "Active", "userDomainType": 2, "usageLocation": "US",
            "passwordProfile": {"forceChangePassword": true, "password": "x"},
            "lastDirectorySyncTime": "2017-01-20T00:33:34Z"}"#;
        let rows = PartnerRows(&Pseudonyms::default());
        let user = rows.row(&read(row.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            (
                user.state,
                user.must_change_password,
                user.last_sync,
                user.deleted
            ),
            (
                UserState::Active,
                true,
                Moment::At(1_484_872_414),
                Moment::Missing
            )
        );
        assert_eq!(user.domain_type.label(), "unknown_2");
    }
}
