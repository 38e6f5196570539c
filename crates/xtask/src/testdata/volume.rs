//! NTFS volumes, read by `imprint` and by every independent program, and held against the expectations.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context as _, bail};
use imprint_testkit::volumes::{Allowed, Listing, Program, Row, Strictness, check, differences};

/// A volume, and what is known of it.
#[derive(Debug)]
pub(super) struct Image {
    /// The file it is in, below the folder, packed as it may be.
    pub(super) file: &'static str,
    /// What other readers said of it, below `expected/`.
    pub(super) table: Option<&'static str>,
    /// The bytes of the unpacked file that are the volume; to the end, if they end with 0.
    bytes: Range<u64>,
    /// What it has besides the volume, for programs that find it themselves.
    partition: Option<&'static str>,
    /// Where the readers do not agree, and why.
    allowed: &'static [Allowed],
    /// Rules of the checker that it breaks.
    findings: &'static [&'static str],
}

const fn image(file: &'static str, table: Option<&'static str>) -> Image {
    Image { file, table, bytes: 0..0, partition: None, allowed: &[], findings: &[] }
}

/// The volumes.
pub(super) const IMAGES: [Image; 5] = [
    Image {
        // The formatting program gives the MFT no descriptor.
        findings: &["security-none"],
        ..image("ntfs-colinfinck/testfs1.gz", Some("ntfs-colinfinck-testfs1.tsv"))
    },
    Image {
        // A VHD without its name: a footer of one sector is behind the disk.
        bytes: 0..41_877_504,
        ..image("ntfs-gontfs/charlie.dd.bz2", Some("ntfs-gontfs-charlie.tsv"))
    },
    Image {
        allowed: &[Allowed {
            path: "/test/1.txt",
            field: "",
            programs: &[Program::Ntfs3g, Program::Dissect],
            reason: "the driver of Linux took the file out of its directory and had not yet given up the record when \
                     the volume was copied: who reads directories does not meet it, who reads records does",
        }],
        findings: &["entry-missing"],
        ..image("ntfs-dfir_ntfs/ntfs3.raw.gz", Some("ntfs-dfir_ntfs-ntfs3.tsv"))
    },
    image("ntfs-utillinux/ntfs.img.xz", None),
    Image {
        bytes: 128 * 512..(128 + 6016) * 512,
        partition: Some(":1"),
        ..image("vhd-crate/ntfs_fixed.vhd.gz", Some("ntfs-vhdcrate-ntfs_fixed.tsv"))
    },
];

/// Reads one image, which is unpacked at `file`, and returns what is wrong.
pub(super) fn compare(
    program: &Path,
    file: &Path,
    image: &Image,
    expected: Option<Listing>,
) -> anyhow::Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let volume = scratch.path().join("volume");
    let bytes = fs_err::read(file)?;
    let end = if image.bytes.end == 0 { bytes.len() as u64 } else { image.bytes.end };
    let range = usize::try_from(image.bytes.start)?..usize::try_from(end)?;
    fs_err::write(&volume, bytes.get(range).context("the file ends before the volume")?)?;
    let read = || {
        let mut all = Listing::by_others(&volume);
        all.push(Listing::ours(program, &volume));
        all.extend(expected);
        let mut faults = differences(&all, image.allowed);
        if let Some(partition) = image.partition {
            let mut path = file.as_os_str().to_owned();
            path.push(partition);
            let on_disk = Listing::ours(program, Path::new(&path));
            if !all.contains(&on_disk) {
                faults.push(format!("{} is another volume to us than its bytes", path.display()));
            }
        }
        faults.extend(unforeseen(&check(&volume, 0, Strictness::Strict), image.findings));
        faults
    };
    // What cannot go on panics and says why.
    Ok(catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().map_or("a reader failed", String::as_str);
        vec![text.to_owned()]
    }))
}

