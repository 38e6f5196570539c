//! Chains of every format against a plain array of bytes.

use imprint_blockio::{BlockDevice, Extent, MemoryFile, ReadAt, WriteAt};
use imprint_testkit::Random;
use imprint_vdisk::{
    Chain, ChainBuilder, Container, Format, Kind, LinkError, NewDisk, NewParent, Vhd, VhdWriter,
    Vhdx, VhdxWriter, WritableContainer, WriteIds, create_vhd, merge,
};
use imprint_winvalues::{FileTime, Guid};
use std::sync::Arc;

/// A file in memory that may be open several times.
type File = Arc<MemoryFile>;

/// What the disks of a trial have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) format: Format,
    pub(crate) size: u64,
    pub(crate) block_size: u32,
    pub(crate) sector_size: u32,
}

pub(crate) fn guid(random: &mut Random) -> Guid {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    Guid::from_random(bytes)
}

pub(crate) fn ids(random: &mut Random) -> WriteIds {
    WriteIds { file_write: guid(random), data_write: guid(random), log: guid(random) }
}

pub(crate) fn reader(format: Format, file: File) -> Box<dyn Container> {
    match format {
        Format::Vhd => Box::new(Vhd::open(file).unwrap()),
        Format::Vhdx => Box::new(Vhdx::open(file).unwrap()),
        Format::Raw => panic!("raw files have no chains"),
    }
}

pub(crate) fn writer(
    format: Format,
    file: File,
    random: &mut Random,
) -> Box<dyn WritableContainer> {
    match format {
        Format::Vhd => Box::new(VhdWriter::open(file, ids(random)).unwrap()),
        Format::Vhdx => Box::new(VhdxWriter::open(file, ids(random)).unwrap()),
        Format::Raw => panic!("raw files have no chains"),
    }
}

/// Makes a disk: dynamic, or differencing if there is a parent.
pub(crate) fn make(setup: Setup, parent: Option<Guid>, random: &mut Random) -> File {
    let file = File::default();
    let new = NewDisk {
        kind: if parent.is_some() { Kind::Differencing } else { Kind::Dynamic },
        size: setup.size,
        block_size: Some(setup.block_size),
        sector_size: setup.sector_size,
        physical_sector_size: 4096,
        identity: guid(random),
        file_write: guid(random),
        disk_id: guid(random),
        created: FileTime::from_unix(1_700_000_000, 0),
        parent: parent.map(|identity| NewParent {
            identity,
            modified: FileTime::from_unix(1_700_000_000, 0),
            relative: r".\parent.vhd".to_owned(),
            absolute: None,
        }),
    };
    let made: Box<dyn WritableContainer> = match setup.format {
        Format::Vhd => Box::new(create_vhd(file.clone(), &new).unwrap()),
        Format::Vhdx => Box::new(VhdxWriter::create(file.clone(), &new, ids(random)).unwrap()),
        Format::Raw => panic!("raw files have no chains"),
    };
    made.close().unwrap();
    file
}

/// Opens the last of some files over the others, for reading.
fn open(setup: Setup, files: &[File]) -> Chain<dyn Container> {
    let mut files = files.iter().rev();
    let mut chain = ChainBuilder::for_reading(reader(setup.format, files.next().unwrap().clone()));
    for file in files {
        chain.push(reader(setup.format, file.clone())).unwrap();
    }
    chain.finish().unwrap()
}

/// The same, with a leaf that can be written.
fn open_for_writing(
    setup: Setup,
    files: &[File],
    random: &mut Random,
) -> Chain<dyn WritableContainer> {
    let mut files = files.iter().rev();
    let leaf = writer(setup.format, files.next().unwrap().clone(), random);
    let mut chain = ChainBuilder::for_writing(leaf);
    for file in files {
        chain.push(reader(setup.format, file.clone())).unwrap();
    }
    chain.finish().unwrap()
}

