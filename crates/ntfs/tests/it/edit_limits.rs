//! Volumes changed to their limits: directories of many names, files in many pieces, no room left.

use std::path::Path;

use imprint_ntfs::{
    EditError, EditOptions, Editor, FileReference, FileValue, FillOptions, Filling, NewFile, Plan,
    Volume,
};
use imprint_progress::Progress;
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{ntfs_volume, soak};
use imprint_winvalues::tree::{File, NameId, Tree};
use imprint_winvalues::{Attributes, FileTime, WinName};

const OPTIONS: EditOptions = EditOptions { now: FileTime(133_000_000_000_000_000), force: false };

fn open(path: &Path) -> Editor<fs_err::File> {
    let file = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    Editor::open(file, OPTIONS).unwrap()
}

/// What our check, the strict one and the programs of ntfs-3g find wrong with a volume: nothing.
#[track_caller]
fn judge(path: &Path) {
    let report = imprint_ntfs::check(&fs_err::File::open(path).unwrap(), &Progress::new());
    assert_eq!(report.unwrap().findings, []);
    assert_eq!(volumes::check(path, 0, Strictness::Strict), "");
    assert_eq!(volumes::complaints(path), "");
}

fn create<D: imprint_blockio::WriteAt>(
    editor: &mut Editor<D>,
    parent: FileReference,
    name: &str,
) -> Result<FileReference, EditError> {
    editor.create(parent, &NewFile { name: name.into(), ..NewFile::default() })
}

fn write<D: imprint_blockio::WriteAt>(
    editor: &mut Editor<D>,
    file: FileReference,
    size: u64,
) -> Result<(), EditError> {
    editor.write_stream(file, &WinName::default(), size, |buf, offset| {
        buf.fill(u8::try_from(offset >> 20 & 0xff).unwrap());
        Ok(())
    })
}

#[test]
fn directories_of_many_names_grow_and_shrink() {
    let count = soak::rounds(4_000, 100_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 512);
    let mut editor = open(&path);
    let root = editor.find("").unwrap().unwrap();
    let new = NewFile { name: "many".into(), is_directory: true, ..NewFile::default() };
    let many = editor.create(root, &new).unwrap();
    // In an order in which neighbours come far apart.
    let name = |number: u32| format!("a name of some length {:06}", number * 7919 % count);
    for number in 0..count {
        create(&mut editor, many, &name(number)).unwrap();
    }
    drop(editor.close().unwrap());
    judge(&path);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let listed = volume.directory(many.record).unwrap().unwrap();
    assert_eq!(listed.entries().unwrap().map(Result::unwrap).count(), count as usize);
    let mut editor = open(&path);
    for number in (0..count).filter(|number| number % 10 != 3) {
        editor.remove(many, &name(number).as_str().into()).unwrap();
    }
    drop(editor.close().unwrap());
    judge(&path);
    let mut editor = open(&path);
    for number in (0..count).filter(|number| number % 10 == 3) {
        editor.remove(many, &name(number).as_str().into()).unwrap();
    }
    editor.remove(root, &"many".into()).unwrap();
    drop(editor.close().unwrap());
    judge(&path);
}

