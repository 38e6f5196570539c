//! Crashes while a child is merged into its parent: the chain shows what it showed before, and merging
//! again completes it.

use std::sync::Arc;

use imprint_blockio::{BlockDevice, Resize, Sparse};
use imprint_progress::Progress;
use imprint_testkit::{CrashFile, Random, SparseMemory, soak};
use imprint_vdisk::{
    Chain, ChainBuilder, Container, Format, Kind, NewDisk, NewParent, Reshape, Vhd, VhdWriter,
    Vhdx, VhdxWriter, WritableContainer, begin_merge, check_link, create_vhd, finish_merge, merge,
};
use imprint_winvalues::FileTime;

use crate::chain::{Setup, guid, ids};
use crate::crash_support::{no_errors, same};

/// What merging begins with. All files are durable.
struct Scene {
    setup: Setup,
    /// What the parent differs from, the base first.
    below: Vec<Arc<SparseMemory>>,
    parent: SparseMemory,
    child: SparseMemory,
    /// What the chain shows.
    shown: Vec<u8>,
    /// What the parent shows.
    parent_shown: Vec<u8>,
}

fn reader<T: Sparse + Send + Sync + 'static>(format: Format, file: T) -> Box<dyn Container> {
    match format {
        Format::Vhdx => Box::new(Vhdx::open(file).unwrap()),
        Format::Vhd | Format::Raw => Box::new(Vhd::open(file).unwrap()),
    }
}

fn reshaper<T: Sparse + Resize + Send + Sync + 'static>(
    format: Format,
    file: T,
    random: &mut Random,
) -> Box<dyn Reshape> {
    match format {
        Format::Vhdx => Box::new(VhdxWriter::open(file, ids(random)).unwrap()),
        Format::Vhd | Format::Raw => Box::new(VhdWriter::open(file, ids(random)).unwrap()),
    }
}

/// A chain of a leaf over some disks, the base first.
fn over(
    format: Format,
    leaf: Box<dyn Container>,
    below: &[Arc<SparseMemory>],
) -> Chain<dyn Container> {
    let mut chain = ChainBuilder::for_reading(leaf);
    for file in below.iter().rev() {
        chain.push(reader(format, Arc::clone(file))).unwrap();
    }
    chain.finish().unwrap()
}

fn contents(device: &impl BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0x5a; usize::try_from(device.len().unwrap()).unwrap()];
    device.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Makes a disk and changes it at random; `model` is what it shows.
fn add_disk(
    setup: Setup,
    below: &[Arc<SparseMemory>],
    kind: Kind,
    model: &mut [u8],
    random: &mut Random,
) -> SparseMemory {
    let parent = below.last().map(|file| reader(setup.format, Arc::clone(file)).identity());
    let new = NewDisk {
        kind,
        size: setup.size,
        block_size: Some(setup.block_size),
        sector_size: setup.sector_size,
        physical_sector_size: 4096,
        identity: guid(random),
        file_write: guid(random),
        disk_id: guid(random),
        created: FileTime::from_unix(1_700_000_000, 0),
        parent: parent.flatten().map(|identity| NewParent {
            identity,
            modified: FileTime::from_unix(1_700_000_000, 0),
            relative: r".\parent".to_owned(),
            absolute: None,
        }),
    };
    let file = SparseMemory::default();
    let disk: Box<dyn WritableContainer + '_> = match setup.format {
        Format::Vhdx => Box::new(VhdxWriter::create(&file, &new, ids(random)).unwrap()),
        Format::Vhd | Format::Raw => Box::new(create_vhd(&file, &new).unwrap()),
    };
    for _ in 0..1 + random.index(10) {
        change(setup, &*disk, model, random);
    }
    disk.close().unwrap();
    file
}

/// Writes, or makes zero, some sectors: few of them, or whole blocks.
fn change(setup: Setup, disk: &dyn WritableContainer, model: &mut [u8], random: &mut Random) {
    let (sector, size) = (u64::from(setup.sector_size), setup.size);
    let block = u64::from(setup.block_size);
    let (offset, len) = if random.chance(1, 3) {
        (random.below(size.div_ceil(block)) * block, (1 + random.below(2)) * block)
    } else {
        (random.below(size / sector) * sector, (1 + random.below(24)) * sector)
    };
    let len = len.min(size - offset);
    let start = usize::try_from(offset).unwrap();
    let target = &mut model[start..start + usize::try_from(len).unwrap()];
    if random.chance(1, 3) {
        target.fill(0);
        disk.write_zeroes(offset, len).unwrap();
    } else {
        random.fill(target);
        disk.write(target, offset).unwrap();
    }
}

fn scene(setup: Setup, depth: usize, random: &mut Random) -> Scene {
    let mut model = vec![0; usize::try_from(setup.size).unwrap()];
    let mut files = Vec::new();
    let mut parent_shown = model.clone();
    for level in 0..depth {
        let kind = match level {
            0 if random.chance(1, 3) => Kind::Fixed,
            0 => Kind::Dynamic,
            _ => Kind::Differencing,
        };
        parent_shown.clone_from(&model);
        files.push(Arc::new(add_disk(setup, &files, kind, &mut model, random)));
    }
    let take = |file: Arc<SparseMemory>| (*file).clone();
    let child = files.pop().map(take).unwrap();
    let parent = files.pop().map(take).unwrap();
    Scene { setup, below: files, parent, child, shown: model, parent_shown }
}

/// Both files of a merge, which crash together.
struct Pair {
    parent: Arc<CrashFile>,
    child: Arc<CrashFile>,
}

