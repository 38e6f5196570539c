//! Every field of every structure with values it must not have: a clear error, or sense made of the
//! rest; never a panic, a hang or much memory.

use imprint_blockio::{MemoryFile, ReadAt};
use imprint_wim::{FinishOptions, IntegrityChange, Wim, WimInfo, WimWriter, metadata};

use super::fixtures::{self, WHOLE};
use super::sample;

const ADD: FinishOptions = FinishOptions { integrity: IntegrityChange::Add };

/// Reads everything there is, whatever comes of it. Returns the first error's text, with its causes.
pub(crate) fn read_everything<R: ReadAt>(file: R) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    };
    let wim = Wim::open(file).map_err(|error| text(&error))?;
    let mut first = Ok(());
    let mut note = |result: Result<(), String>| {
        if first.is_ok() {
            first = result;
        }
    };
    for index in 0..=wim.image_count().min(50) + 1 {
        let tree = wim.read_tree(index).map(drop).map_err(|e| text(&e));
        // Other parts of a split set hold no metadata.
        if index != 0 && index <= wim.image_count() && wim.header().part_number == 1 {
            note(tree);
        }
    }
    for blob in wim.blobs().iter().take(100) {
        note(wim.verify_blob(blob).map_err(|e| text(&e)));
        note(wim.read_blob(blob, 1 << 20).map(drop).map_err(|e| text(&e)));
    }
    for resource in 0..wim.blobs().solid_resources().len().min(10) {
        note(wim.solid_chunk_map(resource).map(drop).map_err(|e| text(&e)));
    }
    match wim.verify_integrity(|_, _| {}) {
        Ok(Some(Err(bad))) => note(Err(format!("bad chunk {bad:?}"))),
        Ok(_) => {}
        Err(error) => note(Err(text(&error))),
    }
    first
}

