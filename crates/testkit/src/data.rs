//! File contents of the kinds that compressors meet.

use crate::Random;

/// What a made-up file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Zero bytes: sparse files, padding.
    Zeros,
    /// Random bytes: what is compressed or encrypted already.
    Random,
    /// Words, numbers and line ends: logs, manifests, sources.
    Text,
    /// Bytes like 32-bit x86 code, with many `E8` calls to few targets: what LZX and LZMS translate
    /// before they compress.
    X86,
    /// Short records that differ in one field: tables, icons, databases.
    Records,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Zeros, Self::Random, Self::Text, Self::X86, Self::Records];

    /// Makes `len` bytes of this kind; the same seed gives the same bytes.
    #[must_use]
    pub fn bytes(self, len: usize, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut bytes = Vec::with_capacity(len.saturating_add(64));
        match self {
            Self::Zeros => bytes.resize(len, 0),
            Self::Random => {
                bytes.resize(len, 0);
                random.fill(&mut bytes);
            }
            Self::Text => text(&mut bytes, len, &mut random),
            Self::X86 => x86(&mut bytes, len, &mut random),
            Self::Records => records(&mut bytes, len, &mut random),
        }
        bytes.truncate(len);
        bytes
    }
}

/// Appends lines of made-up words until there are at least `len` bytes. Earlier words come up more
/// often than later ones, as in real text.
fn text(bytes: &mut Vec<u8>, len: usize, random: &mut Random) {
    let words: Vec<Vec<u8>> = (0..600).map(|_| word(random)).collect();
    while bytes.len() < len {
        for _ in 0..=random.index(11) {
            let rank = random.index(words.len()) * random.index(words.len()) / words.len();
            bytes.extend_from_slice(words.get(rank).map_or(&[], Vec::as_slice));
            bytes.push(*random.pick(b"    ,.="));
        }
        if random.chance(1, 4) {
            bytes.extend_from_slice(random.below(100_000).to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
    }
}

fn word(random: &mut Random) -> Vec<u8> {
    (0..2 + random.index(9)).map(|_| *random.pick(b"etaoinshrdlucmfwypvbgkETA")).collect()
}

/// Appends instruction-like bytes until there are at least `len`.
fn x86(bytes: &mut Vec<u8>, len: usize, random: &mut Random) {
    // Absolute addresses inside the file: a relative call to one of them differs at every place.
    let targets: Vec<usize> = (0..40).map(|_| random.index(len.max(1))).collect();
    let common: [&[u8]; 8] = [
        &[0x55, 0x8b, 0xec],             // push ebp; mov ebp, esp
        &[0x8b, 0x45, 0x08],             // mov eax, [ebp+8]
        &[0x89, 0x44, 0x24, 0x04],       // mov [esp+4], eax
        &[0x85, 0xc0, 0x74, 0x0c],       // test eax, eax; je +12
        &[0x83, 0xc4, 0x10],             // add esp, 16
        &[0xc9, 0xc3, 0x90, 0x90],       // leave; ret; nop; nop
        &[0x68, 0x00, 0x10, 0x40, 0x00], // push 0x401000
        &[0xff, 0x15, 0x24, 0x30, 0x40], // call [0x4030..]
    ];
    while bytes.len() < len {
        if random.chance(1, 5) {
            let next = bytes.len() + 5;
            let relative = random.pick(&targets).wrapping_sub(next);
            bytes.push(0xe8);
            bytes.extend(relative.to_le_bytes().iter().take(4));
        } else if random.chance(1, 3) {
            bytes.push(0xb8 + (random.byte() & 7)); // mov r32, imm32
            bytes.extend_from_slice(&[random.byte() & 0x1f, random.byte() & 3, 0, 0]);
        } else {
            bytes.extend_from_slice(random.pick::<&[u8]>(&common));
        }
    }
}

/// Appends 32-byte records that count up and differ little until there are at least `len` bytes.
fn records(bytes: &mut Vec<u8>, len: usize, random: &mut Random) {
    let mut number = 0_u32;
    while bytes.len() < len {
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(b"REC1\x10\x00\x00\x00");
        bytes.extend_from_slice(&[random.byte() & 3; 4]);
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&random.below(50).to_le_bytes());
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_exactly_the_bytes_asked_for() {
        for kind in Kind::ALL {
            for len in [0, 1, 7, 4096, 65_537] {
                let bytes = kind.bytes(len, 5);
                assert_eq!(bytes.len(), len, "{kind:?}");
                assert_eq!(bytes, kind.bytes(len, 5), "{kind:?} is not repeatable");
            }
            if kind != Kind::Zeros {
                assert_ne!(kind.bytes(4096, 5), kind.bytes(4096, 6), "{kind:?} ignores its seed");
            }
        }
    }

    #[test]
    fn x86_calls_reach_few_targets() {
        let bytes = Kind::X86.bytes(100_000, 9);
        let mut targets = std::collections::BTreeSet::new();
        let calls = bytes.windows(5).enumerate().filter(|(_, code)| code[0] == 0xe8);
        for (at, code) in calls {
            let relative = i32::from_le_bytes([code[1], code[2], code[3], code[4]]);
            targets.insert(i64::try_from(at).unwrap() + 5 + i64::from(relative));
        }
        let inside = targets.iter().filter(|target| (0..100_000).contains(*target)).count();
        assert!((30..80).contains(&inside), "{inside} targets");
    }
}
