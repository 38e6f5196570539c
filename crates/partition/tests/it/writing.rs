//! Tables we write: read by others, and by us as they were planned.

use std::path::PathBuf;
use std::process::Command;

use imprint_blockio::{BlockDevice, FlatDevice, WriteAt};
use imprint_partition::{
    Contents, GptAttributes, Layout, Occupied, Partition, PartitionTable, PartitionType, Plan,
    PlanError, Size, TableKind, Wanted, WriteError,
};
use imprint_testkit::{CrashFile, FailingFile, Fault, Limit, Random, SparseMemory, tools};
use imprint_winvalues::Guid;

use crate::sample;

const GIB: u64 = 1 << 30;

pub(crate) fn guids(layout: &Layout) -> Vec<Guid> {
    let count = u8::try_from(layout.identifiers()).unwrap();
    (1..=count).map(|byte| Guid::from_random([byte; 16])).collect()
}

#[track_caller]
fn plan(layout: &Layout, len: u64, sector_size: u32) -> Plan {
    Plan::new(layout, len, sector_size, &guids(layout)).unwrap()
}

fn write(plan: &Plan, device: &(impl BlockDevice + WriteAt)) -> Result<(), WriteError> {
    plan.erase(device)?;
    plan.write(device)
}

fn planned(plan: &Plan) -> Vec<Partition> {
    plan.partitions().iter().map(|planned| planned.partition.clone()).collect()
}

/// A file of so many bytes with a planned table, as other programs see it.
struct Disk {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Disk {
    #[track_caller]
    fn new(plan: &Plan) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        let file = fs_err::File::create_new(&path).unwrap();
        file.set_len(plan.len()).unwrap();
        let file = fs_err::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let device = FlatDevice::new(file, plan.sector_size());
        write(plan, &device).unwrap();
        let table = PartitionTable::read(&device).unwrap().unwrap();
        assert_eq!((table.partitions(), table.warnings()), (&*planned(plan), &[][..]));
        assert_eq!(table.id(), plan.id());
        Self { _directory: directory, path }
    }

    #[track_caller]
    fn run(&self, program: &str, words: &[&str]) -> String {
        let path = self.path.to_str().unwrap();
        let words = words.iter().map(|&word| if word == "DISK" { path } else { word });
        tools::run(&tools::require(program), words)
    }

    fn dump(&self) -> String {
        self.run("sfdisk", &["--dump", "DISK"]).replace(self.path.to_str().unwrap(), "DISK")
    }
}

const WINDOWS: &str = "label: gpt
label-id: 01010101-0101-4101-8101-010101010101
device: DISK
unit: sectors
first-lba: 34
last-lba: 134217694
sector-size: 512

DISK1 : start=        2048, size=      532480, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=02020202-0202-4202-8202-020202020202, name=\"EFI system partition\", attrs=\"GUID:63\"
DISK2 : start=      534528, size=       32768, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE, uuid=03030303-0303-4303-8303-030303030303, name=\"Microsoft reserved partition\", attrs=\"GUID:63\"
DISK3 : start=      567296, size=   131551232, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=04040404-0404-4404-8404-040404040404, name=\"Windows\"
DISK4 : start=   132118528, size=     2097152, type=DE94BBA4-06D1-4D40-A16A-BFD50179D6AC, uuid=05050505-0505-4505-8505-050505050505, name=\"Recovery\", attrs=\"RequiredPartition GUID:63\"
";

#[test]
fn windows_on_uefi() {
    let disk = Disk::new(&plan(&Layout::uefi_windows(), 64 * GIB, 512));
    assert_eq!(disk.dump(), WINDOWS);
    assert!(disk.run("sgdisk", &["-v", "DISK"]).contains("No problems found."));
    assert!(disk.run("sfdisk", &["--verify", "DISK"]).contains("No errors detected"));
    let parted = disk.run("parted", &["-s", "-m", "DISK", "unit", "B", "print"]);
    // A flag that parted knows from version 3.6 on.
    let parted = parted.replace(", no_automount", "");
    let lines: Vec<_> = parted.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "1:1048576B:273678335B:272629760B::EFI system partition:boot, esp;",
            "2:273678336B:290455551B:16777216B::Microsoft reserved partition:msftres;",
            "3:290455552B:67644686335B:67354230784B::Windows:msftdata;",
            "4:67644686336B:68718428159B:1073741824B::Recovery:hidden, diag;",
        ]
    );
}

