//! Volumes made and filled in one go, judged by the programs of ntfs-3g.

use std::path::Path;

use imprint_ntfs::{FillOptions, Filling, Plan, PlanError, StreamSize, Volume};
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{Mount, tools};
use imprint_winvalues::tree::{
    Content, File, FileId, NameId, ReparseInfo, Stream, StreamKind, Tree,
};
use imprint_winvalues::{Attributes, BlobHash, FileTime, WinName};

const NOW: FileTime = FileTime(133_000_000_000_000_000);

/// A tree whose data is handed over with it.
struct Sample {
    tree: Tree,
    data: Vec<(FileId, u32, Vec<u8>)>,
}

impl Sample {
    fn new() -> Self {
        let root = File::new(Attributes::DIRECTORY);
        Self { tree: Tree::new(root), data: Vec::new() }
    }

    fn directory(&mut self, parent: NameId, name: &str) -> NameId {
        self.tree.add(parent, name.into(), File::new(Attributes::DIRECTORY)).unwrap()
    }

    /// Adds a file with main data.
    fn file(&mut self, parent: NameId, name: &str, data: &[u8]) -> NameId {
        let name = self.tree.add(parent, name.into(), File::new(Attributes::ARCHIVE)).unwrap();
        self.stream(name, "", data);
        name
    }

    fn stream(&mut self, name: NameId, stream: &str, data: &[u8]) {
        let file = self.tree.name(name).unwrap().file();
        let streams = &mut self.tree.file_mut(file).unwrap().streams;
        let content =
            if data.is_empty() { Content::Empty } else { Content::Blob(BlobHash([0; 20])) };
        let number = u32::try_from(streams.len()).unwrap();
        streams.push(Stream { kind: StreamKind::Data, name: WinName::from(stream), content });
        if !data.is_empty() {
            self.data.push((file, number, data.to_vec()));
        }
    }

    fn plan(
        &self,
        size: u64,
        sector_size: u32,
        cluster_size: Option<u32>,
    ) -> Result<Plan, PlanError> {
        let options = FillOptions {
            size,
            sector_size,
            cluster_size,
            label: "Sample".into(),
            serial: 0x1234_5678_9abc_def0,
            hidden_sectors: 0,
            now: NOW,
            no_acls: false,
            no_attributes: false,
        };
        let stream = |(file, stream, data): &(FileId, u32, Vec<u8>)| StreamSize {
            file: *file,
            stream: *stream,
            size: data.len() as u64,
        };
        let sizes: Vec<StreamSize> = self.data.iter().map(stream).collect();
        Plan::new(&self.tree, &sizes, options)
    }

    /// Fills a volume of so many bytes with it.
    fn fill(&self, path: &Path, size: u64, sector_size: u32, cluster_size: Option<u32>) {
        self.fill_without(path, size, sector_size, cluster_size, None);
    }

    /// As [`Self::fill`]; of one file only half of the data comes.
    fn fill_without(
        &self,
        path: &Path,
        size: u64,
        sector_size: u32,
        cluster_size: Option<u32>,
        lost: Option<FileId>,
    ) {
        let file = fs_err::File::create_new(path).unwrap();
        file.set_len(size).unwrap();
        let plan = self.plan(size, sector_size, cluster_size).unwrap();
        assert_eq!(plan.refused(), []);
        let device = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let filling = Filling::begin(device, plan).unwrap();
        for (file, stream, data) in &self.data {
            if lost == Some(*file) {
                filling.write(*file, *stream, 0, &data[..data.len() / 2]).unwrap();
                continue;
            }
            filling.write(*file, *stream, 0, data).unwrap();
            filling.complete(*file, *stream);
        }
        filling.finish(&self.tree).unwrap();
    }
}

/// What the strict checker and the programs of ntfs-3g find wrong with a volume: nothing.
#[track_caller]
fn judge(path: &Path) {
    let found = volumes::check(path, 0, Strictness::Strict);
    assert_eq!(found, "");
    crate::check::assert_sound(path);
    for (tool, options) in
        [("ntfsfix", &["-n"][..]), ("ntfsinfo", &["-m"]), ("ntfsresize", &["-i", "-f", "-P"])]
    {
        let words = options.iter().map(AsRef::as_ref).chain([path.as_os_str()]);
        tools::run(&tools::require(tool), words);
    }
}

fn sample() -> Sample {
    let mut sample = Sample::new();
    sample.file(NameId::ROOT, "empty.txt", b"");
    sample.file(NameId::ROOT, "small.txt", b"a few bytes");
    let windows = sample.directory(NameId::ROOT, "Windows");
    let big = sample.file(windows, "big.bin", &vec![7; 3_000_001]);
    sample.stream(big, "Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n");
    let many = sample.directory(windows, "many");
    for number in 0..2000 {
        sample.file(many, &format!("file with a longer name {number:05}.dll"), &[1; 900]);
    }
    sample
}

