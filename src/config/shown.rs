//! What of a configuration a message may quote. A secret can be pasted anywhere: as a key, as a duration, as a label's
//! name. So only text that looks like what belongs there is quoted, by this one rule.

/// What a message has in place of a value that it does not quote.
pub(super) const NOT_SHOWN: &str = "the value (not shown, it may be a secret)";

/// The longest start of a value that is quoted, in characters.
const MOST: usize = 60;

/// The characters between words: those of ids, domains, durations and patterns. Those that only passwords and tokens
/// have are not among them.
const BETWEEN: &str = " \n._-/:,\\()[]{}<>|*+?^$";

/// A value as messages show it: escaped, in quotes, cut; or that it is not shown.
pub(super) fn shown(text: &str) -> String {
    let start: String = text.chars().take(MOST).collect();
    if !is_plausible(&start) {
        NOT_SHOWN.to_owned()
    } else if start.len() < text.len() {
        format!("{start:?}…")
    } else {
        format!("{text:?}")
    }
}

/// A number as messages show it, or that it is not shown.
pub(super) fn number_shown(number: f64) -> String {
    let text = number.to_string();
    if is_plausible(&text) {
        text
    } else {
        NOT_SHOWN.to_owned()
    }
}

/// Whether a text is made of words and short numbers, as names, durations and domains are, or is nearly a GUID. Secrets
/// are made by chance: they mix digits and letters, or capitals and small letters, and are longer than a unit.
pub(super) fn is_plausible(text: &str) -> bool {
    let mut words = text.split(|c| BETWEEN.contains(c));
    text.chars().count() <= MOST && (words.all(is_word) || is_nearly_guid(text))
}

/// Whether a key may be shown, and a key's path with it. Others may be a secret whose colon lacks its space
/// (`client_secret:…`).
pub(super) fn is_plausible_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.<".contains(&b))
        && is_plausible(key)
}

fn is_word(word: &str) -> bool {
    const SHORT: usize = 5;
    const LONGEST_NUMBER: usize = 10;
    const LONGEST: usize = 24;
    let length = word.chars().count();
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    if !word.chars().all(char::is_alphanumeric) {
        false
    } else if word.bytes().all(|b| b.is_ascii_digit()) {
        length <= LONGEST_NUMBER
    } else if word.chars().all(char::is_alphabetic) {
        let is_usual = capitals == length || capitals <= length.div_ceil(4);
        length <= SHORT || (length <= LONGEST && is_usual)
    } else {
        // `1h30m`, `v2`, `m365`
        length <= SHORT
    }
}

/// An id with a typing error. A whole GUID is none: it may be a secret that has this form.
fn is_nearly_guid(text: &str) -> bool {
    const LENGTH: usize = 36;
    text.contains('-')
        && text.len() != LENGTH
        && text.len() <= LENGTH + 4
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_value_is_quoted() {
        for value in [
            "",
            "30",
            "5 minutes",
            "1h30m",
            "16MiB",
            "1000000",
            "gcc_high",
            "aos2",
            "costCenter",
            "CONTOSO",
            "contoso.onmicrosoft.com",
            "partner.onmicrosoft.com/../common",
            "*.onmicrosoft.com",
            "(\\w{100}){100}",
            "966f35cc-61f4-4070-819c-25cdbcf82a0",
            "Müller",
        ] {
            assert_eq!(shown(value), format!("{value:?}"));
        }
        assert_eq!(shown(&"ab ".repeat(30)), format!("{:?}…", "ab ".repeat(20)));
        assert_eq!(number_shown(-1.5), "-1.5");
    }

    #[test]
    fn what_may_be_a_secret_is_not() {
        for value in [
            "hunter2",
            "s3cr3t",
            "471147114711",
            "G7m8Q~xYzAbCdEfGhIjKlMnOpQrStUvWxYz012345",
            "QxZtRbvwKqLmPd",
            "abc=def",
            "p@ssword",
            "0.AXoA-s3cr3ttoken_Abc",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "0123456789abcdef0123456789abcdef",
            "966f35cc-61f4-4070-819c-25cdbcf82a07",
            "5f2b1c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c",
            "verylongtextwithoutanybreak",
        ] {
            assert_eq!(shown(value), NOT_SHOWN, "{value}");
            assert!(!is_plausible_key(value), "{value}");
        }
        let long = format!("{} s3cr3t", "ab ".repeat(30));
        assert!(!shown(&long).contains("s3cr3t"));
        assert_eq!(number_shown(471_147_114_711.0), NOT_SHOWN);
    }
}
