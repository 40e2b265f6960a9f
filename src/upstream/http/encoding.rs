//! How the body of an answer is encoded, as `Content-Encoding` says, and its decoding within bounds. Pure.

use std::io;

use flate2::bufread::GzDecoder;
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::body::Body;
use super::fault::Fault;
use super::json::JsonError;

/// The most encodings one over the other. Real answers have one, or two where a proxy compresses again.
const MOST_LAYERS: usize = 4;

/// The most members of one gzip body. Real ones have one, or one for each 64 KiB. A member can have 20 bytes, and to
/// read it takes memory of a thousand times as much for a moment.
const MOST_MEMBERS: usize = 10_000;

/// How often the body of an answer is encoded by gzip, the only encoding that requests offer.
///
/// RFC 9110, section 8.4.1: names are compared without case, and `x-gzip` is another one of gzip. An empty name and that
/// of the text's charset are known mistakes of services and mean nothing.
///
/// # Errors
/// When it has another encoding.
pub(super) fn layers(headers: &HeaderMap) -> Result<usize, Fault> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut layers = 0;
    for name in names {
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" if layers < MOST_LAYERS => layers += 1,
            b"" | b"identity" | b"utf-8" | b"utf8" => {}
            _ => {
                return Err(unexpected(
                    "it has an encoding that the exporter did not offer",
                ));
            }
        }
    }
    Ok(layers)
}

/// Decodes a body of one or more gzip members, at most to `max_bytes`. Some services fill up its last block with zeros.
pub(super) fn gunzip(body: &[u8], max_bytes: usize) -> Result<Body, Fault> {
    let mut decoded = Body::new(max_bytes, 0);
    let mut rest = body;
    for _ in 0..MOST_MEMBERS {
        let mut member = GzDecoder::new(rest);
        io::copy(&mut member, &mut decoded).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => Fault::TooLarge { max_bytes },
            io::ErrorKind::UnexpectedEof => {
                let place = "inside its gzip encoding".to_owned();
                Fault::Unreadable(JsonError::Truncated(place))
            }
            _ => unexpected("its gzip encoding is invalid"),
        })?;
        rest = member.into_inner();
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(decoded);
        }
    }
    Err(Fault::Unreadable(JsonError::TooMuch(format!(
        "the response has more than {MOST_MEMBERS} gzip members"
    ))))
}

fn unexpected(text: &str) -> Fault {
    Fault::Unreadable(JsonError::Unexpected(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;
    use std::io::Write as _;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn layers_of(values: &[&'static str]) -> Option<usize> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        layers(&headers).ok()
    }

    #[test]
    fn an_encoding_is_known_by_either_name_in_any_case() {
        for value in ["gzip", "GZIP", "Gzip", "x-gzip", "X-GZip", " gzip "] {
            assert_eq!(layers_of(&[value]), Some(1), "{value}");
        }
    }

    #[test]
    fn names_that_mean_no_encoding_are_passed_over() {
        assert_eq!(layers_of(&[]), Some(0));
        for value in [
            "", " ", ",", "identity", "Identity", "utf-8", "UTF-8", "utf8",
        ] {
            assert_eq!(layers_of(&[value]), Some(0), "{value}");
            assert_eq!(layers_of(&[value, "gzip"]), Some(1), "{value}");
        }
        assert_eq!(layers_of(&["gzip, identity"]), Some(1));
        assert_eq!(layers_of(&["identity", "x-gzip,", "utf-8"]), Some(1));
    }

    #[test]
    fn a_few_layers_are_counted_and_more_are_refused() {
        assert_eq!(layers_of(&["gzip, gzip"]), Some(2));
        assert_eq!(layers_of(&["gzip", "gzip"]), Some(2));
        assert_eq!(layers_of(&["gzip,gzip,gzip,gzip"]), Some(4));
        assert_eq!(layers_of(&["gzip,gzip,gzip", "gzip,gzip"]), None);
    }

    #[test]
    fn an_encoding_that_was_not_offered_is_refused() {
        for value in [
            "br", "deflate", "zstd", "gzip, br", "gzip;q=1", "gzi", "\"gzip\"",
        ] {
            assert_eq!(layers_of(&[value]), None, "{value}");
        }
    }

    #[test]
    fn a_gzip_body_is_bounded_after_decompression() {
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(
            gunzip(&bomb, 1_000_000),
            Err(Fault::TooLarge {
                max_bytes: 1_000_000
            })
        ));
        assert_eq!(gunzip(&bomb, 10_000_000).unwrap().len(), 10_000_000);
    }

    #[test]
    fn several_gzip_members_are_one_body() {
        let body = [gzip(b"{\"a\":"), gzip(b""), gzip(b"1}")].concat();
        assert_eq!(*gunzip(&body, 100).unwrap(), *b"{\"a\":1}");
    }

    #[test]
    fn a_body_of_very_many_gzip_members_is_refused() {
        let members = |n| gzip(b"").repeat(n);
        assert!(gunzip(&members(MOST_MEMBERS), 100).unwrap().is_empty());
        assert!(matches!(
            gunzip(&members(MOST_MEMBERS + 1), 100),
            Err(Fault::Unreadable(JsonError::TooMuch(_)))
        ));
    }

    #[test]
    fn zeros_behind_a_gzip_body_are_passed_over_and_nothing_else_is() {
        // The end of an empty member is zeros itself.
        for text in [&b"{}"[..], b""] {
            for zeros in [1, 7, 8, 9, 10, 18, 20, 512, 100_000] {
                let body = [gzip(b"{}"), gzip(text), vec![0; zeros]].concat();
                let expected = [b"{}", text].concat();
                assert_eq!(*gunzip(&body, 100).unwrap(), *expected, "{zeros} zeros");
            }
        }
        for rest in [
            &b"\n"[..],
            b"\0\0x",
            b"garbage that is long enough",
            &[0x1f],
        ] {
            let body = [&gzip(b"{}"), rest].concat();
            assert!(
                matches!(gunzip(&body, 100), Err(Fault::Unreadable(_))),
                "{rest:?}"
            );
        }
        let apart = [gzip(b"{"), vec![0; 20], gzip(b"}")].concat();
        assert!(gunzip(&apart, 100).is_err(), "zeros between two members");
        assert!(gunzip(&[0; 20], 100).is_err(), "zeros alone");
    }

    #[test]
    fn a_gzip_body_that_ends_early_is_told_apart_from_a_broken_one() {
        let whole = gzip(b"some text that is long enough to be cut in the middle");
        assert!(matches!(
            gunzip(&whole[..whole.len() - 12], 100),
            Err(Fault::Unreadable(JsonError::Truncated(_)))
        ));
        assert!(matches!(
            gunzip(b"no gzip at all", 100),
            Err(Fault::Unreadable(JsonError::Unexpected(_)))
        ));
    }
}
