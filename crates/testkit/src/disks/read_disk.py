"""Reads a VHD or VHDX with dissect.hypervisor, for the tests of Imprint.

    read_disk.py vhd|vhdx FILE [START:END ...]

Prints, little endian, the disk's size (8 bytes) and then each 64 KiB block of the ranges, or of the whole
disk, that is not all zeros: its offset (8 bytes) and its bytes (the last block may be shorter).
"""

import struct
import sys
from pathlib import Path

from dissect.hypervisor.disk import vhd, vhdx

BLOCK = 1 << 16


class Aligned:
    """A parent that is asked for whole blocks only.

    dissect.hypervisor 3.21 reads a sector bitmap wrongly when it begins inside a byte of it, as
    the reads of a child do that falls through to a parent that is itself partially present.
    """

    def __init__(self, disk):
        self.disk = disk

    def read_sectors(self, sector, count):
        size = self.disk.sector_size
        unit = BLOCK // size
        first = sector // unit * unit
        last = min(-(-(sector + count) // unit) * unit, self.disk.size // size)
        data = self.disk.read_sectors(first, last - first)
        return data[(sector - first) * size:(sector - first + count) * size]


def next_stored_vhdx(disk, offset):
    """The first offset that may not be zero."""
    while offset < disk.size:
        layer = disk
        block_size = disk.block_size
        while True:
            block_size = min(block_size, layer.block_size)
            state = layer.bat.pb(offset // layer.block_size).state
            if state or not layer.parent:
                break
            layer = layer.parent.disk
        if state in (6, 7):
            return offset
        # Only as far as the shortest block reaches can it be said that there is nothing.
        offset = (offset // block_size + 1) * block_size
    return disk.size


def next_stored_vhd(disk, offset):
    dynamic = disk.disk
    if not isinstance(dynamic, vhd.DynamicDisk):
        return offset
    block_size = dynamic.header.block_size
    while offset < disk.size and dynamic.bat[offset // block_size] is None:
        offset = (offset // block_size + 1) * block_size
    # Blocks may be shorter than those in which contents are compared.
    return offset // BLOCK * BLOCK


def main(kind, path, *ranges):
    if kind == "vhdx":
        disk = vhdx.VHDX(Path(path))
        layer = disk
        while layer.parent:
            layer.parent = Aligned(layer.parent)
            layer = layer.parent.disk
        next_stored, size = next_stored_vhdx, disk.size
    else:
        disk = vhd.VHD(open(path, "rb"))
        next_stored, size = next_stored_vhd, disk.disk.size
    out = sys.stdout.buffer
    out.write(struct.pack("<Q", size))
    for piece in ranges or [f"0:{size}"]:
        offset, end = map(int, piece.split(":"))
        offset = next_stored(disk, offset)
        while offset < min(end, size):
            disk.seek(offset)
            data = disk.read(min(BLOCK, size - offset))
            if any(data):
                out.write(struct.pack("<Q", offset) + data)
            offset = next_stored(disk, offset + BLOCK)


main(*sys.argv[1:])
