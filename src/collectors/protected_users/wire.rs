//! The listing of the users whom Cloud Backup for Microsoft 365 knows. Source: AvePoint's
//! `cloud-backup-m365/users/batch`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::domain::{CodeSet, UserKeys};
use crate::upstream::http::json::{Flag, Object, Text, Whole, wire};
use crate::upstream::{Endpoint, NOBODY, Pseudonyms, Rows};

/// What remains of a protected user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProtectedUser {
    /// Who it is. The listing knows no principal names.
    pub(super) keys: UserKeys,
    /// The modules listed as protected, as codes of [`crate::domain::BackupModule`].
    pub(super) protected: CodeSet,
    /// The modules listed as not protected. A module that is listed twice, once as either, is here only.
    pub(super) unprotected: CodeSet,
}

pub(super) const ENDPOINT: Endpoint = Endpoint::post(
    "/general/customers/{customerId}/tenants/{tenantId}/cloud-backup-m365/users/batch",
    "elements.cbprotected.read.all",
);

/// Reads protected users.
pub(super) struct ProtectedRows<'a>(pub(super) &'a Pseudonyms);

impl Rows for ProtectedRows<'_> {
    type Row = ProtectedUser;
    type Wire<'de> = Wire<'de>;

    fn row(&self, wire: &Wire<'_>) -> Result<ProtectedUser, &'static str> {
        let keys = self.0.keys(wire.id.as_ref(), wire.email.as_ref(), None);
        let Modules {
            protected,
            unprotected,
        } = &wire.modules;
        Ok(ProtectedUser {
            keys: keys.ok_or(NOBODY)?,
            // A module that is listed as both is not protected.
            protected: protected
                .iter()
                .filter(|module| !unprotected.contains(*module))
                .collect(),
            unprotected: unprotected.clone(),
        })
    }
}

wire! {
    /// The fields that are read of a row.
    pub(super) struct Wire<'de>: "a protected user" {
        "id" => id: Option<Text<'de>>,
        "email" => email: Option<Text<'de>>,
        "moduleStatus" => modules: Modules,
    }
}

/// The field `moduleStatus`: a list of modules, each with whether it is protected.
#[derive(Default)]
struct Modules {
    protected: CodeSet,
    unprotected: CodeSet,
}

impl<'de> Deserialize<'de> for Modules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Modules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of modules")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Modules, E> {
                Ok(Modules::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Modules, A::Error> {
                let mut modules = Modules::default();
                while let Some(status) = seq.next_element::<Option<Object<ModuleStatus>>>()? {
                    let (module, codes) = match status {
                        // A module without a verdict says nothing of the user.
                        None
                        | Some(Object(ModuleStatus {
                            is_protected: Flag(None),
                            ..
                        })) => continue,
                        Some(Object(ModuleStatus {
                            module: Whole(module),
                            is_protected: Flag(Some(true)),
                        })) => (module, &mut modules.protected),
                        Some(Object(ModuleStatus {
                            module: Whole(module),
                            is_protected: Flag(Some(false)),
                        })) => (module, &mut modules.unprotected),
                    };
                    // A verdict on no module could be one on any.
                    let module = module.and_then(|module| i64::try_from(module).ok());
                    codes.insert(module.ok_or_else(|| {
                        de::Error::custom("incomplete, expected a module with its isProtected")
                    })?);
                }
                Ok(modules)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

wire! {
    /// An item of `moduleStatus`.
    struct ModuleStatus: "a module with its protection" {
        "module" => module: Whole,
        "isProtected" => is_protected: Flag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::check_allocations;
    use crate::upstream::http::json::{JsonError, read};

    #[track_caller]
    fn check(modules: &str, protected: &[i64], unprotected: &[i64]) {
        let row = format!(r#"{{"id": "a", "moduleStatus": {modules}}}"#);
        let user = ProtectedRows(&Pseudonyms::default())
            .row(&read(row.as_bytes()).unwrap())
            .unwrap();
        assert_eq!(user.protected.iter().collect::<Vec<_>>(), protected);
        assert_eq!(user.unprotected.iter().collect::<Vec<_>>(), unprotected);
    }

    #[test]
    fn modules_are_read_by_whether_they_are_protected() {
        check(
            r#"[{"module": 0, "isProtected": true}, {"module": 2, "isProtected": false}]"#,
            &[0],
            &[2],
        );
        check(r#"[{"Module": 7, "IsProtected": true}, null]"#, &[7], &[]);
        check("null", &[], &[]);
        check("[]", &[], &[]);
    }

    #[test]
    fn a_module_that_is_listed_as_both_is_not_protected() {
        check(
            r#"[{"module": 0, "isProtected": true}, {"module": 0, "isProtected": false}]"#,
            &[],
            &[0],
        );
    }

    #[test]
    fn a_module_without_a_verdict_says_nothing_of_the_user() {
        check(
            r#"[{"module": 0, "isProtected": null}, {"module": 2}, {"module": "5", "isProtected": "True"}]"#,
            &[5],
            &[],
        );
        check(r#"[{"module": null}]"#, &[], &[]);
    }

    #[test]
    fn a_verdict_on_no_module_fails_the_page() {
        for modules in [
            r#"[{"isProtected": false}]"#,
            r#"[{"module": null, "isProtected": true}]"#,
            r#"[{"module": "mailbox", "isProtected": true}]"#,
            r#"[{"module": 0, "isProtected": "perhaps"}]"#,
        ] {
            let row = format!(r#"{{"id": "a", "moduleStatus": {modules}}}"#);
            assert!(
                matches!(
                    read::<Wire<'_>>(row.as_bytes()),
                    Err(JsonError::Unexpected(_))
                ),
                "{modules}"
            );
        }
    }

    #[test]
    fn a_row_is_read_without_an_allocation() {
        check_allocations(
            &ProtectedRows(&Pseudonyms::default()),
            r#"{"id": "a", "email": "a@contoso.example", "displayName": "b", "moduleStatus":
                [{"module": 0, "isProtected": true}, {"Module": 2, "IsProtected": false}]}"#,
        );
    }
}
