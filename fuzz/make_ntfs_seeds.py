#!/usr/bin/env python3
"""Makes the seeds of the NTFS target with mkntfs and ntfs-3g: make_ntfs_seeds.py, from any folder, as root.

A seed is the beginning of a volume of 2 MiB with clusters of 512 bytes: boot sector and $MFT. Those of LZNT1 are the
clusters of files that ntfs-3g compressed.
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
    with open(f"{at}/holes", "wb") as file:
        for place in (0, 70_000, 140_000):
            file.seek(place)
            file.write(b"x")


def head(path):
    with open(path, "rb") as file:
        data = file.read(MFT + 48 * 1024)
    return data.rstrip(b"\0")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = volume(folder, 512)
        save("ntfs_volume", "empty", head(path))
        at = os.path.join(folder, "mount")
        os.mkdir(at)
        run("ntfs-3g", "-o", "streams_interface=xattr", path, at)
        try:
            fill(at)
        finally:
            run("umount", at)
        save("ntfs_volume", "filled", head(path))
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