/// Writes at random places, of any alignment, and keeps the model in step.
fn scribble(chain: &Chain<dyn WritableContainer>, model: &mut [u8], random: &mut Random) {
    for _ in 0..1 + random.index(11) {
        let len = match random.index(4) {
            0 => random.index(100),
            1 => random.index(10_000),
            2 => 4096 * (1 + random.index(20)),
            _ => random.index(1 << 21),
        }
        .clamp(1, model.len());
        let offset = random.index(model.len() - len + 1);
        let offset = if random.chance(1, 2) { offset / 4096 * 4096 } else { offset };
        let target = &mut model[offset..offset + len];
        if random.chance(1, 6) {
            target.fill(0);
            chain.write_zeroes(offset as u64, len as u64).unwrap();
        } else {
            random.fill(target);
            chain.write_all_at(target, offset as u64).unwrap();
        }
        if random.chance(1, 5) {
            chain.flush().unwrap();
        }
    }
}

#[track_caller]
fn check_equal(device: &impl BlockDevice, model: &[u8]) {
    let mut all = vec![0xaa; model.len()];
    device.read_exact_at(&mut all, 0).unwrap();
    if all != model {
        let differs = all.iter().zip(model).position(|(a, b)| a != b);
        panic!("first byte that differs: {differs:?}");
    }
    // The map says the same: what it calls zero is zero, and it covers the disk without gaps.
    let mut offset = 0;
    while offset < model.len() as u64 {
        let extent = device.extent(offset, model.len() as u64 - offset).unwrap();
        let range =
            usize::try_from(offset).unwrap()..usize::try_from(offset + extent.len()).unwrap();
        let range_len = range.len();
        match extent {
            Extent::Zero { .. } => assert!(model[range] == vec![0; range_len]),
            Extent::Data { .. } => {}
            Extent::Parent { .. } => panic!("a device has no parent"),
        }
        offset += extent.len();
    }
}

/// What a differencing disk has of its own begins and ends at multiples of 4 KiB, however it was written.
#[track_caller]
fn check_units(disk: &dyn Container) {
    let mut at = 0;
    while at < disk.size() {
        let extent = disk.resolve(at, disk.size() - at).unwrap();
        assert!(at.is_multiple_of(4096), "{extent:?} at {at:#x}");
        at += extent.len();
    }
}

/// A chain of `depth` disks with random writes at every level, each level read when it is done.
#[track_caller]
fn check_chain(setup: Setup, depth: usize, seed: u64) {
    let mut random = Random::new(seed);
    let mut model = vec![0; usize::try_from(setup.size).unwrap()];
    let mut files: Vec<File> = Vec::new();
    let mut states = Vec::new();
    for _ in 0..depth {
        let parent =
            files.last().map(|file| reader(setup.format, file.clone()).identity().unwrap());
        files.push(make(setup, parent, &mut random));
        check_equal(&open(setup, &files), &model);
        let chain = open_for_writing(setup, &files, &mut random);
        scribble(&chain, &mut model, &mut random);
        check_equal(&chain, &model);
        chain.close().unwrap();
        let chain = open(setup, &files);
        check_equal(&chain, &model);
        if files.len() > 1 {
            check_units(chain.leaf());
        }
        states.push(model.clone());
    }
    // Children never change their parents.
    for (count, state) in states.iter().enumerate().step_by(1 + depth / 8) {
        check_equal(&open(setup, &files[..=count]), state);
    }
    // Merged from the leaf down, every chain shows what the leaf showed.
    while files.len() > 1 {
        let child = reader(setup.format, files.pop().unwrap());
        let parent = writer(setup.format, files.last().unwrap().clone(), &mut random);
        merge(&*child, &*parent, &imprint_progress::Progress::new()).unwrap();
        parent.close().unwrap();
        if let [only] = files.as_slice() {
            check_equal(&open(setup, std::slice::from_ref(only)), &model);
        }
    }
}

