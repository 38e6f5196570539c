//! The readers, and what each of them can read.

use std::fmt;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::contents::{BLOCK_LEN, Builder, Contents, length_at};
use super::{Disk, Format, Kind};
use crate::tools;

/// A program that reads disk files and has nothing to do with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// QEMU's.
    QemuImg,
    /// libvhdi's, over FUSE.
    Vhdimount,
    /// 7-Zip.
    SevenZip,
    /// The Python package dissect.hypervisor.
    Dissect,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QemuImg => "qemu-img",
            Self::Vhdimount => "vhdimount",
            Self::SevenZip => "7-Zip",
            Self::Dissect => "dissect.hypervisor",
        })
    }
}

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

/// The longest disk of which all is read; of longer ones ranges are.
const WHOLE: u64 = 16 * GIB;

impl Reader {
    /// All readers.
    pub const ALL: [Self; 4] = [Self::QemuImg, Self::Vhdimount, Self::SevenZip, Self::Dissect];

    /// Why it cannot judge a disk; `None` if it can. All of it was observed on files, with qemu 10.0,
    /// libvhdi 20210425, 7-Zip 26.02 and dissect.hypervisor 3.21.
    #[must_use]
    pub fn refuses(self, disk: &Disk) -> Option<&'static str> {
        let differencing = disk.kind == Kind::Differencing;
        match (self, disk.format) {
            (_, Format::Raw) => Some("a raw file is its own contents"),
            (Self::QemuImg, Format::Vhd) if differencing => {
                Some("qemu reads a child as if its parent were zeros")
            }
            (Self::QemuImg, Format::Vhd) if disk.size > 2040 * GIB => {
                Some("qemu reads no VHD of more than 2040 GiB")
            }
            (Self::QemuImg, Format::Vhdx) if differencing => Some("qemu refuses a child"),
            (Self::QemuImg, Format::Vhdx) if disk.sector_size != 512 => {
                Some("qemu refuses sectors of other than 512 bytes")
            }
            (Self::Vhdimount, Format::Vhd)
                if differencing && !disk.write_unit.is_multiple_of(4 * KIB) =>
            {
                // Observed: a bitmap byte of 1110_0000 and a parent full of data.
                Some(
                    "libvhdi reads sectors of the parent as zeros that follow one of the child \
                      in the same byte of the bitmap",
                )
            }
            (Self::Vhdimount, Format::Vhdx) if differencing && disk.zero_blocks => {
                // Observed with all three states that mean zeros.
                Some("libvhdi reads the parent where a child has a block of zeros")
            }
            (Self::SevenZip, Format::Vhdx)
                if !disk.size.is_multiple_of(2 * u64::from(disk.sector_size)) =>
            {
                // Observed with sectors of 512 and of 4096 bytes, and blocks of any size.
                Some("7-Zip refuses a VHDX of an odd number of sectors")
            }
            (Self::SevenZip, _) if disk.size > WHOLE => {
                Some("7-Zip reads a disk from its start only")
            }
            (Self::Dissect, Format::Vhd) if differencing => {
                Some("dissect.hypervisor reads a child as if its parent were zeros")
            }
            _ => None,
        }
    }

    /// Reads a disk file, with its parents beside it. Of a disk of more than 16 GiB only `ranges` are read,
    /// which begin at blocks; without ranges all is.
    ///
    /// # Panics
    /// If the program fails, with what it said.
    #[must_use]
    #[track_caller]
    pub fn contents(self, path: &Path, format: Format, ranges: &[Range<u64>]) -> Contents {
        match self {
            Self::QemuImg => qemu_img(path, format, ranges),
            Self::Vhdimount => {
                let mounted = Vhdimount::new(path);
                let file = fs_err::File::open(mounted.disk());
                let file = file.unwrap_or_else(|error| panic!("{error}"));
                if ranges.is_empty() {
                    Contents::of(&file)
                } else {
                    Contents::of_ranges(&file, ranges)
                }
            }
            Self::SevenZip => {
                assert!(ranges.is_empty(), "7-Zip reads a disk from its start only");
                seven_zip(path, format)
            }
            Self::Dissect => dissect(path, format, ranges),
        }
    }
}

/// The readers that can judge a disk.
pub fn readers(disk: &Disk) -> impl Iterator<Item = Reader> {
    Reader::ALL.into_iter().filter(move |reader| reader.refuses(disk).is_none())
}

