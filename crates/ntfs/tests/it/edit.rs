//! Volumes changed in place, held against a model and judged by other programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imprint_ntfs::{EditError, EditOptions, Editor, FileReference, FileValue, NewFile, Volume};
use imprint_progress::Progress;
use imprint_testkit::volumes::{self, Strictness};
use imprint_testkit::{Kind, Mount, Random, ntfs_volume, soak};
use imprint_winvalues::tree::Times;
use imprint_winvalues::{Attributes, FileTime, WinName};

const NOW: FileTime = FileTime(133_000_000_000_000_000);
const OPTIONS: EditOptions = EditOptions { now: NOW, force: false };

/// What a volume is to hold.
#[derive(Debug, Default)]
struct Model {
    files: Vec<Option<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    reference: Option<FileReference>,
    /// Names of a directory, by their lower case; each with what it is called, and the file.
    entries: Option<BTreeMap<String, (String, usize)>>,
    /// How many names it has.
    links: usize,
    streams: BTreeMap<String, Vec<u8>>,
    attributes: u32,
    times: u64,
    reparse: Option<Vec<u8>>,
}

/// A volume under random changes.
struct Trial {
    random: Random,
    model: Model,
    editor: Option<Editor<fs_err::File>>,
    path: PathBuf,
}

fn open(path: &Path) -> Editor<fs_err::File> {
    let file = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    Editor::open(file, OPTIONS).unwrap()
}

impl Trial {
    fn new(path: &Path, seed: u64) -> Self {
        let editor = open(path);
        let root = Held {
            reference: editor.find("").unwrap(),
            entries: Some(BTreeMap::new()),
            links: 1,
            ..Held::default()
        };
        Self {
            random: Random::new(seed),
            model: Model { files: vec![Some(root)] },
            editor: Some(editor),
            path: path.to_owned(),
        }
    }

    fn editor(&mut self) -> &mut Editor<fs_err::File> {
        self.editor.as_mut().unwrap()
    }

    /// A file of some kind; `None` if there is none.
    fn any(&mut self, wanted: impl Fn(&Held) -> bool) -> Option<usize> {
        let found: Vec<usize> = self
            .model
            .files
            .iter()
            .enumerate()
            .filter(|(_, held)| held.as_ref().is_some_and(&wanted))
            .map(|(number, _)| number)
            .collect();
        (!found.is_empty()).then(|| *self.random.pick(&found))
    }

    fn held(&mut self, number: usize) -> &mut Held {
        self.model.files[number].as_mut().unwrap()
    }

    fn reference(&mut self, number: usize) -> FileReference {
        self.held(number).reference.unwrap()
    }

    fn name(&mut self) -> String {
        let letters = ['a', 'B', 'c', 'ä', 'Ö', '_', ' ', 'x', '9', '語', '.', '𐐷'];
        let most = if self.random.chance(1, 20) { 120 } else { 12 };
        let length = 1 + self.random.below(most);
        let mut name = String::from("n");
        for _ in 0..length {
            name.push(*self.random.pick(&letters));
        }
        name.push('e');
        name
    }

    fn data(&mut self) -> Vec<u8> {
        let most = *self.random.pick(&[60, 800, 5_000, 70_000, 300_000]);
        let length = self.random.index(most + 1);
        let seed = self.random.below(u64::MAX);
        Kind::Random.bytes(length, seed)
    }

    fn step(&mut self) {
        match self.random.below(24) {
            0..=5 => self.create(false),
            6 => self.create(true),
            7..=9 => self.write(""),
            10 => self.write("stream"),
            11 => self.append(),
            12 => self.resize(),
            13 => self.link(),
            14..=15 => self.rename(),
            16..=19 => self.remove(),
            20 => self.set_attributes(),
            21 => self.set_security(),
            22 => self.set_reparse(),
            _ => self.remove_stream(),
        }
    }

