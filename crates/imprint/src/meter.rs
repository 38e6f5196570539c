//! What progress looks like in words: no clock, no terminal.

use std::fmt;
use std::time::Duration;

use imprint_progress::Snapshot;

/// Seen by the user at most this often while a phase lasts.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Rates and remaining times of the first moments mean nothing, and phases that are over by then are
/// not worth a line.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Follows the phases of one piece of work.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    phase: &'static str,
    phase_began: Duration,
    last_line: Duration,
    latest: Snapshot,
}

/// What is new since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// A phase that has ended, in one line.
    pub(crate) ended: Option<String>,
    /// How the current phase stands; `None` if it is too early for the next line.
    pub(crate) line: Option<String>,
}

impl Meter {
    /// Looks at the counts `now`, a time since the work began; `before` is how the phase before the
    /// present one ended.
    pub(crate) fn look(&mut self, now: Duration, snapshot: Snapshot, before: Snapshot) -> Sight {
        let mut sight = Sight::default();
        if snapshot.phase != self.phase {
            // What was done since the last look belongs to it, too.
            if before.phase == self.phase {
                self.latest = before;
            }
            sight.ended = self.end_of_phase(now);
            self.phase = snapshot.phase;
            self.phase_began = now;
            self.last_line = now;
        }
        self.latest = snapshot;
        if now.saturating_sub(self.last_line) >= LINE_EVERY && !self.phase.is_empty() {
            self.last_line = now;
            sight.line = Some(format!("{}: {}", self.phase, self.standing(now)));
        }
        sight
    }

    /// Says how the last phase ended, unless it went by unseen.
    pub(crate) fn end_of_phase(&self, now: Duration) -> Option<String> {
        let took = now.saturating_sub(self.phase_began);
        if self.phase.is_empty() || took < SETTLED_AFTER {
            return None;
        }
        let mut parts = counts(self.latest.done_bytes, self.latest.done_files);
        parts.push(format!("{:.1} s", took.as_secs_f64()));
        if self.latest.done_bytes > 0 {
            parts.push(Rate::new(self.latest.done_bytes, took).to_string());
        }
        Some(format!("{}: {}", self.phase, parts.join(", ")))
    }

    /// How the current phase stands: share, amounts, rate, time left.
    pub(crate) fn standing(&self, now: Duration) -> String {
        let Snapshot { done_bytes, total_bytes, done_files, .. } = self.latest;
        let took = now.saturating_sub(self.phase_began);
        let mut parts = Vec::new();
        if let Some(permille) = self.permille() {
            parts.push(format!("{} %", permille / 10));
        }
        if total_bytes > 0 {
            parts.push(format!("{} of {}", Bytes(done_bytes), Bytes(total_bytes)));
        } else {
            parts.extend(counts(done_bytes, done_files));
        }
        if took >= SETTLED_AFTER && done_bytes > 0 {
            parts.push(Rate::new(done_bytes, took).to_string());
            let left = time_left(done_bytes, total_bytes, took);
            if let Some(left) = left.filter(|left| !left.is_zero()) {
                parts.push(format!("{} left", Clock(left)));
            }
        }
        parts.join(", ")
    }

    /// The current phase.
    pub(crate) const fn phase(&self) -> &'static str {
        self.phase
    }

    /// How much of the phase is done, in thousandths; `None` while the total is not known.
    pub(crate) fn permille(&self) -> Option<u64> {
        let Snapshot { done_bytes, total_bytes, done_files, total_files, .. } = self.latest;
        let (done, total) =
            if total_bytes > 0 { (done_bytes, total_bytes) } else { (done_files, total_files) };
        let share = u128::from(done.min(total)) * 1000;
        share.checked_div(u128::from(total)).and_then(|share| u64::try_from(share).ok())
    }
}

fn counts(bytes: u64, files: u64) -> Vec<String> {
    let files = (files > 0).then(|| counted(files, "file"));
    let bytes = (bytes > 0).then(|| Bytes(bytes).to_string());
    files.into_iter().chain(bytes).collect()
}

fn time_left(done: u64, total: u64, took: Duration) -> Option<Duration> {
    let left = u128::from(total.checked_sub(done)?);
    let millis = took.as_millis().checked_mul(left)?.checked_div(u128::from(done))?;
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// A number of bytes, with three digits and a decimal unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
        if self.0 < 1000 {
            return write!(f, "{} bytes", self.0);
        }
        let mut thousandths = u128::from(self.0);
        let mut unit = "";
        for next in UNITS {
            unit = next;
            if thousandths < 999_500 {
                break;
            }
            thousandths /= 1000;
        }
        match thousandths {
            0..=9_994 => {
                let hundredths = (thousandths + 5) / 10;
                write!(f, "{}.{:02} {unit}", hundredths / 100, hundredths % 100)
            }
            9_995..=99_949 => {
                let tenths = (thousandths + 50) / 100;
                write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
            }
            _ => write!(f, "{} {unit}", (thousandths + 500) / 1000),
        }
    }
}

