//! Volumes made and filled in one go, judged by the programs of ntfs-3g.

use std::path::Path;

use imprint_ntfs::{FillOptions, Filling, Plan, StreamSize};
use imprint_testkit::{Mount, tools};
use imprint_winvalues::tree::{Content, File, FileId, NameId, Stream, StreamKind, Tree};
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

    /// Fills a volume of so many bytes with it.
    fn fill(&self, path: &Path, size: u64, sector_size: u32, cluster_size: Option<u32>) {
        let file = fs_err::File::create_new(path).unwrap();
        file.set_len(size).unwrap();
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
        let sizes: Vec<StreamSize> = self
            .data
            .iter()
            .map(|(file, stream, data)| StreamSize {
                file: *file,
                stream: *stream,
                size: data.len() as u64,
            })
            .collect();
        let plan = Plan::new(&self.tree, &sizes, options).unwrap();
        assert_eq!(plan.refused(), []);
        let device = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let filling = Filling::begin(device, plan).unwrap();
        for (file, stream, data) in &self.data {
            filling.write(*file, *stream, 0, data).unwrap();
            filling.complete(*file, *stream);
        }
        filling.finish(&self.tree).unwrap();
    }
}

/// What the programs of ntfs-3g say.
#[track_caller]
fn judge(path: &Path) {
    for (tool, options) in
        [("ntfsfix", &["-n"][..]), ("ntfsinfo", &["-m"]), ("ntfsresize", &["-i", "-f", "-P"])]
    {
        let words = options.iter().map(AsRef::as_ref).chain([path.as_os_str()]);
        let said = tools::run(&tools::require(tool), words);
        println!("{said}");
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
