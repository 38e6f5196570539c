//! Lengths and counts that cannot be.

use super::{Entry, LIST, image, message, named};

#[test]
fn faulty_lengths_name_the_field() {
    let base = image(&[Entry { short: "SHORT", streams: vec![("s", 1)], ..named("name") }], &[]);
    let at = usize::try_from(LIST).unwrap();
    let check = |offset: usize, bytes: &[u8], text: &str| {
        let mut damaged = base.clone();
        damaged[offset..offset + bytes.len()].copy_from_slice(bytes);
        let expected = format!("metadata of image 3: {text} of the uncompressed metadata)");
        assert_eq!(message(&damaged), expected);
    };
    check(
        0,
        &[255, 255, 255, 127],
        "length of the security data should be at most 304, but is 2147483648 (at offset 0x0",
    );
    check(4, &[1], "number of security descriptors should be at most 0, but is 1 (at offset 0x4");
    check(
        at,
        &[96],
        "length of a directory entry should be from 102 to 184, but is 96 (at offset 0x78",
    );
    check(
        at,
        &[208],
        "length of a directory entry should be from 102 to 184, but is 208 (at offset 0x78",
    );
    check(
        at,
        &[255; 8],
        "length of a directory entry should be from 102 to 184, but is 18446744073709551615 (at offset 0x78",
    );
    check(
        at + 0x64,
        &[9],
        "length of a long name should be a multiple of 2, but is 9 (at offset 0xdc",
    );
    check(
        at + 0x64,
        &[40],
        "length of a long name should be at most 24, but is 40 (at offset 0xdc",
    );
    check(
        at + 0x62,
        &[20],
        "length of a short name should be at most 14, but is 20 (at offset 0xda",
    );
    check(
        at + 0x60,
        &[9],
        "number of stream entries should be at most 1, but is 9 (at offset 0xd8",
    );
    let stream_at = at + 128;
    check(
        stream_at,
        &[32],
        "length of a stream entry should be from 38 to 56, but is 32 (at offset 0xf8",
    );
    check(
        stream_at,
        &[200],
        "length of a stream entry should be from 38 to 56, but is 200 (at offset 0xf8",
    );
    check(
        stream_at + 0x24,
        &[3],
        "length of a stream name should be a multiple of 2, but is 3 (at offset 0x11c",
    );
    check(
        stream_at + 0x24,
        &[30],
        "length of a stream name should be at most 10, but is 30 (at offset 0x11c",
    );
    check(
        24,
        &[1, 0, 1],
        "directory entry should end at or before 0x130, but ends at 0x10009 (at offset 0x10001",
    );
}
