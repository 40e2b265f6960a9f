//! Text that is nearly JSON. What is repaired fails nothing where nobody reads it, and is read with [`BROKEN`], a space or
//! a large number in its place where somebody does.

/// What stands for text that is none: a character that Unicode keeps out of texts, so that no other one has it.
pub(crate) const BROKEN: char = '\u{fdd0}';

/// The same as an escape.
const ESCAPED: &[u8] = br"\ufdd0";

/// What stands for a number that is out of range, without its sign.
const LARGE: &[u8] = b"1e300";

/// A body with its faults repaired: bytes that are no UTF-8, halves of surrogate pairs, control characters, and numbers
/// out of range. `None` when it has none of them.
pub(crate) fn repaired(body: &[u8]) -> Option<Vec<u8>> {
    let text = readable(body);
    let mut is_changed = text.is_some();
    let mut left = text.as_ref().map_or(body, String::as_bytes);
    let mut out = Vec::with_capacity(left.len());
    let mut in_text = false;
    while let [first, ..] = left {
        let (taken, instead): (usize, Option<&[u8]>) = match first {
            b'"' => {
                in_text = !in_text;
                (1, None)
            }
            b'\\' if in_text => escape(left),
            // Between values they are spaces anyway.
            ..b' ' if in_text => (1, Some(b" ")),
            b'-' | b'0'..=b'9' if !in_text => number(left),
            _ => (1, None),
        };
        let (whole, rest) = left.split_at(taken.min(left.len()));
        is_changed |= instead.is_some();
        out.extend(instead.unwrap_or(whole));
        left = rest;
    }
    is_changed.then_some(out)
}

/// The text of a body some of whose bytes are none; `None` where all are.
fn readable(body: &[u8]) -> Option<String> {
    std::str::from_utf8(body).err()?;
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(BROKEN);
        }
    }
    Some(text)
}

/// How long the escape is that stands first, and what to put in its place.
fn escape(text: &[u8]) -> (usize, Option<&'static [u8]>) {
    match code_unit(text) {
        Some(0xd800..0xdc00) => match text.get(6..).and_then(code_unit) {
            Some(0xdc00..0xe000) => (12, None),
            _ => (6, Some(ESCAPED)),
        },
        Some(0xdc00..0xe000) => (6, Some(ESCAPED)),
        Some(_) => (6, None),
        None => (2, None),
    }
}

/// The number of an escape like `\u00e4`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// How long the number is that stands first, and what to put in its place.
fn number(text: &[u8]) -> (usize, Option<&'static [u8]>) {
    let is_part = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let length = text.iter().take_while(is_part).count();
    let number: Option<f64> = (text.get(..length))
        .and_then(|number| std::str::from_utf8(number).ok())
        .and_then(|number| number.parse().ok());
    match number {
        // The sign stays.
        Some(f64::NEG_INFINITY) => (1, None),
        Some(f64::INFINITY) => (length, Some(LARGE)),
        _ => (length, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_by_a_trifle_is_repaired() {
        for (body, expected) in [
            (&br#"{"a": "b\ud83d"}"#[..], r#"{"a": "b\ufdd0"}"#),
            (
                br#"{"a": "\udc00\ud83d\ude00"}"#,
                r#"{"a": "\ufdd0\ud83d\ude00"}"#,
            ),
            (
                br#"{"a": "\ud83d\ud83d\ude00"}"#,
                r#"{"a": "\ufdd0\ud83d\ude00"}"#,
            ),
            (b"{\"a\": \"\xe4\"}", "{\"a\": \"\u{fdd0}\"}"),
            (b"{\"a\": \"b\tc\n\0\"}", r#"{"a": "b c  "}"#),
            (b"[1e999, -1e999, 2]", "[1e300, -1e300, 2]"),
        ] {
            let repaired = String::from_utf8(repaired(body).unwrap()).unwrap();
            assert_eq!(repaired, expected);
            serde_json::from_str::<serde_json::Value>(&repaired).unwrap();
        }
    }

    #[test]
    fn nothing_else_is_touched() {
        for body in [
            r#"{"a": "b\\ud83d \" \u00e4 \ud83d\ude00", "c": [1e9, -2.5, true, null]}"#,
            "{\r\n\t\"a\": \"1e999\"}",
            "",
            r#"{"a": "\"#,
            r#"{"a": "\u12"#,
            "<html>",
        ] {
            assert_eq!(repaired(body.as_bytes()), None, "{body}");
        }
    }
}
