#!/usr/bin/env python3
"""Compress and decompress chunks with libwim, the peer of `codec-speed`.

  peer_codec.py make PLAIN CHUNKS --format lzx --chunk-size 32768 --level 50
      cuts PLAIN into chunks, compresses each on its own, writes them to CHUNKS
  peer_codec.py serve CHUNKS --format lzx --chunk-size 32768
      then, for each line on standard input:
        pass         decompress every compressed chunk once, print the nanoseconds
        check PLAIN  decompress every chunk once, print "equal" or where PLAIN differs
  peer_codec.py pack CHUNKS --format lzx --chunk-size 32768 --level 50
      CHUNKS holds raw chunks; for each line "pass" on standard input compresses every chunk once,
      prints the nanoseconds and the total size (a chunk that does not shrink counts as it is)

CHUNKS file: u32 count, then per chunk u32 plain size and u32 stored size, then the chunks one after
the other (all little-endian). A chunk whose two sizes are equal is stored raw.

Times are CPU time of the calling thread. What a call through ctypes costs by itself is measured with
a library function that does next to nothing, and taken off: the peer is charged for its own work only.
"""

import argparse
import ctypes
import struct
import sys
import time

SONAME = "libwim.so.15"
TYPES = {"xpress": 1, "lzx": 2, "lzms": 3}


def load(path):
    lib = ctypes.CDLL(path or SONAME)
    size, pointer, number = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int
    lib.wimlib_create_compressor.argtypes = [number, size, ctypes.c_uint, pointer]
    lib.wimlib_create_decompressor.argtypes = [number, size, pointer]
    lib.wimlib_compress.argtypes = [pointer, size, pointer, size, pointer]
    lib.wimlib_compress.restype = size
    lib.wimlib_decompress.argtypes = [pointer, size, pointer, size, pointer]
    # Not its real signature: surplus arguments do no harm in the C calling convention, and so a call
    # costs exactly what a call of wimlib_decompress costs.
    lib.wimlib_get_version.argtypes = [pointer, size, pointer, size, pointer]
    return lib


def fail_if(code, what):
    if code != 0:
        sys.exit(f"{what} failed with code {code}")


def address_of(data):
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value


def make(args):
    lib = load(args.peer_lib)
    plain = open(args.plain, "rb").read()
    codec = ctypes.c_void_p()
    fail_if(
        lib.wimlib_create_compressor(
            TYPES[args.format], args.chunk_size, args.level, ctypes.addressof(codec)
        ),
        "creating the compressor",
    )
    out = ctypes.create_string_buffer(args.chunk_size)
    start, sizes, stored = address_of(plain), [], []
    spent = 0
    for at in range(0, len(plain), args.chunk_size):
        size = min(args.chunk_size, len(plain) - at)
        began = time.thread_time_ns()
        packed = lib.wimlib_compress(start + at, size, ctypes.addressof(out), size - 1, codec)
        spent += time.thread_time_ns() - began
        chunk = ctypes.string_at(out, packed) if packed else plain[at : at + size]
        sizes.append((size, len(chunk)))
        stored.append(chunk)
    with open(args.chunks, "wb") as file:
        file.write(struct.pack("<I", len(sizes)))
        for pair in sizes:
            file.write(struct.pack("<II", *pair))
        file.writelines(stored)
    print(spent)


class Chunks:
    def __init__(self, path):
        self.data = open(path, "rb").read()
        (count,) = struct.unpack_from("<I", self.data)
        at = 4 + 8 * count
        start = address_of(self.data)
        self.all = []
        for i in range(count):
            plain, stored = struct.unpack_from("<II", self.data, 4 + 8 * i)
            self.all.append((start + at, stored, plain))
            at += stored


def one_pass(function, calls, out, codec):
    began = time.thread_time_ns()
    for source, stored, plain in calls:
        function(source, stored, out, plain, codec)
    return time.thread_time_ns() - began


def check(lib, chunks, out, codec, path):
    with open(path, "rb") as file:
        for number, (source, stored, plain) in enumerate(chunks.all):
            if stored == plain:
                got = ctypes.string_at(source, plain)
            else:
                code = lib.wimlib_decompress(source, stored, out, plain, codec)
                fail_if(code, f"decompressing chunk {number}")
                got = ctypes.string_at(out, plain)
            if got != file.read(plain):
                return f"chunk {number} differs"
    return "equal"


def serve(args):
    lib = load(args.peer_lib)
    codec = ctypes.c_void_p()
    fail_if(
        lib.wimlib_create_decompressor(
            TYPES[args.format], args.chunk_size, ctypes.addressof(codec)
        ),
        "creating the decompressor",
    )
    chunks = Chunks(args.chunks)
    calls = [call for call in chunks.all if call[1] < call[2]]
    buffer = ctypes.create_string_buffer(args.chunk_size)
    out = ctypes.addressof(buffer)
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "pass":
            bare = min(one_pass(lib.wimlib_get_version, calls, out, codec) for _ in range(3))
            print(one_pass(lib.wimlib_decompress, calls, out, codec) - bare, flush=True)
        elif word == "check":
            print(check(lib, chunks, out, codec, rest), flush=True)
        else:
            sys.exit(f"unknown request: {word}")


def pack(args):
    lib = load(args.peer_lib)
    codec = ctypes.c_void_p()
    fail_if(
        lib.wimlib_create_compressor(
            TYPES[args.format], args.chunk_size, args.level, ctypes.addressof(codec)
        ),
        "creating the compressor",
    )
    chunks = Chunks(args.chunks)
    calls = [(source, size, size - 1) for source, size, _ in chunks.all]
    buffer = ctypes.create_string_buffer(args.chunk_size)
    out = ctypes.addressof(buffer)
    for _ in sys.stdin:
        bare = min(one_pass(lib.wimlib_get_version, calls, out, codec) for _ in range(3))
        spent = one_pass(lib.wimlib_compress, calls, out, codec) - bare
        sizes = ((lib.wimlib_compress(s, n, out, room, codec), n) for s, n, room in calls)
        print(spent, sum(packed or size for packed, size in sizes), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("make", "serve", "pack"):
        command = commands.add_parser(name)
        if name == "make":
            command.add_argument("plain")
        command.add_argument("chunks")
        command.add_argument("--format", choices=TYPES, required=True)
        command.add_argument("--chunk-size", type=int, required=True)
        command.add_argument("--level", type=int, default=0)
        command.add_argument("--peer-lib")
    args = parser.parse_args()
    {"make": make, "serve": serve, "pack": pack}[args.command](args)


if __name__ == "__main__":
    main()
