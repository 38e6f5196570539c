//! Any bytes decompress or do not; what is made fits, and is the same whatever was in the output before.

pub(crate) fn check(bytes: &[u8]) {
    let (mut one, mut other) = (vec![0; 65_536], vec![0xff; 65_536]);
    let made = imprint_codec::lznt1::decompress(bytes, &mut one);
    assert_eq!(made, imprint_codec::lznt1::decompress(bytes, &mut other));
    if let Ok(made) = made {
        assert_eq!(one[..made], other[..made]);
        assert!(other[made..].iter().all(|&byte| byte == 0xff));
    }
}
