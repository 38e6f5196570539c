//! The structures of a volume, put together.
//!
//! ```text
//!  NewAttribute ─► assemble: which attribute goes into which record ─► bytes of records
//!  entries      ─► IndexPlan: which entry goes into which node      ─► bytes of root and blocks
//! ```

mod attribute;
mod index;
mod record;
mod values;

pub(crate) use attribute::{Body, NewAttribute, Placed, pairs_per_record, split_runs};
pub(crate) use index::{
    IndexKind, IndexPlan, IndexShape, add_child, block, last_entry, name_entry, name_entry_size,
    root_value, view_entry,
};
pub(crate) use record::{
    Measured, RecordHead, assemble, encode_free, encode_record, list_attribute, list_value, room,
};
pub(crate) use values::{NameFacts, TimesFacts, ea_values, file_name, standard_information};

/// Rounds up to a multiple of 8, as everything in a record is.
pub(crate) const fn align8(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// A length that is known to be small.
pub(crate) fn u16_of(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A length that is known to be small.
pub(crate) fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Protects a structure of several sectors against being written in part: the last two bytes of each are moved to
/// the update sequence at `sequence`, and 1 takes their place.
pub(crate) fn protect(bytes: &mut [u8], sequence: usize) {
    const NUMBER: [u8; 2] = [1, 0];
    let strides = bytes.len() / crate::layout::STRIDE;
    let mut kept = Vec::with_capacity(strides * 2 + 2);
    kept.extend_from_slice(&NUMBER);
    for stride in bytes.chunks_exact_mut(crate::layout::STRIDE) {
        if let Some(last) = stride.last_chunk_mut::<2>() {
            kept.extend_from_slice(last);
            *last = NUMBER;
        }
    }
    if let Some(place) = bytes.get_mut(sequence..sequence + kept.len()) {
        place.copy_from_slice(&kept);
    }
}

/// Gives a protected structure another update number than 1, so that what is left of an older state is told apart.
pub(crate) fn renumber(bytes: &mut [u8], sequence: usize, number: u16) {
    let number = number.to_le_bytes();
    if let Some(place) = bytes.get_mut(sequence..sequence + 2) {
        place.copy_from_slice(&number);
    }
    for stride in bytes.chunks_exact_mut(crate::layout::STRIDE) {
        if let Some(last) = stride.last_chunk_mut::<2>() {
            *last = number;
        }
    }
}