#[test]
fn storage_on_uefi() {
    let layout = Layout::uefi_storage(Some(Size::Percent(25)));
    let disk = Disk::new(&plan(&layout, 100 * GIB, 512));
    assert!(disk.run("sgdisk", &["-v", "DISK"]).contains("No problems found."));
    assert!(disk.run("sfdisk", &["--verify", "DISK"]).contains("No errors detected"));
    let lens: Vec<_> = plan(&layout, 100 * GIB, 512)
        .partitions()
        .iter()
        .map(|planned| (planned.partition.len >> 20, planned.contents))
        .collect();
    let expected = [
        (260, Contents::Fat32),
        (16, Contents::Nothing),
        (76523, Contents::Ntfs),
        (25599, Contents::Ntfs),
    ];
    assert_eq!(lens, expected);
    assert_eq!(Layout::uefi_storage(None).partitions.len(), 3);
}

#[test]
fn windows_on_bios() {
    let disk = Disk::new(&plan(&Layout::bios_windows(), 64 * GIB, 512));
    let expected = "label: dos
label-id: 0x01010101
device: DISK
unit: sectors
sector-size: 512

DISK1 : start=        2048, size=     1024000, type=7, bootable
DISK2 : start=     1026048, size=   131092480, type=7
DISK3 : start=   132118528, size=     2097152, type=27
";
    assert_eq!(disk.dump(), expected);
    assert!(disk.run("sfdisk", &["--verify", "DISK"]).contains("No errors detected"));
    let parted = disk.run("parted", &["-s", "-m", "DISK", "unit", "s", "print"]);
    let lines: Vec<_> = parted.lines().skip(2).collect();
    let expected = [
        "1:2048s:1026047s:1024000s:::boot;",
        "2:1026048s:132118527s:131092480s:::;",
        "3:132118528s:134215679s:2097152s:::msftres;",
    ];
    assert_eq!(lines, expected);
}

/// fdisk is the only one that is told the sector size of a file.
#[test]
fn sectors_of_4096_bytes() {
    let columns = ["-b", "4096", "-l", "-o", "Start,Sectors,Type", "DISK"];
    let numbers = |printed: &str| -> Vec<String> {
        let lines = printed.lines().map(str::trim);
        lines
            .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    let gpt = Disk::new(&plan(&Layout::uefi_windows(), 64 * GIB, 4096));
    let printed = gpt.run("fdisk", &columns);
    assert!(!printed.contains("corrupt") && printed.contains("Disklabel type: gpt"), "{printed}");
    let expected = [
        "256 66560 EFI System",
        "66816 4096 Microsoft reserved",
        "70912 16443904 Microsoft basic data",
        "16514816 262144 Windows recovery environment",
    ];
    assert_eq!(numbers(&printed), expected);
    let mut verify = Command::new(tools::require("fdisk"));
    let output = {
        use std::io::Write as _;
        verify.args(["-b", "4096"]).arg(&gpt.path).env("LC_ALL", "C");
        verify.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = verify.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"v\nq\n").unwrap();
        child.wait_with_output().unwrap()
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("No errors detected."), "{said}");
    let mbr = Disk::new(&plan(&Layout::bios_windows(), 64 * GIB, 4096));
    let expected = [
        "256 128000 HPFS/NTFS/exFAT",
        "128256 16386560 HPFS/NTFS/exFAT",
        "16514816 262144 Hidden NTFS WinRE",
    ];
    assert_eq!(numbers(&mbr.run("fdisk", &columns)), expected);
}

#[test]
fn seven_zip_finds_the_partitions() {
    let program = tools::require_any(&["7zz", "7z"]);
    for (layout, count) in [(Layout::uefi_windows(), 4), (Layout::bios_windows(), 3)] {
        let disk = Disk::new(&plan(&layout, 4 * GIB, 512));
        // Of an MBR it also lists what no partition takes.
        let (kind, mark) = match layout.table {
            TableKind::Gpt => ("-tGPT", "Offset = "),
            TableKind::Mbr => ("-tMBR", "Primary = +"),
        };
        let words = ["l", "-slt", kind, disk.path.to_str().unwrap()];
        let printed = tools::run(&program, words);
        let found = printed.lines().filter(|line| line.starts_with(mark)).count();
        assert_eq!(found, count, "{printed}");
    }
}