#[test]
fn a_volume_is_made_and_filled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    sample().fill(&path, 64 << 20, 512, None);
    judge(&path);
    let mount = Mount::ntfs(&path, &folder.path().join("mount"), "ro,streams_interface=windows");
    let read = |name: &str| fs_err::read(mount.path().join(name)).unwrap();
    assert_eq!(read("empty.txt"), b"");
    assert_eq!(read("small.txt"), b"a few bytes");
    assert_eq!(read("Windows/big.bin"), vec![7; 3_000_001]);
    assert_eq!(read("Windows/big.bin:Zone.Identifier"), b"[ZoneTransfer]\r\nZoneId=3\r\n");
    let many = fs_err::read_dir(mount.path().join("Windows/many")).unwrap();
    assert_eq!(many.count(), 2000);
    assert_eq!(read("Windows/many/file with a longer name 01999.dll"), [1; 900]);
}

/// What wimlib reads from a volume, by path.
fn sizes_and_hashes(folder: &Path, path: &Path) -> String {
    let wim = folder.join("judge.wim");
    let words = ["capture".as_ref(), path.as_os_str(), wim.as_os_str(), "--compress=none".as_ref()];
    tools::run(&tools::require("wimlib-imagex"), words);
    let words = ["dir".as_ref(), wim.as_os_str(), "1".as_ref(), "--detailed".as_ref()];
    let listed = tools::run(&tools::require("wimlib-imagex"), words);
    fs_err::remove_file(wim).unwrap();
    listed
}

#[track_caller]
fn check_geometry(sector: u32, cluster: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    let sample = sample();
    sample.fill(&path, 256 << 20, sector, Some(cluster));
    judge(&path);
    let listed = sizes_and_hashes(folder.path(), &path);
    assert_eq!(listed.matches("Full Path").count(), sample.tree.names().len());
}

#[test]
fn sectors_and_clusters_of_any_size() {
    for (sector, cluster) in [
        (512, 512),
        (512, 1024),
        (512, 65_536),
        (1024, 4096),
        (2048, 2048),
        (4096, 4096),
        (4096, 65_536),
    ] {
        check_geometry(sector, cluster);
    }
}

#[test]
fn a_directory_of_100_000_names_and_a_file_of_1_000() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    let mut sample = Sample::new();
    let many = sample.directory(NameId::ROOT, "many");
    for number in 0..100_000 {
        // Not in their order, and of many lengths.
        let name = format!("{:05} {}", number * 7919 % 100_000, "x".repeat(number % 90));
        sample.file(many, &name, b"");
    }
    let file = sample.file(NameId::ROOT, "file", &[9; 100_000]);
    let file = sample.tree.name(file).unwrap().file();
    for number in 1..1000 {
        let name = format!("another rather long name of the same file, number {number:04}");
        sample.tree.link(NameId::ROOT, name.as_str().into(), file).unwrap();
    }
    sample.fill(&path, 256 << 20, 512, None);
    judge(&path);
    let mount = Mount::ntfs(&path, &folder.path().join("mount"), "ro");
    assert_eq!(fs_err::read_dir(mount.path().join("many")).unwrap().count(), 100_000);
    let linked = mount.path().join("another rather long name of the same file, number 0999");
    assert_eq!(fs_err::read(linked).unwrap(), [9; 100_000]);
    for number in [0, 1, 50_000, 99_999] {
        let name = format!("{:05} {}", number * 7919 % 100_000, "x".repeat(number % 90));
        fs_err::metadata(mount.path().join("many").join(name)).unwrap();
    }
}

#[test]
fn holes_and_compressed_files_take_their_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    let mut sample = Sample::new();
    let mut data = vec![0; 8 << 20];
    for place in [0, 300_000, 5_000_000, (8 << 20) - 1] {
        data[place] = 1;
    }
    let sparse = sample.file(NameId::ROOT, "sparse", &data);
    let compressed = sample.file(NameId::ROOT, "compressed", &vec![5; 100_000]);
    for (name, attribute) in
        [(sparse, Attributes::SPARSE_FILE), (compressed, Attributes::COMPRESSED)]
    {
        let file = sample.tree.name(name).unwrap().file();
        sample.tree.file_mut(file).unwrap().attributes |= attribute;
    }
    sample.fill(&path, 32 << 20, 512, None);
    judge(&path);
    let mount = Mount::ntfs(&path, &folder.path().join("mount"), "ro");
    let read = |name: &str| fs_err::read(mount.path().join(name)).unwrap();
    assert_eq!(read("sparse"), data);
    assert_eq!(read("compressed"), vec![5; 100_000]);
    let blocks = |name: &str| {
        std::os::unix::fs::MetadataExt::blocks(&fs_err::metadata(mount.path().join(name)).unwrap())
    };
    assert_eq!(blocks("sparse"), 4 * 128);
    assert_eq!(blocks("compressed"), 2 * 128);
}