#[test]
fn a_full_volume_is_told_and_stays_sound() {
    let pieces = soak::rounds(1_000, 10_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 8 + u64::from(pieces) / 100);
    let mut editor = open(&path);
    let root = editor.find("").unwrap().unwrap();
    let name = |number: u32| format!("{number:06}");
    // Files of a cluster each, until nothing fits any more.
    let mut count = 0;
    loop {
        let made = create(&mut editor, root, &name(count));
        let filled = made.and_then(|file| write(&mut editor, file, 4096));
        match filled {
            Ok(()) => count += 1,
            Err(EditError::NoRoom { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(count > 2 * pieces, "{count}");
    // Removing works without any room; ntfsresize does not look at full volumes.
    editor.commit().unwrap();
    assert!(editor.free_bytes().unwrap() < 100_000);
    editor.remove(root, &name(count - 1).as_str().into()).unwrap();
    drop(editor.close().unwrap());
    judge(&path);
    // Every second one goes: what is free lies in pieces of one cluster.
    let mut editor = open(&path);
    for number in (0..2 * pieces).step_by(2) {
        editor.remove(root, &name(number).as_str().into()).unwrap();
    }
    editor.commit().unwrap();
    // One that fits into the pieces, and one that does not.
    let file = create(&mut editor, root, "in pieces").unwrap();
    let size = u64::from(pieces) * 4096 * 9 / 10;
    write(&mut editor, file, size).unwrap();
    let before = editor.free_bytes().unwrap();
    let error = write(&mut editor, file, size * 3).unwrap_err();
    assert!(matches!(error, EditError::NoRoom { .. }), "{error}");
    assert_eq!(editor.free_bytes().unwrap(), before);
    drop(editor.close().unwrap());
    judge(&path);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    let found = volume.file(file.record).unwrap().unwrap();
    let data = found.attributes.iter().find(|found| found.kind.0 == 0x80).unwrap();
    let FileValue::Clusters(value) = &data.value else { panic!("it is in clusters") };
    assert!(value.runs().len() > pieces as usize / 2, "{} runs", value.runs().len());
    assert_eq!(value.size(), size);
    // Cut, and made longer again, it gives back what it took.
    let mut editor = open(&path);
    editor.resize_stream(file, &WinName::default(), 100_000).unwrap();
    editor.commit().unwrap();
    assert!(editor.free_bytes().unwrap() > before + size - 200_000);
    editor.append_stream(file, &WinName::default(), &[7; 50_000]).unwrap();
    drop(editor.close().unwrap());
    judge(&path);
}

#[test]
fn a_file_of_many_names_needs_many_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    ntfs_volume(&path, 32);
    let mut editor = open(&path);
    let root = editor.find("").unwrap().unwrap();
    let file = create(&mut editor, root, "first").unwrap();
    write(&mut editor, file, 10_000).unwrap();
    let name =
        |number: u32| WinName::from(format!("another name of it, number {number:04}").as_str());
    for number in 0..1_000 {
        editor.link(file, root, &name(number), false).unwrap();
    }
    drop(editor.close().unwrap());
    judge(&path);
    let mut editor = open(&path);
    for number in 0..1_000 {
        editor.remove(root, &name(number)).unwrap();
    }
    drop(editor.close().unwrap());
    judge(&path);
    let volume = Volume::open(fs_err::File::open(&path).unwrap()).unwrap();
    assert_eq!(volume.file(file.record).unwrap().unwrap().links, 1);
}

#[test]
fn a_table_of_many_records_is_read_changed_and_checked() {
    let directories = soak::rounds(20, 1_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut tree = Tree::new(File::new(Attributes::DIRECTORY));
    for directory in 0..directories {
        let name = format!("directory {directory}");
        let directory = File::new(Attributes::DIRECTORY);
        let parent = tree.add(NameId::ROOT, name.as_str().into(), directory).unwrap();
        for number in 0..1_000 {
            let name = format!("file {number}");
            tree.add(parent, name.as_str().into(), File::new(Attributes::ARCHIVE)).unwrap();
        }
    }
    let size = (64 << 20) + u64::from(directories) * (3 << 19);
    let options = FillOptions {
        size,
        sector_size: 512,
        cluster_size: None,
        label: WinName::default(),
        serial: 1,
        hidden_sectors: 0,
        now: OPTIONS.now,
        no_acls: false,
        no_attributes: false,
    };
    let plan = Plan::new(&tree, &[], options).unwrap();
    fs_err::File::create_new(&path).unwrap().set_len(size).unwrap();
    let device = fs_err::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    Filling::begin(device, plan).unwrap().finish(&tree).unwrap();
    let mut editor = open(&path);
    let parent = editor.find(&format!("directory {}", directories - 1)).unwrap().unwrap();
    for number in 0..2_000 {
        create(&mut editor, parent, &format!("new {number}")).unwrap();
    }
    for number in 0..500 {
        editor.remove(parent, &format!("file {number}").as_str().into()).unwrap();
    }
    drop(editor.close().unwrap());
    let report = imprint_ntfs::check(&fs_err::File::open(&path).unwrap(), &Progress::new());
    let report = report.unwrap();
    assert_eq!(report.findings, []);
    let files = u64::from(directories) * 1_000 + 1_500;
    assert!((files..files + 100).contains(&report.summary.files), "{:?}", report.summary);
    assert_eq!(volumes::complaints(&path), "");
}
