//! LZMS: the format, and its decompressor.
//!
//! LZMS is what solid resources (ESD files) are compressed with. It has no public specification; this
//! text is one. Sources: wimlib 1.14.5 (`src/lzms_*.c` and the comments there) for the facts, which
//! were then checked against libwim in both directions: it decodes what the tests encode, we decode
//! what it encodes.
//!
//! # The input
//!
//! A chunk is compressed on its own. Its size after compression is even and at least 4. It holds two
//! streams of 16-bit little-endian units that start at opposite ends and may meet anywhere:
//!
//! ```text
//!  offset 0                                                                     end
//!  ├─ forward stream: decisions ──►            ◄── codewords, verbatim bits :backward ─┤
//! ```
//!
//! Within a unit of the backward stream the highest bit comes first: the chunk is one little-endian
//! number read from its top. Neither stream may go beyond the chunk (here: such bits are an error;
//! wimlib takes them for zeros). An encoder cannot count on zeros, as the other stream is there.
//!
//! # Decisions
//!
//! A binary range decoder: `range` starts at 2^32 - 1, `code` with two units (the first is the upper
//! half). For each decision: if `range` is below 2^16, both are shifted left by 16 and a unit is added to
//! `code`. `bound = (range >> 6) * p`, where `p / 64` is the probability of 0. If `code < bound` the
//! outcome is 0 and `range = bound`; else it is 1 and `bound` is taken off both.
//!
//! Each kind of decision (*class*) has its own probabilities, one for each combination (*state*) of the
//! last few outcomes of the class; the state starts at 0. `p` is the number of zeros among the last 64
//! outcomes in that state, but at least 1 and at most 63. At first these outcomes are taken to be
//! `0x0000_0000_5555_5555`, so `p` is 48.
//!
//! # Items
//!
//! Items are decoded until the chunk is full. `?` is a decision with the number of its states in
//! parentheses, outcome 0 first:
//!
//! ```text
//!  ?(16) ─ literal:  byte from the literal code
//!        └ match
//!           ?(32) ─ LZ:     ?(64) ─ offset: offset code + extra bits             then length
//!                 │               └ recent: ?(64) ─ first; else ?(64) ─ second,  then length
//!                 │                                              third
//!                 └ delta:  ?(64) ─ power: power code; raw offset: delta offset
//!                         │         code + extra bits                            then length
//!                         └ recent: as above, with classes of its own            then length
//! ```
//!
//! The length comes from the length code, the same for both kinds, plus extra bits. An **LZ match**
//! repeats bytes: `out[i] = out[i - offset]`. A **delta match** repeats differences of bytes that are
//! `span = 2^power` apart, with `offset = raw_offset * span`:
//! `out[i] = out[i - span] + out[i - offset] - out[i - offset - span]` (modulo 256). Both go byte by byte,
//! so that sources may overlap what they produce. No match reaches before or behind the chunk; a delta
//! match reaches `offset + span` back.
//!
//! **Recent sources**, three of each kind: a queue that starts with offsets 1, 2, 3, 4 (delta: power 0, raw
//! offsets 1, 2, 3, 4). A recent source is removed from the queue when it is used. The source of each match
//! is put in front, *but only after the next item*: two matches in a row with one source would have been
//! one match. (The fourth entry fills up when one is waiting.)
//!
//! # Codes
//!
//! Huffman codes that follow the data; nothing about them is transmitted. All frequencies start at 1 and
//! grow by 1 with each use. After a fixed number of symbols (counted for each code) the code is rebuilt
//! from its frequencies, and each frequency becomes half of it, rounded down, plus 1.
//!
//! | code | symbols | rebuilt after |
//! |---|---|---|
//! | literal | 256 | 1024 |
//! | LZ offset, delta offset | slots up to that of (chunk size - 1) | 1024 |
//! | length | 54 | 512 |
//! | delta power | 8 | 512 |
//!
//! All programs must arrive at the same code. The rule for that is in `build.rs`; no codeword gets longer
//! than 16 bits. Offsets and lengths are divided into *slots*, a symbol each: a smallest value and a number
//! of extra bits, which follow the codeword and are added. `layout.rs` has the slots.
//!
//! # The filter
//!
//! Last of all, x86 instructions with relative operands are turned back (`x86.rs`). It is always applied,
//! whatever the chunk holds, except to chunks of up to 17 bytes.
//!
//! # Limits
//!
//! Lengths reach 1 073 809 578, offsets 1 180 427 428. Microsoft's programs take chunks up to 64 MiB, wimlib
//! up to 1 GiB, and so do we.
//!
//! # The decompressor
//!
//! ```text
//!  decoder ── range    decisions            ┐
//!     │    ├─ code     codewords ── build   ├─ models: all that adapts
//!     │    ├─ recent   recent sources       ┘
//!     │    ├─ bits     the backward stream
//!     │    └─ copy     the bytes of matches
//!     └─ x86           the filter, over the whole chunk
//! ```

mod bits;
mod build;
mod code;
mod copy;
mod decoder;
mod layout;
mod models;
mod range;
mod recent;
#[cfg(test)]
mod testing;
mod x86;

pub(crate) use decoder::Decoder;
