//! What people cannot see in a text: byte order marks, and characters without a shape of their own.

/// The byte order mark, which editors and PowerShell on Windows put in front of UTF-8.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file that a person wrote, without the byte order mark in front.
///
/// # Errors
/// What it is instead, such as `is UTF-16 text`.
pub fn utf8(bytes: Vec<u8>) -> Result<String, &'static str> {
    if is_utf16(&bytes) {
        return Err(IS_UTF16);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
    }
    Ok(text)
}

/// What [`is_utf16`] means, and what to do.
pub const IS_UTF16: &str = "is UTF-16 text; save it again as UTF-8";

/// Whether these bytes begin with the mark of UTF-16 in either byte order. Neither UTF-8 nor DER begins so.
pub fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
}

/// Whether a character, besides the control characters, changes how a text looks without being seen in it: it
/// reorders, breaks or joins what is around it, or has no width. Two names that differ only in these look the same, and
/// a name with them can look like another. Source: Unicode's property `Default_Ignorable_Code_Point` and the two
/// separators; without the variation selectors U+FE00 to U+FE0F, which belong to the character in front of them.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | BYTE_ORDER_MARK | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_in_front_is_dropped_and_only_there() {
        for (bytes, text) in [
            (&b"a\r\n"[..], "a\r\n"),
            (b"\xef\xbb\xbfa", "a"),
            (b"\xef\xbb\xbf", ""),
            (b"a\xef\xbb\xbf", "a\u{feff}"),
            (b"", ""),
        ] {
            assert_eq!(utf8(bytes.to_vec()).unwrap(), text);
        }
    }

    #[test]
    fn utf16_in_either_order_is_named() {
        for bytes in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a", b"\xff\xfe"] {
            assert_eq!(utf8(bytes.to_vec()), Err(IS_UTF16));
        }
        for bytes in [&b"\xff"[..], b"a\0\xff\xfe", b"\xef\xbb"] {
            assert_eq!(utf8(bytes.to_vec()), Err("is not UTF-8 text"));
        }
    }

    #[test]
    fn letters_of_all_scripts_marks_and_emoji_are_visible() {
        for name in [
            "Contoso GmbH",
            "Ångström",
            "Cafe\u{301}",
            "עברית",
            "العربية",
            "株式会社",
            "❤\u{fe0f}",
            "€",
        ] {
            assert!(!name.contains(is_invisible), "{name}");
        }
        for c in [
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(is_invisible(c), "{}", c.escape_unicode());
        }
    }
}
