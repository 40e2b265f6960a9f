//! Who is who.

use std::collections::BTreeSet;

use super::Pages;

use super::protected::Backed;

/// What names the user of a row. Letter case of addresses aside.
#[derive(Debug, Clone)]
pub(super) struct Who {
    id: Option<String>,
    mail: Option<String>,
    principal: Option<String>,
}

impl Who {
    pub(super) fn new(id: Option<String>, mail: Option<String>, principal: Option<String>) -> Self {
        Self {
            id: text(id).map(|id| super::guid(Some(&id)).unwrap_or(id)),
            mail: text(mail).map(|mail| without_case(&mail)),
            principal: text(principal).map(|name| without_case(&name)),
        }
    }

    /// What tells users of one listing apart.
    pub(super) fn identity(&self) -> Option<String> {
        match (&self.id, &self.mail, &self.principal) {
            (Some(id), _, _) => Some(format!("id {id}")),
            (None, Some(address), _) | (None, None, Some(address)) => {
                Some(format!("address {address}"))
            }
            (None, None, None) => None,
        }
    }

    /// Whether anything names the user.
    pub(super) fn is_anybody(&self) -> bool {
        self.identity().is_some()
    }

    /// The backup listing's row for the user: by id; failing that by mail address, then by principal name.
    pub(super) fn look_up<'a>(&self, backup: &'a [Backed]) -> Option<&'a Backed> {
        let by_id = backup
            .iter()
            .find(|row| row.who.id.is_some() && row.who.id == self.id);
        let by_address = |address: &Option<String>| {
            backup
                .iter()
                .find(|row| row.who.mail.is_some() && row.who.mail == *address)
        };
        by_id
            .or_else(|| by_address(&self.mail))
            .or_else(|| by_address(&self.principal))
    }
}

/// Empty text names nobody.
fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Letter for letter in lower case; Greek has two small letters for one capital.
fn without_case(address: &str) -> String {
    let lower = address.chars().flat_map(char::to_lowercase);
    lower.map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Each user's first row; nothing when there is a row that names nobody, or when `pages` bring nobody new.
pub(super) fn once<T>(
    rows: Vec<T>,
    pages: Option<Pages>,
    who: impl Fn(&T) -> &Who,
) -> Option<Vec<T>> {
    let identities: Option<Vec<String>> = rows.iter().map(|row| who(row).identity()).collect();
    let identities = identities?;
    if pages.is_some_and(|pages| pages.are_idle(&[], &identities)) {
        return None;
    }
    let mut seen = BTreeSet::new();
    let first = rows.into_iter().zip(identities);
    Some(
        first
            .filter_map(|(row, who)| seen.insert(who).then_some(row))
            .collect(),
    )
}
