//! Times as they stand in files and on screens: UTC, RFC 3339; ages as people say them.

use jiff::Timestamp;

/// Now, to the microsecond: `2026-11-21T07:00:00.123456Z`.
pub fn now() -> String {
    let now = Timestamp::now();
    let micros = jiff::Unit::Microsecond;
    now.round(micros).unwrap_or(now).to_string()
}

/// Seconds from `then` to `now`; `None` when either is no RFC 3339 time.
pub fn seconds_between(then: &str, now: &str) -> Option<i64> {
    let then: Timestamp = then.parse().ok()?;
    let now: Timestamp = now.parse().ok()?;
    Some(now.as_second() - then.as_second())
}

/// Seconds since 1970 of an RFC 3339 time.
pub fn seconds_since_epoch(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// The RFC 3339 time that is so many seconds after the begin of 1970.
pub fn of_seconds(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// Microseconds since 1970 of an RFC 3339 time: two times as texts have no order, because zeros at the end are left out.
pub fn micros_since_epoch(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// The time that a person means, if it is to come: a duration from now, or a time with its zone (or `Z`).
pub fn after(text: &str, now: &str) -> Option<String> {
    let now: Timestamp = now.parse().ok()?;
    let then = match parse_duration(text) {
        Some(time) => now.checked_add(time).ok()?,
        None => text.trim().parse().ok()?,
    };
    (then > now).then(|| then.to_string())
}

/// The time that a person means, if it is over: a duration before now, or a time with its zone (or `Z`).
pub fn before(text: &str, now: &str) -> Option<String> {
    let now: Timestamp = now.parse().ok()?;
    let then = match parse_duration(text) {
        Some(time) => now.checked_sub(time).ok()?,
        None => text.trim().parse().ok()?,
    };
    (then <= now).then(|| then.to_string())
}

/// The minute of the person's day.
pub fn minute_of_day() -> u32 {
    let now = jiff::Zoned::now();
    u32::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or_default()
}

/// A time as a person's clock shows it: `11-30 15:04:05`.
pub fn on_the_clock(time: &str) -> String {
    let shown = time.parse::<Timestamp>().map(|time| time.to_zoned(jiff::tz::TimeZone::system()));
    shown.map_or_else(|_| time.into(), |time| time.strftime("%m-%d %H:%M:%S").to_string())
}

/// Whether two texts tell one moment: bd 1.0 keeps whole seconds, rounded.
pub fn same_moment(one: &str, other: &str) -> bool {
    match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => {
            let whole = |time: Timestamp| time.subsec_nanosecond() == 0;
            let apart = one.duration_since(other).abs();
            apart.is_zero() || (apart < jiff::SignedDuration::from_secs(1) && (whole(one) || whole(other)))
        }
        _ => one == other,
    }
}

/// An age as one short word: `12s`, `5m`, `3h`, `2d`.
pub fn short_age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s}s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86_400 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// Reads `90`, `90s`, `5m`, `2h` or `1d`.
pub fn parse_duration(text: &str) -> Option<std::time::Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(std::time::Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_durations() {
        assert_eq!(short_age(-5), "0s");
        assert_eq!(short_age(59), "59s");
        assert_eq!(short_age(3599), "59m");
        assert_eq!(short_age(90_000), "1d");
        assert_eq!(parse_duration("30m").unwrap().as_secs(), 1800);
        assert_eq!(parse_duration("5x"), None);
        assert_eq!(parse_duration(""), None);
        assert_eq!(seconds_between("2026-01-01T00:00:00Z", "2026-01-01T00:01:00.5Z"), Some(60));
        assert_eq!(seconds_between("x", &now()), None);
        let (now, later) = ("2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z");
        for (text, then) in [
            ("30m", Some(later)),
            ("2026-01-01T00:30Z", Some(later)),
            ("2026-01-01T01:30+01:00", Some(later)),
            ("2025-12-31T00:00Z", None),
            ("0", None),
            ("tomorrow", None),
            ("99999999999999d", None),
        ] {
            assert_eq!(after(text, now).as_deref(), then, "{text}");
        }
        assert_eq!(before("30m", later).as_deref(), Some(now));
        assert_eq!(before("2026-01-01T00:30Z", now), None);
        for (one, other, same) in [
            ("2026-01-01T00:00:00.6Z", "2026-01-01T00:00:01Z", true),
            ("2026-01-01T00:00:00.6Z", "2026-01-01T00:00:00Z", true),
            ("2026-01-01T00:00:00.6Z", "2026-01-01T00:00:00.7Z", false),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", false),
            ("x", "x", true),
        ] {
            assert_eq!(same_moment(one, other), same, "{one} {other}");
        }
    }
}
