//! The time that a text promises: "resets 3pm", "try again in 2 hours", "reset at 2026-03-04T15:00:00Z".

use std::sync::LazyLock;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use regex::Regex;

/// Further ahead than that nothing is promised.
const FARTHEST: i64 = 8 * 24 * 3600;

/// `2 hours 30 minutes`, `1h30m`, `45s`, behind "in" or "after".
static SPAN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:in|after)\s+((?:~?\d+(?:\.\d+)?\s*(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b(?:,?\s*(?:and\s+)?)?|\d+[dhms])+)").ok()
});

/// `at 3:14 PM`, `resets Oct 14, 3pm (Europe/Berlin)`.
static CLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:at|resets?|until)\s+(?:at\s+)?(?:([a-z]{3})[a-z]*\s+(\d{1,2})(?:,|\s+at)?\s+)?(\d{1,2})(?::(\d{2}))?\s*(am|pm)?\b(?:\s*\(([A-Za-z_/+-]+)\))?").ok()
});

/// A moment, as RFC 3339 writes it.
static MOMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})").ok()
});

static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)(\d+(?:\.\d+)?)\s*([dhms])").ok());

/// When that is, in seconds since 1970; `since` is when it was said, and `zone` where the clock is that it goes by.
pub fn promised(text: &str, since: i64, zone: &TimeZone) -> Option<i64> {
    let said = Timestamp::from_second(since).ok()?.to_zoned(zone.clone());
    let found = moment(text).or_else(|| span(text, since)).or_else(|| clock(text, &said))?;
    (since < found && found <= since + FARTHEST).then_some(found)
}

fn moment(text: &str) -> Option<i64> {
    MOMENT.as_ref()?.find(text)?.as_str().parse::<Timestamp>().ok().map(Timestamp::as_second)
}

fn span(text: &str, since: i64) -> Option<i64> {
    let text = SPAN.as_ref()?.captures(text)?.get(1)?.as_str();
    let mut seconds = 0.0;
    for piece in PIECE.as_ref()?.captures_iter(text) {
        let unit = match piece[2].to_ascii_lowercase().as_str() {
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            _ => 1.0,
        };
        seconds += piece[1].parse::<f64>().ok()? * unit;
    }
    let whole = std::time::Duration::try_from_secs_f64(seconds.ceil()).ok()?.as_secs();
    since.checked_add(i64::try_from(whole).ok()?)
}

fn clock(text: &str, said: &Zoned) -> Option<i64> {
    // "limit at 2:30 reached, resets 3pm": what it says last counts.
    let found = CLOCK.as_ref()?.captures_iter(text).last()?;
    let number = |at: usize| found.get(at).and_then(|number| number.as_str().parse::<i8>().ok());
    let (hour, minute) = (number(3)?, number(4).unwrap_or(0));
    let hour = match found.get(5).map(|half| half.as_str().to_ascii_lowercase()) {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + if half == "pm" { 12 } else { 0 },
        Some(_) => return None,
        // "until 3" says too little.
        None if found.get(4).is_none() => return None,
        None => hour,
    };
    let zone = match found.get(6) {
        Some(name) => TimeZone::get(name.as_str()).ok()?,
        None => said.time_zone().clone(),
    };
    let said = said.with_time_zone(zone.clone());
    let mut day = said.date();
    if let (Some(month), Some(number)) = (found.get(1), number(2)) {
        const MONTHS: [&str; 12] =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let month = MONTHS.iter().position(|own| month.as_str().eq_ignore_ascii_case(own))?;
        let of = |year: i16| jiff::civil::Date::new(year, i8::try_from(month + 1).ok()?, number).ok();
        let this = of(day.year())?;
        day = if this < day { of(day.year() + 1)? } else { this };
    }
    let time = Time::new(hour, minute, 0, 0).ok()?;
    let at = |day: jiff::civil::Date| day.to_datetime(time).to_zoned(zone.clone()).ok();
    let first = at(day)?;
    let next = if first > said || found.get(1).is_some() { first } else { at(day.tomorrow().ok()?)? };
    Some(next.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said on 4 March 2026 at 14:00 in Berlin.
    fn read(text: &str) -> Option<String> {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let since = "2026-03-04T13:00:00Z".parse::<Timestamp>().unwrap().as_second();
        let found = promised(text, since, &zone)?;
        Some(Timestamp::from_second(found).unwrap().to_string())
    }

    #[test]
    fn what_programs_promise_is_read() {
        for (text, wanted) in [
            ("You've hit your limit · resets 3pm", "2026-03-04T14:00:00Z"),
            ("5-hour limit reached ∙ resets 1:30am", "2026-03-05T00:30:00Z"),
            ("Your limit will reset at 3pm (America/New_York).", "2026-03-04T20:00:00Z"),
            ("limit at 2:30 reached; resets 11pm", "2026-03-04T22:00:00Z"),
            ("weekly limit reached · resets Mar 6, 9am", "2026-03-06T08:00:00Z"),
            ("You've hit your usage limit. Try again at 3:14 PM.", "2026-03-04T14:14:00Z"),
            ("try again in 3 days 4 hours 5 minutes", "2026-03-07T17:05:00Z"),
            ("Please try again in 20s.", "2026-03-04T13:00:20Z"),
            ("Please try again in 1.5s.", "2026-03-04T13:00:02Z"),
            ("quota will reset after 2h30m", "2026-03-04T15:30:00Z"),
            ("retry at 2026-03-04T15:00:00Z", "2026-03-04T15:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_promises_nothing_or_nonsense_gives_nothing() {
        for text in [
            "429 Too Many Requests",
            "resets 25:00",
            "resets 13pm",
            "until 3",
            "resets 3pm (Nowhere/Land)",
            "try again in 99999999999999999999 days",
            "try again in 30 days",
            "it was reset at 2020-01-01T00:00:00Z",
            "resets Foo 99, 3pm",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in ".{0,80}", since in 0i64..4_000_000_000) {
            if let Some(found) = promised(&text, since, &TimeZone::UTC) {
                proptest::prop_assert!(found > since && found <= since + FARTHEST);
            }
        }
    }
}
