//! The plain bytes of the LZMS fixtures: `generate` of `fixtures/lzms/peer.py` once more, and packs of
//! chunks.
#![expect(clippy::cast_possible_truncation, reason = "low bits of random numbers are wanted")]

const WORDS: &str = "the image of a volume holds every file once and names it by its hash so that \
    equal files cost nothing Windows System32 drivers etc C:\\Users\\Default \r\n 0x00000000 \
    {ComputerName}";
const OPCODES: [&[u8]; 9] = [
    b"\xe8",
    b"\xe9",
    b"\xff\x15",
    b"\xf0\x83\x05",
    b"\x48\x8d\x05",
    b"\x4c\x8d\x2d",
    b"\x48\x8b\x0d",
    b"\x48\x8b\x45",
    b"\xe8\xe8",
];

/// One chunk of a pack.
pub(crate) struct Chunk<'a> {
    pub(crate) kind: u32,
    pub(crate) seed: u32,
    pub(crate) size: usize,
    pub(crate) stored: &'a [u8],
}

impl Chunk<'_> {
    pub(crate) fn plain(&self) -> Vec<u8> {
        generate(self.kind, self.seed, self.size)
    }
}

/// The chunks of a pack.
pub(crate) fn chunks(pack: &[u8]) -> Vec<Chunk<'_>> {
    let mut chunks = vec![];
    let mut rest = pack;
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let [kind, seed, size, stored] =
            std::array::from_fn(|n| u32::from_le_bytes(head.as_chunks().0[n]));
        let (stored, after) = after.split_at(stored as usize);
        chunks.push(Chunk { kind, seed, size: size as usize, stored });
        rest = after;
    }
    assert!(rest.is_empty(), "the pack is cut off");
    chunks
}

struct Numbers(u32);

impl Numbers {
    const fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

fn generate(kind: u32, seed: u32, size: usize) -> Vec<u8> {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut random = Numbers(seed.wrapping_mul(2_654_435_761) | 1);
    let mut out: Vec<u8> = vec![];
    let mut sample = 0u16;
    while out.len() < size {
        let r = random.next();
        match kind {
            0 => {
                out.extend(words[r as usize % words.len()].as_bytes());
                out.push(if r >> 16 & 15 == 0 { b'\n' } else { b' ' });
            }
            1 if r.is_multiple_of(3) => {
                out.extend(OPCODES[(r >> 8) as usize % OPCODES.len()]);
                let place = 0x1000 * (random.next() % 40);
                out.extend(place.wrapping_sub(len(&out)).to_le_bytes());
            }
            1 => out.push((r >> 8) as u8),
            2 => {
                let n = len(&out) / 16;
                let odd = if r & 31 == 0 { r } else { 0 };
                for word in [n, n.wrapping_mul(7).wrapping_add(seed), odd, 0x2041_4243] {
                    out.extend(word.to_le_bytes());
                }
            }
            3 => {
                for _ in 0..r >> 8 & 127 {
                    sample = sample.wrapping_add((r % 50) as u16);
                    out.extend(sample.to_le_bytes());
                    out.extend((sample >> 1).to_le_bytes());
                }
            }
            4 => {
                let most = if r >> 24 < 4 { 5000 } else { 40 };
                let length = 1 + (r >> 8) as usize % most;
                out.resize(out.len() + length, r as u8);
            }
            5 => out.extend(r.to_le_bytes()),
            _ => out.extend(generate(r % 6, r >> 8, 200 + (r >> 16) as usize % 3000)),
        }
    }
    out.truncate(size);
    out
}

fn len(out: &[u8]) -> u32 {
    u32::try_from(out.len()).unwrap()
}
