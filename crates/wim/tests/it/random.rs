//! Properties of trees and files made at random.

use imprint_blockio::MemoryFile;
use imprint_wim::{FinishOptions, IntegrityChange, TreeDetails, Wim, WimInfo, WimWriter, metadata};
use imprint_winvalues::security::SecurityId;
use imprint_winvalues::tree::{
    Content, ExtendedAttribute, File, NameId, ReparseInfo, Stream, StreamKind, TaggedItem, Times,
    Tree, UnixData,
};
use imprint_winvalues::{Attributes, BlobHash, FileTime, WinName};
use proptest::collection::vec;
use proptest::prelude::*;

use super::sample::{self, assert_same, data, directory, hash, info, options, store};

/// Any UTF-16 that can be a name; often short and ASCII, so that names meet.
fn name() -> impl Strategy<Value = WinName> {
    let any = vec(prop_oneof![1_u16..0xffff, 0x41..0x7b_u16, Just(0xd800), Just(0xdc00)], 1..12);
    let short = vec(prop_oneof![0x41..0x44_u16, 0x61..0x64_u16, Just(0x2e)], 1..4);
    prop_oneof![any, short].prop_map(|units| WinName::from_units(&units))
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Content::Empty),
        any::<[u8; 20]>().prop_map(|hash| Content::Blob(BlobHash(hash))),
    ]
}

fn extras(file: &mut File, picks: &[u8]) {
    for pick in picks {
        let extras = file.extras_mut();
        match pick % 4 {
            0 => extras.object_id = Some(vec![*pick; 16 + usize::from(*pick) % 49].into()),
            1 => {
                let (id, mode) = (u32::from(*pick), 0o100_000 | u32::from(*pick));
                extras.unix = Some(UnixData { uid: id, gid: id + 1, mode, rdev: 0 });
            }
            2 => extras.extended_attributes.push(ExtendedAttribute {
                name: vec![b'a'; 1 + usize::from(*pick)].into(),
                flags: *pick,
                value: vec![*pick; usize::from(*pick) * 7].into(),
            }),
            _ => {
                let data = vec![*pick; usize::from(*pick) % 20].into();
                extras.unknown_items.push(TaggedItem { tag: 0x1000 + u32::from(*pick), data });
            }
        }
    }
}

/// A file of any kind that the format can hold.
fn any_file() -> impl Strategy<Value = File> {
    let fields = (any::<u32>(), any::<[u64; 3]>(), vec((name(), content()), 0..4), 0_u8..8);
    let more = (content(), any::<(u32, u16, bool)>(), vec(any::<u8>(), 0..3), 0..4_u32);
    (fields, more).prop_map(|((bits, times, named, kind), (main, reparse, picks, security))| {
        let mut file = File::default();
        let mut attributes = Attributes::from_bits_retain(bits);
        attributes.set(Attributes::DIRECTORY, kind & 1 != 0);
        attributes.set(Attributes::REPARSE_POINT, kind & 2 != 0);
        attributes.set(Attributes::ENCRYPTED, kind == 4);
        file.attributes = attributes;
        let [creation, access, write] = times.map(FileTime);
        file.times = Times { creation, access, write, change: None };
        file.security = security.checked_sub(1).map(SecurityId);
        let stream = |kind, name, content| Stream { kind, name, content };
        if attributes.contains(Attributes::ENCRYPTED) {
            if main != Content::Empty {
                file.streams.push(stream(StreamKind::EncryptedRaw, WinName::default(), main));
            }
        } else {
            if attributes.contains(Attributes::REPARSE_POINT) {
                let (tag, reserved, not_fixed) = reparse;
                file.reparse = Some(ReparseInfo { tag, reserved, not_fixed });
                let data = stream(StreamKind::Reparse, WinName::default(), main.clone());
                file.streams.push(data);
            }
            if !file.is_directory() && main != Content::Empty {
                file.streams.push(stream(StreamKind::Data, WinName::default(), main));
            }
            for (name, content) in named {
                if file.streams.iter().all(|s| s.name != name) {
                    file.streams.push(stream(StreamKind::Data, name, content));
                }
            }
        }
        extras(&mut file, &picks);
        file
    })
}

/// What to do to a tree: where, under which name and short name, which file; or a link to a file.
type Step = (u32, WinName, Option<WinName>, Option<File>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        any::<u32>(),
        name(),
        proptest::option::of(name()),
        proptest::option::weighted(0.8, any_file()),
    );
    vec(step, 0..40)
}