fn sized(kind: PartitionType, size: Size) -> Wanted {
    Wanted {
        kind,
        size,
        name: String::new(),
        attributes: GptAttributes::empty(),
        active: false,
        contents: Contents::Nothing,
        label: String::new(),
    }
}

fn layout(table: TableKind, sizes: &[Size]) -> Layout {
    let kind = match table {
        TableKind::Gpt => PartitionType::BASIC_DATA,
        TableKind::Mbr => PartitionType::MBR_NTFS,
    };
    Layout { table, partitions: sizes.iter().map(|&size| sized(kind, size)).collect() }
}

#[track_caller]
fn refused(layout: &Layout, len: u64) -> PlanError {
    Plan::new(layout, len, 512, &guids(layout)).unwrap_err()
}

#[test]
fn what_does_not_fit_is_refused() {
    use TableKind::{Gpt, Mbr};
    let small = refused(&Layout::uefi_windows(), GIB);
    assert_eq!(small, PlanError::TooSmall { needed: 1301 << 20, room: 1022 << 20 });
    assert_eq!(
        small.to_string(),
        "partitions need 1364197376 bytes, but the device has room for 1071644672"
    );
    for len in [0, 511, 512, 1 << 20, 2 << 20, (2 << 20) + 511] {
        let error = refused(&layout(Gpt, &[Size::Rest]), len);
        assert_eq!(error, PlanError::TooSmall { needed: 1 << 20, room: 0 });
    }
    let huge = [Size::Bytes(u64::MAX), Size::Bytes(u64::MAX - 5), Size::Rest];
    let error = refused(&layout(Gpt, &huge), 64 * GIB);
    assert_eq!(error, PlanError::TooSmall { needed: u64::MAX, room: 65534 << 20 });
    let error = refused(&layout(Gpt, &[Size::Percent(60), Size::Percent(60)]), 64 * GIB);
    assert!(matches!(error, PlanError::TooSmall { .. }));
    let error = refused(&layout(Gpt, &[Size::Rest, Size::Rest]), 64 * GIB);
    assert_eq!(error, PlanError::SecondRest { first: 1, second: 2 });
    let error = refused(&layout(Mbr, &[Size::Bytes(1); 5]), 64 * GIB);
    assert_eq!(error, PlanError::TooMany { table: Mbr, most: 4, count: 5 });
    let error = refused(&layout(Gpt, &[Size::Bytes(1); 129]), 64 * GIB);
    assert_eq!(error, PlanError::TooMany { table: Gpt, most: 128, count: 129 });
    let plan = Plan::new(&Layout::uefi_windows(), 64 * GIB, 2048, &[]);
    assert_eq!(plan, Err(PlanError::SectorSize { sector_size: 2048 }));
    let plan = Plan::new(&Layout::uefi_windows(), 64 * GIB, 512, &[Guid::default()]);
    assert_eq!(plan, Err(PlanError::Identifiers { expected: 5, actual: 1 }));
}

#[test]
fn what_a_table_cannot_hold_is_refused() {
    let check = |table, change: fn(&mut Wanted)| {
        let mut layout = layout(table, &[Size::Rest]);
        change(&mut layout.partitions[0]);
        refused(&layout, 64 * GIB)
    };
    use TableKind::{Gpt, Mbr};
    assert!(matches!(check(Mbr, |one| one.kind = PartitionType::ESP), PlanError::Kind { .. }));
    for byte in [0, 5, 15, 0x85, 0xee] {
        let mut layout = layout(Mbr, &[Size::Rest]);
        layout.partitions[0].kind = PartitionType::Mbr(byte);
        assert!(matches!(refused(&layout, 64 * GIB), PlanError::Kind { .. }));
    }
    let nil = check(Gpt, |one| one.kind = PartitionType::Gpt(Guid::default()));
    assert!(matches!(nil, PlanError::Kind { .. }));
    let name = check(Gpt, |one| one.name = "x".repeat(37));
    assert_eq!(name, PlanError::Name { number: 1, units: 37 });
    for error in [
        check(Gpt, |one| one.active = true),
        check(Mbr, |one| one.name = "x".to_owned()),
        check(Mbr, |one| one.attributes = GptAttributes::REQUIRED),
    ] {
        assert!(matches!(error, PlanError::NotKept { number: 1, .. }));
    }
    let mut two = layout(Mbr, &[Size::Bytes(1), Size::Rest]);
    two.partitions.iter_mut().for_each(|one| one.active = true);
    assert_eq!(refused(&two, 64 * GIB), PlanError::SecondActive { first: 1, second: 2 });
}