/// Findings of the checker by rules that were not foreseen, and foreseen ones that did not come.
fn unforeseen(findings: &str, foreseen: &[&str]) -> Vec<String> {
    let rule = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let new = findings.lines().filter(|line| !foreseen.contains(&rule(line).as_str()));
    let missing = foreseen.iter().filter(|word| !findings.lines().any(|line| rule(line) == **word));
    let missing = missing.map(|word| format!("the checker should find {word:?}, but does not"));
    new.map(|line| format!("the checker finds: {line}")).chain(missing).collect()
}

/// Reads what other readers said of a volume.
pub(super) fn expected(path: &Path) -> anyhow::Result<Listing> {
    parse(&fs_err::read_to_string(path)?)
        .with_context(|| format!("failed to read {}", path.display()))
}

const HEADER: &str =
    "path\tsegment\ttype\tfileattr\treparse_tag\tother_links\tstreams(name:size:sha256[:32])";

fn parse(text: &str) -> anyhow::Result<Listing> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        bail!("the columns should be {HEADER:?}");
    }
    let rows = lines.map(|line| row(line).with_context(|| format!("in line {line:?}")));
    Ok(Listing { program: Program::Expected, rows: rows.collect::<anyhow::Result<_>>()? })
}

fn row(line: &str) -> anyhow::Result<(String, Row)> {
    /// Flags that say no more than the kind does, and those that only names have.
    const NOT_STORED: u32 = 0xf000_0090;
    let cells: Vec<_> = line.split('\t').collect();
    let &[path, _, kind, attributes, tag, _, streams] = cells.as_slice() else {
        bail!("{} columns", cells.len())
    };
    let hex = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16);
    let mut row = BTreeMap::new();
    let mut set = |field: &str, value: String| drop(row.insert(field.to_owned(), value));
    set("kind", if kind == "D" { "directory" } else { "file" }.to_owned());
    set("attributes", format!("{:#x}", hex(attributes)? & !NOT_STORED));
    set("tag", if tag.is_empty() { "0x0".to_owned() } else { format!("{:#x}", hex(tag)?) });
    let mut names = Vec::new();
    for stream in streams.split('|').filter(|text| !text.is_empty()) {
        let mut parts = stream.rsplitn(3, ':');
        let mut part = || parts.next().context("a stream has too few parts");
        let (hash, size, name) = (part()?, part()?, part()?);
        names.push(format!(":{name}"));
        set(&format!("size:{name}"), size.to_owned());
        set(&format!("sha256:{name}"), hash.to_owned());
    }
    names.sort();
    set("streams", names.join("|"));
    Ok((format!("/{}", path.replace('\\', "/")), row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_expectations() {
        let line = "a\\b.txt\t38\tF\t0x10000080\t0xa000000c\t\t:5000:cd84|x:y:5:e8e8";
        let found = parse(&format!("{HEADER}\n{line}\n")).unwrap();
        let row = &found.rows["/a/b.txt"];
        let fields =
            ["kind", "attributes", "tag", "streams", "size:", "sha256:x:y"].map(|name| &row[name]);
        assert_eq!(fields, ["file", "0x0", "0xa000000c", ":|:x:y", "5000", "e8e8"]);
        parse("path\n").unwrap_err();
        parse(&format!("{HEADER}\na\tb\n")).unwrap_err();
    }

    #[test]
    fn findings_are_those_foreseen() {
        let findings = "links: record 5: one\nlinks: record 6: two\n";
        assert_eq!(unforeseen(findings, &["links"]), [""; 0]);
        assert_eq!(unforeseen(findings, &[]).len(), 2);
        assert_eq!(unforeseen("", &["links"]).len(), 1);
    }

    #[test]
    fn a_program_that_does_nothing_right_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("volume");
        imprint_testkit::ntfs_volume(&path, 8);
        let image = image("volume", None);
        let faults = compare(Path::new("false"), &path, &image, None).unwrap();
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
