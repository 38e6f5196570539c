//! What the system says of an entry.

use imprint_winvalues::FileTime;
use imprint_winvalues::tree::{Times, UnixData};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, StatxFlags, StatxTimestamp};
use rustix::io::Errno;

/// Metadata of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) kind: FileType,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) links: u32,
    /// Bytes.
    pub(super) size: u64,
    /// Whether fewer blocks are allocated than the size needs.
    pub(super) sparse: bool,
    pub(super) times: Times,
    pub(super) unix: UnixData,
}

impl Facts {
    /// Looks at `name` in `directory`.
    pub(super) fn read(directory: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Self, Errno> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let facts = rustix::fs::statx(directory, name, flags, wanted)?;
        let write = time(facts.stx_mtime);
        let born = facts.stx_mask & StatxFlags::BTIME.bits() != 0;
        let creation = if born { time(facts.stx_btime).min(write) } else { write };
        Ok(Self {
            kind: FileType::from_raw_mode(facts.stx_mode.into()),
            device: rustix::fs::makedev(facts.stx_dev_major, facts.stx_dev_minor),
            inode: facts.stx_ino,
            links: facts.stx_nlink,
            size: facts.stx_size,
            sparse: facts.stx_blocks < facts.stx_size.div_ceil(512),
            times: Times { creation, access: time(facts.stx_atime), write, change: None },
            unix: UnixData {
                uid: facts.stx_uid,
                gid: facts.stx_gid,
                mode: facts.stx_mode.into(),
                rdev: device_number(facts.stx_rdev_major, facts.stx_rdev_minor),
            },
        })
    }

    /// Device and inode number, which name a file on this machine.
    pub(super) const fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Whether this is neither file, directory nor symbolic link.
    pub(super) fn is_special(&self) -> bool {
        !matches!(self.kind, FileType::RegularFile | FileType::Directory | FileType::Symlink)
    }
}

fn time(time: StatxTimestamp) -> FileTime {
    FileTime::from_unix(time.tv_sec, time.tv_nsec)
}

/// The 32 bits of a device number that a WIM keeps: all of it below major 4096 and minor 2^20.
fn device_number(major: u32, minor: u32) -> u32 {
    let [low, ..] = [rustix::fs::makedev(major, minor) & u64::from(u32::MAX)];
    u32::try_from(low).unwrap_or(0)
}
