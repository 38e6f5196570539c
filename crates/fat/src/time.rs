//! Times as FAT keeps them: local time without a zone, taken as UTC here.

use imprint_winvalues::FileTime;

const TICKS_PER_SECOND: u64 = 10_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// Days from 1601-01-01 to 1980-01-01, FAT's first day.
const FIRST_DAY: u64 = 138_426;
/// Days from 1980-01-01 to 2107-12-31, its last.
const LAST_DAY: u64 = 46_750;

/// A moment: date, time in steps of two seconds, and hundredths of a second from 0 to 199.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DosTime {
    pub(crate) date: u16,
    pub(crate) time: u16,
    pub(crate) hundredths: u8,
}

impl DosTime {
    /// Converts; what is finer is cut off, what is before 1980 or after 2107 becomes the nearest
    /// moment. The zero of Windows, no time, is the zero of FAT.
    pub(crate) fn new(time: FileTime) -> Self {
        if time == FileTime(0) {
            return Self::default();
        }
        let (days, ticks) = {
            let day = TICKS_PER_SECOND * SECONDS_PER_DAY;
            (time.0 / day, time.0 % day)
        };
        let (days, ticks) = match days.checked_sub(FIRST_DAY) {
            None => (0, 0),
            Some(days) if days > LAST_DAY => (LAST_DAY, (SECONDS_PER_DAY - 1) * TICKS_PER_SECOND),
            Some(days) => (days, ticks),
        };
        let seconds = ticks / TICKS_PER_SECOND;
        let hundredths = ticks / (TICKS_PER_SECOND / 100) % 100 + seconds % 2 * 100;
        let (year, month, day) = date_of(days);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let time = hours << 11 | minutes << 5 | (seconds % 60 / 2);
        Self {
            date: u16::try_from(year << 9 | month << 5 | day).unwrap_or(0),
            time: u16::try_from(time).unwrap_or(0),
            hundredths: u8::try_from(hundredths).unwrap_or(0),
        }
    }

    /// Converts back. What is no date is no time; what is no time of day is midnight.
    pub(crate) fn to_file_time(self) -> FileTime {
        let (year, month, day) =
            (u64::from(self.date >> 9), u64::from(self.date >> 5 & 15), u64::from(self.date & 31));
        let Some(days) = days_to(year, month, day) else { return FileTime(0) };
        let (hours, minutes, seconds) = (
            u64::from(self.time >> 11),
            u64::from(self.time >> 5 & 63),
            u64::from(self.time & 31) * 2,
        );
        let legal = hours < 24 && minutes < 60 && seconds < 60;
        let seconds = if legal { hours * 3600 + minutes * 60 + seconds } else { 0 };
        let hundredths = u64::from(self.hundredths.min(199));
        let seconds = (FIRST_DAY + days) * SECONDS_PER_DAY + seconds;
        FileTime(seconds * TICKS_PER_SECOND + hundredths * (TICKS_PER_SECOND / 100))
    }
}

const fn is_leap(year: u64) -> bool {
    // Years from 1980 to 2107: of the hundreds only 2000 and 2100 lie between.
    year.is_multiple_of(4) && year != 120
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + is_leap(year) as u64,
        _ => 31,
    }
}

/// Days from 1980-01-01; `None` if there is no such day. Years count from 1980.
fn days_to(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let years: u64 = (0..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let months: u64 = (1..month).map(|month| days_in(year, month)).sum();
    Some(years + months + day - 1)
}

/// Year from 1980, month and day of a day from 1980-01-01.
fn date_of(mut days: u64) -> (u64, u64, u64) {
    let mut year = 0;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, expected: &str) {
        let time = DosTime::new(FileTime::from_unix(seconds, 570_000_000));
        assert_eq!(time.to_file_time().to_string(), expected);
    }

    #[test]
    fn times_come_back_as_far_as_there_are_bits() {
        check(951_782_401, "2000-02-29T00:00:01.5700000Z");
        check(1_795_362_181, "2026-11-22T15:43:01.5700000Z");
        check(0, "1980-01-01T00:00:00.0000000Z");
        check(4_107_542_400, "2100-03-01T00:00:00.5700000Z");
        check(99_999_999_999, "2107-12-31T23:59:59.0000000Z");
        assert_eq!(DosTime::new(FileTime(0)), DosTime::default());
        assert_eq!(DosTime::default().to_file_time(), FileTime(0));
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..=LAST_DAY {
            let ticks = (FIRST_DAY + day) * SECONDS_PER_DAY * TICKS_PER_SECOND;
            assert_eq!(DosTime::new(FileTime(ticks)).to_file_time(), FileTime(ticks));
        }
    }

    #[test]
    fn what_is_no_time_is_harmless() {
        for date in 0..=u16::MAX {
            let time = DosTime { date, time: 0xffff, hundredths: 0xff };
            let _any = time.to_file_time();
        }
    }
}
