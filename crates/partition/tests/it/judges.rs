//! Tables made by others, and read the same by others.

use std::path::{Path, PathBuf};
use std::process::Command;

use imprint_blockio::{FlatDevice, ReadAt as _, Slice};
use imprint_partition::{
    GptAttributes, Partition, PartitionTable, PartitionType, TableId, Warning,
};
use imprint_testkit::tools;
use serde_json::{Value, json};

use crate::sample::{GPT, LOGICAL, feed, partition};

struct Disk {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Disk {
    fn new(mebibytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("disk");
        fs_err::File::create_new(&path).unwrap().set_len(mebibytes << 20).unwrap();
        Self { _directory: directory, path }
    }

    #[track_caller]
    fn by_sfdisk(mebibytes: u64, script: &str) -> Self {
        let disk = Self::new(mebibytes);
        partition(&disk.path, script);
        disk
    }

    #[track_caller]
    fn by(program: &str, mebibytes: u64, words: &[&str]) -> Self {
        let disk = Self::new(mebibytes);
        disk.run(program, words);
        disk
    }

    /// Runs a program with the words and the disk's path where they say `DISK`.
    #[track_caller]
    fn run(&self, program: &str, words: &[&str]) -> String {
        let path = self.path.to_str().unwrap();
        let words = words.iter().map(|&word| if word == "DISK" { path } else { word });
        tools::run(&tools::require(program), words)
    }

