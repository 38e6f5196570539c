#!/usr/bin/env python3
"""Makes the seeds of the NTFS target with mkntfs and ntfs-3g: make_ntfs_seeds.py, from any folder, as root.

A seed is parts of a volume of 2 MiB with clusters of 512 bytes: the boot sector, records in use, blocks of indexes,
and what is small and looked at. Those of LZNT1 are the clusters of files that ntfs-3g compressed.
"""

import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MFT = 32 * 512


def run(*words):
    return subprocess.run(words, check=True, capture_output=True).stdout


def save(target, name, data):
    folder = os.path.join(HERE, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def volume(folder, cluster):
    path = os.path.join(folder, f"volume-{cluster}")
    with open(path, "wb") as file:
        file.truncate(2 << 20)
    run("mkntfs", "-F", "-Q", "-q", "-s", "512", "-c", str(cluster), path)
    return path


def compact(data, size):
    """A file as Windows compresses it: the resource that wimlib makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/one")
        with open(f"{folder}/one/file", "wb") as file:
            file.write(data[:size])
        wim = f"{folder}/one.wim"
        run("wimlib-imagex", "capture", f"{folder}/one", wim, "--compress=xpress", "--chunk-size=4096")
        blobs = run("wimlib-imagex", "info", wim, "--blobs").decode().split("\n\n")
        blob = next(blob for blob in blobs if "_COMPRESSED" in blob and "_METADATA" not in blob)
        lines = dict(line.split("=") for line in blob.splitlines() if "=" in line)
        lines = {label.strip(): value.split()[0] for label, value in lines.items()}
        start, length = int(lines["Offset in WIM"]), int(lines["Compressed size"])
        with open(wim, "rb") as file:
            return file.read()[start : start + length]


def fill(at):
    os.mkdir(f"{at}/folder")
    with open(f"{at}/small", "wb") as file:
        file.write(b"small")
    with open(f"{at}/large", "wb") as file:
        file.write(b"large" * 1000)
    os.link(f"{at}/small", f"{at}/a second name of the file")
    for number in range(12):
        os.link(f"{at}/large", f"{at}/folder/one of many names, which do not fit into a record {number}")
    os.setxattr(f"{at}/small", "user.stream", b"named")
    os.symlink("small", f"{at}/link")
    os.mkdir(f"{at}/many")
    for number in range(40):
        with open(f"{at}/many/name of one that is empty {number}", "wb"):
            pass
    with open(f"{at}/compact", "wb") as file:
        file.truncate(9000)
    os.setxattr(f"{at}/compact", "user.WofCompressedData", compact(b"nine hundred and ninety nine times " * 300, 9000))
    tag = bytes.fromhex("1700008010000000010000000200000001000000" "00000000")
    os.setxattr(f"{at}/compact", "system.ntfs_reparse_data", tag)
    with open(f"{at}/holes", "wb") as file:
        for place in (0, 70_000, 140_000):
            file.seek(place)
            file.write(b"x")


def parts(path):
    """The sectors that tell something, those in a row as one part: where it begins, how long it is, its bytes."""
    with open(path, "rb") as file:
        data = file.read()
    # The boot program, the copy of the boot sector, and records that are not in use.
    skipped = {*range(16), len(data) // 512 - 1}
    for at in range(0, len(data), 1024):
        if data[at : at + 4] == b"FILE" and not data[at + 0x16] & 1:
            skipped |= {at // 512, at // 512 + 1}
    # The copies of the first records, $AttrDef and $UpCase.
    for number in (1, 4, 10):
        for first, length in runs(path, number):
            skipped |= set(range(first, first + length))
    sectors = (data[at : at + 512] for at in range(0, len(data), 512))
    told = (number for number, sector in enumerate(sectors) if set(sector) not in ({0}, {0xFF}))
    wanted = [number for number in told if number not in skipped]
    found = data[:512]
    while wanted:
        length = 1
        while length < len(wanted) and wanted[length] == wanted[0] + length:
            length += 1
        found += wanted[0].to_bytes(2, "little") + length.to_bytes(2, "little")
        found += data[wanted[0] * 512 : (wanted[0] + length) * 512]
        wanted = wanted[length:]
    return found


def runs(path, record):
    """The clusters of a file's values."""
    report = run("ntfsinfo", "-v", "-i", str(record), path).decode()
    for listed in report.split("Runlist:")[1:]:
        for line in listed.splitlines()[1:]:
            fields = line.split()
            if len(fields) != 3 or not all(set(field) <= set("0x123456789abcdef") for field in fields):
                break
            yield int(fields[1], 16), int(fields[2], 16)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = volume(folder, 512)
        save("ntfs_volume", "empty", parts(path))
        at = os.path.join(folder, "mount")
        os.mkdir(at)
        run("ntfs-3g", "-o", "streams_interface=xattr", path, at)
        try:
            fill(at)
        finally:
            run("umount", at)
        save("ntfs_volume", "filled", parts(path))
        path = volume(folder, 4096)
        run("ntfs-3g", "-o", "compression", path, at)
        try:
            os.setxattr(at, "system.ntfs_attrib_be", bytes([0, 0, 8, 0x06]))
            with open(f"{at}/compressed", "wb") as file:
                file.write(b"".join(b"%d little bottles " % number for number in range(900)))
        finally:
            run("umount", at)
        report = run("ntfsinfo", "-v", "-F", "/compressed", path).decode()
        lcn = next(line.split()[1] for line in report.split("Runlist:")[1].splitlines()[1:] if line.strip())
        with open(path, "rb") as file:
            file.seek(int(lcn, 16) * 4096)
            save("decompress_lznt1", "bottles", file.read(4096))


main()
