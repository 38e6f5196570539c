//! How the process that serves tells whoever unmounts what became of the disk.
//!
//! ```text
//!  process that serves                          process that unmounts
//!  Reporter::new: listens at a name
//!  serve_disk: the mount's source says it ────► find_mount reads it in the list of mounts
//!       (nobody answers yet) ◄────────────────── connects, then unmounts
//!  flush, close the disk
//!  Reporter::tell ────────────────────────────► Leaving::wait
//!  dies before that ──────── reset ───────────► Ended::Unknown
//! ```
//!
//! Nothing of it is in a file system, so nothing stays behind. That all was kept is only believed when
//! the process that served said so after the disk was closed.

use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use rustix::net::sockopt::socket_peercred;

/// First line of a report: everything written is durable, and the disk is closed.
const KEPT: &str = "kept";
/// First line of a report: it is not.
const LOST: &str = "lost";
/// How many are told at most: the kernel keeps no more waiting anyway.
const MOST: usize = 4096;
/// What the source of every mount of this kind begins with.
const SOURCE: &str = "imprint:";
/// The longest description in a source, characters: the list of mounts is read by people.
const LONGEST: usize = 200;

/// What became of a mounted disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything written is durable, and the disk is closed.
    pub kept: bool,
    /// What went wrong, also while it was mounted.
    pub messages: Vec<String>,
}

impl Report {
    fn to_text(&self) -> String {
        let first = if self.kept { KEPT } else { LOST };
        let lines = self.messages.iter().map(|message| message.replace('\n', " "));
        std::iter::once(first.to_owned()).chain(lines).map(|line| line + "\n").collect()
    }

    /// Reads what [`Self::to_text`] wrote; `None` if it is not whole.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let kept = match lines.next()? {
            KEPT => true,
            LOST => false,
            _ => return None,
        };
        Some(Self { kept, messages: lines.map(str::to_owned).collect() })
    }
}

/// Keeps those who unmount waiting until there is something to tell.
#[derive(Debug)]
pub struct Reporter {
    listener: UnixListener,
    token: u64,
}

impl Reporter {
    /// Begins to listen under a name made of `token`, which is random.
    ///
    /// # Errors
    /// Whatever the system reports.
    pub fn new(token: u64) -> io::Result<Self> {
        Ok(Self { listener: UnixListener::bind_addr(&address(token)?)?, token })
    }

    /// What the list of mounts has to say of the mount: see [`crate::Options::source`]. `shown` is for
    /// people.
    #[must_use]
    pub fn source(&self, shown: &str) -> String {
        // `fusermount3` takes commas for its own, and the list of mounts cuts at line feeds.
        let plain = |c: char| if c == ',' || c == '\\' || c.is_control() { '_' } else { c };
        let skipped = shown.chars().count().saturating_sub(LONGEST);
        let shown: String = shown.chars().skip(skipped).map(plain).collect();
        format!("{SOURCE}{:016x}:{shown}", self.token)
    }

    /// Tells everybody who waits. The caller no longer holds the disk.
    pub fn tell(self, report: &Report) {
        let text = report.to_text();
        if self.listener.set_nonblocking(true).is_err() {
            return;
        }
        for _ in 0..MOST {
            let Ok((mut caller, _address)) = self.listener.accept() else { return };
            if is_trusted(&caller, rustix::process::getuid().as_raw()) {
                // Who has gone needs no report.
                let _gone = caller.write_all(text.as_bytes());
            }
        }
    }
}

/// Whether the other end belongs to `user` or to root.
pub(crate) fn is_trusted(stream: &UnixStream, user: u32) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid.is_root() || peer.uid.as_raw() == user)
}

/// Splits the source of a mount into the name of its [`Reporter`] and the words for people; `None` if
/// it is not one of these mounts.
pub(crate) fn split_source(source: &str) -> Option<(u64, &str)> {
    let (token, shown) = source.strip_prefix(SOURCE)?.split_once(':')?;
    Some((u64::from_str_radix(token, 16).ok()?, shown))
}

/// Where a [`Reporter`] listens: a name that stands in no file system.
pub(crate) fn address(token: u64) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("imprint-mount-{token:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_written() {
        for (kept, messages) in [(true, vec![]), (false, vec!["a"]), (true, vec!["a\nb", "c"])] {
            let messages = messages.into_iter().map(str::to_owned).collect();
            let report = Report { kept, messages };
            let text = report.to_text();
            let read = Report::from_text(&text).unwrap();
            assert_eq!(read.kept, kept);
            assert_eq!(read.messages.join("|"), report.messages.join("|").replace('\n', " "));
            // What was cut off is not believed.
            assert_eq!(Report::from_text(text.get(..text.len() - 1).unwrap()), None);
        }
        for text in ["", "\n", "kep\n", "kept", "keptx\n"] {
            assert_eq!(Report::from_text(text), None, "{text:?}");
        }
    }

    #[test]
    fn sources_name_the_reporter() {
        let reporter = Reporter::new(0x1234_5678_9abc_def0).unwrap();
        let source = reporter.source("/a b/c,d\\e\nf:g");
        assert_eq!(source, "imprint:123456789abcdef0:/a b/c_d_e_f:g");
        assert_eq!(split_source(&source), Some((0x1234_5678_9abc_def0, "/a b/c_d_e_f:g")));
        let long = reporter.source(&"\u{e9}".repeat(1000));
        assert_eq!(split_source(&long).unwrap().1, "\u{e9}".repeat(200));
        for other in ["imprint", "imprint:x:y", "imprint:12", "/dev/sda1", ""] {
            assert_eq!(split_source(other), None, "{other:?}");
        }
    }
}
