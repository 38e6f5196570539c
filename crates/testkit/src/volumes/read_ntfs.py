"""Says what a program sees on an NTFS volume, for the tests of Imprint.

    read_ntfs.py mount DIRECTORY              ntfs-3g, mounted with streams_interface=windows
    read_ntfs.py sleuthkit|seven|dissect IMAGE
    read_ntfs.py imprint IMAGE PROGRAM SCRATCH

Prints a line `path<TAB>field<TAB>value` for all it knows of each path, and nothing of what it does not
know. Units of names that are no characters are printed as <d800>.
"""

import ctypes
import errno
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from datetime import datetime, timezone

# Attributes that say something of a file; directories and files without any are told otherwise.
STORED, SIMPLE = 0x0FFFFFFF & ~0x90, 0x27
# Longer streams are nearly all hole: their size is told, their contents are not.
MOST = 1 << 30
# How many files the programs that are started for each are asked of.
DETAILED = 250


def plain(name):
    return "".join(f"<{ord(c):04x}>" if c < " " or c == "\x7f" or "\ud800" <= c < "\ue000" else c for c in name)


def wide(name):
    return name.decode("utf-16-le", "surrogatepass")


def sha1(data):
    return hashlib.sha1(data).hexdigest()


def filetime(text):
    """100 ns since 1601 of `2023-06-23 02:11:03.5407460`, with 7 or 9 digits behind the point or none."""
    head, _, digits = text.partition(".")
    moment = datetime.strptime(head, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    past = moment - datetime(1601, 1, 1, tzinfo=timezone.utc)
    return (past.days * 86400 + past.seconds) * 10**7 + int((digits + "0" * 7)[:7])


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, env=os.environ | {"TZ": "UTC"}, **options)
    if done.returncode:
        raise SystemExit(f"{words}: ended with {done.returncode}\n{done.stdout[-2000:]!r}")
    return done.stdout


def attributes(bits):
    return {"attributes": f"{bits & STORED:#x}", "flags": f"{bits & SIMPLE:#x}"}


def times(created, written, changed, accessed):
    return dict(zip(("created", "written", "changed", "accessed"), (created, written, changed, accessed)))


def extended(data):
    """Names, flags and sizes of the extended attributes in the value of $EA."""
    found, at = [], 0
    while data:
        following, flags, length, size = struct.unpack_from("<IBBH", data, at)
        found.append(f"{data[at + 8:at + 8 + length].decode('latin-1')} {flags} {size}")
        at += following
        if following == 0 or at >= len(data):
            break
    return "|".join(found)


class Rows:
    """Collects what is known of each path."""

    def __init__(self):
        self.rows, self.files, self.hashes = {}, {}, {}

    def add(self, path, file, **fields):
        """`file` is the same for all names of a file."""
        self.rows.setdefault(path, {}).update(fields)
        self.files.setdefault(file, set()).add(path)

    def data(self, path, file, name, size, chunks):
        """A stream; `chunks` makes its bytes, and is not asked twice for the names of a file."""
        row = self.rows[path]
        streams = row.setdefault("streams", [])
        if ":" + plain(name) not in streams:
            streams.append(":" + plain(name))
        row[f"size:{plain(name)}"] = size
        if size > MOST or chunks is None:
            return
        key = (file, name)
        if key not in self.hashes:
            one, two, found = hashlib.sha1(), hashlib.sha256(), 0
            for chunk in chunks():
                one.update(chunk)
                two.update(chunk)
                found += len(chunk)
            if found != size:
                row[f"size:{plain(name)}"] = f"{size}, but {found} could be read"
            self.hashes[key] = (one.hexdigest(), two.hexdigest()[:32])
        row[f"sha1:{plain(name)}"], row[f"sha256:{plain(name)}"] = self.hashes[key]

    def print(self, links=True):
        for paths in self.files.values() if links else ():
            links = f"{len(paths)} {sha1(repr(sorted(paths)).encode())}"
            for path in paths:
                self.rows[path]["links"] = links
        for path, row in sorted(self.rows.items()):
            if "streams" in row:
                row["streams"] = "|".join(sorted(row["streams"]))
            for field, value in sorted(row.items()):
                print(plain(path), field, value, sep="\t")


def chunks_of(file):
    while chunk := file.read(1 << 20):
        yield chunk


def opened(path):
    def read():
        with open(path, "rb") as file:
            yield from chunks_of(file)
    return read


# ntfs-3g