fn build(steps: &[Step]) -> Tree {
    let mut tree = Tree::new(directory());
    for descriptor in [&b"first"[..], b"", b"third descriptor"] {
        tree.security.push(descriptor).unwrap();
    }
    for (place, name, short, file) in steps {
        let names: Vec<NameId> = tree.walk(NameId::ROOT).map(|(id, _)| id).collect();
        let id = names[*place as usize % names.len()];
        // Nothing can be put below a link.
        let is_link = |file: &File| file.reparse.is_some_and(|info| info.tag & 0x2000_0000 != 0);
        let found = tree.file_of(id).unwrap();
        let parent = if found.is_directory() && !is_link(found) { id } else { NameId::ROOT };
        let taken = tree
            .name(parent)
            .unwrap()
            .children()
            .iter()
            .any(|&child| tree.name(child).unwrap().name == *name);
        if taken || name.is_dots() || name.units().contains(&0) {
            continue;
        }
        let added = match file {
            Some(file) => tree.add(parent, name.clone(), file.clone()).unwrap(),
            None => {
                let target = tree.name(id).unwrap().file();
                let file = tree.file(target).unwrap();
                if file.is_directory() || file.reparse.is_some() {
                    continue;
                }
                tree.link(parent, name.clone(), target).unwrap()
            }
        };
        if let Some(short) = short {
            tree.name_mut(added).unwrap().short_name = short.clone();
        }
    }
    tree
}

/// What is done to a WIM file.
#[derive(Clone, Debug)]
enum Change {
    Add { contents: Vec<u8>, links: u8 },
    Replace { image: u32, contents: Vec<u8> },
    Remove { image: u32 },
    Boot { image: u32 },
    Rename { image: u32 },
}

fn change() -> impl Strategy<Value = Change> {
    let contents = || vec(0..6_u8, 0..5);
    prop_oneof![
        3 => (contents(), 0..3_u8).prop_map(|(contents, links)| Change::Add { contents, links }),
        1 => (any::<u32>(), contents()).prop_map(|(image, contents)| Change::Replace { image, contents }),
        1 => any::<u32>().prop_map(|image| Change::Remove { image }),
        1 => any::<u32>().prop_map(|image| Change::Boot { image }),
        1 => any::<u32>().prop_map(|image| Change::Rename { image }),
    ]
}

/// A tree of one file for each number; equal numbers are equal contents.
fn numbered(contents: &[u8], links: u8) -> Tree {
    let mut tree = Tree::new(directory());
    for (number, position) in contents.iter().zip(0..) {
        let name = format!("file {position}");
        let bytes = vec![*number; usize::from(*number) * 1000];
        let added = tree.add(NameId::ROOT, name.as_str().into(), data(&bytes)).unwrap();
        let file = tree.name(added).unwrap().file();
        for link in 0..links {
            let name = format!("link {position} {link}");
            tree.link(NameId::ROOT, name.as_str().into(), file).unwrap();
        }
    }
    tree
}

/// How often the images refer to each number's contents.
fn references(images: &[Tree]) -> [u32; 6] {
    let mut counts = [0; 6];
    for tree in images {
        for (_, file) in tree.files() {
            for stream in &file.streams {
                if let Content::Inline(bytes) = &stream.content {
                    counts[usize::from(bytes[0])] += file.links();
                }
            }
        }
    }
    counts
}

fn apply(changes: &[Change], images: &mut Vec<Tree>, writer: &mut WimWriter<MemoryFile>) {
    let pick = |image: &u32, count: usize| *image as usize % count.max(1);
    for (change, number) in changes.iter().zip(0..) {
        let count = images.len();
        match change {
            Change::Add { contents, links } => {
                let tree = numbered(contents, *links);
                let mut stored = tree.clone();
                store(writer, &mut stored);
                let name = format!("{number} of {count} {}", writer.position());
                writer.add_image(&stored, info(&name)).unwrap();
                images.push(tree);
            }
            Change::Replace { image, contents } if count > 0 => {
                let at = pick(image, count);
                let tree = numbered(contents, 0);
                let mut stored = tree.clone();
                store(writer, &mut stored);
                let index = u32::try_from(at + 1).unwrap();
                let info = writer.info().image(index).unwrap();
                writer.replace_image(index, &stored, &TreeDetails::default(), info).unwrap();
                images[at] = tree;
            }
            Change::Remove { image } if count > 0 => {
                let at = pick(image, count);
                writer.remove_image(u32::try_from(at + 1).unwrap()).unwrap();
                images.remove(at);
            }
            Change::Boot { image } => {
                let index = u32::try_from(pick(image, count + 1)).unwrap();
                writer.set_boot_index(index).unwrap();
            }
            Change::Rename { image } if count > 0 => {
                let index = u32::try_from(pick(image, count) + 1).unwrap();
                let name = format!("renamed {}", writer.position());
                if writer.info().find_image(&name).is_none() {
                    writer.info_mut().set_property(index, "NAME", &name).unwrap();
                }
            }
            _ => {}
        }
    }
}

