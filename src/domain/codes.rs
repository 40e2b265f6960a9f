//! The numbers by which AvePoint says what is the matter with a user or a customer, and what is backed up.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The code of a text that is none of the documented names.
const OTHER_TEXT: i64 = i64::MIN;

fn letters(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Names in upstream's tables that are longer or shorter than our labels, by their letters.
const ALIASES: [(&str, &str); 2] = [
    ("na", "notapplicable"),
    ("multipleissuesfound", "multipleissues"),
];

macro_rules! code {
    ($(#[$doc:meta])* $name:ident $(or $other:literal)? { $($code:literal => $label:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The codes with a documented meaning, ascending.
            pub const KNOWN: &'static [Self] = &[$(Self($code)),+];

            /// The code's value as a label: its name, or `unknown_<n>`.
            pub fn label(self) -> Cow<'static, str> {
                match self {
                    $(Self($code) => Cow::Borrowed($label),)+
                    $(Self(OTHER_TEXT) => Cow::Borrowed($other),)?
                    Self(other) => Cow::Owned(format!("unknown_{other}")),
                }
            }

            /// The number that stands for it upstream.
            pub const fn code(self) -> i64 {
                self.0
            }
        }

        impl From<i64> for $name {
            fn from(code: i64) -> Self {
                Self(code)
            }
        }

        $(
            impl From<&str> for $name {
                #[doc = concat!("Reads the code's name as upstream's table has it, whatever its case, spaces and ",
                    "signs; another text is `", $other, "`.")]
                fn from(text: &str) -> Self {
                    let text = letters(text);
                    let full = ALIASES.iter().find(|(alias, _)| *alias == text);
                    let text = full.map_or(&*text, |(_, label)| *label);
                    let known = Self::KNOWN.iter().copied();
                    let mut named = known.filter(|code| text == letters(&code.label()));
                    named.next().unwrap_or(Self(OTHER_TEXT))
                }
            }
        )?

        impl From<$name> for i64 {
            fn from(code: $name) -> Self {
                code.0
            }
        }
    };
}

code!(
    /// A security finding on a user. Source: AvePoint's table of `status` codes for security users. By AvePoint's user
    /// guide, `mfa_disabled` is the per-user MFA setting of Entra ID; it does not see MFA that a policy enforces.
    SecurityStatus {
        0 => "mfa_disabled",
        1 => "sign_in_blocked",
        2 => "password_expired",
        3 => "high_risk",
        4 => "medium_risk",
        5 => "compliance",
        6 => "inactive",
        7 => "pending_deletion",
        8 => "test_user",
    }
);
code!(
    /// A part of Microsoft 365 that Cloud Backup protects. Source: AvePoint's table of `module` codes.
    BackupModule {
        0 => "mailbox",
        2 => "onedrive",
    }
);
code!(
    /// How the backups of a customer fare. Source: AvePoint's table of `jobStatus` codes for customers.
    BackupStatus or "unknown" {
        0 => "not_applicable",
        1 => "working",
        2 => "failed",
        3 => "waiting_for_configuration",
        4 => "multiple_issues",
        5 => "finished_with_exception",
        6 => "no_backup_updates",
    }
);
code!(
    /// Who looks after a customer's services. Source: AvePoint's table of `managementMode` codes.
    ManagementMode or "unknown" {
        0 => "customer",
        1 => "partner",
        2 => "to_be_configured",
    }
);

impl SecurityStatus {
    /// The mark of a user that is about to be deleted.
    pub const PENDING_DELETION: Self = Self(7);
    /// The mark of a user that exists for tests only.
    pub const TEST_USER: Self = Self(8);
}

/// As many codes beyond those from 0 to 63 are kept of a row: more than a whole listing may have, so that the
/// listing is refused, and few enough to be searched one by one.
const MOST_OTHERS: usize = 65;

/// The distinct codes of one row. Codes from 0 to 63 cost no allocation; all that are known are among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeSet {
    low: u64,
    others: Vec<i64>,
}

impl CodeSet {
    /// Adds a code; one that is there already changes nothing. Of codes below 0 or
    /// above 63 the first 65 are kept.
    pub fn insert(&mut self, code: i64) {
        match u32::try_from(code) {
            Ok(bit @ 0..64) => self.low |= 1 << bit,
            _ if self.others.len() == MOST_OTHERS || self.others.contains(&code) => {}
            _ => self.others.push(code),
        }
    }

    /// Whether the code is in the set.
    pub fn contains(&self, code: i64) -> bool {
        match u32::try_from(code) {
            Ok(bit @ 0..64) => self.low & 1 << bit != 0,
            _ => self.others.contains(&code),
        }
    }

    /// The codes: those from 0 to 63 ascending, then the others as they came.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        let mut low = self.low;
        std::iter::from_fn(move || {
            let bit = low.trailing_zeros();
            low &= low.wrapping_sub(1);
            (bit < 64).then_some(i64::from(bit))
        })
        .chain(self.others.iter().copied())
    }
}

impl FromIterator<i64> for CodeSet {
    fn from_iter<I: IntoIterator<Item = i64>>(codes: I) -> Self {
        let mut set = Self::default();
        codes.into_iter().for_each(|code| set.insert(code));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_keeps_its_number_in_its_label() {
        assert_eq!(SecurityStatus::from(3).label(), "high_risk");
        assert_eq!(SecurityStatus::from(12).label(), "unknown_12");
        assert_eq!(BackupModule::from(1).label(), "unknown_1");
        assert_eq!(BackupModule::from(-4).label(), "unknown_-4");
    }

    #[test]
    fn a_set_of_very_many_codes_stays_small_and_too_large_for_a_listing() {
        let set: CodeSet = (1000..1_000_000).collect();
        assert_eq!(set.iter().count(), MOST_OTHERS);
    }

    #[test]
    fn a_set_holds_each_code_once_whatever_its_size() {
        let set: CodeSet = [63, 3, 3, 0, 64, -1, 64, i64::MAX].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 3, 63, 64, -1, i64::MAX]);
        assert!(set.contains(63) && set.contains(-1) && !set.contains(1));
        assert_eq!(CodeSet::default().iter().next(), None);
    }
}