def mount(directory):
    rows = Rows()
    base = os.fsencode(directory)

    libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(1 << 16)

    def value(path, name):
        # Python asks with little room first, and takes the driver's answer to that for an error.
        length = libc.lgetxattr(path, name.encode(), room, len(room))
        if length < 0 and ctypes.get_errno() not in (errno.ENODATA, errno.ENOTSUP, errno.EPERM):
            raise OSError(ctypes.get_errno(), name, path)
        return None if length < 0 else room.raw[:length]

    def look(path):
        shown = path[len(base):].decode("utf-8", "surrogatepass") or "/"
        stat = os.lstat(path)
        bits = int.from_bytes(value(path, "system.ntfs_attrib_be"), "big")
        directory = os.path.isdir(path) and not os.path.islink(path)
        created, written, accessed, changed = struct.unpack(">4Q", value(path, "system.ntfs_times_be"))
        reparse = value(path, "system.ntfs_reparse_data")
        rows.add(shown, stat.st_ino, **attributes(bits), **times(created, written, changed, accessed),
                 security=sha1(value(path, "system.ntfs_acl")),
                 object_id=(value(path, "system.ntfs_object_id") or b"")[:16].hex(),
                 extended=extended(value(path, "system.ntfs_ea")),
                 short=plain((value(path, "system.ntfs_dos_name") or b"").decode("utf-8", "surrogatepass")))
        row = rows.rows[shown]
        row["tag"] = f"{struct.unpack_from('<I', reparse)[0]:#x}" if reparse else "0x0"
        if reparse:
            row["reparse"] = sha1(reparse[8:])
        elif not os.path.islink(path):
            # What it cannot follow it shows as a link, also where it is a directory; links of Interix are files.
            row["kind"] = "directory" if directory else "file"
        if os.path.isfile(path) and not os.path.islink(path) and not reparse:
            rows.data(shown, stat.st_ino, "", stat.st_size, opened(path))
        row.setdefault("streams", [] if directory else None)
        if row["streams"] is None:
            del row["streams"]
        named = value(path, "ntfs.streams.list") or b""
        for name in filter(None, named.split(b"\0")):
            stream = path + b":" + name
            if os.path.islink(path):
                continue
            text = name.decode("utf-8", "surrogatepass")
            streams_known = "streams" in row
            rows.data(shown, stat.st_ino, text, os.stat(stream).st_size, opened(stream))
            if not streams_known:
                del row["streams"]
        if directory and not reparse:
            for name in os.listdir(path):
                look(path + (b"" if path == b"/" else b"/") + name)

    look(base)
    rows.print()


# The Sleuth Kit

WORDS = {"Read Only": 1, "Hidden": 2, "System": 4, "Archive": 0x20}
STREAM = re.compile(r"^Type: \$(\w+) \((\d+)-(\d+)\)   Name: (.*?)   (?:Non-)?Resident.*?size: (\d+)", re.M | re.S)


def sleuthkit(image):
    rows, known = Rows(), {}

    def details(inode):
        if inode in known or len(known) >= DETAILED:
            return known.get(inode)
        text = run("istat", "-f", "ntfs", image, str(inode)).decode("utf-8", "replace")
        facts = text.partition("$STANDARD_INFORMATION Attribute Values:")[2].partition("\n\n")[0]
        flags = re.search(r"^Flags: (.*)$", facts, re.M)
        bits = sum(WORDS.get(word.strip(), 0) for word in flags[1].split(",")) if flags else 0
        found = [re.search(rf"^{word}:\t(\S+ \S+) \(UTC\)", facts, re.M)
                 for word in ("Created", "File Modified", "MFT Modified", "Accessed")]
        fields = times(*(filetime(match[1]) for match in found)) if all(found) else {}
        streams = {(int(kind), int(number)): ("" if name == "N/A" else name, int(size))
                   for _, kind, number, name, size in STREAM.findall(text)}
        ids = re.search(r"^Object Id: (\S+)$", text, re.M)
        # Its three first parts are printed as numbers.
        parts = ids[1].split("-") if ids else []
        fields["object_id"] = "".join(
            "".join(reversed(re.findall("..", part))) if index < 3 else part for index, part in enumerate(parts))
        known[inode] = {"flags": f"{bits:#x}"} | fields, streams
        return known[inode]

    listing = run("fls", "-f", "ntfs", "-r", "-p", "-u", image).decode("utf-8", "replace")
    for line in listing.splitlines():
        match = re.match(r"^(\S)/(\S) (\d+)(?:-(\d+)-(\d+))?:\t(.*)$", line)
        if not match or match[6].startswith("$"):
            continue
        if match[4] is None:
            # It refuses the file: one of its runs, though it is a hole, is longer than the volume.
            rows.add("/" + match[6], int(match[3]))
            continue
        inode, kind, number, path = int(match[3]), int(match[4]), int(match[5]), "/" + match[6]
        found = details(inode)
        fields, streams = found or ({}, {})
        name, size = streams.get((kind, number), ("", None))
        if kind == 128 and name:
            path = path.removesuffix(":" + name).removesuffix("/.")
        elif kind == 144 and name != "$I30" and name:
            continue
        rows.add(path, inode, **fields)
        if kind == 144 or not name:
            rows.rows[path]["kind"] = "directory" if kind == 144 else "file"
        if found:
            rows.rows[path].setdefault("streams", [])
        if kind == 128 and size is not None:
            read = lambda: iter([run("icat", "-f", "ntfs", image, f"{inode}-{kind}-{number}")])
            rows.data(path, inode, name, size, read)
    rows.print()


