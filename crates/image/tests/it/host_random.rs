//! Random trees, written to a directory and read back.

use imprint_image::host::{HostSource, HostTarget, TargetOptions};
use imprint_image::{ScanOptions, Target};
use imprint_winvalues::tree::{ExtendedAttribute, NameId, Tree, UnixData};
use imprint_winvalues::{FileTime, WinName};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::conformance::{
    Delivery, Summary, apply, assert_same, directory, everything, file, read,
};
use crate::host_apply::{scratch, symbolic_link};

/// One step of building a tree. Places are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Directory(usize),
    File(usize, Vec<u8>),
    /// A file with the data of an earlier step.
    Same(usize, usize),
    Link(usize, usize),
    SymbolicLink(usize, String),
}

fn steps() -> impl Strategy<Value = Vec<(Step, WinName, Times)>> {
    let place = 0..1000_usize;
    let data = prop_oneof![
        4 => vec(any::<u8>(), 0..40),
        1 => (1..200_000_usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    let step = prop_oneof![
        2 => place.clone().prop_map(Step::Directory),
        4 => (place.clone(), data).prop_map(|(at, data)| Step::File(at, data)),
        2 => (place.clone(), place.clone()).prop_map(|(at, of)| Step::Same(at, of)),
        2 => (place.clone(), place.clone()).prop_map(|(at, of)| Step::Link(at, of)),
        1 => (place, "[^\0/]{1,40}").prop_map(|(at, to)| Step::SymbolicLink(at, to)),
    ];
    vec((step, name(), times()), 0..60)
}

type Times = (u64, u64, u32);

/// Any UTF-16 that Linux takes: no separator, no NUL, not dots, at most 255 bytes.
fn name() -> impl Strategy<Value = WinName> {
    let unit = prop_oneof![4 => 0x20..0x7f_u16, 1 => 1..0x20_u16, 2 => any::<u16>()];
    vec(unit, 1..60).prop_map(|units| WinName::from_units(&units)).prop_filter("a name", |name| {
        let bytes = name.to_wtf8();
        !name.is_dots() && bytes.len() <= 255 && !bytes.contains(&b'/') && !bytes.contains(&0)
    })
}

/// Times from 1901 to 2446, what ext4 keeps.
fn times() -> impl Strategy<Value = Times> {
    let range = 95_000_000_000_000_000..266_000_000_000_000_000_u64;
    (range.clone(), range, any::<u32>())
}

fn build(steps: &[(Step, WinName, Times)], unix: bool) -> Tree {
    let mut tree = Tree::new(directory());
    let mut directories = vec![NameId::ROOT];
    let mut files = Vec::new();
    let mut contents: Vec<Vec<u8>> = vec![b"first".to_vec()];
    for (step, name, (access, write, extra)) in steps {
        let at = |n: &usize| directories[n % directories.len()];
        let (parent, mut new) = match step {
            Step::Directory(parent) => (at(parent), directory()),
            Step::File(parent, data) => {
                contents.push(data.clone());
                (at(parent), file(data))
            }
            Step::Same(parent, of) => (at(parent), file(&contents[of % contents.len()])),
            Step::SymbolicLink(parent, to) => {
                (at(parent), symbolic_link(&to.replace('\\', "|"), true))
            }
            Step::Link(parent, of) => {
                let parent = at(parent);
                if !files.is_empty() && tree.child(parent, name).is_none() {
                    tree.link(parent, name.clone(), files[of % files.len()]).unwrap();
                }
                continue;
            }
        };
        // Names that differ in case only are different here, but `child` finds either.
        if tree.child(parent, name).is_some() {
            continue;
        }
        new.times.access = FileTime(*access);
        new.times.write = FileTime(*write);
        if unix {
            let kind = if new.is_directory() { 0o040_700 } else { 0o100_600 };
            let kind = if new.reparse.is_some() { 0o120_777 } else { kind | (extra & 0o7077) };
            let (uid, gid) = owner();
            new.extras_mut().unix = Some(UnixData { uid, gid, mode: kind, rdev: 0 });
            if new.reparse.is_none() && extra % 3 == 0 {
                let value: Box<[u8]> = extra.to_le_bytes().into();
                new.extras_mut().extended_attributes =
                    vec![ExtendedAttribute { name: (*b"user.x").into(), flags: 0, value }];
            }
        }
        let linkable = !new.is_directory() && new.reparse.is_none();
        let is_directory = new.is_directory();
        let id = tree.add(parent, name.clone(), new).unwrap();
        if is_directory {
            directories.push(id);
        } else if linkable {
            files.push(tree.name(id).unwrap().file());
        }
    }
    tree
}

fn owner() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![
        Just(Delivery::Whole),
        Just(Delivery::WholeByThreads),
        (1..5000_usize).prop_map(Delivery::Pieces)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn trees_come_back(steps in steps(), delivery in delivery(), unix in any::<bool>()) {
        let tree = build(&steps, unix);
        let temporary = scratch();
        let path = temporary.path().join("target");
        let options = TargetOptions { unix_data: unix, ..TargetOptions::default() };
        let mut host = HostTarget::new(&path, options).unwrap();
        let kept = host.capabilities();
        prop_assert_eq!(apply(&mut host, &tree, delivery), []);
        let scan = ScanOptions { unix_data: unix, ..everything() };
        let (seen, skipped) = read(&HostSource::new(&path).unwrap(), &scan);
        prop_assert_eq!(skipped, []);
        let mut seen = seen.kept(&kept);
        let mut expected = Summary::in_hand(&tree).kept(&kept);
        // The root was made here, with what everyone's files are made with.
        for summary in [&mut seen, &mut expected] {
            summary.0.get_mut("\\").unwrap().extras = Default::default();
        }
        assert_same(&seen, &expected);
    }
}
