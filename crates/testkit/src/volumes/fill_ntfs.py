"""Fills a volume that ntfs-3g has mounted with streams_interface=windows, for the tests of Imprint.

    fill_ntfs.py DIRECTORY everything        a bit of all that NTFS keeps
    fill_ntfs.py DIRECTORY entries COUNT     a directory of so many files
    fill_ntfs.py DIRECTORY runs COUNT        a file in so many runs, with a hole behind each
    fill_ntfs.py DIRECTORY links COUNT       a file with so many names
"""

import os
import random
import struct
import sys

NAMES = [b"\xed\xa0\x80lone", b"lone\xed\xbf\xbf", "gr\u00fcn".encode(), "\U0001f600".encode(), b"a:b", b"ctrl\x01\x07",
         b"quo\"te*?<>|", b" lead", b"trail.", b"trail ", b"CON", b"x" * 255, b"new\nline", b"back\\slash",
         "\u65e5\u672c".encode(), b"Case", b"case", b"caret^", b"under_score", b"100%", b"."*3, b"-dash", b"[SYSTEM]",
         "stra\u00dfe".encode(), "\ufb01".encode(), "e\u0301".encode()]


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def attribute(path, name, value):
    os.setxattr(path, "system.ntfs_" + name, value, follow_symlinks=False)


def descriptor(mask):
    """Owned by administrators, open to everyone; the mask makes descriptors differ."""
    sid = bytes.fromhex("01020000000000052000000020020000")
    entry = struct.pack("<BBHI", 0, 3, 20, 0x1f0100 | mask) + bytes.fromhex("010100000000000100000000")
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entry), 1, 0) + entry
    return struct.pack("<BBH4I", 1, 0, 0x8004, 20, 36, 0, 52) + sid + sid + acl


def extended(*attributes):
    value = b""
    for name, data, flags in attributes:
        one = struct.pack("<BBH", flags, len(name), len(data)) + name + b"\0" + data
        one += bytes(-(len(one) + 4) % 4)
        value += struct.pack("<I", len(one) + 4) + one
    return value


def everything():
    chance = random.Random(1)
    noise = chance.randbytes
    write("empty", b"")
    write("small", b"hello")
    write("large", noise(300_000))
    write("small:one", b"stream")
    write("small:two", noise(70_000))
    write("small:empty", b"")
    os.mkdir("folder")
    write("folder:stream", b"of a directory")
    os.mkdir("folder/deeper")
    os.link("small", "folder/deeper/hard link")
    os.mkdir("names")
    for name in NAMES:
        # This driver takes what is behind a colon for a stream.
        write(b"names/" + name.replace(b":", b"_"), name)
    write("a long name.text", b"l")
    attribute("a long name.text", "dos_name", b"ALONGN~1.TEX")
    os.mkdir("a long directory")
    attribute("a long directory", "dos_name", b"ALONGD~1")
    # Somebody's tag with its GUID, and a symbolic link and a junction of Windows.
    write("pointing", b"")
    attribute("pointing", "reparse_data", bytes.fromhex("1300001008000000") + bytes(range(16)) + b"8 bytes.")
    wide = lambda text: text.encode("utf-16-le")
    for name, tag, target, shown in (("symlink", 0xA000000C, "small", "small"),
                                     ("junction", 0xA0000003, r"\??\C:\folder", r"C:\folder")):
        junction = tag == 0xA0000003
        os.mkdir(name) if junction else write(name, b"")
        end = 2 if junction else 0
        data = struct.pack("<4H", 0, 2 * len(target), 2 * len(target) + end, 2 * len(shown))
        data += b"" if junction else struct.pack("<I", 1)
        data += wide(target) + bytes(end) + wide(shown) + bytes(end)
        attribute(name, "reparse_data", struct.pack("<IHH", tag, len(data), 0) + data)
    os.symlink("small", "link of Interix")
    write("identified", b"i")
    attribute("identified", "object_id", bytes(range(16)))
    write("extended", b"e")
    attribute("extended", "ea", extended((b"ONE", b"1", 0), (b"TWO", noise(900), 0x80)))
    with open("sparse", "wb") as file:
        file.truncate(3 << 20)
        for at in (0, 1_500_000, 2_000_001):
            file.seek(at)
            file.write(b"end")
    # As large as the volume is not.
    with open("hollow", "wb") as file:
        file.truncate(80 << 20)
    linked("many names", 150)
    pieces("in pieces", 120)
    os.mkdir("secured")
    for number in range(40):
        path = f"secured/{number}"
        write(path, b"s" * number)
        attribute(path, "acl", descriptor(number))
        attribute(path, "attrib_be", struct.pack(">I", (0x20, 1, 2, 4, 0x100, 0x2000, 0x1000)[number % 7]))
    attribute("secured", "acl", descriptor(0xFF))


def compressed():
    """Only with clusters of at most 4 KiB."""
    noise = random.Random(2).randbytes
    os.mkdir("compressed")
    attribute("compressed", "attrib_be", struct.pack(">I", 0x800))
    text = lambda size: b"".join(b"line %d of a text\n" % n for n in range(size // 10))[:size]
    for name, data in (("text", text(300_000)), ("noise", noise(200_000)), ("zeros", bytes(200_000)),
                       ("tiny", b"x"), ("unit", text(65_536)), ("behind a unit", text(65_537)),
                       ("mixed", text(70_000) + noise(70_000) + bytes(70_000) + text(33_333))):
        write("compressed/" + name, data)
    write("compressed/text:stream", text(100_000))
    # Changed in the middle, and made longer without being written.
    with open("compressed/text", "r+b") as file:
        file.seek(100_000)
        file.write(noise(5000))
        file.truncate(500_000)


def pieces(name, count):
    """A file of every other cluster, which are written in no order: each is a run, and between them are holes."""
    size = os.statvfs(".").f_bsize
    chance = random.Random(3)
    with open(name, "wb", buffering=0) as file:
        file.truncate(count * 2 * size)
        for index in chance.sample(range(count), count):
            file.seek(index * 2 * size)
            file.write(chance.randbytes(size))


def linked(name, count):
    write(name, b"one file")
    folder = name + " are here"
    os.mkdir(folder)
    for number in range(count):
        os.link(name, f"{folder}/name {number} of a file with many")


def entries(count):
    os.mkdir("entries")
    for number in range(count):
        write(f"entries/file {number} of a directory", b"%d" % number)


def dated():
    """Last, since all else changes times."""
    for number, (folder, folders, files) in enumerate(os.walk(b".", topdown=False)):
        for name in files + folders:
            past = [(0x01D5_0000 + index << 32) + number * 1000 + index for index in range(4)]
            attribute(os.path.join(folder, name), "times_be", struct.pack(">4Q", *past))


os.chdir(sys.argv[1])
what, count = sys.argv[2], int((sys.argv + ["0"])[3])
if what == "everything":
    everything()
    if os.statvfs(".").f_bsize <= 4096:
        compressed()
    dated()
else:
    {"entries": entries, "runs": lambda n: pieces("in pieces", n), "links": lambda n: linked("many names", n)}[what](count)