/// A field: name, offset and width in bytes.
type Field = (&'static str, usize, usize);

/// Values that fields should not have, and those around the one there is.
fn values(width: usize, now: u64) -> Vec<u64> {
    let max = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let mut values = vec![
        0,
        1,
        7,
        8,
        9,
        102,
        4096,
        max,
        max - 1,
        max / 2,
        max / 2 + 1,
        now.wrapping_add(1) & max,
        now.wrapping_sub(1) & max,
        now.wrapping_mul(2) & max,
        now ^ 1,
        now ^ 0x10,
    ];
    values.extend((0..8 * width).map(|bit| now ^ (1 << bit)));
    values.extend((0..8 * width).map(|bit| 1 << bit));
    values.retain(|value| *value <= max && *value != now);
    values.sort_unstable();
    values.dedup();
    values
}

fn get(bytes: &[u8], at: usize, width: usize) -> u64 {
    let mut value = [0; 8];
    value[..width].copy_from_slice(&bytes[at..at + width]);
    u64::from_le_bytes(value)
}

fn set(bytes: &mut [u8], at: usize, width: usize, value: u64) {
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Damages every field of `base` in every way and hands each result to `check`. Returns how many were
/// accepted and how many refused.
fn damage(
    base: &[u8],
    fields: &[Field],
    mut check: impl FnMut(Vec<u8>) -> Result<(), String>,
) -> (u32, u32) {
    let (mut accepted, mut refused) = (0, 0);
    for &(name, at, width) in fields {
        for value in values(width, get(base, at, width)) {
            let mut bytes = base.to_vec();
            set(&mut bytes, at, width, value);
            match check(bytes) {
                Ok(()) => accepted += 1,
                Err(text) => {
                    assert!(!text.is_empty() && !text.contains("panic"), "{name} {value:#x}");
                    refused += 1;
                }
            }
        }
    }
    (accepted, refused)
}

fn resource_fields(name: [&'static str; 4], at: usize) -> [Field; 4] {
    let [stored, flags, offset, size] = name;
    [(stored, at, 7), (flags, at + 7, 1), (offset, at + 8, 8), (size, at + 16, 8)]
}

fn header_fields() -> Vec<Field> {
    let mut fields = vec![
        ("magic", 0, 8),
        ("header size", 8, 4),
        ("version", 0x0c, 4),
        ("flags", 0x10, 4),
        ("chunk size", 0x14, 4),
        ("part number", 0x28, 2),
        ("total parts", 0x2a, 2),
        ("image count", 0x2c, 4),
        ("boot index", 0x78, 4),
    ];
    let names = ["stored size", "flags", "offset", "size"];
    for at in [0x30, 0x48, 0x60, 0x7c] {
        fields.extend(resource_fields(names, at));
    }
    fields
}

fn entry_fields(table: usize, length: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    for at in (table..table + length).step_by(50) {
        fields.extend(resource_fields(["stored size", "flags", "offset", "size"], at));
        fields.extend([("part", at + 24, 2), ("references", at + 26, 4), ("hash", at + 30, 8)]);
    }
    fields
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap()
}

/// Damages header, blob table, chunk tables and integrity table of a file.
fn damage_file(base: &[u8]) -> (u32, u32) {
    let wim = Wim::open(base.to_vec()).unwrap();
    let header = wim.header();
    let mut fields = header_fields();
    fields.extend(entry_fields(
        to_usize(header.blob_table.offset),
        to_usize(header.blob_table.stored_size),
    ));
    if header.has_integrity() {
        let at = to_usize(header.integrity.offset);
        fields.extend([("table size", at, 4), ("count", at + 4, 4), ("chunk size", at + 8, 4)]);
        fields.push(("hash", at + 12, 8));
    }
    for blob in wim.blobs().iter() {
        if let imprint_wim::Location::Resource(resource) = blob.location {
            let at = to_usize(resource.offset);
            let table = to_usize(resource.table_len(wim.coding()));
            fields.extend((at..at + table).step_by(4).take(4).map(|at| ("chunk offset", at, 4)));
        }
    }
    for solid in wim.blobs().solid_resources() {
        let at = to_usize(solid.header.offset);
        fields.extend([("size", at, 8), ("chunk size", at + 8, 4), ("format", at + 12, 4)]);
        fields.extend([("chunk", at + 16, 4)]);
    }
    damage(base, &fields, read_everything)
}

/// Small files of every kind.
const SMALL: [&str; 5] =
    ["tiny.wim", "tiny-xpress.wim", "tiny-solid.wim", "split2.swm", "unix.wim"];

#[test]
fn damaged_tables_are_refused_or_passed_over() {
    for name in SMALL {
        let (accepted, refused) = damage_file(&fixtures::bytes(name));
        assert!(refused > 1000 && accepted > 50, "{name}: {accepted} accepted, {refused} refused");
    }
}

/// The most virtual memory this process ever had, in bytes.
fn peak() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Run by [`damaged_files_take_little_memory`] in a process of its own.
#[test]
#[ignore = "prints what another test looks at"]
fn memory_probe() {
    let before = peak();
    for name in SMALL {
        damage_file(&fixtures::bytes(name));
    }
    for name in ["xml-unclosed", "cyclic", "metadata-huge", "header-huge-xml", "solid-chunk"] {
        let bytes = fixtures::bytes(&format!("broken/{name}.bin"));
        assert!(read_everything(bytes).is_err());
    }
    let mut xml = "<WIM>".to_owned();
    xml.extend(std::iter::repeat_n("<A>b</A>", 1 << 20));
    let xml: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let before = before + xml.len() as u64;
    assert!(WimInfo::parse(&xml, 0).unwrap_err().to_string().contains("at most 250000"));
    println!("grown by {}", peak() - before);
}

#[test]
fn damaged_files_take_little_memory() {
    let mut probe = std::process::Command::new(std::env::current_exe().unwrap());
    probe.args(["--exact", "hostile::memory_probe", "--ignored", "--nocapture"]);
    // One arena: otherwise every thread reserves 64 MiB of addresses.
    let output = imprint_testkit::tools::output(probe.env("MALLOC_ARENA_MAX", "1"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let grown = text.lines().find_map(|line| line.strip_prefix("grown by ")).unwrap();
    let grown: u64 = grown.parse().unwrap();
    assert!(grown < 64 << 20, "{grown} bytes");
}

/// All fields of metadata, found by walking it.
fn metadata_fields(bytes: &[u8]) -> Vec<Field> {
    let mut fields = vec![("security length", 0, 4), ("security count", 4, 4)];
    let count = to_usize(get(bytes, 4, 4));
    fields.extend((0..count).map(|i| ("security size", 8 + 8 * i, 8)));
    let mut at = to_usize(get(bytes, 0, 4)).next_multiple_of(8);
    while at + 8 <= bytes.len() {
        let length = to_usize(get(bytes, at, 8)).next_multiple_of(8);
        fields.push(("length", at, 8));
        if length <= 8 {
            at += 8;
            continue;
        }
        fields.extend([
            ("attributes", at + 8, 4),
            ("security id", at + 0x0c, 4),
            ("subdir offset", at + 0x10, 8),
            ("main hash", at + 0x40, 8),
            ("unknown", at + 0x54, 4),
            ("link or reparse", at + 0x58, 8),
            ("stream count", at + 0x60, 2),
            ("short name length", at + 0x62, 2),
            ("name length", at + 0x64, 2),
            ("name", at + 0x66, 2),
        ]);
        let names = get(bytes, at + 0x62, 2) + get(bytes, at + 0x64, 2);
        let tail = at + (0x66 + to_usize(names)).next_multiple_of(8);
        if tail + 8 < at + length {
            fields.extend([("item tag", tail, 4), ("item length", tail + 4, 4)]);
            fields.extend([("item data", tail + 8, 4)]);
        }
        let streams = get(bytes, at + 0x60, 2);
        at += length;
        for _ in 0..streams {
            fields.extend([
                ("stream length", at, 8),
                ("stream hash", at + 0x10, 8),
                ("stream name length", at + 0x24, 2),
            ]);
            at += to_usize(get(bytes, at, 8)).next_multiple_of(8);
        }
    }
    fields
}

#[test]
fn damaged_metadata_is_refused_or_read_with_warnings() {
    let sources = [
        Wim::open(sample::wim(None, &[1], ADD)).unwrap(),
        Wim::open(fixtures::bytes("unix.wim")).unwrap(),
        Wim::open(fixtures::bytes("7zip.wim")).unwrap(),
    ];
    let mut warnings = std::collections::HashSet::new();
    for wim in sources {
        let base = wim.metadata_bytes(1).unwrap();
        let (accepted, refused) = damage(&base, &metadata_fields(&base), |bytes| {
            let image = metadata::read(&bytes, 1).map_err(|error| error.to_string())?;
            warnings.extend(image.warnings.iter().map(std::mem::discriminant));
            // What was read can be written, unless it was no tree of Windows to begin with.
            match metadata::write(&image.tree, &image.details) {
                Ok(again) => {
                    let second = metadata::read(&again, 1).unwrap();
                    sample::assert_same(&second.tree, &image.tree);
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            }
        });
        assert!(refused > 500 && accepted > 500, "{accepted} accepted, {refused} refused");
    }
    assert!(warnings.len() >= 10, "{} kinds of warnings", warnings.len());
}

#[test]
fn metadata_cut_at_any_byte_is_refused() {
    let wim = Wim::open(sample::wim(None, &[1], ADD)).unwrap();
    let base = wim.metadata_bytes(1).unwrap();
    for length in 0..base.len() {
        assert!(metadata::read(&base[..length], 1).is_err(), "{length}");
    }
}

#[test]
fn files_cut_at_any_byte_do_no_harm() {
    for (name, _) in WHOLE {
        let base = fixtures::bytes(name);
        for length in (0..base.len()).step_by(37).chain(0..300.min(base.len())) {
            assert!(read_everything(base[..length].to_vec()).is_err(), "{name} {length}");
        }
    }
}

#[test]
fn damaged_files_can_be_appended_to_or_are_refused() {
    let base = sample::wim(None, &[1], ADD);
    let (accepted, refused) = damage(&base, &header_fields(), |bytes| {
        let wim = Wim::open(MemoryFile::new(bytes)).map_err(|error| error.to_string())?;
        let mut writer = WimWriter::append(wim).map_err(|error| error.to_string())?;
        let mut tree = sample::tree(2);
        sample::store(&mut writer, &mut tree);
        writer.add_image(&tree, sample::info("new")).map_err(|error| error.to_string())?;
        let file = writer.finish(FinishOptions::default()).map_err(|error| error.to_string())?;
        let wim = Wim::open(file).map_err(|error| error.to_string())?;
        wim.read_tree(wim.image_count()).map(drop).map_err(|error| error.to_string())
    });
    assert!(refused > 200 && accepted > 20, "{accepted} accepted, {refused} refused");
}