# 7-Zip

LETTERS = {"R": 1, "H": 2, "S": 4, "A": 0x20}


def seven(image):
    rows, items = Rows(), []
    program = next(name for name in ("7zz", "7z") if subprocess.run(["which", name], stdout=subprocess.PIPE).stdout)
    text = run(program, "l", "-slt", "-sns", "-sccUTF-8", "-tNTFS", "--", image).decode("utf-8", "surrogatepass")
    for entry in text.partition("----------\n")[2].split("\n\nPath = "):
        facts = dict(line.partition(" = ")[::2] for line in ("Path = " + entry.removeprefix("Path = ")).split("\n"))
        if "Folder" in facts:
            items.append(facts)
    files = [facts for facts in items if facts["Folder"] == "-"]
    size = lambda facts: int(facts.get("Size") or 0)
    total = sum(map(size, files))
    data, refused = tempfile.TemporaryFile(), []
    while total <= MOST:
        data.truncate(0)
        data.seek(0)
        done = subprocess.run([program, "e", "-so", "-sns", "-spd", "-tNTFS", *("-x!" + path for path in refused),
                               "--", image], stdout=data, stderr=subprocess.PIPE)
        data.seek(0)
        if not done.returncode:
            break
        # Of a file it gives up there is some data, and nobody knows how much.
        found = re.findall(rb"^ERROR: .*? : (.*)$", done.stderr, re.M)
        if not found or found[0].decode() in refused:
            raise SystemExit(f"7-Zip ended with {done.returncode}: {done.stderr.decode()}")
        refused += [path.decode() for path in found]

    def stream(facts):
        """The next bytes: it prints the files one behind the other, in the order in which it lists them."""
        return data.read(size(facts))

    for facts in items:
        path, is_stream = facts["Path"], facts.get("Alternate Stream") == "+"
        is_read = facts["Folder"] == "-" and total <= MOST and path not in refused
        contents = stream(facts) if is_read else None
        if path.startswith(("[SYSTEM]", "[LOST]", "[UNKNOWN]", "[DELETED]")):
            continue
        name = ""
        if is_stream:
            path, _, name = path.rpartition(":")
        path, file = "/" + path, facts["iNode"]
        if not is_stream:
            bits = sum(LETTERS.get(letter, 0) for letter in facts["Attributes"].split(" ")[0])
            moments = [facts[word] for word in ("Created", "Modified", "Metadata Changed", "Accessed")]
            fields = times(*map(filetime, moments)) if all(moments) else {}
            rows.add(path, file, flags=f"{bits:#x}", short=facts["Short Name"],
                     kind="directory" if facts["Folder"] == "+" else "file", **fields)
            rows.rows[path].setdefault("streams", [])
        if facts["Folder"] == "-" and path in rows.rows:
            # Each name is printed anew, and its stream must be taken.
            rows.data(path, (file, path), name, size(facts), (lambda: iter([contents])) if is_read else None)
            if path[1:] in refused:
                rows.rows[path]["sha1:" + plain(name)] = "refused"
    if data.read(1):
        raise SystemExit("7-Zip printed more than it lists")
    rows.print(links=False)


# dissect.ntfs

