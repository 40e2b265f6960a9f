//! Times as text, read digit by digit.

/// The seconds since the epoch of `2026-11-22`, which may go on with a time of day and a zone, or of `11-22-2026`, of
/// which only the day counts. Nothing for what is not set (no text, and what is not after the epoch) and for what is no
/// time.
pub(super) fn seconds(text: Option<&str>) -> Option<i64> {
    let text = text?;
    let parts: Vec<&str> = text.get(..10)?.split('-').collect();
    let seconds = match parts[..] {
        [month, day, year] if year.len() == 4 => read(&format!("{year}-{month}-{day}")),
        _ => read(text),
    };
    seconds.filter(|seconds| *seconds > 0)
}

fn read(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, ahead) = match time.find(['Z', '+', '-']) {
        None => (time, 0),
        Some(at) => (&time[..at], zone(&time[at..])?),
    };
    let mut time = time
        .split(':')
        .map(|part| part.split('.').next()?.parse().ok());
    let (hour, minute, second): (i64, i64, i64) = (time.next()??, time.next()??, time.next()??);
    let days = (1970..year).map(days_of).sum::<i64>()
        + (1..month).map(|month| length(year, month)).sum::<i64>()
        + day
        - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - ahead;
    Some(if year < 1970 { 0 } else { seconds })
}

/// How far ahead of Greenwich `+01:00` is, in seconds.
fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (hours, minutes) = text[1..].split_once(':')?;
    let ahead = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    Some(if text.starts_with('-') { -ahead } else { ahead })
}

fn days_of(year: i64) -> i64 {
    (1..=12).map(|month| length(year, month)).sum()
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