fn qemu_img(path: &Path, format: Format, ranges: &[Range<u64>]) -> Contents {
    let program = tools::require("qemu-img");
    let scratch = scratch();
    let raw = scratch.path().join("raw");
    let info = ["info", "--output=json", "-f", format.qemu()].map(AsRef::as_ref);
    let info = tools::run(&program, info.into_iter().chain([path.as_os_str()]));
    // The files below the disk have sizes too; the disk's own stands in the outermost braces.
    let size = info.lines().find_map(|line| {
        line.strip_prefix("    \"virtual-size\": ")?.trim_end_matches(',').parse::<u64>().ok()
    });
    let size = size.unwrap_or_else(|| panic!("qemu-img info printed {info}"));
    if ranges.is_empty() {
        let words = ["convert", "-f", format.qemu(), "-O", "raw"].map(AsRef::as_ref);
        tools::run(&program, words.into_iter().chain([path.as_os_str(), raw.as_os_str()]));
        let contents = Contents::of_file(&raw);
        assert_eq!(contents.size, size, "qemu-img info and convert differ");
        return contents;
    }
    let mut builder = Builder::new(size);
    for range in ranges {
        // A comma in a value is written twice.
        let name = path.to_string_lossy().replace(',', ",,");
        let length = range.end.min(size).saturating_sub(range.start);
        let part = format!(
            "driver=raw,offset={},size={length},file.driver={},file.file.driver=file,file.file.filename={name}",
            range.start,
            format.qemu()
        );
        let words = ["convert", "--image-opts", "-O", "raw", &part].map(AsRef::as_ref);
        tools::run(&program, words.into_iter().chain([raw.as_os_str()]));
        let mut part = fs_err::File::open(&raw).unwrap_or_else(|error| panic!("{error}"));
        let mut block = Vec::with_capacity(BLOCK_LEN);
        let mut at = range.start;
        while at < range.start + length {
            block.clear();
            let read = part.by_ref().take(BLOCK_LEN as u64).read_to_end(&mut block);
            read.unwrap_or_else(|error| panic!("{error}"));
            builder.add(at, &block);
            at += BLOCK_LEN as u64;
        }
    }
    builder.finish()
}

/// A disk file mounted by libvhdi; unmounted when this goes away, also when the test fails.
struct Vhdimount {
    at: tempfile::TempDir,
}

impl Vhdimount {
    #[track_caller]
    fn new(path: &Path) -> Self {
        let at = scratch();
        tools::run(&tools::require("vhdimount"), [path, at.path()]);
        Self { at }
    }

    /// The disk: of a chain it is the last file, the first is the base.
    #[track_caller]
    fn disk(&self) -> PathBuf {
        let mut level = 1;
        while self.at.path().join(format!("vhdi{}", level + 1)).exists() {
            level += 1;
        }
        self.at.path().join(format!("vhdi{level}"))
    }
}

impl Drop for Vhdimount {
    fn drop(&mut self) {
        let unmount = |program: &str, words: &[&str]| {
            let mut command = Command::new(program);
            command.args(words).arg(self.at.path()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        // A user without rights has to ask the helper program. What is in use goes when that ends.
        let gone = unmount("umount", &[])
            || unmount("fusermount", &["-u"])
            || unmount("fusermount3", &["-u"])
            || unmount("umount", &["-l"]);
        assert!(gone || std::thread::panicking(), "{} stays mounted", self.at.path().display());
    }
}

fn seven_zip(path: &Path, format: Format) -> Contents {
    let mut command = Command::new(tools::require_any(&["7zz", "7z"]));
    // With a type it does not look into the partitions.
    command.args(["e", "-so"]).arg(format!("-t{}", format.name())).arg("--").arg(path);
    tools::stream(&mut command, |stream| Contents::of_stream(stream))
}

fn dissect(path: &Path, format: Format, ranges: &[Range<u64>]) -> Contents {
    let mut command = Command::new(tools::python());
    command.args(["-c", include_str!("read_disk.py"), format.name()]).arg(path);
    command.args(ranges.iter().map(|range| format!("{}:{}", range.start, range.end)));
    tools::stream(&mut command, |stream| {
        let mut number = [0; 8];
        stream.read_exact(&mut number)?;
        let size = u64::from_le_bytes(number);
        let mut builder = Builder::new(size);
        let mut block = vec![0; BLOCK_LEN];
        // Nothing more is the end.
        while stream.read(&mut number[..1])? == 1 {
            stream.read_exact(&mut number[1..])?;
            let at = u64::from_le_bytes(number);
            let piece = block.get_mut(..length_at(at, size)).unwrap_or_default();
            stream.read_exact(piece)?;
            builder.add(at, piece);
        }
        Ok(builder.finish())
    })
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"))
}