fn element() -> impl Strategy<Value = String> {
    let text = "[ -~äß漢]{0,8}".prop_map(|text| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;")
    });
    let leaf =
        ("[A-Z]{1,4}", text.clone()).prop_map(|(name, text)| format!("<{name}>{text}</{name}>"));
    leaf.prop_recursive(4, 30, 4, move |inner| {
        ("[A-Z]{1,4}", text.clone(), vec(inner, 1..4)).prop_map(|(name, value, inner)| {
            format!("<{name} A=\"{value}\">{}</{name}>", inner.concat())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: imprint_testkit::soak::rounds(64, 5000),
        failure_persistence: Some(Box::new(
            proptest::test_runner::FileFailurePersistence::SourceParallel("regressions"),
        )),
        ..ProptestConfig::default()
    })]

    #[test]
    fn trees_come_back(steps in steps()) {
        let tree = build(&steps);
        let bytes = metadata::write(&tree, &TreeDetails::default()).unwrap();
        let image = metadata::read(&bytes, 1).unwrap();
        prop_assert_eq!(&image.warnings, &[]);
        assert_same(&image.tree, &tree);
        prop_assert!(metadata::write(&image.tree, &image.details).unwrap() == bytes);
    }

    #[test]
    fn damaged_metadata_is_read_or_refused(steps in steps(), damage in vec((any::<u32>(), any::<u8>()), 1..6)) {
        let mut bytes = metadata::write(&build(&steps), &TreeDetails::default()).unwrap();
        for (at, value) in damage {
            let at = at as usize % bytes.len();
            bytes[at] = value;
        }
        if let Ok(image) = metadata::read(&bytes, 1)
            && let Ok(again) = metadata::write(&image.tree, &image.details)
        {
            assert_same(&metadata::read(&again, 1).unwrap().tree, &image.tree);
        }
    }

    #[test]
    fn xml_data_comes_back(elements in vec(element(), 0..5)) {
        let text = format!("\u{feff}<WIM>{}</WIM>", elements.concat());
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        // An element named IMAGE would need a number.
        if let Ok(info) = WimInfo::parse(&bytes, 0) {
            prop_assert!(info.to_bytes() == bytes);
        }
    }

    #[test]
    fn files_hold_what_was_done_to_them(sessions in vec((vec(change(), 0..6), any::<bool>()), 1..5)) {
        let mut images = Vec::new();
        let mut bytes = None;
        for (changes, integrity) in sessions {
            let mut writer = match bytes.take() {
                None => WimWriter::create(MemoryFile::default(), options(None)).unwrap(),
                Some(bytes) => {
                    WimWriter::append(Wim::open(MemoryFile::new(bytes)).unwrap()).unwrap()
                }
            };
            apply(&changes, &mut images, &mut writer);
            let integrity = if integrity { IntegrityChange::Add } else { IntegrityChange::Keep };
            bytes = Some(writer.finish(FinishOptions { integrity }).unwrap().into_bytes());
            let wim = sample::verify(bytes.clone().unwrap());
            prop_assert_eq!(wim.image_count() as usize, images.len());
            for (tree, index) in images.iter().zip(1..) {
                assert_same(&wim.read_tree(index).unwrap().tree, tree);
            }
            for (count, number) in references(&images).into_iter().zip(0_u8..) {
                let blob = wim.blobs().find(&hash(&vec![number; usize::from(number) * 1000]));
                prop_assert_eq!(blob.map_or(0, |blob| blob.references), count);
            }
            let boot = wim.header().boot_index;
            let expected = wim.metadata_entry(boot).map(|entry| entry.header).unwrap_or_default();
            prop_assert_eq!(wim.header().boot_metadata, expected);
        }
    }
}
