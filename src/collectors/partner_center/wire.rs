//! The listing of a customer's users in Partner Center. Source: Microsoft's documentation of Partner Center, "Get a list
//! of all user accounts for a customer".

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::domain::{Country, DomainType, Target, UserKeys, UserState};
use crate::upstream::http::json::{OrDefault, Text, wire};
use crate::upstream::http::time;
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
    /// When the user was last brought in line with the customer's own directory, in seconds since the Unix epoch.
    pub(super) last_sync: Option<i64>,
    /// When the user was deleted, in seconds since the Unix epoch.
    pub(super) deleted: Option<i64>,
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
            must_change_password: wire
                .password_profile
                .0
                .force_change_password
                .unwrap_or(false),
            last_sync: moment(wire.last_directory_sync_time.as_ref())
                .map_err(|time::NoTime| "has an invalid lastDirectorySyncTime")?,
            deleted: moment(wire.soft_deletion_time.as_ref())
                .map_err(|time::NoTime| "has an invalid softDeletionTime")?,
        })
    }
}

fn moment(text: Option<&Text<'_>>) -> Result<Option<i64>, time::NoTime> {
    text.map_or(Ok(None), |text| time::read(&text.0))
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
        "lastDirectorySyncTime" => last_directory_sync_time: Option<Text<'de>>,
        "softDeletionTime" => soft_deletion_time: Option<Text<'de>>,
    }
}

wire! {
    /// Of a password profile, all but the password.
    struct PasswordProfile: "a password profile" {
        "forceChangePassword" => force_change_password: Option<bool>,
    }
}

/// A value of a closed list, which comes as a word or as a number; `None` where it is missing.
struct Word<T>(Option<T>);

impl<T> Default for Word<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: From<i64> + for<'a> From<&'a str>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T: From<i64> + for<'a> From<&'a str>> Visitor<'_> for Reader<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a number")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Word<T>, E> {
                Ok(Word(None))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Word<T>, E> {
                Ok(Word(Some(T::from(word))))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word<T>, E> {
                Ok(Word(Some(T::from(number))))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word<T>, E> {
                let number = i64::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))?;
                self.visit_i64(number)
            }
        }

        deserializer.deserialize_any(Reader(PhantomData))
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
            (UserState::Active, true, Some(1_484_872_414), None)
        );
        assert_eq!(user.domain_type.label(), "unknown_2");
    }
}