    fn create(&mut self, is_directory: bool) {
        let Some(parent) = self.any(|held| held.entries.is_some()) else { return };
        let name = self.name();
        let short = if self.random.chance(1, 4) {
            format!("S{:07}.TXT", self.random.below(10_000_000))
        } else {
            String::new()
        };
        let new = NewFile {
            name: name.as_str().into(),
            short_name: short.as_str().into(),
            is_directory,
            attributes: Attributes::ARCHIVE,
            ..NewFile::default()
        };
        let taken = self.held(parent).entries.as_ref().unwrap().contains_key(&name.to_lowercase());
        let at = self.reference(parent);
        match self.editor().create(at, &new) {
            Err(EditError::Exists) if taken => {}
            Ok(reference) if !taken => {
                let number = self.model.files.len();
                let entries = self.held(parent).entries.as_mut().unwrap();
                entries.insert(name.to_lowercase(), (name, number));
                self.model.files.push(Some(Held {
                    reference: Some(reference),
                    entries: is_directory.then(BTreeMap::new),
                    links: 1,
                    streams: if is_directory {
                        BTreeMap::new()
                    } else {
                        [(String::new(), Vec::new())].into()
                    },
                    attributes: Attributes::ARCHIVE.bits(),
                    times: NOW.0,
                    reparse: None,
                }));
            }
            other => panic!("{name}: {other:?}, taken: {taken}"),
        }
    }

    fn write(&mut self, stream: &str) {
        let Some(number) = self.any(|held| held.entries.is_none() || !stream.is_empty()) else {
            return;
        };
        if number == 0 {
            return;
        }
        let data = self.data();
        let reference = self.reference(number);
        let from = data.clone();
        let read = move |buf: &mut [u8], offset: u64| {
            let start = usize::try_from(offset).unwrap();
            buf.copy_from_slice(&from[start..start + buf.len()]);
            Ok(())
        };
        let size = data.len() as u64;
        self.editor().write_stream(reference, &stream.into(), size, read).unwrap();
        self.held(number).streams.insert(stream.to_owned(), data);
        self.held(number).times = NOW.0;
    }

    fn append(&mut self) {
        let Some(number) = self.any(|held| held.entries.is_none()) else { return };
        let data = self.data();
        let reference = self.reference(number);
        self.editor().append_stream(reference, &WinName::default(), &data).unwrap();
        self.held(number).streams.get_mut("").unwrap().extend(data);
        self.held(number).times = NOW.0;
    }

    fn resize(&mut self) {
        let Some(number) = self.any(|held| held.entries.is_none()) else { return };
        let size = self.random.index(400_000);
        let reference = self.reference(number);
        self.editor().resize_stream(reference, &WinName::default(), size as u64).unwrap();
        self.held(number).streams.get_mut("").unwrap().resize(size, 0);
        self.held(number).times = NOW.0;
    }

    fn remove_stream(&mut self) {
        let Some(number) = self.any(|held| held.streams.contains_key("stream")) else { return };
        let reference = self.reference(number);
        self.editor().remove_stream(reference, &"stream".into()).unwrap();
        self.held(number).streams.remove("stream");
        self.held(number).times = NOW.0;
    }

    fn link(&mut self) {
        let (Some(parent), Some(number)) =
            (self.any(|held| held.entries.is_some()), self.any(|held| held.entries.is_none()))
        else {
            return;
        };
        let name = self.name();
        let (at, file) = (self.reference(parent), self.reference(number));
        let taken = self.held(parent).entries.as_ref().unwrap().contains_key(&name.to_lowercase());
        match self.editor().link(file, at, &name.as_str().into(), false) {
            Err(EditError::Exists) if taken => {}
            Ok(()) if !taken => {
                let entries = self.held(parent).entries.as_mut().unwrap();
                entries.insert(name.to_lowercase(), (name, number));
                self.held(number).links += 1;
            }
            other => panic!("{other:?}"),
        }
    }

    /// A directory with entries, and one of them.
    fn any_entry(&mut self) -> Option<(usize, String, usize)> {
        let parent =
            self.any(|held| held.entries.as_ref().is_some_and(|entries| !entries.is_empty()))?;
        let entries: Vec<(String, usize)> =
            self.held(parent).entries.as_ref().unwrap().values().cloned().collect();
        let (name, number) = self.random.pick(&entries).clone();
        Some((parent, name, number))
    }

