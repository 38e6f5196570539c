//! Chains of 1 to 32 disks with random writes at every level, each level judged by every independent
//! reader that can read it.

use imprint_blockio::WriteAt;
use imprint_testkit::disks::{Contents, Disk, Format, Kind, check_contents};
use imprint_testkit::{Random, soak};

use super::sample::{close, open};
use crate::world::World;

const LEVELS: usize = 32;

/// The disks of a trial.
#[derive(Clone, Copy, Debug)]
struct Setup {
    format: Format,
    size: u64,
    sector_size: u32,
    /// Of the base and of its children.
    block_sizes: [&'static str; 2],
    /// Whether ranges are made zero, which in a child of a VHDX gives blocks that one of the readers
    /// misses.
    zeroes: bool,
}

const fn setup(format: Format, size: u64, block_sizes: [&'static str; 2]) -> Setup {
    Setup { format, size, sector_size: 512, block_sizes, zeroes: false }
}

const MIB: u64 = 1 << 20;

const SETUPS: [Setup; 5] = [
    Setup { zeroes: true, ..setup(Format::Vhd, 5 * MIB, ["2M", "2M"]) },
    setup(Format::Vhdx, 5 * MIB + 1024, ["1M", "2M"]),
    Setup { zeroes: true, ..setup(Format::Vhd, 3 * MIB + 1024, ["512K", "1M"]) },
    Setup { zeroes: true, ..setup(Format::Vhdx, 6 * MIB, ["4M", "1M"]) },
    Setup { sector_size: 4096, ..setup(Format::Vhdx, 7 * MIB + 4096, ["1M", "2M"]) },
];

/// Writes at random places, of any alignment, through the chain, and keeps the model in step.
fn scribble(world: &World, name: &str, setup: Setup, model: &mut [u8], random: &mut Random) {
    let disk = open(world, name);
    for _ in 0..1 + random.index(8) {
        let len = match random.index(4) {
            0 => random.index(100),
            1 => random.index(10_000),
            2 => 512 * (1 + random.index(40)),
            _ => random.index(1 << 21),
        };
        let len = len.clamp(1, model.len());
        let offset = random.index(model.len() - len + 1);
        let offset = if random.chance(1, 2) { offset / 512 * 512 } else { offset };
        let target = &mut model[offset..offset + len];
        if setup.zeroes && random.chance(1, 5) {
            target.fill(0);
            disk.chain.write_zeroes(offset as u64, len as u64).unwrap();
        } else {
            random.fill(target);
            disk.chain.write_all_at(target, offset as u64).unwrap();
        }
    }
    close(disk);
}

/// Makes a chain, one level after the other, and has those levels judged that `judged` picks.
#[track_caller]
fn check(setup: Setup, seed: u64, judged: impl Fn(usize) -> bool) {
    let world = World::new();
    let mut random = Random::new(seed);
    let mut model = vec![0; usize::try_from(setup.size).unwrap()];
    let name = |level: usize| format!("level {level}.{}", setup.format.name());
    let (size, sector) =
        (format!("--size={}", setup.size), format!("--sector-size={}", setup.sector_size));
    let [base, children] = setup.block_sizes.map(|size| format!("--block-size={size}"));
    for level in 1..=LEVELS {
        let file = name(level);
        let kind = if level == 1 {
            world.done(&["disk", "create", &file, &size, &sector, &base]);
            Kind::Dynamic
        } else {
            world.done(&["disk", "child", &name(level - 1), &file, &children]);
            Kind::Differencing
        };
        scribble(&world, &file, setup, &mut model, &mut random);
        if judged(level) {
            let disk = Disk {
                // Whatever was written: see `Chain`.
                write_unit: 4096,
                zero_blocks: setup.zeroes,
                ..Disk::new(setup.format, kind, setup.sector_size, setup.size)
            };
            println!("{setup:?}, seed {seed}, level {level}");
            check_contents(&world.path(&file), &disk, &[], &Contents::of(&model));
        }
    }
    world.done(&["disk", "check", &name(LEVELS)]);
    // What is above is in no disk below, and our own reading says the same.
    world.done(&["disk", "flatten", &name(LEVELS), "flat.img"]);
    assert!(world.read("flat.img") == model, "{setup:?}, seed {seed}");
}

/// In its short form a few levels of two chains; in its long form every level of chains of all shapes.
#[test]
fn interop_every_level_is_read_alike_by_all() {
    if soak::is_on() {
        for seed in 0..4 {
            for setup in SETUPS {
                check(setup, seed, |_| true);
            }
        }
    } else {
        for (seed, setup) in (100..).zip(SETUPS.into_iter().take(2)) {
            check(setup, seed, |level| [1, 2, 5, LEVELS].contains(&level));
        }
    }
}