/// A count with what is counted: "1 file", "1,234 files".
pub(crate) fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {one}{plural}", Count(count))
}

/// A count with its thousands apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// Bytes per second.
struct Rate(Bytes);

impl Rate {
    fn new(bytes: u64, took: Duration) -> Self {
        let per_second = (u128::from(bytes) * 1000).checked_div(took.as_millis()).unwrap_or(0);
        Self(Bytes(u64::try_from(per_second).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// A time as a clock shows it.
struct Clock(Duration);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up: "0:00 left" reads as done.
        let seconds = self.0.as_millis().div_ceil(1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match hours {
            0 => write!(f, "{minutes}:{seconds:02}"),
            _ => write!(f, "{hours}:{minutes:02}:{seconds:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn writing(done: u64, total: u64) -> Snapshot {
        Snapshot { phase: "writing", done_bytes: done, total_bytes: total, ..Snapshot::default() }
    }

    fn look(meter: &mut Meter, now: Duration, snapshot: Snapshot) -> Sight {
        meter.look(now, snapshot, Snapshot::default())
    }

    #[test]
    fn lines_come_seldom_and_once_at_the_end_of_a_phase() {
        let mut meter = Meter::default();
        let scanning = Snapshot { phase: "scanning", done_files: 1234, ..Snapshot::default() };
        assert_eq!(look(&mut meter, at(0), Snapshot::default()), Sight::default());
        assert_eq!(look(&mut meter, at(0), scanning), Sight::default());
        assert_eq!(look(&mut meter, at(4), scanning), Sight::default());
        let line = Some("scanning: 1,234 files".to_owned());
        assert_eq!(look(&mut meter, at(5), scanning), Sight { line, ended: None });
        assert_eq!(look(&mut meter, at(6), scanning), Sight::default());
        let ended = Some("scanning: 2,345 files, 7.0 s".to_owned());
        let before = Snapshot { done_files: 2345, ..scanning };
        assert_eq!(meter.look(at(7), writing(0, 1), before), Sight { line: None, ended });
        assert_eq!(meter.end_of_phase(at(7) + Duration::from_millis(999)), None, "too short");
    }

    #[test]
    fn a_line_says_share_amount_rate_and_time_left() {
        let mut meter = Meter::default();
        look(&mut meter, at(0), writing(0, 1_700_000_000));
        let sight = look(&mut meter, at(5), writing(425_000_000, 1_700_000_000));
        let line = "writing: 25 %, 425 MB of 1.70 GB, 85.0 MB/s, 0:15 left";
        assert_eq!(sight.line.as_deref(), Some(line));
        look(&mut meter, at(20), writing(1_700_000_000, 1_700_000_000));
        let end = "writing: 1.70 GB, 20.0 s, 85.0 MB/s";
        assert_eq!(meter.end_of_phase(at(20)).as_deref(), Some(end));
    }

    #[test]
    fn the_share_never_exceeds_the_whole() {
        let mut meter = Meter::default();
        look(&mut meter, at(0), writing(30, 20));
        assert_eq!(meter.permille(), Some(1000));
        assert_eq!(meter.standing(at(9)), "100 %, 30 bytes of 20 bytes, 3 bytes/s");
        look(&mut meter, at(0), Snapshot::default());
        assert_eq!(meter.permille(), None);
    }

    #[test]
    fn amounts_have_three_digits() {
        let check = |bytes, text: &str| assert_eq!(Bytes(bytes).to_string(), text);
        check(0, "0 bytes");
        check(999, "999 bytes");
        check(1000, "1.00 kB");
        check(9_994, "9.99 kB");
        check(9_995, "10.0 kB");
        check(99_949, "99.9 kB");
        check(99_950, "100 kB");
        check(999_499, "999 kB");
        check(999_500, "1.00 MB");
        check(523_600_000, "524 MB");
        check(u64::MAX, "18.4 EB");
        assert_eq!(Count(1_234_567).to_string(), "1,234,567");
        assert_eq!(Count(12).to_string(), "12");
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(0, "file"), "0 files");
    }

    #[test]
    fn times_are_those_of_a_clock() {
        assert_eq!(Clock(Duration::from_millis(1)).to_string(), "0:01");
        assert_eq!(Clock(at(75)).to_string(), "1:15");
        assert_eq!(Clock(at(3_661)).to_string(), "1:01:01");
    }
}