    fn rename(&mut self) {
        let Some((parent, name, number)) = self.any_entry() else { return };
        let Some(to) = self.any(|held| held.entries.is_some()) else { return };
        let new = if self.random.chance(1, 5) { name.to_uppercase() } else { self.name() };
        let (from, target) = (self.reference(parent), self.reference(to));
        let renamed =
            self.editor().rename(from, &name.as_str().into(), target, &new.as_str().into(), None);
        let same_place = parent == to && name.to_lowercase() == new.to_lowercase();
        let taken = self.held(to).entries.as_ref().unwrap().contains_key(&new.to_lowercase());
        match renamed {
            Err(EditError::Exists) => assert!(taken && !same_place),
            Err(EditError::Loop) => assert!(self.held(number).entries.is_some()),
            Ok(()) => {
                assert!(!taken || same_place);
                self.held(parent).entries.as_mut().unwrap().remove(&name.to_lowercase());
                let entries = self.held(to).entries.as_mut().unwrap();
                entries.insert(new.to_lowercase(), (new, number));
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn remove(&mut self) {
        let Some((parent, name, number)) = self.any_entry() else { return };
        let at = self.reference(parent);
        let full = self.held(number).entries.as_ref().is_some_and(|entries| !entries.is_empty());
        match self.editor().remove(at, &name.as_str().into()) {
            Err(EditError::NotEmpty) => assert!(full),
            Ok(()) => {
                assert!(!full);
                self.held(parent).entries.as_mut().unwrap().remove(&name.to_lowercase());
                self.held(number).links -= 1;
                if self.held(number).links == 0 {
                    self.model.files[number] = None;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn set_attributes(&mut self) {
        let Some(number) = self.any(|held| held.attributes != 0) else { return };
        let bits = *self.random.pick(&[0x20, 0x21, 0x22, 0x2006]);
        let time = 130_000_000_000_000_000 + self.random.below(1 << 40);
        let reference = self.reference(number);
        let attributes = Attributes::from_bits_retain(bits);
        self.editor().set_attributes(reference, attributes).unwrap();
        let time = FileTime(time);
        let times = Times { creation: time, access: time, write: time, change: Some(time) };
        self.editor().set_times(reference, &times).unwrap();
        self.held(number).attributes = bits;
        self.held(number).times = time.0;
    }

    fn set_security(&mut self) {
        let Some(number) = self.any(|held| held.attributes != 0) else { return };
        let reference = self.reference(number);
        // Owner and group are BUILTIN\Administrators; no list, so that everything is allowed.
        let mut descriptor = vec![1, 0, 0, 0x80, 20, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let sid = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        descriptor.extend(sid);
        descriptor.extend(sid);
        let padding = usize::try_from(4 * self.random.below(200)).unwrap();
        descriptor.resize(descriptor.len() + padding, 0);
        self.editor().set_security(reference, &descriptor).unwrap();
    }

    fn set_reparse(&mut self) {
        let Some(number) = self.any(|held| held.attributes != 0) else { return };
        let reference = self.reference(number);
        if self.random.chance(1, 3) {
            self.editor().set_reparse(reference, None).unwrap();
            self.held(number).reparse = None;
            return;
        }
        let length = self.random.index(3_000);
        let data = Kind::Random.bytes(16 + length, 7);
        self.editor().set_reparse(reference, Some((0x0000_2345, 0, &data))).unwrap();
        self.held(number).reparse = Some(data);
    }

    /// Brings everything to the volume and holds it against the model.
    fn check(&mut self, seed: u64) {
        self.editor.take().unwrap().close().unwrap();
        crate::check::assert_sound(&self.path);
        let findings = volumes::check(&self.path, 0, Strictness::Strict);
        assert_eq!(findings, "", "seed {seed}");
        assert_eq!(volumes::complaints(&self.path), "", "seed {seed}");
        let device = fs_err::File::open(&self.path).unwrap();
        let report = imprint_ntfs::check(&device, &Progress::new()).unwrap();
        assert_eq!(report.findings, [], "seed {seed}");
        let volume = Volume::open(device).unwrap();
        for number in 0..self.model.files.len() {
            if let Some(held) = &self.model.files[number] {
                compare(&volume, held, seed);
            }
        }
        self.editor = Some(open(&self.path));
    }
}

/// Holds a file against the model.
fn compare(volume: &Volume<fs_err::File>, held: &Held, seed: u64) {
    let reference = held.reference.unwrap();
    let file = volume.file(reference.record).unwrap().expect("the record is in use");
    assert_eq!(file.reference, reference, "seed {seed}");
    if let Some(entries) = &held.entries {
        let directory = volume.directory(reference.record).unwrap().unwrap();
        let found: Vec<(String, FileReference)> = directory
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.namespace != 2 && entry.reference.record.0 >= 27)
            .map(|entry| (String::from_utf16(&entry.name).unwrap(), entry.reference))
            .collect();
        assert_eq!(found.len(), entries.len(), "seed {seed}");
        for (name, _) in found {
            assert!(entries.contains_key(&name.to_lowercase()), "{name}");
        }
    }
    let mut streams = BTreeMap::new();
    for attribute in &file.attributes {
        if attribute.kind.0 != 0x80 {
            continue;
        }
        let name = WinName::from_le_bytes(&attribute.name).to_string();
        let data = match &attribute.value {
            FileValue::Resident(value) => value.to_vec(),
            FileValue::Clusters(value) => {
                let mut data = vec![0; usize::try_from(value.size()).unwrap()];
                volume.read_value(value, &mut data, 0).unwrap();
                data
            }
        };
        streams.insert(name, data);
    }
    if held.attributes != 0 {
        assert!(streams == held.streams, "seed {seed}: {reference:?}");
    }
}

#[track_caller]
fn trial(seed: u64, steps: u32, mebibytes: u64, options: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    if options.is_empty() {
        ntfs_volume(&path, mebibytes);
    } else {
        make(&path, mebibytes, options);
    }
    let mut trial = Trial::new(&path, seed);
    for step in 0..steps {
        trial.step();
        if trial.random.chance(1, 17) {
            trial.editor().commit().unwrap();
        }
        if step % 50 == 49 {
            trial.check(seed);
        }
    }
    trial.check(seed);
    drop(trial);
    volumes::judge(&path);
}

/// Makes a volume with options of mkntfs.
fn make(path: &Path, mebibytes: u64, options: &[&str]) {
    let file = fs_err::File::create(path).unwrap();
    file.set_len(mebibytes << 20).unwrap();
    let mut words: Vec<&std::ffi::OsStr> = vec!["-F".as_ref(), "-Q".as_ref(), "-q".as_ref()];
    words.extend(options.iter().map(|option| std::ffi::OsStr::new(*option)));
    words.push(path.as_os_str());
    imprint_testkit::tools::run(&imprint_testkit::tools::require("mkntfs"), words);
}

#[test]
fn random_changes_are_as_the_model_says() {
    for seed in 0..u64::from(soak::rounds(3, 100)) {
        trial(seed, 400, 64, &[]);
    }
}

#[test]
fn volumes_of_all_measures_are_changed() {
    trial(1, 200, 64, &["-s", "512", "-c", "512", "-p", "0"]);
    trial(2, 200, 64, &["-s", "512", "-c", "65536", "-p", "0"]);
    trial(3, 200, 64, &["-s", "4096", "-c", "4096", "-p", "0"]);
    trial(4, 200, 64, &["-s", "512", "-c", "2048", "-p", "0"]);
}

#[test]
fn ntfs_3g_reads_what_was_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("volume");
    ntfs_volume(&path, 64);
    let mut trial = Trial::new(&path, 99);
    for _ in 0..600 {
        trial.step();
    }
    trial.check(99);
    let mount = Mount::ntfs(&path, &directory.path().join("mount"), "ro,streams_interface=windows");
    let mut stack = vec![(0, mount.path().to_owned())];
    let mut files = 0;
    while let Some((number, at)) = stack.pop() {
        let held = trial.model.files[number].as_ref().unwrap();
        let Some(entries) = &held.entries else {
            files += 1;
            if held.reparse.is_none() {
                for (stream, data) in &held.streams {
                    let mut name = at.clone().into_os_string();
                    if !stream.is_empty() {
                        name.push(":");
                        name.push(stream);
                    }
                    assert!(fs_err::read(PathBuf::from(name)).unwrap() == *data);
                }
            }
            continue;
        };
        if held.reparse.is_some() {
            continue;
        }
        let found = fs_err::read_dir(&at).unwrap().count();
        assert_eq!(found, entries.len());
        stack.extend(entries.values().map(|(name, number)| (*number, at.join(name))));
    }
    assert!(files > 50);
}
