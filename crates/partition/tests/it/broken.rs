//! Damaged tables: what is said of them, and what can still be read.

use imprint_blockio::FlatDevice;
use imprint_partition::{PartitionTable, ReadError, Structure, Warning};
use imprint_testkit::{FailingFile, Fault, Limit};

use crate::sample::{GPT, LOGICAL, disk, read};

const SIZE: usize = 64 << 20;
const LAST: usize = SIZE - 512;

/// A change of some bytes.
type Patch<'a> = (usize, &'a [u8]);

fn patched(mut bytes: Vec<u8>, patches: &[Patch<'_>]) -> Vec<u8> {
    for (offset, patch) in patches {
        bytes[*offset..offset + patch.len()].copy_from_slice(patch);
    }
    bytes
}

/// Makes the checksums of the header in this sector right again.
fn seal(bytes: &mut [u8], header: usize) {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let entries = number(header + 72) * 512;
    let len = number(header + 80) * number(header + 84);
    if let Some(all) = bytes.get(entries..entries.saturating_add(len)) {
        let sum = crc32fast::hash(all);
        bytes[header + 88..header + 92].copy_from_slice(&sum.to_le_bytes());
    }
    bytes[header + 16..header + 20].fill(0);
    let sum = crc32fast::hash(&bytes[header..header + 92]);
    bytes[header + 16..header + 20].copy_from_slice(&sum.to_le_bytes());
}

/// A GPT without a backup, patched, with right checksums, is refused in these words.
#[track_caller]
fn check_gpt(patches: &[Patch<'_>], message: &str) {
    let mut bytes = patched(disk(64, GPT), patches);
    seal(&mut bytes, 512);
    bytes[LAST..].fill(0);
    assert_eq!(read(&bytes).unwrap_err().to_string(), message);
}

#[track_caller]
fn check_mbr(patches: &[Patch<'_>], message: &str) {
    let bytes = patched(disk(64, LOGICAL), patches);
    assert_eq!(read(&bytes).unwrap_err().to_string(), message);
}

#[test]
fn fields_of_a_gpt_header() {
    check_gpt(
        &[(512, b"X")],
        "GPT header: signature should be 0x5452415020494645, but is 0x5452415020494658 (at offset 0x200)",
    );
    check_gpt(
        &[(512 + 8, &[0, 0, 2])],
        "GPT header: revision should be 0x10000, but is 0x20000 (at offset 0x208)",
    );
    check_gpt(
        &[(512 + 12, &[91])],
        "GPT header: header size should be from 92 to 512, but is 91 (at offset 0x20c)",
    );
    check_gpt(
        &[(512 + 12, &[0xff; 4])],
        "GPT header: header size should be from 92 to 512, but is 4294967295 (at offset 0x20c)",
    );
    check_gpt(
        &[(512 + 24, &[2])],
        "GPT header: own sector should be 1, but is 2 (at offset 0x218)",
    );
    check_gpt(
        &[(512 + 48, &[0xff; 8])],
        "GPT header: last usable sector should be from 0 to 131071, but is 18446744073709551615 \
         (at offset 0x230)",
    );
    check_gpt(
        &[(512 + 40, &[0xff; 8])],
        "GPT header: first usable sector should be from 0 to 131039, but is 18446744073709551615 \
         (at offset 0x228)",
    );
    check_gpt(
        &[(512 + 84, &[127, 0, 0, 0])],
        "GPT header: entry size should be from 128 to 4096, but is 127 (at offset 0x254)",
    );
    check_gpt(
        &[(512 + 84, &[192, 0, 0, 0])],
        "GPT header: entry size should be a multiple of 128, but is 192 (at offset 0x254)",
    );
    check_gpt(
        &[(512 + 80, &[0xff; 4])],
        "GPT header: entry count should be from 0 to 32768, but is 4294967295 (at offset 0x250)",
    );
    check_gpt(
        &[(512 + 72, &[0xff; 8])],
        "GPT header: entries should end at or before 0x4000000, but ends at 0xffffffffffffffff \
         (at offset 0x248)",
    );
}

#[test]
fn entries_of_a_gpt() {
    check_gpt(
        &[(1024 + 32, &[33, 0])],
        "GPT entries: partition's first sector should be from 2048 to 131038, but is 33 (at offset 0x420)",
    );
    check_gpt(
        &[(1024 + 40, &[0xff; 8])],
        "GPT entries: partition's last sector should be from 2048 to 131038, but is \
         18446744073709551615 (at offset 0x428)",
    );
    check_gpt(
        &[(1024 + 40, &[0; 8])],
        "GPT entries: partition's last sector should be from 2048 to 131038, but is 0 (at offset 0x428)",
    );
    check_gpt(
        &[(1024 + 40, &10240_u64.to_le_bytes())],
        "GPT entries: partition's first sector should be at least 10241, but is 10240 (at offset 0x4a0)",
    );
}

#[test]
fn checksums_of_a_gpt() {
    let mut bytes = disk(64, GPT);
    bytes[LAST..].fill(0);
    let stored = u32::from_le_bytes(bytes[528..532].try_into().unwrap());
    bytes[528] ^= 1;
    let message = format!(
        "GPT header: header checksum should be {stored:#x}, but is {:#x} (at offset 0x210)",
        stored ^ 1
    );
    assert_eq!(read(&bytes).unwrap_err().to_string(), message);
    bytes[528] ^= 1;
    bytes[1024 + 56] ^= 1;
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.starts_with("GPT header: entries checksum should be"), "{error}");
    assert!(error.ends_with("(at offset 0x258)"), "{error}");
}

/// Damage of the first copy alone loses nothing.
#[test]
fn the_backup_stands_in() {
    let whole = disk(64, GPT);
    let expected = read(&whole).unwrap().unwrap();
    let structure = |warning: &Warning| match warning {
        Warning::PrimaryDamaged(fault) => (true, fault.structure),
        Warning::BackupDamaged(fault) => (false, fault.structure),
        other => unreachable!("{other}"),
    };
    let damages = [
        (512, true, Structure::GptHeader),
        (600, true, Structure::GptHeader),
        (1024, true, Structure::GptHeader),
        (LAST, false, Structure::GptBackupHeader),
        (LAST + 91, false, Structure::GptBackupHeader),
        (LAST - 32 * 512, false, Structure::GptBackupHeader),
    ];
    for (offset, primary, named) in damages {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0xff;
        let table = read(&bytes).unwrap().unwrap();
        assert_eq!(table.partitions(), expected.partitions());
        assert_eq!((table.id(), table.usable()), (expected.id(), expected.usable()));
        let warnings: Vec<_> = table.warnings().iter().map(structure).collect();
        assert_eq!(warnings, [(primary, named)], "byte {offset:#x}");
    }
    // Both are damaged.
    let bytes = patched(whole, &[(600, &[0xff]), (LAST + 20, &[0xff])]);
    assert!(matches!(read(&bytes), Err(ReadError::Corruption(_))));
}

/// The entries of the first copy contradict themselves, and only there.
#[test]
fn the_backup_stands_in_for_nonsense_too() {
    let mut bytes = patched(disk(64, GPT), &[(1024 + 40, &10240_u64.to_le_bytes())]);
    seal(&mut bytes, 512);
    let table = read(&bytes).unwrap().unwrap();
    assert_eq!(table.partitions().len(), 3);
    assert!(matches!(table.warnings(), [Warning::PrimaryDamaged(_)]));
}

#[test]
fn a_disk_that_was_grown_or_cut() {
    let whole = disk(64, GPT);
    let partitions = read(&whole).unwrap().unwrap().partitions().to_vec();
    let mut grown = whole.clone();
    grown.resize(SIZE + 4096, 0);
    let table = read(&grown).unwrap().unwrap();
    let moved = Warning::BackupNotAtEnd { offset: LAST as u64, end: SIZE as u64 + 4096 };
    assert_eq!((table.partitions(), table.warnings()), (&partitions[..], &[moved][..]));
    // The header still says where the backup is.
    grown[1024] ^= 1;
    let table = read(&grown).unwrap().unwrap();
    assert_eq!(table.partitions(), partitions);
    let cut = read(&whole[..SIZE - 512]).unwrap().unwrap();
    assert_eq!(cut.partitions(), partitions);
    let [Warning::BackupDamaged(fault)] = cut.warnings() else { unreachable!() };
    let message = "GPT backup header: header should end at or before 0x3fffe00, but ends at \
                   0x4000000 (at offset 0x3fffe00)";
    assert_eq!(fault.to_string(), message);
    let error = read(&whole[..SIZE / 2]).unwrap_err().to_string();
    assert!(error.starts_with("GPT header: last usable sector should be"), "{error}");
}

#[test]
fn copies_that_differ() {
    let mut bytes = disk(64, GPT);
    bytes[1024 + 56] ^= 1;
    seal(&mut bytes, 512);
    let table = read(&bytes).unwrap().unwrap();
    assert_eq!(table.warnings(), [Warning::CopiesDiffer]);
    assert_eq!(table.partition(1).unwrap().name, "DFI system");
}

#[test]
fn first_sectors_that_do_not_fit_the_gpt() {
    let mut bytes = disk(64, GPT);
    bytes[..512].fill(0);
    let table = read(&bytes).unwrap().unwrap();
    assert_eq!((table.partitions().len(), table.warnings()), (3, &[Warning::NoProtectiveMbr][..]));
    // Without protection a damaged one is only what is left of a table.
    bytes[600] ^= 1;
    assert_eq!(read(&bytes).unwrap(), None);
    let mut bytes = disk(64, GPT);
    bytes[..512].copy_from_slice(
        &disk(64, LOGICAL.split_inclusive('\n').take(3).collect::<String>().as_str())[..512],
    );
    let table = read(&bytes).unwrap().unwrap();
    assert_eq!((table.partitions().len(), table.warnings()), (1, &[Warning::GptIgnored][..]));
}

#[test]
fn sectors_of_another_size() {
    let device = FlatDevice::new(disk(64, GPT), 4096);
    let error = PartitionTable::read(&device).unwrap_err();
    let message = "partition table is for sectors of 512 bytes, but the device has 4096";
    assert_eq!(error.to_string(), message);
}

#[test]
fn larger_entries() {
    let mut bytes = disk(64, GPT);
    let mut entries = vec![0; 128 * 128];
    for (slot, entry) in bytes[1024..1024 + 64 * 128].chunks(128).enumerate() {
        entries[slot * 256..slot * 256 + 128].copy_from_slice(entry);
    }
    let expected = read(&bytes).unwrap().unwrap();
    let patches: [Patch<'_>; 3] = [(1024, &entries), (512 + 80, &[64]), (512 + 84, &[0, 1])];
    bytes = patched(bytes, &patches);
    seal(&mut bytes, 512);
    let table = read(&bytes).unwrap().unwrap();
    assert_eq!(table.partitions(), expected.partitions());
    assert_eq!(table.warnings(), [Warning::CopiesDiffer]);
}

/// The byte of the second record and its sector inside the extended partition; the first record
/// stands at sector 8192.
fn second_record(bytes: &[u8]) -> (usize, u32) {
    let at = 8192 * 512 + 446 + 16;
    let link = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
    ((8192 + link as usize) * 512, link)
}

#[test]
fn entries_of_an_mbr() {
    check_mbr(
        &[(446 + 12, &[0xff; 4])],
        "MBR: partition should end at or before 0x4000000, but ends at 0x200000ffe00 (at offset 0x1ca)",
    );
    check_mbr(
        &[(446 + 8, &8192_u32.to_le_bytes()), (446 + 12, &8192_u32.to_le_bytes())],
        "extended boot record: partition's first sector should be at least 16384, but is 10240 \
         (at offset 0x4001c6)",
    );
    // A flag that is none makes it code, as Linux sees it.
    let bytes = patched(disk(64, LOGICAL), &[(446, &[0x81])]);
    assert_eq!(read(&bytes).unwrap(), None);
}

#[test]
fn chains_of_extended_boot_records() {
    let whole = disk(64, LOGICAL);
    let (second, link) = second_record(&whole);
    assert_eq!(whole[second + 510..second + 512], [0x55, 0xaa]);
    let own = second + 446 + 16 + 8;
    let field = format!("(at offset {own:#x})");
    let refused = |patches: &[Patch<'_>], message: &str| {
        check_mbr(patches, &format!("extended boot record: {message} {field}"));
    };
    // To itself, and to the first: an endless chain.
    let next = format!("next record should be at least {}, but is", link + 1);
    refused(&[(own, &link.to_le_bytes())], &format!("{next} {link}"));
    refused(&[(own, &[0; 4])], &format!("{next} 0"));
    let out = "next record should end at or before 0x1800000, but ends at 0x200003ffe00";
    refused(&[(own, &[0xfe, 0xff, 0xff, 0xff])], out);
    let mark = second + 510;
    check_mbr(
        &[(mark, &[0])],
        &format!(
            "extended boot record: mark should be 0xaa55, but is 0xaa00 (at offset {mark:#x})"
        ),
    );
    let size = second + 446 + 12;
    check_mbr(
        &[(size, &40960_u32.to_le_bytes())],
        &format!(
            "extended boot record: partition should end at or before 0x1800000, but ends at {:#x} \
             (at offset {size:#x})",
            (14336 + 40960) * 512
        ),
    );
    // Only the first record may be missing.
    let bytes = patched(whole, &[(8192 * 512 + 510, &[0, 0])]);
    let table = read(&bytes).unwrap().unwrap();
    assert_eq!(table.partitions().len(), 2);
    assert!(matches!(table.warnings(), [Warning::NoExtendedRecord(_)]));
}

/// A chain with more records than any program makes, none of them seen before.
#[test]
fn a_chain_without_end() {
    let mut bytes = disk(64, "label: dos\nstart=2048,size=100000,type=f\n");
    for record in 0..1000_u32 {
        let at = (2048 + record as usize) * 512;
        bytes[at + 446 + 4] = 5;
        bytes[at + 446 + 8..][..8]
            .copy_from_slice(&[(record + 1).to_le_bytes(), 1_u32.to_le_bytes()].concat());
        bytes[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
    }
    let error = read(&bytes).unwrap_err().to_string();
    let message = "extended boot record: records should be at most 256, but is 257";
    assert!(error.starts_with(message), "{error}");
}

#[test]
fn bytes_that_cannot_be_had() {
    let whole = disk(64, GPT);
    let device = |operations| {
        let limit = Limit::Operations(operations);
        FlatDevice::new(FailingFile::new(whole.as_slice(), Fault::Broken, limit), 512)
    };
    let mut failed = 0;
    for operations in 0..20 {
        match PartitionTable::read(&device(operations)) {
            Err(ReadError::Io { source, .. }) => {
                assert_eq!(source.raw_os_error(), Some(5));
                failed += 1;
            }
            Err(other) => unreachable!("{other}"),
            Ok(table) => {
                let table = table.unwrap();
                assert_eq!(table.partitions().len(), 3);
                let lost = Warning::BackupUnreadable { offset: LAST as u64 };
                assert!(table.warnings() == [lost] || operations >= 7, "{operations}");
            }
        }
    }
    assert_eq!(failed, 4);
    let error = PartitionTable::read(&device(0)).unwrap_err();
    assert_eq!(error.to_string(), "failed to read MBR (512 bytes at offset 0x0)");
}
