//! Every field out of range, and bytes changed anywhere.

use imprint_testkit::{Random, soak};

use super::sample::{entries, get, metadata, number, sample, sign};
use super::trial::Trial;

/// A field: name, offset and width in bytes.
type Field = (String, usize, usize);

fn field(name: &str, at: usize, width: usize) -> Field {
    (name.to_owned(), at, width)
}

/// The four fields of a resource header.
fn resource(name: &str, at: usize) -> [Field; 4] {
    [("stored size", 0, 7), ("flags", 7, 1), ("offset", 8, 8), ("size", 16, 8)]
        .map(|(part, offset, width)| field(&format!("{name} {part}"), at + offset, width))
}

/// Values that fields should not have, and those around the one there is.
fn values(now: u64, width: usize, file: usize) -> Vec<u64> {
    let max = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let mut values = vec![0, max, now.wrapping_add(1), max / 2 + 1];
    if soak::is_on() {
        values.extend([1, 7, 8, 102, 4096, max / 2, max - 1, file as u64, now ^ 1, now ^ 0x10]);
        values.extend([now.wrapping_sub(1), now.wrapping_mul(2), 1 << 30, 1 << 32, 1 << 50]);
        values.extend((0..8 * width).map(|bit| now ^ (1 << bit)));
    }
    values.retain(|value| *value <= max && *value != now);
    values.sort_unstable();
    values.dedup();
    values
}

/// All fields outside metadata: header, blob table, chunk tables, solid headers, integrity table.
fn fields(bytes: &[u8]) -> Vec<Field> {
    let mut fields = vec![
        field("magic", 0, 8),
        field("header size", 8, 4),
        field("version", 0x0c, 4),
        field("flags", 0x10, 4),
        field("chunk size", 0x14, 4),
        field("part number", 0x28, 2),
        field("total parts", 0x2a, 2),
        field("image count", 0x2c, 4),
        field("boot index", 0x78, 4),
    ];
    for (name, at) in
        [("blob table", 0x30), ("XML", 0x48), ("boot metadata", 0x60), ("integrity", 0x7c)]
    {
        fields.extend(resource(name, at));
    }
    for at in entries(bytes) {
        fields.extend(resource("entry", at));
        fields.push(field("entry part", at + 24, 2));
        fields.push(field("entry references", at + 26, 4));
        fields.push(field("entry hash", at + 30, 8));
        let (flags, offset) = (bytes[at + 7], number(bytes, at + 8, 8));
        if flags & 0x14 == 4 {
            fields.push(field("chunk offset", offset, 4));
        } else if flags & 0x10 != 0 && get(bytes, at + 16, 8) == 1 << 32 {
            fields
                .extend([field("solid size", offset, 8), field("solid chunk size", offset + 8, 4)]);
            fields.extend([field("solid format", offset + 12, 4), field("chunk", offset + 16, 4)]);
        }
    }
    let integrity = number(bytes, 0x84, 8);
    if integrity != 0 {
        fields.extend([field("integrity size", integrity, 4)]);
        fields.extend([field("integrity count", integrity + 4, 4)]);
        fields.extend([field("integrity chunk size", integrity + 8, 4)]);
    }
    fields
}

/// Gives every field every value to all verbs.
fn damage(trial: &mut Trial, name: &str, base: &[u8], fields: &[Field], fix: impl Fn(&mut [u8])) {
    for (what, at, width) in fields {
        for value in values(get(base, *at, *width), *width, base.len()) {
            let mut bytes = base.to_vec();
            bytes[*at..at + width].copy_from_slice(&value.to_le_bytes()[..*width]);
            fix(&mut bytes);
            trial.check(&format!("{name}: {what} at {at:#x} is {value:#x}"), &bytes);
        }
    }
}

#[test]
fn every_field_of_header_and_tables_out_of_range_is_named_by_every_verb() {
    let mut trial = Trial::new();
    for (name, options) in [
        ("none", &["--compress=none"][..]),
        ("xpress", &["--compress=xpress"]),
        ("solid", &["--solid", "--solid-chunk-size=64K"]),
    ] {
        let base = sample(options);
        let fields = fields(&base);
        assert!(fields.len() > 60, "{}", fields.len());
        damage(&mut trial, name, &base, &fields, |_| ());
    }
    assert!(trial.refused * 3 > trial.runs, "{} of {}", trial.refused, trial.runs);
    trial.end("fields");
}

/// All fields of metadata, found by walking it.
fn metadata_fields(bytes: &[u8]) -> Vec<Field> {
    let (start, length, _) = metadata(bytes);
    let mut fields =
        vec![field("security length", start, 4), field("security count", start + 4, 4)];
    let mut at = start + number(bytes, start, 4).next_multiple_of(8);
    while at + 8 <= start + length {
        let length = number(bytes, at, 8).next_multiple_of(8);
        fields.push(field("length", at, 8));
        if length <= 8 {
            at += 8;
            continue;
        }
        for (name, offset, width) in [
            ("attributes", 8, 4),
            ("security id", 0x0c, 4),
            ("subdirectory offset", 0x10, 8),
            ("hash", 0x40, 8),
            ("link group or reparse tag", 0x58, 8),
            ("number of streams", 0x60, 2),
            ("length of short name", 0x62, 2),
            ("length of name", 0x64, 2),
            ("name", 0x66, 2),
        ] {
            fields.push(field(name, at + offset, width));
        }
        let names = number(bytes, at + 0x62, 2) + number(bytes, at + 0x64, 2);
        let tail = at + (0x66 + names + 4).next_multiple_of(8);
        if tail + 8 < at + length {
            fields.extend([field("item tag", tail, 4), field("item length", tail + 4, 4)]);
        }
        let streams = number(bytes, at + 0x60, 2);
        at += length;
        for _ in 0..streams {
            fields.extend([field("stream length", at, 8), field("stream hash", at + 0x10, 8)]);
            fields.push(field("length of stream name", at + 0x24, 2));
            at += number(bytes, at, 8).next_multiple_of(8);
        }
    }
    fields
}

#[test]
fn every_field_of_metadata_out_of_range_is_named_by_every_verb() {
    let mut trial = Trial::new();
    let base = sample(&["--compress=none"]);
    let fields = metadata_fields(&base);
    assert!(fields.len() > 100, "{}", fields.len());
    damage(&mut trial, "metadata", &base, &fields, sign);
    assert!(trial.refused > 100, "{}", trial.refused);
    trial.end("metadata");
}

#[test]
fn bytes_changed_anywhere_and_files_cut_anywhere_do_no_harm() {
    let mut trial = Trial::new();
    let mut random = Random::new(7);
    for options in [&["--compress=none"][..], &["--compress=lzx"], &["--solid"]] {
        let base = sample(options);
        for round in 0..soak::rounds(25, 1500) {
            let mut bytes = base.clone();
            for _ in 0..=random.index(4) {
                // Half of them in the tables at the end.
                let from = if random.chance(1, 2) { bytes.len().saturating_sub(3000) } else { 0 };
                let at = from + random.index(bytes.len() - from);
                bytes[at] = random.byte();
            }
            if round % 5 == 0 {
                bytes.truncate(random.index(bytes.len()));
            }
            trial.check(&format!("round {round} of {options:?}"), &bytes);
        }
    }
    trial.end("random changes");
}
