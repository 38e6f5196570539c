"""Proves the rules of NTFS 3.1 on a volume, for the tests of Imprint, strictly and on its own.

    check_ntfs.py IMAGE [--offset N] [--lenient]

Prints a line `rule: where: what` for each rule that is broken; ends with 0 if none is, else with 1. The
volume begins at byte N of the file. `--lenient` leaves out the rules in LENIENT, which ntfs-3g breaks.
"""

import os
import struct
import sys
from array import array
from collections import defaultdict

# Rules that are not proven on volumes ntfs-3g wrote to, and what it does instead.
LENIENT = {
    "security-none": "it writes $STANDARD_INFORMATION of $MFT anew, with security id 0",
}

SI, LIST, NAME, OBJECT_ID, SD, VOLUME_NAME, VOLUME_INFORMATION, DATA, ROOT, ALLOCATION, BITMAP, REPARSE, \
    EA_INFORMATION, EA, LOGGED = (*range(0x10, 0xF0, 0x10), 0x100)
KNOWN = {SI, LIST, NAME, OBJECT_ID, SD, VOLUME_NAME, VOLUME_INFORMATION, DATA, ROOT, ALLOCATION, BITMAP,
         REPARSE, EA_INFORMATION, EA, LOGGED}
ALWAYS_RESIDENT = {SI, NAME, OBJECT_ID, VOLUME_NAME, VOLUME_INFORMATION, ROOT, EA_INFORMATION}
RECORD = 0xFFFFFFFFFFFF
I30 = "$I30".encode("utf-16-le")
u16 = struct.Struct("<H").unpack_from
u32 = struct.Struct("<I").unpack_from
u64 = struct.Struct("<Q").unpack_from


class Unreadable(Exception):
    """What is broken so that nothing behind it can be looked at."""


class Attribute:
    __slots__ = ("type", "name", "resident", "flags", "instance", "value", "length", "first", "last",
                 "unit", "allocated", "size", "initialised", "total", "runs", "holder", "indexed")


class Record:
    __slots__ = ("number", "sequence", "links", "flags", "base", "attributes", "streams")


def text(name):
    return name.decode("utf-16-le", "backslashreplace")


def units(name):
    values = array("H", name)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def bit_ranges(expected, actual):
    """The ranges of bits in which two bitmaps of the same length differ, and what `actual` has there."""
    start, value, step = None, 0, 1 << 16
    for base in range(0, len(actual), step):
        if expected[base:base + step] == actual[base:base + step]:
            continue
        for index in range(base, min(base + step, len(actual))):
            changed = expected[index] ^ actual[index]
            for bit in range(8) if changed else ():
                if changed >> bit & 1:
                    at, here = index * 8 + bit, actual[index] >> bit & 1
                    if start is not None and (end != at or value != here):
                        yield start, end, value
                        start = None
                    if start is None:
                        start, value = at, here
                    end = at + 1
    if start is not None:
        yield start, end, value


def set_bits(bitmap, start, end):
    while start < end and start & 7:
        bitmap[start >> 3] |= 1 << (start & 7)
        start += 1
    whole = (end - start) >> 3
    if whole > 0:
        bitmap[start >> 3:(start >> 3) + whole] = b"\xff" * whole
        start += whole * 8
    while start < end:
        bitmap[start >> 3] |= 1 << (start & 7)
        start += 1


