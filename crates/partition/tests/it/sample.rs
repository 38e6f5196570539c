//! Disks made by sfdisk.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use imprint_blockio::FlatDevice;
use imprint_partition::{PartitionTable, ReadError};
use imprint_testkit::tools;

pub(crate) const MIB: usize = 1 << 20;

/// Bytes of a disk of so many MiB that sfdisk partitioned.
#[track_caller]
pub(crate) fn disk(mebibytes: u64, script: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    fs_err::File::create_new(&path).unwrap().set_len(mebibytes << 20).unwrap();
    partition(&path, script);
    fs_err::read(&path).unwrap()
}

/// Lets sfdisk partition a file.
#[track_caller]
pub(crate) fn partition(path: &Path, script: &str) {
    feed(Command::new(tools::require("sfdisk")).arg("-q").arg(path), script);
}

/// Runs a program that reads `input` and must succeed.
#[track_caller]
pub(crate) fn feed(command: &mut Command, input: &str) {
    command.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", tools::Shown(&output.stderr));
}

/// Reads the table of a disk with 512-byte sectors.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<PartitionTable>, ReadError> {
    PartitionTable::read(&FlatDevice::new(bytes, 512))
}

pub(crate) const GPT: &str = "label: gpt
label-id: 11111111-2222-3333-4444-555555555555
size=4MiB,type=uefi,name=\"EFI system\",uuid=0A0A0A0A-0000-4000-8000-000000000001
size=2MiB,type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE
size=8MiB,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7,name=\"Grüße, 世界\",attrs=\"GUID:63\"
";

pub(crate) const LOGICAL: &str = "label: dos
label-id: 0x12345678
start=2048,size=4096,type=7,bootable
start=8192,size=40960,type=f
start=10240,size=2048,type=83
start=14336,size=2048,type=7
start=20480,size=4096,type=b
";