fn setups() -> Vec<Setup> {
    let setup =
        |format, size, block_size, sector_size| Setup { format, size, block_size, sector_size };
    vec![
        setup(Format::Vhd, 5 << 20, 2 << 20, 512),
        setup(Format::Vhd, (3 << 20) + 512, 512 << 10, 512),
        setup(Format::Vhdx, 5 << 20, 2 << 20, 512),
        setup(Format::Vhdx, (3 << 20) + 512, 1 << 20, 512),
        setup(Format::Vhdx, (6 << 20) + 4096, 1 << 20, 4096),
    ]
}

#[test]
fn chains_show_what_was_written_last() {
    for (index, setup) in setups().into_iter().enumerate() {
        for depth in [1, 2, 5] {
            check_chain(setup, depth, (index * 100 + depth) as u64);
        }
    }
}

#[test]
fn chains_may_be_long() {
    for (index, setup) in [setups()[1], setups()[3]].into_iter().enumerate() {
        check_chain(setup, 32, 7000 + index as u64);
    }
}

#[test]
fn a_unit_that_is_here_is_not_widened_again() {
    let setup = setups()[1];
    let mut random = Random::new(9);
    let base = make(setup, None, &mut random);
    let chain = open_for_writing(setup, std::slice::from_ref(&base), &mut random);
    chain.write_all_at(&[1; 4096], 4096).unwrap();
    chain.close().unwrap();
    let identity = reader(setup.format, base.clone()).identity();
    let files = [base, make(setup, identity, &mut random)];
    let chain = open_for_writing(setup, &files, &mut random);
    chain.write_all_at(&[2; 512], 4096 + 1024).unwrap();
    let mut expected = [1; 4096];
    expected[1024..1536].fill(2);
    let extent = chain.resolve(4096, 8192).unwrap();
    assert!(matches!(extent, Extent::Data { file: 0, len: 4096, .. }), "{extent:?}");
    let stored = |chain: &Chain<dyn WritableContainer>| {
        let Extent::Data { offset, .. } = chain.resolve(4096, 4096).unwrap() else {
            panic!("a unit is stored");
        };
        let mut bytes = [0; 4096];
        files[1].read_exact_at(&mut bytes, offset).unwrap();
        (bytes, offset)
    };
    let (found, at) = stored(&chain);
    assert_eq!(found, expected);
    // Damage next door stays: only the sector that is written is touched.
    files[1].write_all_at(&[9; 512], at).unwrap();
    chain.write_all_at(&[3; 512], 4096 + 512).unwrap();
    expected[..512].fill(9);
    expected[512..1024].fill(3);
    assert_eq!(stored(&chain).0, expected);
}

#[test]
fn a_chain_takes_only_its_own_parents() {
    for setup in [setups()[0], setups()[2]] {
        let mut random = Random::new(5);
        let base = make(setup, None, &mut random);
        let other = make(setup, None, &mut random);
        let identity = reader(setup.format, base.clone()).identity();
        let child = make(setup, identity, &mut random);
        let chain = || ChainBuilder::for_reading(reader(setup.format, child.clone()));
        let mut wrong = chain();
        let error = wrong.push(reader(setup.format, other.clone())).unwrap_err();
        assert!(matches!(error, LinkError::Identity { .. }), "{error}");
        let error = wrong.finish().err().unwrap();
        assert!(matches!(error, LinkError::Missing { depth: 0 }), "{error}");
        let mut whole = chain();
        whole.push(reader(setup.format, base.clone())).unwrap();
        let error = whole.push(reader(setup.format, other)).unwrap_err();
        assert!(matches!(error, LinkError::NotNeeded { depth: 1 }), "{error}");
        // A parent that was changed is another disk.
        let changed = writer(setup.format, base.clone(), &mut random);
        changed.write(&vec![1; 4096], 0).unwrap();
        changed.close().unwrap();
        let error = chain().push(reader(setup.format, base)).unwrap_err();
        assert!(matches!(error, LinkError::Identity { .. }), "{error}");
    }
}
