//! Security users: the users of a tenant with a security finding. Source: AvePoint's `overview/security/users`.

use std::fmt;

use http::Method;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::{CodeSet, Tenant, UserKeys};
use crate::upstream::client::Endpoint;
use crate::upstream::json::{self, Fields, Text};
use crate::upstream::personal::Pseudonyms;
use crate::upstream::{ApiError, Cause, Client, Page};

use super::listing::{ListingSize, Row};

/// What remains of a security user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityUser {
    /// Who it is.
    pub keys: UserKeys,
    /// The findings, as codes of [`crate::domain::SecurityStatus`].
    pub statuses: CodeSet,
    /// Whether upstream marks the user as one for tests.
    pub is_test_user: bool,
}

impl SecurityUser {
    /// What the app registration must be allowed to read them.
    pub const PERMISSION: &'static str = "elements.um.user.read.all";
}

impl Client {
    /// Reads a tenant's users with security findings, and hands each page to `each`, in order. `size` tells what
    /// was read until the end, be it good or bad.
    ///
    /// # Errors
    /// What the request that failed says; or what `each` says of a page.
    pub async fn security_users(
        &self,
        tenant: &Tenant,
        size: &mut ListingSize,
        each: impl FnMut(Page<SecurityUser>) -> Result<(), Cause> + Send,
    ) -> Result<(), ApiError> {
        self.list(tenant, size, each).await
    }
}

impl Row for SecurityUser {
    const ENDPOINT: Endpoint = Endpoint {
        method: || Method::GET,
        route: "/um/customers/{customerId}/tenants/{tenantId}/overview/security/users",
        body: "",
        permission: Self::PERMISSION,
    };
    type Wire<'de> = Wire<'de>;

    fn from_wire(wire: &Wire<'_>, pseudonyms: &Pseudonyms) -> Option<Self> {
        let address =
            |text: &Option<Text<'_>>| text.as_ref().and_then(|text| pseudonyms.address(&text.0));
        let keys = UserKeys {
            id: wire.id.as_ref().and_then(|id| pseudonyms.id(&id.0)),
            mail: address(&wire.mail),
            principal: address(&wire.user_principal_name),
        };
        keys.identity().map(|_| Self {
            keys,
            statuses: wire.status.clone(),
            is_test_user: wire.is_test_user.unwrap_or(false),
        })
    }
}

/// The fields that are read of a row.
#[derive(Default)]
pub(super) struct Wire<'de> {
    id: Option<Text<'de>>,
    mail: Option<Text<'de>>,
    user_principal_name: Option<Text<'de>>,
    is_test_user: Option<bool>,
    status: CodeSet,
}

impl<'de> Fields<'de> for Wire<'de> {
    const EXPECTED: &'static str = "a security user";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "mail" => self.mail = map.next_value()?,
            "userPrincipalName" => self.user_principal_name = map.next_value()?,
            "isTestUser" => self.is_test_user = map.next_value()?,
            "status" => self.status = map.next_value::<Status>()?.0,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// The field `status`: documented as one code, in every sample a list of codes.
struct Status(CodeSet);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Status;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code or a list of them")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Status, E> {
                Ok(Status(CodeSet::default()))
            }

            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Status, E> {
                Ok(Status(CodeSet::from_iter([code])))
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<Status, E> {
                let code = i64::try_from(code)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(code), &self))?;
                self.visit_i64(code)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Status, A::Error> {
                let mut codes = CodeSet::default();
                while let Some(code) = seq.next_element::<Option<i64>>()? {
                    if let Some(code) = code {
                        codes.insert(code);
                    }
                }
                Ok(Status(codes))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::json::{JsonError, read};

    fn user(row: &str) -> Option<SecurityUser> {
        SecurityUser::from_wire(&read(row.as_bytes()).unwrap(), &Pseudonyms::default())
    }

    #[track_caller]
    fn check(status: &str, expected: &[i64]) {
        let user = user(&format!(r#"{{"id": "a", "status": {status}}}"#)).unwrap();
        assert_eq!(user.statuses.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_status_is_read_as_a_code_and_as_a_list_of_codes() {
        check("3", &[3]);
        check("[0, 3, 3]", &[0, 3]);
        check("[]", &[]);
        check("null", &[]);
        check("[null, 5]", &[5]);
        check("[4113, -1]", &[4113, -1]);
    }

    #[test]
    fn a_status_of_another_kind_fails_the_page_rather_than_being_shown_as_none() {
        for status in [
            "\"3\"",
            "[\"high\"]",
            "true",
            "3.5",
            "{}",
            "18446744073709551615",
            "[[3]]",
        ] {
            let row = format!(r#"{{"id": "a", "status": {status}}}"#);
            assert!(
                matches!(
                    read::<Wire<'_>>(row.as_bytes()),
                    Err(JsonError::Unexpected(_))
                ),
                "{status}"
            );
        }
    }

    #[test]
    fn a_user_is_told_apart_by_id_else_mail_else_principal_name() {
        let identity = |row: &str| {
            let keys = user(row)?.keys;
            [keys.id, keys.mail, keys.principal]
                .iter()
                .position(|key| *key == keys.identity())
        };
        assert_eq!(
            identity(r#"{"id": "a", "mail": "b", "userPrincipalName": "c"}"#),
            Some(0)
        );
        assert_eq!(
            identity(r#"{"id": null, "mail": "b", "userPrincipalName": "c"}"#),
            Some(1)
        );
        assert_eq!(identity(r#"{"Id": "", "UserPrincipalName": "c"}"#), Some(2));
        assert_eq!(identity(r#"{"displayName": "d"}"#), None);
    }
}
