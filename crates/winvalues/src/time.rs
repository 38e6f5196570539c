//! File times.

use std::fmt;

/// A point in time as Windows stores it: 100 ns ticks since 1601-01-01 00:00 UTC, \[MS-DTYP\] 2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileTime(pub u64);

/// Ticks between 1601-01-01 and 1970-01-01.
const UNIX_EPOCH_TICKS: i128 = 116_444_736_000_000_000;
/// Ticks in a second.
const TICKS_PER_SECOND: i128 = 10_000_000;

impl FileTime {
    /// Converts from seconds since 1970 and nanoseconds. Times before 1601 or after the year 60055
    /// become the nearest representable time; what is finer than 100 ns is cut off.
    #[must_use]
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let ticks = i128::from(seconds) * TICKS_PER_SECOND
            + i128::from(nanoseconds / 100)
            + UNIX_EPOCH_TICKS;
        Self(u64::try_from(ticks.max(0)).unwrap_or(u64::MAX))
    }

    /// Converts to seconds since 1970 (may be negative) and nanoseconds (0 to 999,999,900).
    #[must_use]
    pub fn to_unix(self) -> (i64, u32) {
        let ticks = i128::from(self.0) - UNIX_EPOCH_TICKS;
        let seconds = i64::try_from(ticks.div_euclid(TICKS_PER_SECOND)).unwrap_or(i64::MAX);
        let nanoseconds = u32::try_from(ticks.rem_euclid(TICKS_PER_SECOND) * 100).unwrap_or(0);
        (seconds, nanoseconds)
    }
}

impl fmt::Display for FileTime {
    /// Prints the time in UTC as `2026-11-22T15:43:01.1234567Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 10_000_000;
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
        let fraction = self.0 % 10_000_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
    }
}

/// Converts days since 1601-01-01 to year, month, day of the proleptic Gregorian calendar.
///
/// Counts in 400-year eras that start on 1 March, so that the leap day is the last of its year.
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // 1600-03-01 starts an era; 1601-01-01 lies 306 days behind it.
    let days = days + 306;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = 1600 + era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_times_convert_both_ways() {
        for (seconds, nanoseconds) in [(0, 0), (1, 100), (-1, 999_999_900), (1_795_362_181, 5_000)]
        {
            let time = FileTime::from_unix(seconds, nanoseconds);
            assert_eq!(time.to_unix(), (seconds, nanoseconds));
        }
        assert_eq!(FileTime::from_unix(i64::MIN, 0), FileTime(0));
        assert_eq!(FileTime::from_unix(i64::MAX, 0), FileTime(u64::MAX));
    }

    #[test]
    fn prints_calendar_dates() {
        let check = |seconds, text: &str| {
            assert_eq!(FileTime::from_unix(seconds, 0).to_string(), text);
        };
        check(0, "1970-01-01T00:00:00.0000000Z");
        check(951_782_400, "2000-02-29T00:00:00.0000000Z");
        check(1_795_362_181, "2026-11-22T15:43:01.0000000Z");
        assert_eq!(FileTime(0).to_string(), "1601-01-01T00:00:00.0000000Z");
    }
}