def dissect(image):
    from dissect.ntfs import NTFS, attr
    from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE as TYPE
    # It takes names to be well-formed; here they are taken from the keys of the directories.
    attr.ATTRIBUTE_CLASS_MAP.pop(TYPE.FILE_NAME, None)
    rows = Rows()
    with open(image, "rb") as file:
        volume = NTFS(file)
        descriptors = {}
        for entry in volume.secure._iter_entries():
            volume.secure.sds.seek(entry.Offset + 20)
            descriptors.setdefault(entry.SecurityId, volume.secure.sds.read(entry.Length - 20))

        def look(path, segment, short):
            record = volume.mft.get(segment)
            info = record.attributes[TYPE.STANDARD_INFORMATION][0].attribute.attr
            raw = lambda kind: record.open("", kind).read() if record.attributes.find("", kind) else b""
            own, reparse = raw(TYPE.SECURITY_DESCRIPTOR), raw(TYPE.REPARSE_POINT)
            rows.add(path, segment, kind="directory" if record.is_dir() else "file", short=plain(short),
                     **attributes(info.FileAttributes),
                     **times(info.CreationTime, info.LastModificationTime, info.LastChangeTime, info.LastAccessTime),
                     security=sha1(descriptors.get(info.SecurityId, own)), object_id=raw(TYPE.OBJECT_ID)[:16].hex(),
                     extended=extended(raw(TYPE.EA)),
                     tag=f"{struct.unpack_from('<I', reparse)[0]:#x}" if reparse else "0x0")
            row = rows.rows[path]
            if reparse:
                row["reparse"] = sha1(reparse[8:])
            row["streams"] = []
            for name in {part.name for part in record.attributes[TYPE.DATA]}:
                rows.data(path, segment, name, record.size(name), lambda: chunks_of(record.open(name)))
            return record

        todo, seen = [("/", 5, "")], set()
        while todo:
            path, segment, short = todo.pop()
            record = look(path, segment, short)
            if not record.is_dir() or segment in seen:
                continue
            seen.add(segment)
            entries = []
            for entry in record.iterdir():
                key, reference = entry.key, entry.header.FileReference
                number = reference.SegmentNumberLowPart | reference.SegmentNumberHighPart << 32
                entries.append((wide(key[66:66 + 2 * key[64]]), number, key[65]))
            shorts = {number: name for name, number, space in entries if space == 2}
            for name, number, space in entries:
                if space == 2 or path == "/" and number < 24:
                    continue
                short = name if space == 3 else shorts.get(number, "") if space == 1 else ""
                todo.append((path.rstrip("/") + "/" + name, number, short))
    rows.print()


# Ours

def imprint(image, program, scratch):
    rows = Rows()
    wim, config = os.path.join(scratch, "listing.wim"), os.path.join(scratch, "nothing.ini")
    with open(config, "w") as file:
        file.write("[ExclusionList]\n")
    if os.path.exists(wim):
        os.unlink(wim)
    run(program, "capture", image, wim, "--compress=none", "--norpfix", "--config=" + config)
    document = json.loads(run(program, "dir", wim, "1", "--detailed", "--json"))
    for entry in document["images"][0]["entries"]:
        path = entry["path"]
        if "path_utf16" in entry:
            path = wide(b"".join(struct.pack("<H", unit) for unit in entry["path_utf16"]))
        bits = entry["attributes"]
        moments = [number(entry[word]) for word in ("creation_time", "last_write_time", "last_access_time")]
        rows.add(path, entry["link_group_id"] or path, kind="directory" if bits & 0x10 else "file",
                 **attributes(bits), security=sha1(bytes.fromhex(entry.get("security_descriptor", ""))),
                 extended="|".join(f"{ea['name']} {ea['flags']} {ea['size']}" for ea in entry.get("extended_attributes", [])),
                 object_id=entry.get("object_id", "")[:32], short=plain(entry.get("short_name", "")),
                 tag=f"{entry.get('reparse_tag', 0):#x}", created=moments[0], written=moments[1], accessed=moments[2])
        row = rows.rows[path]
        row["streams"] = [] if bits & 0x410 else [":"]
        for stream in entry["streams"]:
            blob = stream["blob"] or {"size": 0, "hash": sha1(b"")}
            name = plain(stream["name"])
            if stream["kind"] == "reparse":
                row["reparse"] = blob["hash"]
            else:
                if ":" + name not in row["streams"]:
                    row["streams"].append(":" + name)
                row[f"size:{name}"], row[f"sha1:{name}"] = blob["size"], blob["hash"]
        if ":" in row["streams"]:
            row.setdefault("size:", 0)
            row.setdefault("sha1:", sha1(b""))
    rows.print()


def number(text):
    return filetime(text.replace("T", " ").rstrip("Z"))


sys.stdout.reconfigure(encoding="utf-8")
{"mount": mount, "sleuthkit": sleuthkit, "seven": seven, "dissect": dissect, "imprint": imprint}[sys.argv[1]](*sys.argv[2:])
