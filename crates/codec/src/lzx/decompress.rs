//! Decoding LZX: a chunk's blocks.

use super::block::{Block, BlockCoding};
use super::codes::Codes;
use super::e8;
use super::layout::{
    BLOCK_TYPE_BITS, BlockType, DEFAULT_BLOCK_SIZE, MIN_WINDOW, SMALL_WINDOW, main_symbols,
};
use super::recent::RecentOffsets;
use crate::Fault;
use crate::bits::UnitReader;
use crate::units::SwapWindow;

/// Decodes LZX chunks.
#[derive(Clone, Debug)]
pub(crate) struct LzxDecompressor {
    window: u32,
    codes: Codes,
    swap_window: SwapWindow,
}

impl LzxDecompressor {
    /// Makes a decoder for chunks of at most `chunk_size` bytes, a power of two.
    pub(crate) fn new(chunk_size: u32) -> Self {
        let window = chunk_size.max(MIN_WINDOW);
        Self { window, codes: Codes::new(main_symbols(window)), swap_window: SwapWindow::new() }
    }

    /// Decodes `input` into exactly `out.len()` bytes. A fault comes with the reader's position.
    pub(crate) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<(), (Fault, usize)> {
        let mut reader = UnitReader::new(input, 0);
        self.decode_blocks(&mut reader, out).map_err(|fault| (fault, reader.position()))
    }

    fn decode_blocks(&mut self, reader: &mut UnitReader<'_>, out: &mut [u8]) -> Result<(), Fault> {
        self.codes.reset();
        let mut recent = RecentOffsets::START;
        let mut may_have_calls = false;
        let mut at = 0;
        while at < out.len() {
            let (block_type, size) = read_block_header(reader, self.window);
            let remaining = out.len() - at;
            let block_type =
                BlockType::from_bits(block_type).ok_or(Fault::BadBlockType { block_type });
            let too_short = Fault::InputTooShort { produced: at, expected: out.len() };
            if reader.overrun() {
                return Err(too_short);
            }
            let block_type = block_type?;
            let out = match out.get_mut(..at + size) {
                Some(out) if size > 0 => out,
                _ => return Err(Fault::BadBlockSize { size, remaining }),
            };
            if block_type == BlockType::Uncompressed {
                let block = out.get_mut(at..).unwrap_or_default();
                recent = read_stored(reader, block, self.window - 1, too_short)?;
                may_have_calls = true;
            } else {
                let is_aligned = block_type == BlockType::Aligned;
                let result = self.codes.read(reader, is_aligned);
                // Past the input's end everything is zeros: what they say is not the fault.
                if reader.overrun() {
                    return Err(too_short);
                }
                result?;
                let block = Block { codes: &self.codes, expected: remaining + at };
                let coding =
                    BlockCoding { reader, window: &mut self.swap_window, recent: &mut recent };
                if is_aligned {
                    block.decode::<true>(coding, out, at)?;
                } else {
                    block.decode::<false>(coding, out, at)?;
                }
                may_have_calls |= self.codes.has_literal(e8::CALL);
            }
            at = out.len();
        }
        if may_have_calls {
            e8::decode(out);
        }
        Ok(())
    }
}

/// Reads a block's type, not checked yet, and its size in bytes.
fn read_block_header(reader: &mut UnitReader<'_>, window: u32) -> (u32, usize) {
    let block_type = reader.read(BLOCK_TYPE_BITS);
    let size = if reader.read(1) == 1 {
        DEFAULT_BLOCK_SIZE
    } else if window <= SMALL_WINDOW {
        reader.read(16) as usize
    } else {
        reader.read(24) as usize
    };
    (block_type, size)
}

/// Reads the rest of an uncompressed block; returns the recent offsets it sets.
fn read_stored(
    reader: &mut UnitReader<'_>,
    block: &mut [u8],
    limit: u32,
    too_short: Fault,
) -> Result<RecentOffsets, Fault> {
    reader.skip_to_unit();
    let mut recent = [0; 3];
    for offset in &mut recent {
        let field = reader.raw_bytes(4).and_then(<[u8]>::first_chunk).ok_or(too_short)?;
        *offset = u32::from_le_bytes(*field);
        if *offset == 0 || *offset > limit {
            return Err(Fault::BadRecentOffset { value: *offset, limit });
        }
    }
    block.copy_from_slice(reader.raw_bytes(block.len()).ok_or(too_short)?);
    if block.len() % 2 == 1 {
        // A pad byte, which may be missing at the chunk's end: no bit depends on it.
        let _: Option<&[u8]> = reader.raw_bytes(1);
    }
    Ok(RecentOffsets::new(recent))
}
