#!/usr/bin/env python3
"""Makes the seeds of the LZX and XPRESS targets with libwim: make_seeds.py, from any folder.

The plain data is that of the LZMS fixtures of the codec crate.
"""

import ctypes
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../crates/codec/tests/fixtures/lzms"))
import peer

FORMATS = {"xpress": (1, 65536), "lzx": (2, 32768)}
CHUNKS = [(kind, size) for kind in range(7) for size in (40, 1500, 6000)]


def save(target, name, data):
    folder = os.path.join(HERE, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def main():
    lib = peer.load()
    for name, (number, chunk_size) in FORMATS.items():
        codec = ctypes.c_void_p()
        code = lib.wimlib_create_compressor(number, chunk_size, 50, ctypes.byref(codec))
        peer.fail_if(code, "creating the compressor")
        for kind, size in CHUNKS:
            plain = peer.generate(kind, 7, size)
            out = ctypes.create_string_buffer(size)
            stored = lib.wimlib_compress(plain, size, out, size, codec)
            if stored:
                # The targets add one to the size.
                chunk = struct.pack("<H", size - 1) + out.raw[:stored]
                save(f"decompress_{name}", f"kind-{kind}-{size}", chunk)
            if size == 1500:
                save(f"roundtrip_{name}", f"kind-{kind}-{size}", bytes([kind]) + plain)


main()