class Checker:
    def __init__(self, path, offset, lenient):
        self.file = os.open(path, os.O_RDONLY)
        self.end = os.lseek(self.file, 0, os.SEEK_END)
        self.offset, self.lenient = offset, lenient
        self.findings = 0
        self.records = {}
        self.runs = []
        self.upcase = None

    def find(self, rule, where, what):
        if self.lenient and rule in LENIENT:
            return
        self.findings += 1
        print(f"{rule}: {where}: {what}")

    def expect(self, rule, where, what, is_, should):
        if is_ != should:
            self.find(rule, where, f"{what} is {is_}, should be {should}")

    def read(self, at, length):
        data = os.pread(self.file, length, self.offset + at)
        if len(data) != length:
            raise Unreadable(f"read: byte {at:#x}: the volume ends before {length} bytes")
        return data

    def run(self):
        try:
            self.boot()
            self.find_mft()
            self.load_upcase()
            self.load_records()
            self.check_files()
            self.check_upcase()
            self.check_mft()
            self.check_clusters()
            self.check_boot_files()
            self.check_names()
            self.check_security()
            self.check_view(self.extended("$Reparse"), "$R", "reparse", self.reparse_points())
            self.check_view(self.extended("$ObjId"), "$O", "object-id", self.object_ids())
        except Unreadable as error:
            self.findings += 1
            print(error)
        return self.findings

    # Boot sector.

    def boot(self):
        boot = self.read(0, 512)
        where = "boot sector"
        self.expect("boot", where, "signature", boot[3:11], b"NTFS    ")
        self.expect("boot", where, "end mark", boot[510:512], b"\x55\xaa")
        self.sector = u16(boot, 11)[0]
        if self.sector not in (256, 512, 1024, 2048, 4096):
            raise Unreadable(f"boot: {where}: sectors of {self.sector} bytes")
        factor = boot[13]
        factor = 1 << (256 - factor) if factor > 128 else factor
        if factor == 0 or factor & (factor - 1):
            raise Unreadable(f"boot: {where}: clusters of {factor} sectors")
        self.cluster = factor * self.sector
        self.expect("boot", where, "bytes 0x0e..0x15", boot[14:21], bytes(7))
        self.expect("boot", where, "media", boot[21], 0xF8)
        self.expect("boot", where, "bytes 0x16..0x18", boot[22:24], bytes(2))
        self.expect("boot", where, "bytes 0x20..0x24", boot[32:36], bytes(4))
        sectors, self.mft_lcn, self.mirror_lcn = struct.unpack_from("<3Q", boot, 0x28)
        self.clusters = sectors // factor

        def size(byte):
            return 1 << (256 - byte) if byte > 127 else byte * self.cluster
        self.record_size, self.block_size = size(boot[0x40]), size(boot[0x44])
        for name, length in ("record", self.record_size), ("index block", self.block_size):
            if not 512 <= length <= 65536 or length & (length - 1):
                raise Unreadable(f"boot: {where}: {name} size {length}")
        if not (0 < self.mft_lcn < self.clusters and 0 < self.mirror_lcn < self.clusters):
            raise Unreadable(f"boot: {where}: $MFT at {self.mft_lcn}, $MFTMirr at {self.mirror_lcn}")
        first = self.read(0, self.sector)
        last = self.offset + sectors * self.sector
        if last + self.sector > self.end:
            self.find("backup", "boot sector", f"{sectors} sectors and the backup do not fit the file")
        elif self.read(sectors * self.sector, self.sector) != first:
            self.find("backup", f"sector {sectors}", "is not a copy of the boot sector")

    # Records.

    def fixed(self, data, signature, where):
        """A record or block as it was before its update sequence was written; None if it is broken."""
        if data[:4] != signature:
            self.find("signature", where, f"is {bytes(data[:4])}, should be {signature}")
            return None
        at, count = struct.unpack_from("<HH", data, 4)
        if count != 1 + len(data) // 512 or at & 1 or at < 0x28 or at + 2 * count > 510:
            self.find("fixup", where, f"update sequence of {count} at {at:#x}")
            return None
        data = bytearray(data)
        number, torn = data[at:at + 2], False
        for index in range(1, count):
            tail = index * 512 - 2
            torn |= data[tail:tail + 2] != number
            data[tail:tail + 2] = data[at + 2 * index:at + 2 * index + 2]
        if torn:
            self.find("fixup", where, "the ends of the sectors do not hold the update sequence number")
            return None
        return bytes(data)

    def parse(self, data, number):
        where = f"record {number}"
        record = Record()
        record.number, record.streams = number, {}
        record.sequence, record.links, at, record.flags, used, allocated, record.base, following = \
            struct.unpack_from("<4H2IQH", data, 0x10)
        record.attributes = attributes = []
        if not record.flags & 1:
            return record
        if record.sequence == 0:
            self.find("record", where, "its sequence number is 0")
        self.expect("record", where, "allocated size", allocated, len(data))
        usa, count = struct.unpack_from("<HH", data, 4)
        if usa >= 0x30:
            self.expect("record", where, "own number", u32(data, 0x2C)[0], number & 0xFFFFFFFF)
        if at & 7 or at < usa + 2 * count or used & 7 or used > len(data):
            self.find("record", where, f"attributes from {at:#x} to {used:#x}")
            return record
        instances, previous = set(), None
        while True:
            if at + 8 > used:
                self.find("record", where, "its attributes do not end with 0xffffffff")
                break
            if u32(data, at)[0] == 0xFFFFFFFF:
                self.expect("record", where, "used size", used, at + 8)
                break
            length = u32(data, at + 4)[0]
            if length & 7 or length < 24 or at + length > used:
                self.find("record", where, f"attribute at {at:#x} of {length} bytes")
                break
            attribute = self.attribute(data[at:at + length], number, f"{where} attribute at {at:#x}")
            at += length
            if attribute is None:
                continue
            attributes.append(attribute)
            if attribute.instance in instances or attribute.instance >= following:
                self.find("instance", where, f"{attribute.instance} is used twice or not below {following}")
            instances.add(attribute.instance)
            key = (attribute.type, self.collated(attribute.name), attribute.first)
            if previous is not None and (key < previous or key == previous and key[0] != NAME):
                self.find("attribute-order", where, f"attribute {key[0]:#x} {text(attribute.name)!r}")
            previous = key
        return record

    def attribute(self, data, number, where):
        attribute = Attribute()
        attribute.type, _, nonresident, name_units, name_at, attribute.flags, attribute.instance = \
            struct.unpack_from("<IIBBHHH", data)
        attribute.resident, attribute.holder, attribute.first = not nonresident, number, 0
        attribute.name = data[name_at:name_at + 2 * name_units] if name_units else b""
        if attribute.type not in KNOWN:
            self.find("attribute", where, f"type {attribute.type:#x} is not known")
        if name_units and (name_at < (24, 64)[nonresident & 1] or name_at + 2 * name_units > len(data)):
            self.find("attribute", where, f"name of {name_units} at {name_at:#x}")
            return None
        if nonresident > 1:
            self.find("attribute", where, f"its form is {nonresident}")
            return None
        if not nonresident:
            attribute.length, value_at, attribute.indexed = struct.unpack_from("<IHB", data, 16)
            if value_at & 7 or value_at < name_at + 2 * name_units and name_units or \
                    value_at < 24 or value_at + attribute.length > len(data):
                self.find("attribute", where, f"value of {attribute.length} at {value_at:#x}")
                return None
            attribute.value = data[value_at:value_at + attribute.length]
            self.expect("attribute", where, "indexed flag", attribute.indexed, int(attribute.type == NAME))
            if attribute.type == ALLOCATION:
                self.find("resident", where, "an index allocation is resident")
            attribute.runs = ()
            return attribute
        if len(data) < 64:
            self.find("attribute", where, "is too short")
            return None
        if attribute.type in ALWAYS_RESIDENT:
            self.find("resident", where, f"type {attribute.type:#x} is not resident")
        attribute.first, attribute.last, pairs, attribute.unit = struct.unpack_from("<QQHB", data, 16)
        attribute.allocated, attribute.size, attribute.initialised = struct.unpack_from("<3Q", data, 0x28)
        packed = attribute.flags & 0x8001 and attribute.first == 0
        if packed and len(data) < 72:
            self.find("attribute", where, "is too short for a compressed size")
            return None
        attribute.total = u64(data, 64)[0] if packed else None
        attribute.runs = self.mapping(data, pairs, attribute, where)
        return attribute

    def mapping(self, data, at, attribute, where):
        runs, vcn, lcn = [], attribute.first, 0
        if at < (72 if attribute.total is not None else 64):
            self.find("runs", where, f"begin at {at:#x}")
            return runs
        while True:
            if at >= len(data):
                self.find("runs", where, "do not end with 0")
                return runs
            head = data[at]
            if head == 0:
                break
            lengths, offsets = head & 15, head >> 4
            after = at + 1 + lengths + offsets
            if not 0 < lengths <= 8 or offsets > 8 or after > len(data):
                self.find("runs", where, f"pair {head:#x}")
                return runs
            length = int.from_bytes(data[at + 1:at + 1 + lengths], "little", signed=True)
            if length <= 0:
                self.find("runs", where, f"a run of {length} clusters")
                return runs
            if offsets:
                lcn += int.from_bytes(data[at + 1 + lengths:after], "little", signed=True)
                if lcn < 0 or lcn + length > self.clusters:
                    self.find("runs", where, f"{length} clusters at {lcn} are outside the volume")
                    return runs
            runs.append((vcn, lcn if offsets else None, length))
            vcn += length
            at = after
        self.expect("runs", where, "last VCN", (attribute.last + 1) & 0xFFFFFFFFFFFFFFFF, vcn)
        return runs

    def collated(self, name):
        if not name:
            return ()
        table = self.upcase
        return tuple(units(name)) if table is None else tuple([table[unit] for unit in units(name)])

    # Streams.

    def contents(self, attributes, limit=None):
        """All bytes of a stream, with zeros from its initialised size on."""
        first = attributes[0]
        if first.resident:
            return first.value
        size = first.size if limit is None else min(first.size, limit)
        if size > 1 << 33:
            raise Unreadable(f"size: record {first.holder}: {size} bytes of a system stream")
        pieces, have = [], 0
        for attribute in attributes:
            for _, lcn, length in attribute.runs:
                length = min(length * self.cluster, size - have)
                if length <= 0:
                    break
                pieces.append(bytes(length) if lcn is None else self.read(lcn * self.cluster, length))
                have += length
        data = b"".join(pieces)
        return data[:first.initialised] + bytes(size - min(first.initialised, size))

    def stream(self, number, type_, name=""):
        """The contents of a stream of a file; None if it has none."""
        record = self.records.get(number)
        attributes = record and record.streams.get((type_, name.encode("utf-16-le")))
        return self.contents(attributes) if attributes else None

    def single(self, number):
        """A record read on its own, before all are."""
        position, size = number * self.record_size, self.record_size
        data = b""
        while len(data) < size:
            vcn, within = divmod(position + len(data), self.cluster)
            for first, lcn, length in self.mft_runs:
                if lcn is not None and first <= vcn < first + length:
                    take = min(size - len(data), (first + length - vcn) * self.cluster - within)
                    data += self.read((lcn + vcn - first) * self.cluster + within, take)
                    break
            else:
                raise Unreadable(f"mft: record {number}: is not in the runs of $MFT")
        data = self.fixed(data, b"FILE", f"record {number}")
        if data is None:
            raise Unreadable(f"mft: record {number}: nothing can be read without it")
        return self.parse(data, number)

    def gather(self, number, type_, name=b""):
        """The attributes of a stream of a system file, through its attribute list, if it has one."""
        base = self.single(number)
        found = [a for a in base.attributes if (a.type, a.name) == (type_, name)]
        listed = [a for a in base.attributes if a.type == LIST]
        if number == 0:
            self.mft_runs = [run for a in found for run in a.runs]
        for entry in self.list_entries(self.contents(listed), "") if listed else ():
            holder = entry[3] & RECORD
            if entry[:2] == (type_, name) and holder != number:
                more = [a for a in self.single(holder).attributes
                        if (a.type, a.name, a.first) == (type_, name, entry[2])]
                found += more
                if number == 0:
                    self.mft_runs += [run for a in more for run in a.runs]
        if not found:
            raise Unreadable(f"mft: record {number}: has no attribute {type_:#x}")
        return sorted(found, key=lambda attribute: attribute.first)

    def find_mft(self):
        quiet, self.find = self.find, lambda *_: None  # what is broken here is found again with the rest
        try:
            self.mft_runs = [(0, self.mft_lcn, -(-self.record_size // self.cluster))]
            self.mft = self.gather(0, DATA)
        finally:
            self.find = quiet
        if self.mft[0].resident or self.mft[0].runs and self.mft[0].runs[0][1] != self.mft_lcn:
            raise Unreadable("mft: record 0: its runs do not begin where the boot sector says")

    def load_upcase(self):
        quiet, self.find = self.find, lambda *_: None
        try:
            data = self.contents(self.gather(10, DATA))
        finally:
            self.find = quiet
        if len(data) != 131072:
            raise Unreadable(f"upcase: record 10: has {len(data)} bytes")
        self.upcase_data, self.upcase = data, units(data)

    def load_records(self):
        first, size = self.mft[0], self.record_size
        count = min(first.initialised, first.size) // size
        number, rest = 0, b""
        for _, lcn, length in (run for a in self.mft for run in a.runs):
            if lcn is None:
                raise Unreadable("mft: record 0: $MFT has a hole")
            at, end = lcn * self.cluster, (lcn + length) * self.cluster
            while at < end and number < count:
                piece = rest + self.read(at, min(1 << 20, end - at))
                at += 1 << 20
                used = len(piece) // size * size
                for position in range(0, used, size):
                    if number < count:
                        self.load(piece[position:position + size], number)
                        number += 1
                rest = piece[used:]
        self.expect("mft", "record 0", "records in its runs", number, count)
        self.count = count

    def load(self, data, number):
        if data[:4] == bytes(4):
            return  # Windows leaves slots it never used as zeros; a used one is missed in the bitmap
        data = self.fixed(data, b"FILE", f"record {number}")
        if data is not None:
            record = self.parse(data, number)
            if record.flags & 1:
                self.records[number] = record

    # Files: their attributes, lists, sizes.

    def list_entries(self, data, where):
        entries, at = [], 0
        while at < len(data):
            if at + 26 > len(data):
                self.find("list", where, "its last entry is cut off")
                break
            type_, length, name_units, name_at, vcn, ref, instance = struct.unpack_from("<IHBBQQH", data, at)
            if length < 26 or length & 7 or at + length > len(data) or name_units and name_at + 2 * name_units > length:
                self.find("list", where, f"entry of {length} bytes")
                break
            name = data[at + name_at:at + name_at + 2 * name_units] if name_units else b""
            entries.append((type_, name, vcn, ref, instance))
            at += length
        return entries

    def check_files(self):
        extensions = defaultdict(list)
        for record in self.records.values():
            if not record.base:
                continue
            base = self.records.get(record.base & RECORD)
            if base is None or base.base or base.sequence != record.base >> 48:
                self.find("extension", f"record {record.number}", f"its base record {record.base:#x} is not")
            else:
                extensions[base.number].append(record)
            if any(a.type in (SI, LIST) for a in record.attributes):
                self.find("extension", f"record {record.number}", "has what only a base record may have")
        for record in self.records.values():
            if not record.base:
                self.check_file(record, extensions.get(record.number, ()))

    def check_file(self, record, extensions):
        where = f"record {record.number}"
        attributes = list(record.attributes)
        listed = [a for a in attributes if a.type == LIST]
        for extension in extensions:
            attributes += extension.attributes
        if listed:
            self.check_list(record, listed, attributes, where)
        elif extensions:
            self.find("list", where, f"has {len(extensions)} extension records and no attribute list")
        streams = defaultdict(list)
        for a in attributes:
            streams[a.type, a.name].append(a)
        record.streams = streams
        for (type_, name), parts in streams.items():
            here = f"{where} attribute {type_:#x} {text(name)!r}" if name else f"{where} attribute {type_:#x}"
            if len(parts) > 1 and type_ != NAME:
                parts.sort(key=lambda a: a.first)
                if any(a.resident for a in parts):
                    self.find("attribute", here, "is there twice")
                    continue
            if not parts[0].resident:
                self.check_stream(record.number, parts, here)
        if (SI, b"") not in streams:
            self.find("attribute", where, "has no $STANDARD_INFORMATION")
        elif streams[SI, b""][0].length not in (48, 72):
            self.find("attribute", where, "the length of $STANDARD_INFORMATION")
        index = (ROOT, I30) in streams
        if bool(record.flags & 2) != index:
            self.find("directory", where, f"flags {record.flags:#x}, $I30 is there: {index}")
        self.expect("links", where, "link count", record.links, len(streams.get((NAME, b""), ())))
        if not index and not record.flags & 8 and record.number != 9 and (DATA, b"") not in streams:
            self.find("attribute", where, "is a file without data")
        self.expect("ea", where, "$EA beside $EA_INFORMATION", (EA, b"") in streams,
                    (EA_INFORMATION, b"") in streams)

    def check_list(self, record, listed, attributes, where):
        entries = self.list_entries(self.contents(listed), where)
        wanted = {(a.type, a.name, a.first, a.holder, a.instance) for a in attributes if a.type != LIST}
        previous = None
        for type_, name, vcn, ref, instance in entries:
            key = (type_, self.collated(name), vcn)
            if previous is not None and (key < previous or key == previous and type_ != NAME):
                self.find("list-order", where, f"entry {type_:#x} {text(name)!r} {vcn}")
            previous = key
            holder = self.records.get(ref & RECORD)
            entry = (type_, name, vcn, ref & RECORD, instance)
            if holder is None or holder.sequence != ref >> 48 or entry not in wanted:
                self.find("list", where, f"entry {type_:#x} {text(name)!r} {vcn} in {ref:#x} fits no attribute")
            wanted.discard(entry)
        for type_, name, vcn, holder, _ in wanted:
            self.find("list", where, f"attribute {type_:#x} {text(name)!r} {vcn} of {holder} is not listed")

    def check_stream(self, number, parts, where):
        first, vcn, real, hole = parts[0], 0, 0, False
        for part in parts:
            if part.first != vcn:
                self.find("runs", where, f"a part begins at VCN {part.first}, should at {vcn}")
            for start, lcn, length in part.runs:
                if lcn is None:
                    hole = True
                else:
                    self.runs.append((lcn, lcn + length, number))
                    real += length
                vcn = start + length
            if part.flags != first.flags:
                self.find("attribute", where, "its parts have other flags")
        if not first.initialised <= first.size <= first.allocated < 1 << 63:
            self.find("size", where, f"initialised {first.initialised}, data {first.size}, "
                                     f"allocated {first.allocated}")
        self.expect("size", where, "allocated size", first.allocated, vcn * self.cluster)
        if first.flags & 0x8001:
            self.expect("size", where, "compressed size", first.total, real * self.cluster)
            if first.unit not in ((4,) if first.flags & 1 else (0, 4)):
                self.find("attribute", where, f"compression unit {first.unit}")
        else:
            self.expect("attribute", where, "compression unit", first.unit, 0)
            if hole and number != 8:
                self.find("size", where, "has a hole and is not sparse")

    # What is on the volume once.

    def check_upcase(self):
        info = self.stream(10, DATA, "$Info")
        if info is None:
            return
        if len(info) < 32 or u32(info, 0)[0] != len(info):
            self.find("upcase", "$UpCase:$Info", f"{len(info)} bytes")
            return
        table = []
        for byte in range(256):
            for _ in range(8):
                byte = byte >> 1 ^ (0x9A6C9329AC4BC9B5 if byte & 1 else 0)
            table.append(byte)
        crc = 0xFFFFFFFFFFFFFFFF
        for byte in self.upcase_data:
            crc = crc >> 8 ^ table[crc & 0xFF ^ byte]
        self.expect("upcase", "$UpCase:$Info", "checksum", u64(info, 8)[0], crc ^ 0xFFFFFFFFFFFFFFFF)

    def check_mft(self):
        bitmap = self.stream(0, BITMAP)
        if bitmap is None or len(bitmap) * 8 < self.count or len(bitmap) % 8:
            raise Unreadable(f"mft-bitmap: record 0: {len(bitmap or b'')} bytes for {self.count} records")
        expected = bytearray(len(bitmap))
        for number in self.records:
            expected[number >> 3] |= 1 << (number & 7)
        for start, end, value in bit_ranges(expected, bitmap):
            self.find("mft-bitmap", f"records {start}..{end}", f"bits are {value}")
        mirror = self.stream(1, DATA) or b""
        if len(mirror) < 4 * self.record_size or len(mirror) % self.record_size:
            self.find("mirror", "$MFTMirr", f"has {len(mirror)} bytes")
        copied = self.contents(self.mft, len(mirror))
        for at in range(0, len(copied), self.record_size):
            if mirror[at:at + self.record_size] != copied[at:at + self.record_size]:
                self.find("mirror", "$MFTMirr", f"record {at // self.record_size} is not as in $MFT")

    def check_clusters(self):
        actual = self.stream(6, DATA)
        if actual is None or len(actual) * 8 < self.clusters:
            raise Unreadable(f"bitmap: $Bitmap: {len(actual or b'')} bytes for {self.clusters} clusters")
        self.expect("bitmap", "$Bitmap", "size", len(actual), (self.clusters + 63) // 64 * 8)
        if self.records[6].streams[DATA, b""][0].resident:
            self.find("bitmap", "$Bitmap", "is resident")
        expected = bytearray(len(actual))
        set_bits(expected, self.clusters, len(actual) * 8)
        reached, owner = 0, None
        for start, end, number in sorted(self.runs):
            if start < reached:
                self.find("overlap", f"clusters {start}..{min(end, reached)}", f"records {owner} and {number}")
            set_bits(expected, start, end)
            if end > reached:
                reached, owner = end, number
        for start, end, value in bit_ranges(expected, actual):
            what = "belong to nobody and are marked" if value else "are in use and not marked"
            self.find("bitmap", f"clusters {start}..{end}", what)

    def check_boot_files(self):
        for number, lcn in (0, self.mft_lcn), (1, self.mirror_lcn), (7, 0):
            parts = number in self.records and self.records[number].streams.get((DATA, b""))
            at = parts and parts[0].runs and parts[0].runs[0][1]
            self.expect("system", f"record {number}", "its first cluster", at, lcn)
        boot = self.stream(7, DATA)
        self.expect("system", "$Boot", "size", boot and len(boot), 8192)
        bad = 8 in self.records and self.records[8].streams.get((DATA, "$Bad".encode("utf-16-le")))
        if not bad or bad[0].resident:
            self.find("badclus", "$BadClus", "has no $Bad")
        else:
            self.expect("badclus", "$BadClus:$Bad", "size", bad[0].size, self.clusters * self.cluster)
        information = self.stream(3, VOLUME_INFORMATION)
        if information is None or len(information) != 12 or information[8:10] not in (b"\x03\x01", b"\x03\x00"):
            self.find("system", "$Volume", f"$VOLUME_INFORMATION is {information}")
        for number in range(16):
            if number not in self.records:
                self.find("system", f"record {number}", "is not in use")

    # Indexes.

    def index(self, number, name):
        """All entries of an index in order, as (first 8 bytes, key, data), after proving its tree."""
        record = self.records[number]
        where = f"record {number} index {name}"
        key = name.encode("utf-16-le")
        root = record.streams[ROOT, key][0].value
        if len(root) < 32:
            self.find("index", where, f"its root has {len(root)} bytes")
            return []
        type_, collation, block_size, per_block = struct.unpack_from("<IIIB", root)
        self.expect("index", where, "block size", block_size, self.block_size)
        unit = self.cluster if self.cluster <= self.block_size else 512
        self.expect("index", where, "clusters per block", per_block, self.block_size // unit)
        self.expect("index", where, "indexed type", type_, NAME if name == "$I30" else 0)
        blocks, parts = b"", record.streams.get((ALLOCATION, key))
        if parts:
            blocks = self.contents(parts)
            if len(blocks) % self.block_size:
                self.find("index", where, f"{len(blocks)} bytes of blocks")
        state = (where, blocks, unit, set(), set(), [], collation)
        self.node(root[16:], root[16:], 0, state, True)
        _, _, _, seen, depths, entries, _ = state
        if len(depths) > 1:
            self.find("index-depth", where, f"its leaves are at depths {sorted(depths)}")
        bits = record.streams.get((BITMAP, key))
        self.expect("index-bitmap", where, "$BITMAP beside $INDEX_ALLOCATION", bool(bits), bool(parts))
        if bits:
            actual = self.contents(bits)
            if len(actual) % 8 or len(actual) * 8 < len(blocks) // self.block_size:
                self.find("index-bitmap", where, f"{len(actual)} bytes")
            expected = bytearray(len(actual))
            for block in seen:
                if block >> 3 < len(expected):
                    expected[block >> 3] |= 1 << (block & 7)
            for start, end, value in bit_ranges(expected, actual):
                self.find("index-bitmap", where, f"bits {start}..{end} are {value}")
        self.check_order(entries, collation, where)
        return entries

    def node(self, header, data, depth, state, is_root=False):
        where, blocks, unit, seen, depths, entries, collation = state
        at, used, allocated, flags = struct.unpack_from("<IIIB", header)
        if at & 7 or at < 16 or used > allocated or allocated > len(data) or is_root and used != len(data):
            self.find("index", where, f"node from {at:#x} to {used:#x} of {allocated:#x} in {len(data):#x}")
            return
        inner = None
        while True:
            if at + 16 > used:
                self.find("index", where, "a node has no last entry")
                return
            length, key_length, kind = struct.unpack_from("<HHH", data, at + 8)
            child, last = kind & 1, kind & 2
            least = 16 + (0 if last else key_length) + 8 * child
            if length & 7 or length < least or at + length > used:
                self.find("index", where, f"entry of {length} bytes at {at:#x}")
                return
            if inner is None:
                inner = child
                if not child:
                    depths.add(depth)
                if child and not flags & 1 or not child and flags & 1 and not is_root:
                    self.find("index", where, f"node flags are {flags}, its entries have children: {child}")
            elif inner != child:
                self.find("index-depth", where, "a node has entries with and without children")
            if child:
                self.child(u64(data, at + length - 8)[0], depth + 1, state)
            if last:
                if at + length != used:
                    self.find("index", where, "bytes follow the last entry of a node")
                return
            extra = b""
            if collation != 1:
                data_at, data_length = struct.unpack_from("<HH", data, at)
                if data_length:
                    if data_at < 16 + key_length or data_at + data_length > length - 8 * child:
                        self.find("index", where, f"data of {data_length} at {data_at:#x}")
                    extra = data[at + data_at:at + data_at + data_length]
            entries.append((u64(data, at)[0], data[at + 16:at + 16 + key_length], extra))
            at += length

    def child(self, vcn, depth, state):
        where, blocks, unit, seen = state[:4]
        block, rest = divmod(vcn * unit, self.block_size)
        start = block * self.block_size
        if rest or start + self.block_size > len(blocks):
            self.find("index-child", where, f"child at VCN {vcn} is not in the index")
            return
        if block in seen or depth > 32:
            self.find("index-child", where, f"block {block} is the child of two entries")
            return
        seen.add(block)
        data = self.fixed(blocks[start:start + self.block_size], b"INDX", f"{where} block {block}")
        if data is None:
            return
        self.expect("index", f"{where} block {block}", "its VCN", u64(data, 16)[0], vcn)
        self.expect("index", f"{where} block {block}", "allocated", u32(data, 32)[0], self.block_size - 24)
        self.node(data[24:40], data[24:], depth, state)

    def check_order(self, entries, collation, where):
        table, previous, space = self.upcase, None, 0
        for _, key, _ in entries:
            if collation == 1:
                if len(key) < 68 or len(key) != 66 + 2 * key[64]:
                    self.find("index", where, f"a name of {len(key)} bytes")
                    continue
                name = units(key[66:])
                order = (tuple([table[unit] for unit in name]), tuple(name))
                if previous is not None and order[0] == previous[0] and space and key[65]:
                    self.find("name-unique", where, f"{text(key[66:])!r} is there twice")
                space = key[65]
            elif collation == 17:
                continue  # SIDs: only in $Quota, whose order no reader needs
            elif len(key) & 3:
                self.find("index", where, f"a key of {len(key)} bytes")
                continue
            else:
                order = struct.unpack(f"<{len(key) // 4}I", key)
            if previous is not None and order <= previous:
                what = text(key[66:]) if collation == 1 else key.hex()
                self.find("index-order", where, f"{what!r} does not come after the entry before it")
            previous = order

    # Names.

    def check_names(self):
        entries = {}
        for number, record in self.records.items():
            if (ROOT, I30) in record.streams:
                for ref, key, _ in self.index(number, "$I30"):
                    entries[number, key[64:]] = (ref, key)
        self.parents = {}
        for record in self.records.values():
            for name in record.streams.get((NAME, b""), ()):
                if record.flags & 2 and len(name.value) >= 68 and name.value[65] != 2:
                    if record.number in self.parents:
                        self.find("parent", f"record {record.number}", "a directory has two names")
                    self.parents[record.number] = u64(name.value, 0)[0] & RECORD
        for record in self.records.values():
            names = record.streams.get((NAME, b""))
            if names:
                self.check_names_of(record, names, entries)
        for (number, name), (ref, _) in entries.items():
            self.find("entry-stray", f"record {number} entry {text(name[2:])!r}",
                      f"record {ref & RECORD} has no such name")
        self.check_reachable()

    def check_names_of(self, record, names, entries):
        where = f"record {record.number}"
        dos = None
        for attribute in names:
            name = attribute.value
            if len(name) < 68 or len(name) != 66 + 2 * name[64] or name[65] > 3:
                self.find("name", where, f"a name of {len(name)} bytes")
                continue
            here = f"{where} name {text(name[66:])!r}"
            parent = u64(name, 0)[0]
            directory = self.records.get(parent & RECORD)
            if directory is None or directory.sequence != parent >> 48 or not directory.flags & 2:
                self.find("parent", here, f"its parent {parent:#x} is no directory")
            if name[65] in (2, 3):
                if dos is not None:
                    self.find("dos-name", here, "is the second DOS name")
                dos = name
                base, _, ending = text(name[66:]).partition(".")
                if (len(base) > 8 or len(ending) > 3) and record.number >= 24:
                    self.find("dos-name", here, "is no DOS name")
            entry = entries.pop((parent & RECORD, name[64:]), None)
            if entry is None:
                self.find("entry-missing", here, "is not in its parent")
            else:
                self.check_entry(record, name, entry, here)
        if dos is not None and dos[65] == 2:
            if not any(a.value[65:66] == b"\x01" and a.value[:8] == dos[:8] for a in names):
                self.find("dos-name", where, "a DOS name is there without the long one")

    def is_system(self, number):
        """Whether a file is one of the first records or in $Extend."""
        names = self.records[number].streams.get((NAME, b""))
        for _ in range(8):
            if number < 24 or not names:
                return True
            number = u64(names[0].value, 0)[0] & RECORD
            if number == 11:
                return True
            if number == 5 or number not in self.records:
                return False
            names = self.records[number].streams.get((NAME, b""))
        return False

    def check_entry(self, record, name, entry, here):
        ref, key = entry
        self.expect("entry-reference", here, "reference of its entry", hex(ref),
                    hex(record.number | record.sequence << 48))
        self.expect("entry-reference", here, "parent in its entry", key[:8].hex(), name[:8].hex())
        information = record.streams.get((SI, b""))
        if not information:
            return
        information = information[0].value
        kind = (0x10000000 if record.flags & 2 else 0) | (0x20000000 if record.flags & 8 else 0)
        attributes = u32(key, 56)[0]
        self.expect("directory", here, "kind in its entry", hex(attributes & 0x30000000), hex(kind))
        self.expect("directory", here, "kind", hex(u32(name, 56)[0] & 0x30000000), hex(kind))
        reparse = record.streams.get((REPARSE, b""))
        self.expect("reparse", here, "reparse attribute of the file", u32(information, 32)[0] >> 10 & 1,
                    int(bool(reparse)))
        if self.is_system(record.number):
            return  # Windows lets the entries of its own files get old, and those in $Extend
        self.expect("entry-attributes", here, "attributes of its entry", hex(attributes & ~0x30000000),
                    hex(u32(information, 32)[0] & ~0x30000000))
        # Windows writes the time of the last access into one place an hour later than into the other, and
        # lets the times in the entry of a directory be those of its making.
        if not record.flags & 2:
            self.expect("entry-times", here, "times of its entry", key[8:32].hex(), information[:24].hex())
        data = record.streams.get((DATA, b""))
        size = allocated = 0
        if data and not record.flags & 2:
            first = data[0]
            if first.resident:
                size, allocated = first.length, (first.length + 7) & ~7
            else:
                size, allocated = first.size, first.allocated if first.total is None else first.total
        self.expect("entry-sizes", here, "sizes of its entry", struct.unpack_from("<QQ", key, 40), (allocated, size))
        if reparse:
            tag = u32(self.contents(reparse), 0)[0]
            self.expect("entry-reparse", here, "reparse tag of its entry", hex(u32(key, 60)[0]), hex(tag))

    def check_reachable(self):
        reached = {5}
        for number in self.parents:
            path, at = [], number
            while at not in reached and at in self.parents and at not in path[:1] and len(path) < 1 << 15:
                path.append(at)
                at = self.parents[at]
            if at in reached:
                reached.update(path)
            else:
                self.find("parent", f"record {number}", "the root is not above it")

    # Security.

    def check_security(self):
        if 9 not in self.records or (ROOT, "$SII".encode("utf-16-le")) not in self.records[9].streams:
            raise Unreadable("security: $Secure: has no $SII")
        sds = self.stream(9, DATA, "$SDS") or b""
        by_id = {key: extra for _, key, extra in self.index(9, "$SII")}
        by_hash = {key: extra for _, key, extra in self.index(9, "$SDH")}
        ids = set()
        for key, entry in by_id.items():
            where = f"security id {key.hex()}"
            if len(key) != 4 or len(entry) != 20:
                self.find("security", where, "its entry in $SII")
                continue
            hash_, id_, at, length = struct.unpack("<IIQI", entry)
            where = f"security id {id_:#x}"
            ids.add(id_)
            self.expect("security", where, "key in $SII", u32(key, 0)[0], id_)
            other = by_hash.pop(struct.pack("<II", hash_, id_), b"")
            if other[:20] != entry:
                self.find("security", where, "its entry in $SDH is not that in $SII")
            if at % 16 or at & 0x40000 or (at & 0x3FFFF) + length > 0x40000 or at + 0x40000 + length > len(sds) \
                    or length < 40:
                self.find("security", where, f"{length} bytes at {at:#x} of {len(sds):#x}")
                continue
            stored = sds[at:at + length]
            if stored[:20] != entry:
                self.find("security", where, "its header in $SDS is not its entry")
            if stored != sds[at + 0x40000:at + 0x40000 + length]:
                self.find("security-mirror", where, "its mirror in $SDS differs")
            found = 0
            whole = stored[20:20 + (length - 20) // 4 * 4]
            for word in struct.unpack(f"<{len(whole) // 4}I", whole):
                found = (word + (found << 3 | found >> 29)) & 0xFFFFFFFF
            self.expect("security-hash", where, "hash", hex(hash_), hex(found))
        for key in by_hash:
            self.find("security", f"$SDH entry {key.hex()}", "is not in $SII")
        self.check_sds(sds, ids)
        for record in self.records.values():
            information = record.streams.get((SI, b""))
            if information and information[0].length >= 72:
                id_ = u32(information[0].value, 52)[0]
                if id_ and id_ not in ids:
                    self.find("security-id", f"record {record.number}", f"security id {id_:#x} is not there")
                if not id_ and (SD, b"") not in record.streams:
                    self.find("security-none", f"record {record.number}", "has no security descriptor")

    def check_sds(self, sds, ids):
        """Every descriptor in $SDS must be in the indexes."""
        for start in range(0, len(sds), 0x80000):
            at, end = start, min(start + 0x40000, len(sds))
            while at + 20 <= end:
                _, id_, offset, length = struct.unpack_from("<IIQI", sds, at)
                if length < 20:
                    break
                if offset != at or id_ not in ids:
                    self.find("security", f"$SDS at {at:#x}", f"id {id_:#x} at {offset:#x} is not indexed")
                at = (at + length + 15) & ~15

    # Reparse points and object ids.

    def extended(self, name):
        """The record of a file in $Extend, which has index 11."""
        encoded = name.encode("utf-16-le")
        for number, record in self.records.items():
            for attribute in record.streams.get((NAME, b""), ()):
                if attribute.value[66:] == encoded and u64(attribute.value, 0)[0] & RECORD == 11:
                    return number
        return None

    def reparse_points(self):
        for number, record in self.records.items():
            parts = record.streams.get((REPARSE, b""))
            if parts:
                value = self.contents(parts)
                tag, length = struct.unpack_from("<IH", value) if len(value) >= 8 else (0, 0)
                if len(value) != 8 + length + (0 if tag & 0x80000000 else 16):
                    self.find("reparse", f"record {number}", f"{len(value)} bytes, its data says {length}")
                ref = number | record.sequence << 48
                yield struct.pack("<IQ", tag, ref), b"", number

    def object_ids(self):
        for number, record in self.records.items():
            parts = record.streams.get((OBJECT_ID, b""))
            if parts:
                value = parts[0].value
                if len(value) not in (16, 64):
                    self.find("object-id", f"record {number}", f"{len(value)} bytes")
                yield value[:16], struct.pack("<Q", number | record.sequence << 48), number

    def check_view(self, number, name, rule, wanted):
        there = {}
        if number is not None and (ROOT, name.encode("utf-16-le")) in self.records[number].streams:
            there = {key: extra for _, key, extra in self.index(number, name)}
        for key, extra, owner in wanted:
            entry = there.pop(key, None)
            if entry is None:
                self.find(rule, f"record {owner}", f"is not in {name}")
            elif entry[:len(extra)] != extra:
                self.find(rule, f"record {owner}", f"its entry in {name} is of another file")
        for key in there:
            self.find(rule, f"entry {key.hex()} in {name}", "no file has that")


def main(arguments):
    offset, lenient, paths = 0, False, []
    words = iter(arguments)
    for word in words:
        if word == "--offset":
            offset = int(next(words))
        elif word == "--lenient":
            lenient = True
        else:
            paths.append(word)
    if len(paths) != 1:
        sys.exit(__doc__)
    return 1 if Checker(paths[0], offset, lenient).run() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