#[test]
fn the_smallest_and_the_largest() {
    // 1 MiB, one partition, and the backup in a third that is not whole.
    let smallest = layout(TableKind::Gpt, &[Size::Rest]);
    let disk = Disk::new(&plan(&smallest, (2 << 20) + 33 * 512, 512));
    assert!(disk.run("sgdisk", &["-v", "DISK"]).contains("No problems found."));
    let all: Vec<_> = vec![Size::Bytes(1); 128];
    let disk = Disk::new(&plan(&layout(TableKind::Gpt, &all), 130 << 20, 512));
    assert!(disk.run("sgdisk", &["-v", "DISK"]).contains("No problems found."));
    // An MBR counts 2 TiB; what is behind stays unused.
    let large = plan(&layout(TableKind::Mbr, &[Size::Rest]), 4 << 40, 512);
    assert_eq!(
        (large.partitions()[0].partition.end(), large.unused()),
        ((2 << 40) - (1 << 20), (2 << 40) + (1 << 20))
    );
    let device = FlatDevice::new(SparseMemory::with_len(4 << 40), 512);
    write(&large, &device).unwrap();
    let table = PartitionTable::read(&device).unwrap().unwrap();
    assert_eq!(table.partitions(), planned(&large));
    let huge = plan(&layout(TableKind::Gpt, &[Size::Rest]), 200 << 40, 4096);
    let device = FlatDevice::new(SparseMemory::with_len(200 << 40), 4096);
    write(&huge, &device).unwrap();
    let table = PartitionTable::read(&device).unwrap().unwrap();
    assert_eq!((table.partitions(), table.warnings()), (&*planned(&huge), &[][..]));
    assert!(device.into_inner().stored_bytes() < 100 << 10, "zeros were written");
}

/// What a crash left: the old partitions, the new ones, or none.
#[track_caller]
fn check_left(left: SparseMemory, sector_size: u32, old: &[Partition], new: &Plan) {
    let device = FlatDevice::new(left, sector_size);
    match PartitionTable::read(&device) {
        Ok(None) => {}
        Ok(Some(table)) if table.partitions() == old => {}
        Ok(Some(table)) => assert_eq!(table.partitions(), planned(new)),
        Err(error) => panic!("neither old nor new: {error}"),
    }
}

fn check_crashes(before: Vec<u8>, layout: &Layout, sector_size: u32) {
    let new = plan(layout, before.len() as u64, sector_size);
    let old = PartitionTable::read(&FlatDevice::new(&*before, sector_size)).unwrap();
    let old = old.map(|table| table.partitions().to_vec()).unwrap_or_default();
    let device = FlatDevice::new(CrashFile::new(before), sector_size);
    write(&new, &device).unwrap();
    let table = PartitionTable::read(&device).unwrap().unwrap();
    assert_eq!((table.partitions(), table.warnings()), (&*planned(&new), &[][..]));
    let file = device.into_inner();
    let mut random = Random::new(7);
    for cut in file.cuts() {
        check_left(file.killed(cut), sector_size, &old, &new);
        for _ in 0..6 {
            check_left(file.power_lost(cut, 512, &mut random), sector_size, &old, &new);
        }
    }
}

#[test]
fn a_cut_leaves_the_old_table_or_none_or_the_new_one() {
    let gpt = layout(TableKind::Gpt, &[Size::Bytes(4 << 20), Size::Rest]);
    let mbr = layout(TableKind::Mbr, &[Size::Bytes(4 << 20), Size::Rest]);
    let noise: Vec<u8> = {
        let mut random = Random::new(3);
        (0..16 << 20).map(|_| random.byte()).collect()
    };
    for before in
        [vec![0; 16 << 20], sample::disk(64, sample::GPT), sample::disk(64, sample::LOGICAL), noise]
    {
        check_crashes(before.clone(), &gpt, 512);
        check_crashes(before, &mbr, 512);
    }
    let old = FlatDevice::new(CrashFile::new(vec![0; 16 << 20]), 4096);
    write(&plan(&layout(TableKind::Gpt, &[Size::Rest]), 16 << 20, 4096), &old).unwrap();
    check_crashes(old.into_inner().to_bytes(), &gpt, 4096);
}

