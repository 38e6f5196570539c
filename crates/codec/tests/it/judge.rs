//! Judges of compressed chunks: the contract of the compressor, our decoder, and libwim.

use std::io::Write as _;
use std::process::Command;

use imprint_codec::{Compressor, Decompressor, Format};

/// Has libwim decompress every chunk of a file: `u32` plain size, `u32` packed size, plain bytes, packed
/// bytes, again and again.
const JUDGE: &str = r#"
import ctypes, struct, sys
lib = ctypes.CDLL("libwim.so.15")
lib.wimlib_create_decompressor.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p]
lib.wimlib_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
codec = ctypes.c_void_p()
assert lib.wimlib_create_decompressor(int(sys.argv[3]), int(sys.argv[2]), ctypes.byref(codec)) == 0
data, at, number = open(sys.argv[1], "rb").read(), 0, 0
while at < len(data):
    plain, packed = struct.unpack_from("<II", data, at)
    at += 8
    want, source = data[at:at + plain], data[at + plain:at + plain + packed]
    at += plain + packed
    out = ctypes.create_string_buffer(plain)
    code = lib.wimlib_decompress(source, packed, out, plain, codec)
    assert code == 0, f"chunk {number}: code {code}"
    assert out.raw == want, f"chunk {number} differs"
    number += 1
print(number)
"#;

/// Compressed chunks that wait for the independent judge.
pub(crate) struct Judged {
    format: Format,
    chunk_size: u32,
    file: Vec<u8>,
    count: usize,
}

impl Judged {
    pub(crate) fn new(format: Format, chunk_size: u32) -> Self {
        Self { format, chunk_size, file: Vec::new(), count: 0 }
    }

    pub(crate) fn add(&mut self, plain: &[u8], packed: &[u8]) {
        for len in [plain.len(), packed.len()] {
            self.file.extend(u32::try_from(len).unwrap().to_le_bytes());
        }
        self.file.extend(plain);
        self.file.extend(packed);
        self.count += 1;
    }

    #[track_caller]
    pub(crate) fn check(self) {
        assert!(self.count > 0, "nothing was compressed");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&self.file).unwrap();
        let number = match self.format {
            Format::Xpress => "1",
            Format::Lzx => "2",
            Format::Lzms => "3",
        };
        let output = Command::new("python3")
            .args(["-c", JUDGE])
            .arg(file.path())
            .arg(self.chunk_size.to_string())
            .arg(number)
            .output()
            .expect("python3 is needed");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "libwim rejects a chunk: {errors}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), self.count.to_string());
    }
}

/// Compresses, checks the contract and our decoder, and returns the compressed bytes if there are any.
#[track_caller]
pub(crate) fn round_trip(compressor: &mut Compressor, plain: &[u8], what: &str) -> Option<Vec<u8>> {
    const UNTOUCHED: u8 = 0xA5;
    let mut out = vec![UNTOUCHED; plain.len() + 64];
    let packed = compressor.compress(plain, &mut out)?;
    assert!(packed < plain.len(), "{what}: {packed} bytes are not fewer");
    assert!(out[plain.len()..].iter().all(|&byte| byte == UNTOUCHED), "{what}: wrote beyond");
    out.truncate(packed);
    let mut again = vec![0; plain.len()];
    let mut decompressor = Decompressor::new(compressor.format(), compressor.chunk_size()).unwrap();
    if let Err(error) = decompressor.decompress(&out, &mut again) {
        panic!("{what}: {error}");
    }
    assert!(again == plain, "{what}: decompressed bytes differ");
    Some(out)
}
