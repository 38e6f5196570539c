"""Makes the seeds of the target vhdx_log: logs of a disk of 4 MiB, see oracles/vhdx_log.rs.

Checksums are left to the target.
"""

import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
BAT = 3 << 20
FILE = 4 << 20


def entry(sequence, tail, changes, flushed=FILE, last=FILE):
    """An entry; a change is a page (offset, bytes) or zeros (offset, length)."""
    descriptors, sectors = b"", b""
    for offset, change in changes:
        if isinstance(change, int):
            descriptors += struct.pack("<4sIQQQ", b"zero", 0, change, offset, sequence)
            continue
        page = change.ljust(4096, b"\0")
        descriptors += b"desc" + page[4092:] + page[:8] + struct.pack("<QQ", offset, sequence)
        high, low = sequence >> 32, sequence & 0xFFFFFFFF
        sectors += struct.pack("<4sI4084sI", b"data", high, page[8:4092], low)
    descriptor_bytes = -(-(64 + len(descriptors)) // 4096) * 4096
    length = descriptor_bytes + len(sectors)
    head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, tail, sequence, len(changes), 0,
                       b"\7" * 16, flushed, last)
    return (head + descriptors).ljust(descriptor_bytes, b"\0") + sectors


def bat(*entries):
    return struct.pack(f"<{len(entries)}Q", *entries)


def save(name, at, data):
    folder = os.path.join(HERE, "seeds", "vhdx_log")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        # The zeros of the last sector are in the log anyway.
        file.write(bytes([at, 1]) + data.rstrip(b"\0"))


here, behind = (1 << 20) | 6, (4 << 20) | 6
save("one-page", 0, entry(1, 0, [(BAT, bat(2, 3, here))]))
save("longer-file", 3, entry(1, 3 * 4096, [(BAT, bat(behind, 0, 0, 2))], last=5 << 20))
save("zeros", 0, entry(5, 0, [(BAT, 1 << 20)]))
save("zeros-and-pages", 0, entry(5, 0, [(BAT, bat(2)), (BAT, 8192), (BAT + 4096, b"x")]))
first = entry(1 << 40, 0, [(BAT, bat(here))])
save("two", 0, first + entry((1 << 40) + 1, 0, [(BAT, 4096)]))
save("two-alone", 0, first + entry((1 << 40) + 1, len(first), [(BAT, 4096)]))
save("around", 255, entry(1, 255 * 4096, [(BAT, bat(here))]))
save("no-tail", 0, first + entry((1 << 40) + 1, 65536, [(BAT, 4096)]))
save("shorter-file", 0, entry(1, 0, [(BAT, bat(2))], flushed=FILE + 1))
save("headers", 0, entry(1, 0, [(65536, b"head")]))
save("log", 0, entry(1, 0, [((1 << 20) - 4096, 8192)]))
save("region-table", 0, entry(1, 0, [(192 << 10, 65536), (256 << 10, 65536)]))
save("many", 0, entry(1, 0, [(BAT + 4096 * n, 4096) for n in range(200)]))