/// Some are described in one record whole, some in parts that would fit into one, and some in several records.
#[test]
fn files_of_many_holes_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut sample = Sample::new();
    for units in [20, 35, 40, 60, 80, 120, 200, 400] {
        let mut data = vec![0; 65_536 * units];
        for (number, unit) in data.chunks_mut(65_536).enumerate().step_by(2) {
            unit.fill(u8::try_from(number % 255).unwrap() + 1);
        }
        let name = sample.file(NameId::ROOT, &format!("of {units} units"), &data);
        let file = sample.tree.name(name).unwrap().file();
        sample.tree.file_mut(file).unwrap().attributes = Attributes::SPARSE_FILE;
    }
    sample.fill(&path, 64 << 20, 512, None);
    judge(&path);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let upcase = volume.upcase().unwrap();
    for (file, _, expected) in &sample.data {
        let name = sample.tree.names().find(|(_, name)| name.file() == *file).unwrap().1;
        let found = volume.find(&name.name.to_string(), &upcase).unwrap().unwrap();
        let found = volume.file(found.record).unwrap().unwrap();
        let data = found.attributes.iter().find(|found| found.kind.0 == 0x80).unwrap();
        let imprint_ntfs::FileValue::Clusters(value) = &data.value else { panic!("in clusters") };
        let mut bytes = vec![0; expected.len()];
        volume.read_value(value, &mut bytes, 0).unwrap();
        assert!(bytes == *expected, "{}", name.name);
    }
}

#[test]
fn files_whose_data_did_not_come_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    let mut sample = Sample::new();
    sample.file(NameId::ROOT, "whole", &[1; 5000]);
    let half = sample.file(NameId::ROOT, "half", &[2; 500_000]);
    let lost = sample.tree.name(half).unwrap().file();
    sample.fill_without(&path, 32 << 20, 512, None, Some(lost));
    judge(&path);
    let mount = Mount::ntfs(&path, &folder.path().join("mount"), "ro");
    assert_eq!(fs_err::read(mount.path().join("whole")).unwrap(), [1; 5000]);
    fs_err::metadata(mount.path().join("half")).unwrap_err();
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut sample = Sample::new();
    sample.file(NameId::ROOT, "large", &[2; 5_000_000]);
    let needed = match sample.plan(5 << 20, 512, None) {
        Err(PlanError::NoRoom { needed, .. }) => needed,
        other => panic!("{other:?}"),
    };
    sample.plan(needed, 512, None).unwrap_err();
    // The copy of the boot sector, and what is no whole cluster.
    let size = needed + (64 << 10);
    let path = folder.path().join("v.img");
    sample.fill(&path, size, 512, None);
    judge(&path);
}

/// The GUID before the data of a tag that is not Microsoft's does not count in the length.
#[test]
fn reparse_points_of_others_have_a_length_without_their_guid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.img");
    let mut sample = Sample::new();
    let data: Vec<u8> = (1..=36).collect();
    let mut tags = Vec::new();
    for (name, tag, length) in [("one", 0x11_u32, 20_u8), ("two", 0x8000_0abc, 36)] {
        let file = sample.file(NameId::ROOT, name, &[]);
        let file = sample.tree.name(file).unwrap().file();
        let made = sample.tree.file_mut(file).unwrap();
        made.attributes |= Attributes::REPARSE_POINT;
        made.reparse = Some(ReparseInfo { tag, reserved: 0, not_fixed: true });
        let (kind, content) = (StreamKind::Reparse, Content::Blob(BlobHash([0; 20])));
        made.streams = vec![Stream { kind, name: WinName::default(), content }];
        sample.data.push((file, 0, data.clone()));
        tags.push((name, tag, length));
    }
    sample.fill(&path, 32 << 20, 512, None);
    judge(&path);
    let mount = Mount::ntfs(&path, &folder.path().join("mount"), "ro");
    for (name, tag, length) in tags {
        let file = mount.path().join(name);
        let words = ["-h", "--only-values", "-n", "system.ntfs_reparse_data"];
        let mut command = std::process::Command::new(tools::require("getfattr"));
        let found = tools::output(command.args(words).arg(file.as_os_str())).stdout;
        let expected = [&tag.to_le_bytes()[..], &[length, 0, 0, 0], &data].concat();
        assert_eq!(found, expected, "{name}");
    }
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let mut found = Vec::new();
    volume.sweep(24..volume.records(), |_, swept| {
        let extras = swept.unwrap().extras.unwrap_or_default();
        found.extend(extras.reparse.map(|(_, _, data)| data.to_vec()));
    });
    assert_eq!(found, [data.clone(), data]);
}
