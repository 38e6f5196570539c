//! What fuzzing found once stays right.

use imprint_testkit::replay;

#[path = "../../../../fuzz/oracles/fat_open.rs"]
mod fat_open;

#[test]
fn volumes() {
    replay("fat_open", fat_open::check);
}

/// A small volume with directories, long names and files in pieces.
fn filled() -> Vec<u8> {
    use imprint_winvalues::Attributes;
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/fat_open/small");
    let device = imprint_blockio::MemoryFile::new(fs_err::read(seed).unwrap());
    let volume = imprint_fat::Volume::open(device).unwrap();
    let new = |name: &str, attributes| imprint_fat::New {
        name: name.into(),
        short_name: Default::default(),
        attributes,
        times: Default::default(),
    };
    let mut directory = volume.root();
    for depth in 0..3 {
        let names = [format!("directory {depth}"), format!("file {depth}.txt"), "B".to_owned()];
        let kinds = [Attributes::DIRECTORY, Attributes::ARCHIVE, Attributes::HIDDEN];
        let news: Vec<_> = names.iter().zip(kinds).map(|(name, kind)| new(name, kind)).collect();
        let made = volume.make(directory, &news).unwrap();
        for made in &made[1..] {
            volume.allocate(made.unwrap().place, 700).unwrap();
            volume.allocate(made.unwrap().place, 1500).unwrap();
        }
        directory = made[0].unwrap().directory().unwrap();
    }
    volume.flush().unwrap();
    volume.into_inner().into_bytes()
}

#[test]
fn damaged_volumes_are_harmless() {
    let whole = filled();
    fat_open::check(&whole);
    let mut random = imprint_testkit::Random::new(11);
    // The boot sector, the FATs and the directories come first.
    let end = whole.len() / 2;
    for _ in 0..1500 {
        let mut bytes = whole.clone();
        for _ in 0..=random.index(6) {
            let at = match random.index(3) {
                0 => random.index(512),
                1 => 4096 + random.index(1024),
                _ => random.index(end),
            };
            bytes[at] =
                if random.chance(1, 2) { random.byte() } else { bytes[at] ^ 1 << random.index(8) };
        }
        fat_open::check(&bytes);
    }
}