impl Pair {
    fn new(parent: SparseMemory, child: SparseMemory) -> Self {
        let parent = CrashFile::from(parent);
        let child = CrashFile::beside(&parent, child);
        Self { parent: Arc::new(parent), child: Arc::new(child) }
    }

    /// What `disk merge` does with the two.
    fn merge(&self, format: Format, random: &mut Random) {
        let mut child = reshaper(format, Arc::clone(&self.child), random);
        let parent = reshaper(format, Arc::clone(&self.parent), random);
        if parent.identity() != child.identity() {
            begin_merge(&mut *child, &*parent, guid(random)).unwrap();
            merge(&*child, &*parent, &Progress::new()).unwrap();
            finish_merge(&*child, &*parent).unwrap();
        }
        parent.close().unwrap();
    }

    /// What a crash leaves of the two at some moment.
    fn crash(&self, moment: u64, random: &mut Random) -> (SparseMemory, SparseMemory) {
        let killed = random.chance(1, 4);
        let mut left = |file: &CrashFile| {
            let cut = file.cut_at_moment(moment);
            if killed { file.killed(cut) } else { file.power_lost(cut, 512, random) }
        };
        (left(&self.parent), left(&self.child))
    }
}

impl Scene {
    /// What a crash left must show what the chain showed.
    fn check(&self, parent: &SparseMemory, child: &SparseMemory, what: &str) {
        let Self { setup: Setup { format, .. }, .. } = *self;
        no_errors(format, parent, what);
        no_errors(format, child, what);
        let open = |file: &SparseMemory| reader(format, file.clone());
        let (before, now) = (open(&self.parent), open(parent));
        // The child holds what it held.
        let marked = vec![0xcc; self.shown.len()];
        let held = |file| crate::vhdx_model::contents(&*open(file), &marked);
        same(&held(child), &held(&self.child), what);

        let shown = contents(&over(format, open(parent), &self.below));
        if check_link(&*open(child), &*now).is_ok() {
            let mut below = self.below.clone();
            below.push(Arc::new(parent.clone()));
            same(&contents(&over(format, open(child), &below)), &self.shown, what);
        } else {
            // All is merged, and the parent is what the child's children know.
            assert_eq!(now.identity(), open(child).identity(), "{what}: the parent is a stranger");
            same(&shown, &self.shown, what);
        }
        if format == Format::Vhdx && now.identity() == before.identity() {
            // Other children of the parent may still accept it.
            same(&shown, &self.parent_shown, what);
        }
    }

    /// Merges what is there to the end.
    fn finish(&self, parent: SparseMemory, child: SparseMemory, what: &str, random: &mut Random) {
        let Self { setup: Setup { format, .. }, .. } = *self;
        let pair = Pair::new(parent, child);
        pair.merge(format, random);
        no_errors(format, &*pair.parent, what);
        let merged = reader(format, Arc::clone(&pair.parent));
        let child = reader(format, self.child.clone());
        assert_eq!(merged.identity(), child.identity(), "{what}");
        same(&contents(&over(format, merged, &self.below)), &self.shown, what);
    }
}

/// Crashes while merging, crashes while merging again, and so on; then merges to the end.
fn check(setup: Setup, depth: usize, scenes: u32, cuts: u32) {
    let mut points = 0;
    let mut stopped = [0, 0];
    for seed in 0..u64::from(scenes) {
        let mut random = Random::new(seed ^ (depth as u64) << 40 ^ setup.size << 20);
        let random = &mut random;
        let scene = scene(setup, depth, random);
        let pair = Pair::new(scene.parent.clone(), scene.child.clone());
        pair.merge(setup.format, random);
        for round in 0..cuts {
            let moment = random.below(pair.parent.moments() + 1);
            let (mut parent, mut child) = pair.crash(moment, random);
            let mut what = format!("{setup:?} seed {seed} round {round}: {moment}");
            scene.check(&parent, &child, &what);
            points += 1;
            for _ in 0..random.index(3) {
                let again = Pair::new(parent, child);
                again.merge(setup.format, random);
                let moment = random.below(again.parent.moments() + 1);
                (parent, child) = again.crash(moment, random);
                what = format!("{what}, then {moment}");
                scene.check(&parent, &child, &what);
                points += 1;
            }
            let identity = |file| reader(setup.format, file).identity();
            let over = identity(parent.clone()) == identity(child.clone());
            stopped[usize::from(over)] += 1;
            scene.finish(parent, child, &what, random);
        }
    }
    assert!(stopped.iter().all(|&count| count > 0), "{stopped:?}");
    println!("{points} crash points of merging, {setup:?}, {depth} disks");
}

const fn setup(format: Format, size: u64, block_size: u32, sector_size: u32) -> Setup {
    Setup { format, size, block_size, sector_size }
}

#[test]
fn merging_vhd_disks_survives_crashes() {
    for depth in [2, 3] {
        let setup = setup(Format::Vhd, 100 << 10, 8192, 512);
        check(setup, depth, soak::rounds(40, 200), soak::rounds(10, 20));
    }
}

#[test]
fn merging_vhdx_disks_survives_crashes() {
    for depth in [2, 3] {
        let setup = setup(Format::Vhdx, (2 << 20) + 512, 1 << 20, 512);
        check(setup, depth, soak::rounds(5, 40), soak::rounds(10, 40));
    }
}

#[test]
fn merging_vhdx_disks_with_large_sectors_survives_crashes() {
    for depth in [2, 3] {
        let setup = setup(Format::Vhdx, (3 << 20) + 8192, 1 << 20, 4096);
        check(setup, depth, soak::rounds(4, 30), soak::rounds(10, 40));
    }
}
