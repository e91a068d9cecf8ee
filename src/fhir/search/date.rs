//! Dates as values of a search: a date stands for all the time that it leaves open (R4, Search, "date").

use serde_json::Value;

use super::prefix::Prefix;

/// From its first nanosecond to the one after its last, since the year 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    start: i128,
    end: i128,
}

/// A date to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DateTest {
    prefix: Prefix,
    interval: Interval,
}

impl DateTest {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (prefix, date) = Prefix::split(text)?;
        let interval = Interval::parse(date).ok_or_else(|| format!("`{date}` is not a date"))?;
        Ok(Self { prefix, interval })
    }

    /// Compares a date, a Period, or the outer limits of a Timing.
    pub(super) fn matches(self, element: &Value) -> bool {
        Interval::of(element).is_some_and(|element| self.compare(element))
    }

    /// Compares an interval as R4 does (Search, "Prefixes").
    fn compare(self, element: Interval) -> bool {
        let contains = self.interval.start <= element.start && element.end <= self.interval.end;
        let reaches_above = element.end > self.interval.end;
        let reaches_below = element.start < self.interval.start;
        match self.prefix {
            Prefix::Equal => contains,
            Prefix::NotEqual => !contains,
            Prefix::Greater => reaches_above,
            Prefix::Less => reaches_below,
            Prefix::GreaterOrEqual => contains || reaches_above,
            Prefix::LessOrEqual => contains || reaches_below,
            Prefix::StartsAfter => element.start >= self.interval.end,
            Prefix::EndsBefore => element.end <= self.interval.start,
        }
    }
}

const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const DAY: i128 = 24 * 60 * MINUTE;

impl Interval {
    /// The time of a date, a Period, which may be open at one end, or a Timing.
    fn of(element: &Value) -> Option<Self> {
        match element {
            Value::String(text) => Self::parse(text),
            Value::Object(members)
                if members.contains_key("event") || members.contains_key("repeat") =>
            {
                let events = members.get("event").and_then(Value::as_array);
                let events = events.into_iter().flatten().map(|event| Self::parse(event.as_str()?));
                let bounds = members.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
                let all = events.chain(bounds.map(Self::of));
                all.reduce(|one, other| {
                    let (one, other) = (one?, other?);
                    Some(Self { start: one.start.min(other.start), end: one.end.max(other.end) })
                })?
            }
            Value::Object(members) => {
                let (start, end) = (members.get("start"), members.get("end"));
                if start.is_none() && end.is_none() {
                    return None;
                }
                let at = |side: Option<&Value>| side.map(|side| Self::parse(side.as_str()?));
                let start = at(start).map_or(Some(i128::MIN), |from| from.map(|from| from.start));
                let end = at(end).map_or(Some(i128::MAX), |to| to.map(|to| to.end));
                Some(Self { start: start?, end: end? })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        }
    }

    /// A date or an instant of any precision, in UTC where it names no time zone.
    fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = number(parts.next()?, 4).filter(|year| *year > 0)?;
        let month = optional(parts.next(), 1..=12)?;
        let day = optional(parts.next(), 1..=days_of(year, month.unwrap_or(1)))?;
        if parts.next().is_some() {
            return None;
        }
        let start = DAY * day_number(year, month.unwrap_or(1), day.unwrap_or(1));
        let length = match (month, day) {
            (_, Some(_)) => DAY,
            (Some(month), None) => DAY * days_of(year, month),
            (None, None) => DAY * (day_number(year + 1, 1, 1) - day_number(year, 1, 1)),
        };
        let whole = Self { start, end: start + length };
        match time {
            None => Some(whole),
            Some(time) => day.and_then(|_| whole.narrowed(time)),
        }
    }

    /// A time of this day: `hh:mm`, seconds and fractions of them if any, and a time zone if any.
    fn narrowed(self, text: &str) -> Option<Self> {
        let (time, offset) = match text.find(['Z', '+', '-']) {
            Some(at) => (text.get(..at)?, zone(text.get(at..)?)?),
            None => (text, 0),
        };
        let mut parts = time.splitn(3, ':');
        let hour = number(parts.next()?, 2).filter(|hour| *hour < 24)?;
        let minute = number(parts.next()?, 2).filter(|minute| *minute < 60)?;
        let start = self.start + (60 * hour + minute) * MINUTE - offset;
        let Some(seconds) = parts.next() else {
            return Some(Self { start, end: start + MINUTE });
        };
        let (seconds, fraction) = match seconds.split_once('.') {
            Some((seconds, fraction)) => (seconds, Some(fraction)),
            None => (seconds, None),
        };
        // The sixtieth is a leap second.
        let seconds = number(seconds, 2).filter(|seconds| *seconds <= 60)?;
        let mut start = start + seconds * SECOND;
        let mut length = SECOND;
        if let Some(fraction) = fraction {
            let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 9)?;
            length /= 10_i128.pow(digits);
            start += number(fraction, fraction.len())? * length;
        }
        Some(Self { start, end: start + length })
    }
}

/// None is no date; Some(None) is a part that the date leaves out.
fn optional(part: Option<&str>, range: std::ops::RangeInclusive<i128>) -> Option<Option<i128>> {
    let Some(text) = part else { return Some(None) };
    number(text, 2).filter(|number| range.contains(number)).map(Some)
}

fn number(text: &str, digits: usize) -> Option<i128> {
    let sound = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| sound)
}

fn zone(text: &str) -> Option<i128> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = number(hours, 2).filter(|hours| *hours <= 14)?;
    let minutes = number(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (60 * hours + minutes) * MINUTE)
}

fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i128, month: i128) -> i128 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the first of January of the year 1.
fn day_number(year: i128, month: i128, day: i128) -> i128 {
    let before = year - 1;
    let years = 365 * before + before / 4 - before / 100 + before / 400;
    let months: i128 = (1..month).map(|earlier| days_of(year, earlier)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(test: &str, element: &str) -> bool {
        DateTest::parse(test).unwrap().matches(&json!(element))
    }

    #[test]
    fn periods_and_timings_are_compared_by_their_limits() {
        let matches = |test: &str, element: &Value| DateTest::parse(test).unwrap().matches(element);
        let march = json!({"start": "2024-03-01", "end": "2024-03-31"});
        for test in
            ["2024", "2024-03", "ge2024-03", "sa2024-02", "eb2024-04", "lt2024-04", "ne2023"]
        {
            assert!(matches(test, &march), "{test}");
        }
        for test in ["2024-03-15", "gt2024-03", "sa2024-03-01", "eb2024-03-31", "ne2024"] {
            assert!(!matches(test, &march), "{test}");
        }
        let open = json!({"start": "2024-03-01"});
        assert!(
            matches("gt2099", &open) && !matches("2024", &open) && !matches("lt2024-03", &open)
        );
        let timing = json!({"event": ["2024-03-05", "2024-03-01"], "repeat": {"boundsPeriod": {"end": "2024-03-09"}}});
        assert!(
            matches("le2024-03", &timing) && matches("2024-03", &json!({"event": ["2024-03-05"]}))
        );
        let repeated = json!({"repeat": {"boundsPeriod": march}});
        assert!(matches("2024-03", &repeated) && !matches("2024-04", &repeated));
        for odd in [
            json!({}),
            json!({"start": 1}),
            json!({"start": "x", "end": "2024"}),
            json!({"repeat": {}}),
            json!({"event": ["2024", "x"]}),
            json!(2024),
        ] {
            assert!(!matches("ne1999", &odd), "{odd}");
        }
    }

    #[test]
    fn a_date_is_as_long_as_what_it_leaves_open() {
        let length = |text: &str| Interval::parse(text).map(|found| found.end - found.start);
        assert_eq!(length("2023"), Some(365 * DAY));
        assert_eq!(length("2024"), Some(366 * DAY));
        assert_eq!(length("1900"), Some(365 * DAY));
        assert_eq!(length("2024-02"), Some(29 * DAY));
        assert_eq!(length("2024-02-29"), Some(DAY));
        assert_eq!(length("2000-02-29"), Some(DAY));
        assert_eq!(length("2024-02-29T10:00"), Some(MINUTE));
        assert_eq!(length("2024-02-29T10:00:00Z"), Some(SECOND));
        assert_eq!(length("2024-02-29T10:00:00.123Z"), Some(SECOND / 1000));
    }

    #[test]
    fn time_zones_are_reckoned() {
        let day = Interval::parse("1970-01-01").unwrap();
        assert_eq!(day.start, DAY * 719_162);
        let same = |one, other| assert_eq!(Interval::parse(one), Interval::parse(other));
        same("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z");
        same("2024-12-31T23:30:00-01:30", "2025-01-01T01:00:00Z");
        same("2024-03-01T00:30", "2024-03-01T00:30Z");
        same("2024-12-31T23:59:60Z", "2025-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "24",
            "0000",
            "2024-",
            "2024-13",
            "2024-00",
            "2024-2",
            "2023-02-29",
            "1900-02-29",
            "2024-01-32",
            "2024-01-01-01",
            "2024T10:00",
            "2024-01T10:00",
            "2024-01-01T",
            "2024-01-01T10",
            "2024-01-01T24:00",
            "2024-01-01T10:60",
            "2024-01-01T10:00:61",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00:00.0000000001",
            "2024-01-01T10:00:00 01:00",
            "+024-01-01",
            "2024-01-01T10:00:00+1:00",
            "2024-01-01T10:00:00+15:00",
            "2024-01-01T10:00:00ZZ",
            "2024-01-01t10:00:00Z",
            "٢٠٢٤",
        ] {
            assert_eq!(Interval::parse(text), None, "{text}");
        }
        for text in ["ge", "sa", "ap2024", "xx2024", "é2024", "GE2024"] {
            assert!(DateTest::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn intervals_are_compared_as_a_whole() {
        let element = "2024-03-15T10:20:30.123Z";
        for test in [
            "2024",
            "eq2024-03",
            "2024-03-15",
            "2024-03-15T10:20Z",
            "2024-03-15T10:20:30Z",
            "2024-03-15T10:20:30.123Z",
            "2024-03-15T11:20:30+01:00",
            "ge2024",
            "le2024",
            "ge2024-03-15",
            "le2024-03-15T10:20:30Z",
            "gt2024-03-14",
            "lt2024-03-16",
            "ge2023",
            "lt2024-03-15T10:20:30.124Z",
            "gt2024-03-15T10:20:30.122Z",
            "ne2024-03-14",
            "ne2023",
            "ne2024-03-15T10:20:30.124Z",
        ] {
            assert!(matches(test, element), "{test}");
        }
        for test in [
            "2023",
            "2024-04",
            "ne2024",
            "gt2024",
            "lt2024",
            "gt2024-03-15",
            "lt2024-03-15",
            "gt2024-03-15T10:20:30.123Z",
            "lt2024-03-15T10:20:30.123Z",
            "ge2024-03-16",
            "le2024-03-14",
            "le2023",
            "2024-03-15T10:20:30+01:00",
            "2024-03-15T10:20:30.1234Z",
        ] {
            assert!(!matches(test, element), "{test}");
        }
    }
}
