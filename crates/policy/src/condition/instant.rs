//! Instants of date conditions: ISO 8601 or epoch seconds.
//!
//! Accepted (iam.md §3.7): `YYYY`, `YYYY-MM`, `YYYY-MM-DD`, then `Thh:mm`, `Thh:mm:ss` or with up to nine
//! fractional digits, then `Z`, `±hh:mm`, `±hhmm` or nothing (UTC); or a whole number of seconds since 1970 that
//! fits 64 bits. Four plain digits are a year (unverified).

/// Seconds since 1970-01-01T00:00:00Z and nanoseconds of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant {
    seconds: i64,
    nanoseconds: u32,
}

impl Instant {
    /// Reads an instant; `None` when the text is neither form.
    pub(crate) fn parse(text: &str) -> Option<Instant> {
        let mut reader = Reader { rest: text };
        if !(text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()))
            && text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
        {
            return Some(Instant { seconds: text.parse().ok()?, nanoseconds: 0 });
        }
        let year = reader.number(4, 0, 9999)?;
        let mut month = 1;
        let mut day = 1;
        let mut date_is_whole = false;
        if reader.take('-') {
            month = reader.number(2, 1, 12)?;
            if reader.take('-') {
                day = reader.number(2, 1, days_in(year, month))?;
                date_is_whole = true;
            }
        }
        let mut seconds = days_since_epoch(year, month, day) * 86_400;
        let mut nanoseconds = 0;
        if date_is_whole && reader.take('T') {
            seconds += reader.number(2, 0, 23)? * 3_600;
            if !reader.take(':') {
                return None;
            }
            seconds += reader.number(2, 0, 59)? * 60;
            if reader.take(':') {
                seconds += reader.number(2, 0, 59)?;
                if reader.take('.') {
                    nanoseconds = reader.fraction()?;
                }
            }
            seconds -= reader.offset()?;
        }
        reader.rest.is_empty().then_some(Instant { seconds, nanoseconds })
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Exactly `width` digits whose value lies in `low..=high`.
    fn number(&mut self, width: usize, low: i64, high: i64) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(width)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        digits.parse().ok().filter(|value| (low..=high).contains(value))
    }

    /// One to nine digits, as nanoseconds.
    fn fraction(&mut self) -> Option<u32> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        format!("{digits:0<9}").parse().ok()
    }

    /// Seconds east of Greenwich; nothing and `Z` are zero.
    fn offset(&mut self) -> Option<i64> {
        if self.rest.is_empty() || self.take('Z') {
            return Some(0);
        }
        let sign = if self.take('+') {
            1
        } else if self.take('-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 0, 23)?;
        self.take(':');
        let minutes = self.number(2, 0, 59)?;
        Some(sign * (hours * 3_600 + minutes * 60))
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, year 0 to 9999.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    // Days of all whole years since year 1; Euclidean division keeps year 0 right.
    let whole_years = before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let whole_months: i64 = (1..month).map(|passed| days_in(year, passed)).sum();
    const DAYS_BEFORE_1970: i64 = 719_162;
    whole_years + whole_months + day - 1 - DAYS_BEFORE_1970
}

#[cfg(test)]
mod tests {
    use super::Instant;

    fn seconds(text: &str) -> Option<i64> {
        Instant::parse(text).map(|instant| instant.seconds)
    }

    #[test]
    fn reads_both_forms() {
        for (text, expected) in [
            ("1970", 0),
            ("1970-01-01", 0),
            ("1970-01-01T00:00Z", 0),
            ("2026-11-23T12:00:00Z", 1_795_435_200),
            ("2026-11-23T12:00:00", 1_795_435_200),
            ("2026-11-23T13:00:00+01:00", 1_795_435_200),
            ("2026-11-23T04:30:00-0730", 1_795_435_200),
            ("1795435200", 1_795_435_200),
            ("-1", -1),
            ("2000-02-29", 951_782_400),
            ("2000-03", 951_868_800),
            ("0001-01-01", -62_135_596_800),
            ("0000-01-01", -62_167_219_200),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        assert!(Instant::parse("2026-11-23T12:00:00.1Z") > Instant::parse("2026-11-23T12:00:00.099999999Z"));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "-",
            "abc",
            "2026-",
            "2026-13",
            "2026-02-29",
            "2026-11-23T",
            "2026-11-23T12",
            "1.5",
            "+1",
            "2026-11-23T24:00:00Z",
            "2026-11-23 12:00:00",
            "2026-11-23T12:00:00.Z",
            "2026-11T12:00Z",
            "2026-11-23T12:00:00.1234567890Z",
            "2026-11-23T12:00:00ZZ",
            "9223372036854775808",
            "２０２６",
        ] {
            assert_eq!(Instant::parse(text), None, "{text:?}");
        }
        assert_eq!(seconds("20261"), Some(20_261));
    }
}