    #[track_caller]
    fn table(&self, sector_size: u32) -> PartitionTable {
        read(&self.path, sector_size)
    }
}

#[track_caller]
fn read(path: &Path, sector_size: u32) -> PartitionTable {
    let file = fs_err::File::open(path).unwrap();
    PartitionTable::read(&FlatDevice::new(file, sector_size)).unwrap().unwrap()
}

/// The table in the words of `sfdisk --json`.
fn as_json(table: &PartitionTable, node: &str) -> Value {
    let sector = u64::from(table.sector_size());
    let partitions: Vec<_> =
        table.partitions().iter().map(|found| partition_as_json(found, sector, node)).collect();
    let (label, id) = match table.id() {
        TableId::Gpt(_) => ("gpt", table.id().to_string().to_uppercase()),
        TableId::Mbr(_) => ("dos", table.id().to_string()),
    };
    let mut all = json!({
        "label": label, "id": id, "device": node, "unit": "sectors", "sectorsize": sector,
    });
    if label == "gpt" {
        all["firstlba"] = (table.usable().start / sector).into();
        all["lastlba"] = (table.usable().end / sector - 1).into();
    }
    // sfdisk leaves out what is empty.
    if !partitions.is_empty() {
        all["partitions"] = partitions.into();
    }
    json!({ "partitiontable": all })
}

fn partition_as_json(found: &Partition, sector: u64, node: &str) -> Value {
    let kind = match found.kind {
        PartitionType::Gpt(guid) => guid.to_string().to_uppercase(),
        PartitionType::Mbr(byte) => format!("{byte:x}"),
    };
    let mut all = json!({
        "node": format!("{node}{}", found.number), "start": found.start / sector,
        "size": found.len / sector, "type": kind,
    });
    if let Some(id) = found.id {
        all["uuid"] = id.to_string().to_uppercase().into();
    }
    if !found.name.is_empty() {
        all["name"] = found.name.clone().into();
    }
    let attributes = attributes(found.attributes);
    if !attributes.is_empty() {
        all["attrs"] = attributes.into();
    }
    if found.active {
        all["bootable"] = true.into();
    }
    all
}

fn attributes(attributes: GptAttributes) -> String {
    let mut words = Vec::new();
    for (bit, word) in
        [(0, "RequiredPartition"), (1, "NoBlockIOProtocol"), (2, "LegacyBIOSBootable")]
    {
        if attributes.bits() >> bit & 1 == 1 {
            words.push(word.to_owned());
        }
    }
    let own: Vec<_> = (48..64_u32)
        .filter(|bit| attributes.bits() >> bit & 1 == 1)
        .map(|bit| bit.to_string())
        .collect();
    if !own.is_empty() {
        words.push(format!("GUID:{}", own.join(",")));
    }
    words.join(" ")
}

/// Our reading equals sfdisk's, in every field, and nothing is wrong.
#[track_caller]
fn check(disk: &Disk) -> PartitionTable {
    let table = disk.table(512);
    let mut theirs: Value = serde_json::from_str(&disk.run("sfdisk", &["--json", "DISK"])).unwrap();
    // How many entries there is room for says nothing of the partitions.
    theirs["partitiontable"].as_object_mut().unwrap().remove("table-length");
    assert_eq!(as_json(&table, disk.path.to_str().unwrap()), theirs);
    assert_eq!(table.warnings(), []);
    table
}

#[test]
fn gpt_by_sfdisk() {
    let table = check(&Disk::by_sfdisk(64, GPT));
    let kinds: Vec<_> = table.partitions().iter().map(|found| found.kind).collect();
    assert_eq!(kinds, [PartitionType::ESP, PartitionType::MSR, PartitionType::BASIC_DATA]);
    let data = table.partition(3).unwrap();
    assert_eq!(data.attributes, GptAttributes::NO_DRIVE_LETTER);
    assert_eq!((data.name.as_str(), data.start, data.len), ("Grüße, 世界", 7 << 20, 8 << 20));
    check(&Disk::by_sfdisk(64, "label: gpt\n"));
    let all = "label: gpt\nsize=1MiB,attrs=\"RequiredPartition NoBlockIOProtocol \
               LegacyBIOSBootable GUID:48,60,61,62\"\n";
    check(&Disk::by_sfdisk(64, all));
}

#[test]
fn gpt_by_sgdisk() {
    let words = ["-n", "7:2048:4095", "-t", "7:ef00", "-c", "7:seven", "-n", "2:8192:+1M", "DISK"];
    let table = check(&Disk::by("sgdisk", 64, &words));
    let numbers: Vec<_> = table.partitions().iter().map(|found| found.number).collect();
    assert_eq!(numbers, [2, 7]);
    // More room for entries than usual, all of it used.
    let disk = Disk::by("sgdisk", 256, &["-S", "256", "DISK"]);
    let script: String = (1..=200).map(|number| format!("{number} : size=1MiB\n")).collect();
    feed(Command::new(tools::require("sfdisk")).args(["-q", "--append"]).arg(&disk.path), &script);
    assert_eq!(check(&disk).partitions().len(), 200);
}

#[test]
fn gpt_and_mbr_by_parted() {
    let words = ["-s", "DISK", "mklabel", "gpt", "mkpart", "one", "ntfs", "1MiB", "9MiB"];
    let table = check(&Disk::by("parted", 64, &words));
    assert_eq!(table.partition(1).unwrap().name, "one");
    let mbr = ["-s", "DISK", "mklabel", "msdos", "mkpart", "primary", "fat32", "1MiB", "9MiB"];
    let rest = ["mkpart", "extended", "10MiB", "60MiB", "mkpart", "logical", "11MiB", "20MiB"];
    let words: Vec<_> = mbr.into_iter().chain(rest).collect();
    let table = check(&Disk::by("parted", 64, &words));
    let numbers: Vec<_> = table.partitions().iter().map(|found| found.number).collect();
    assert_eq!(numbers, [1, 2, 5]);
}

#[test]
fn mbr_with_logical_partitions() {
    let disk = Disk::by_sfdisk(64, LOGICAL);
    let table = check(&disk);
    let numbers: Vec<_> = table.partitions().iter().map(|found| found.number).collect();
    assert_eq!(numbers, [1, 2, 5, 6, 7]);
    assert!(table.partition(1).unwrap().active && table.partition(2).unwrap().kind.is_extended());
    // A chain that does not go forward.
    disk.run("sfdisk", &["-q", "--delete", "DISK", "5"]);
    check(&disk);
    let again = "start=10240,size=1024,type=83\n";
    feed(Command::new(tools::require("sfdisk")).args(["-q", "--append"]).arg(&disk.path), again);
    assert_eq!(check(&disk).partitions().len(), 5);
    check(&Disk::by_sfdisk(64, "label: dos\n"));
    check(&Disk::by_sfdisk(64, "label: dos\nstart=8192,size=40960,type=5\n"));
    let many: String = (0..50).map(|_| "size=1MiB,type=83\n").collect();
    let many = format!("label: dos\nstart=2048,size=245760,type=f\n{many}");
    assert_eq!(check(&Disk::by_sfdisk(160, &many)).partitions().len(), 51);
}

#[test]
fn sectors_of_4096_bytes() {
    let disk = Disk::new(64);
    let input = "g\nn\n3\n\n+8M\nn\n5\n\n\nt\n3\n1\nw\n";
    feed(Command::new(tools::require("fdisk")).args(["-b", "4096"]).arg(&disk.path), input);
    let table = disk.table(4096);
    let columns = ["-b", "4096", "-l", "-o", "Start,End,Sectors,Type-UUID,UUID", "DISK"];
    let printed = disk.run("fdisk", &columns);
    let theirs: Vec<Vec<_>> = printed
        .lines()
        .filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    let ours: Vec<Vec<_>> = table
        .partitions()
        .iter()
        .map(|found| {
            let PartitionType::Gpt(kind) = found.kind else { unreachable!() };
            let numbers = [found.start / 4096, found.end() / 4096 - 1, found.len / 4096]
                .map(|n| n.to_string());
            let guids = [kind, found.id.unwrap()].map(|guid| guid.to_string().to_uppercase());
            numbers.into_iter().chain(guids).collect()
        })
        .collect();
    assert_eq!((ours, table.warnings()), (theirs, &[][..]));
    assert_eq!(table.partitions()[0].kind, PartitionType::ESP);
    let input = "o\nn\ne\n1\n\n\nn\n\n+4M\nn\n\n\nw\n";
    feed(Command::new(tools::require("fdisk")).args(["-b", "4096"]).arg(&disk.path), input);
    let columns = ["-b", "4096", "-l", "-o", "Start,Sectors,Id", "DISK"];
    let printed = disk.run("fdisk", &columns);
    let ours: Vec<String> = disk
        .table(4096)
        .partitions()
        .iter()
        .map(|found| {
            let PartitionType::Mbr(kind) = found.kind else { unreachable!() };
            format!("{} {} {kind:x}", found.start / 4096, found.len / 4096)
        })
        .collect();
    let theirs: Vec<_> = printed
        .lines()
        .filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!((ours.len(), ours), (3, theirs));
}

#[test]
fn a_hybrid_is_a_gpt() {
    let words = ["-n", "1:2048:+4M", "-n", "2:16384:+4M", "-t", "2:0700", "DISK"];
    let disk = Disk::by("sgdisk", 64, &words);
    disk.run("sgdisk", &["-h", "2", "DISK"]);
    let table = disk.table(512);
    assert_eq!((table.partitions().len(), table.warnings()), (2, &[Warning::Hybrid][..]));
    assert!(matches!(table.id(), TableId::Gpt(_)));
}

#[test]
fn a_partition_is_a_window_of_the_disk() {
    let disk = Disk::by_sfdisk(64, GPT);
    let volume = disk.path.with_extension("volume");
    fs_err::File::create_new(&volume).unwrap().set_len(8 << 20).unwrap();
    let table = disk.table(512);
    let third = table.partition(3).unwrap();
    tools::run(
        &tools::require("mkntfs"),
        ["-F", "-Q", "-q", "-s", "512", volume.to_str().unwrap()],
    );
    let contents = fs_err::read(&volume).unwrap();
    let file = fs_err::OpenOptions::new().read(true).write(true).open(&disk.path).unwrap();
    imprint_blockio::WriteAt::write_all_at(&file, &contents, third.start).unwrap();
    let window = Slice::new(FlatDevice::new(file, 512), third.start, third.len).unwrap();
    let mut found = vec![0; contents.len()];
    window.read_exact_at(&mut found, 0).unwrap();
    assert!(found == contents);
    assert!(PartitionTable::read(&window).unwrap().is_none(), "an NTFS volume has no table");
}
