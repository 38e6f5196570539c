//! Bytes of many kinds, made without files.

/// A small generator of pseudo-random numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Bytes nothing can be said about.
pub(crate) fn random(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.byte()).collect()
}

/// Words of a small vocabulary.
pub(crate) fn text(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let words: Vec<Vec<u8>> = (0..300)
        .map(|_| (0..2 + random.below(8)).map(|_| b'a' + random.byte() % 26).collect())
        .collect();
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        let rank = random.below(300) * random.below(300) / 300;
        text.extend(&words[rank]);
        text.push(if random.below(12) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(len);
    text
}

/// Calls, moves and filler, as in program code.
pub(crate) fn code(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut code = Vec::with_capacity(len + 16);
    while code.len() < len {
        match random.below(8) {
            0 | 1 => {
                code.push(0xE8);
                let target = i32::try_from(random.below(40) * 1000).unwrap();
                let here = i32::try_from(code.len()).unwrap();
                code.extend((target - here).to_le_bytes());
            }
            2..5 => code.extend([0x48, 0x8B, 0x44 + random.byte() % 4, 0x24, random.byte() & 0x38]),
            5 => code.extend([0xCC; 7]),
            _ => code.push(random.byte() & 0x5F),
        }
    }
    code.truncate(len);
    code
}

/// Runs of one byte, of all lengths around the longest match.
pub(crate) fn runs(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(len + 600);
    while bytes.len() < len {
        let byte = random.byte() & 3;
        bytes.resize(bytes.len() + 1 + random.below(600), byte);
    }
    bytes.truncate(len);
    bytes
}

/// Copies of earlier stretches, of every length and from every distance.
pub(crate) fn copies(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes: Vec<u8> = (0..16).map(|_| random.byte()).collect();
    while bytes.len() < len {
        if random.below(3) == 0 {
            bytes.push(random.byte());
        } else {
            let back = 1 + random.below(bytes.len());
            let back = if random.below(2) == 0 { back } else { 1 + back % 16 };
            for _ in 0..1 + random.below(300) {
                bytes.push(bytes[bytes.len() - back]);
            }
        }
    }
    bytes.truncate(len);
    bytes
}

/// Random bytes repeated after almost a whole chunk: the farthest matches there are.
pub(crate) fn far(len: usize, seed: u64) -> Vec<u8> {
    let mut bytes = random(len, seed);
    let tail = len.min(40) / 2;
    bytes.copy_within(..tail, len - tail);
    bytes[tail..len - tail].fill(b'x');
    bytes
}

/// Few records over and over, all of one length: every offset has the same low bits, so that the
/// aligned code's words are shorter than those bits.
pub(crate) fn records(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let kinds: Vec<Vec<u8>> = (0..40).map(|kind| self::random(32, seed ^ kind << 8)).collect();
    let mut records = Vec::with_capacity(len + 32);
    while records.len() < len {
        records.extend(&kinds[random.below(kinds.len())]);
    }
    records.truncate(len);
    records
}

/// Every kind, with its name.
pub(crate) fn all(len: usize, seed: u64) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("zeros", vec![0; len]),
        ("one byte", vec![0xE8; len]),
        ("all values", (0..=255).cycle().take(len).collect()),
        ("random", random(len, seed)),
        ("text", text(len, seed)),
        ("code", code(len, seed)),
        ("runs", runs(len, seed)),
        ("copies", copies(len, seed)),
        ("far", far(len, seed)),
        ("records", records(len, seed)),
    ]
}