#[test]
fn a_device_that_fails_is_an_error_and_leaves_no_wrong_table() {
    let before = sample::disk(64, sample::GPT);
    let old = sample::read(&before).unwrap().unwrap().partitions().to_vec();
    let new = plan(&layout(TableKind::Gpt, &[Size::Rest]), 64 << 20, 512);
    let mut failures = 0;
    for operations in 0..200 {
        let memory = SparseMemory::new(&before);
        let file = FailingFile::new(memory, Fault::Broken, Limit::Operations(operations));
        let device = FlatDevice::new(file, 512);
        let result = write(&new, &device);
        let left = device.into_inner().into_inner();
        match result {
            Ok(()) => break,
            Err(WriteError::Io { .. } | WriteError::Flush(_)) => failures += 1,
            Err(error) => panic!("{error}"),
        }
        check_left(left, 512, &old, &new);
    }
    assert!((10..200).contains(&failures), "{failures}");
}

#[test]
fn nothing_old_is_found_again() {
    // Old volumes at the beginnings and ends of the new partitions, and a GPT under an MBR.
    let mut before = sample::disk(64, sample::GPT);
    let new = plan(&layout(TableKind::Mbr, &[Size::Bytes(8 << 20), Size::Rest]), 64 << 20, 512);
    for place in planned(&new) {
        let start = usize::try_from(place.start).unwrap();
        before[start..start + 11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
        before[start + 65536 + 64..][..8].copy_from_slice(b"_BHRfS_M");
        let end = usize::try_from(place.end()).unwrap();
        before[end - 512..end - 501].copy_from_slice(b"\xeb\x52\x90NTFS    ");
        before[start + (3 << 20)] = 7;
    }
    let device = FlatDevice::new(SparseMemory::new(&before), 512);
    write(&new, &device).unwrap();
    let bytes = device.into_inner().to_bytes();
    for mark in [&b"NTFS    "[..], b"_BHRfS_M", b"EFI PART"] {
        assert!(!bytes.windows(mark.len()).any(|window| window == mark));
    }
    let inside = planned(&new)
        .iter()
        .filter(|place| bytes[usize::try_from(place.start).unwrap() + (3 << 20)] == 7)
        .count();
    assert_eq!(inside, 2, "the middle of partitions is left alone");
}

#[track_caller]
fn look(bytes: &[u8]) -> Option<Occupied> {
    Occupied::look(&FlatDevice::new(bytes, 512)).unwrap()
}

#[test]
fn what_is_on_a_device_is_seen() {
    assert_eq!(look(&[]), None);
    assert_eq!(look(&vec![0; 4 << 20]), None);
    let mut data = vec![0; 4 << 20];
    data[(1 << 20) - 1] = 1;
    assert_eq!(look(&data), Some(Occupied::Data { offset: (1 << 20) - 1 }));
    data[(1 << 20) - 1] = 0;
    data[1 << 20] = 1;
    assert_eq!(look(&data), None);
    let mut gpt = sample::disk(64, sample::GPT);
    let Some(Occupied::Table(table)) = look(&gpt) else { panic!("there is a table") };
    assert_eq!(table.partitions().len(), 3);
    gpt[1024] ^= 1;
    let len = gpt.len();
    gpt[len - 33 * 512] ^= 1;
    assert!(matches!(look(&gpt), Some(Occupied::DamagedTable(_))));
    gpt[..1 << 20].fill(0);
    assert_eq!(look(&gpt), Some(Occupied::Backup { offset: len as u64 - 512 }));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    fs_err::File::create_new(&path).unwrap().set_len(8 << 20).unwrap();
    tools::run(&tools::require("mkntfs"), ["-F", "-Q", "-q", path.to_str().unwrap()]);
    assert_eq!(look(&fs_err::read(&path).unwrap()), Some(Occupied::Volume));
    tools::run(&tools::require("mkfs.ext4"), ["-q", "-F", path.to_str().unwrap()]);
    assert!(matches!(look(&fs_err::read(&path).unwrap()), Some(Occupied::Data { .. })));
}

#[test]
fn a_plan_is_for_one_device() {
    let new = plan(&layout(TableKind::Gpt, &[Size::Rest]), 64 << 20, 512);
    for (len, sector_size) in [(63 << 20, 512), (64 << 20, 4096)] {
        let device = FlatDevice::new(SparseMemory::with_len(len), sector_size);
        assert!(matches!(new.write(&device), Err(WriteError::OtherDevice { .. })));
        assert_eq!(device.into_inner().stored_bytes(), 0);
    }
}
