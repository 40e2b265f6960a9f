//! What of a configuration a message may quote. A secret can be pasted anywhere: as a key, as a duration, as a label's
//! name. So only text that looks like what belongs there is quoted, by this one rule.

/// What a message has in place of a value that it does not quote.
pub(super) const NOT_SHOWN: &str = "the value (not shown, it may be a secret)";

/// The longest start of a value that is quoted, in characters.
const MOST: usize = 60;

/// The most words of letters and digits in a value that is quoted. A product key has more.
const MOST_MIXED: usize = 2;

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

/// A value that should be a number with a unit. Only one that begins as such is quoted.
pub(super) fn measure_shown(text: &str) -> String {
    const LONGEST: usize = 16;
    let is_one = text.starts_with(|c: char| c.is_ascii_digit() || "-+.".contains(c));
    if text.is_empty() || (is_one && text.chars().count() <= LONGEST) {
        shown(text)
    } else {
        NOT_SHOWN.to_owned()
    }
}

/// A value that should be one of these words. Only one that begins like one of them is quoted.
pub(super) fn word_shown(text: &str, words: &[&str]) -> String {
    const START: usize = 3;
    let start = |text: &str| text.chars().take(START).collect::<String>().to_lowercase();
    if text.is_empty() || words.iter().any(|word| start(word) == start(text)) {
        shown(text)
    } else {
        NOT_SHOWN.to_owned()
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
    let words = || text.split(|c| BETWEEN.contains(c));
    let is_mixed = |word: &&str| {
        word.contains(|c: char| c.is_ascii_digit()) && word.contains(char::is_alphabetic)
    };
    let is_text = words().all(is_word) && words().filter(is_mixed).count() <= MOST_MIXED;
    text.chars().count() <= MOST && (is_text || is_nearly_guid(text))
}

/// Whether a text is a path, and not a secret in the wrong place: it begins as paths do, ends as files of certificates and
/// secrets do, or is made of the names of folders.
pub(super) fn is_path(text: &str) -> bool {
    const STARTS: [&str; 2] = ["./", "../"];
    const EXTENSIONS: [&str; 11] = [
        "pem", "crt", "cer", "der", "key", "pfx", "p12", "txt", "secret", "token", "password",
    ];
    let extension = text.rsplit_once('.').map(|(_, extension)| extension);
    let has_extension = EXTENSIONS
        .iter()
        .any(|one| extension.is_some_and(|extension| one.eq_ignore_ascii_case(extension)));
    // Not of base64, nor a passphrase between slashes.
    let is_absolute = text.starts_with('/')
        && !text.contains(['+', '=', '~'])
        && text.bytes().filter(|b| *b == b'/').count() > 1;
    let has_folders = text.contains('/') && text.split('/').all(is_plausible);
    is_absolute
        || STARTS.iter().any(|start| text.starts_with(start))
        || has_extension
        || has_folders
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
    fn in_place_of_a_measure_or_a_word_only_what_begins_like_one_is_quoted() {
        let words = ["commercial", "aos2"];
        assert_eq!(word_shown("Comercial", &words), "\"Comercial\"");
        assert_eq!(measure_shown("5 minutes"), "\"5 minutes\"");
        assert_eq!(
            (measure_shown(""), word_shown("", &words)),
            ("\"\"".into(), "\"\"".into())
        );
        for secret in ["swordfish", "correct-horse-battery-staple"] {
            assert_eq!(measure_shown(secret), NOT_SHOWN);
            assert_eq!(word_shown(secret, &words), NOT_SHOWN);
        }
    }

    #[test]
    fn paths_are_told_from_secrets_in_their_place() {
        for path in [
            "/run/secrets/4f0c1d7e9b2a",
            "./x",
            "../x",
            "elements.secret",
            "Contoso-2026.PFX",
            "certs/app",
            "secrets/elements/client",
        ] {
            assert!(is_path(path), "{path}");
        }
        for secret in [
            "",
            "hunter2",
            "swordfish",
            "correct-horse-battery-staple",
            "hunter2/abc+def=",
            "/9j4AAQSkZJRg==",
            "/9j4AAQSkZJRg",
            "/hunter2/abc+def=",
            "G7m8Q~xYzAbCdEfGhIjKlMnOpQrStUvWxYz012345",
            "0.AXoA-s3cr3ttoken_Abc",
        ] {
            assert!(!is_path(secret), "{secret}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not() {
        for value in [
            "hunter2",
            "s3cr3t",
            "K7QX2-9MZ4P-TR8VW-3BNHY",
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
