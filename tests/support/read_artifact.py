#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reader of `.vise` files, written from share/doc/artifact.md alone.

    read_artifact.py FILE    checks everything and prints what is there, as JSON

Exit status 1 and one line when the file breaks a rule. It needs zstd, as the package `zstandard`
or as the library, and exits with 77 where it finds neither.
"""
import ctypes
import ctypes.util
import hashlib
import json
import struct
import sys

MIB = 1 << 20
DTYPES = [("f64", 8), ("f32", 4), ("f16", 2), ("bf16", 2), ("f8_e4m3", 1), ("f8_e5m2", 1), ("i64", 8),
          ("i32", 4), ("i16", 2), ("i8", 1), ("u64", 8), ("u32", 4), ("u16", 2), ("u8", 1), ("bool", 1)]


class Refused(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Refused(message)


def sha256(data):
    return hashlib.sha256(data).digest()


def find_zstd():
    try:
        import zstandard
        return lambda data, size: zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except ImportError:
        pass
    name = ctypes.util.find_library("zstd")
    if name is None:
        print("no zstd here")
        sys.exit(77)
    library = ctypes.CDLL(name)
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]

    def decompress(data, size):
        out = ctypes.create_string_buffer(size)
        n = library.ZSTD_decompress(out, size, data, len(data))
        return out.raw[:n]
    return decompress


def xxh64(data):
    mask = (1 << 64) - 1
    p1, p2, p3 = 11400714785074694791, 14029467366897019727, 1609587929392839161
    p4, p5 = 9650029242287828579, 2870177450012600261

    def rotl(x, r):
        return ((x << r) | (x >> (64 - r))) & mask

    def rnd(acc, lane):
        return rotl((acc + lane * p2) & mask, 31) * p1 & mask

    at, n = 0, len(data)
    if n >= 32:
        acc = [(p1 + p2) & mask, p2, 0, -p1 & mask]
        for at in range(0, n - 31, 32):
            acc = [rnd(a, lane) for a, lane in zip(acc, struct.unpack_from("<4Q", data, at))]
        at += 32
        h = sum(rotl(a, r) for a, r in zip(acc, (1, 7, 12, 18))) & mask
        for a in acc:
            h = ((h ^ rnd(0, a)) * p1 + p4) & mask
    else:
        h = p5
    h = (h + n) & mask
    while n - at >= 8:
        h = (rotl(h ^ rnd(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4) & mask
        at += 8
    if n - at >= 4:
        h = (rotl(h ^ struct.unpack_from("<I", data, at)[0] * p1 & mask, 23) * p2 + p3) & mask
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ byte * p5 & mask, 11) * p1 & mask
    h = (h ^ h >> 33) * p2 & mask
    h = (h ^ h >> 29) * p3 & mask
    return h ^ h >> 32


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "a section ends too early")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def text(self):
        s = self.take(self.number("B")).decode("utf-8")
        need(not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in s), "control characters in a text")
        return s

    def done(self):
        need(self.at == len(self.data), "a section has bytes too many")


def read_array(c, parts, used):
    code, rank = c.number("B"), c.number("B")
    need(code < len(DTYPES) and rank <= 8, "dtype or rank")
    shape = [c.number("Q") for _ in range(rank)]
    part = c.number("I")
    need(part < len(parts) and part <= len(used), "number of a part")
    used.add(part)
    extent = DTYPES[code][1]
    for dimension in shape:
        extent *= dimension or 1
    need(extent < 1 << 63 and parts[part][0] == (0 if 0 in shape else extent), "shape and bytes of a part")
    return {"dtype": DTYPES[code][0], "shape": shape, "part": part}


def read_tree(c, parts, used, depth=1):
    need(depth <= 16, "depth of a tree")
    tree = {"kind": c.text(), "m": c.number("Q"), "k": c.number("Q"), "attributes": {}, "parts": {}}
    for _ in range(c.number("B")):
        name, kind = c.text(), c.number("B")
        need(name not in tree["attributes"] and kind <= 2, "attribute")
        tree["attributes"][name] = c.number("q") if kind == 0 else c.number("d") if kind == 1 else c.text()
    for _ in range(c.number("B")):
        name = c.text()
        need(name not in tree["parts"], "part")
        tree["parts"][name] = read_array(c, parts, used)
    tree["children"] = [read_tree(c, parts, used, depth + 1) for _ in range(c.number("B"))]
    return tree


def join_planes(data, width):
    n = len(data) // width
    out = bytearray(len(data))
    bits = 8 * width
    for i in range(n):
        r = int.from_bytes(bytes(data[p * n + i] for p in range(width)), "big")
        out[i * width:(i + 1) * width] = (r >> 1 | (r & 1) << (bits - 1)).to_bytes(width, "little")
    return bytes(out)


def read_frequency(data, at):
    f = data[at]
    if f < 128:
        return f, at + 1
    need(data[at + 1] != 0, "a frequency written too long")
    return f % 128 + 128 * data[at + 1], at + 2


def read_lanes(data, at):
    lanes = list(struct.unpack_from("<32I", data, at))
    need(all(2**15 <= x < 2**31 for x in lanes), "lanes")
    return lanes, at + 128


def decode_stretch(data, at, n, lanes, table):
    """`n` bytes by the frequencies of `table`, {value: frequency}, and the place after them."""
    values, places, frequencies = [], [], []
    for v, f in sorted(table.items()):
        values += [v] * f
        places += range(f)
        frequencies += [f] * f
        need(len(values) <= 4096, "sum of frequencies")
    need(len(values) == 4096 and len(table) > 1, "sum of frequencies")
    out = bytearray()
    for i in range(n):
        x = lanes[i % 32]
        slot = x % 4096
        out.append(values[slot])
        x = frequencies[slot] * (x // 4096) + places[slot]
        if x < 2**15:
            x = x * 65536 + struct.unpack_from("<H", data, at)[0]
            at += 2
        lanes[i % 32] = x
    return bytes(out), at


def decode_rans(data, at, n):
    """`n` bytes from data[at:], and the place after them."""
    table = {}
    present = [v for v in range(256) if data[at + v // 8] >> v % 8 & 1]
    at += 32
    for v in present:
        f, at = read_frequency(data, at)
        table[v] = f + 1
    lanes, at = read_lanes(data, at)
    out, at = decode_stretch(data, at, n, lanes, table)
    need(lanes == [2**15] * 32, "end of the lanes")
    return out, at


def decode_stretches(data, at, n):
    count, stretches, left = data[at], [], n
    at += 1
    need(2 <= count <= 64, "count of stretches")
    for i in range(count):
        length = left
        if i < count - 1:
            length = 32 * struct.unpack_from("<H", data, at)[0]
            at += 2
        lowest, highest = data[at:at + 2]
        at += 2
        table = {}
        for v in range(lowest, highest + 1) if lowest != highest else []:
            f, at = read_frequency(data, at)
            if f > 0:
                table[v] = f
        left -= length
        need(length > 0 and left >= 0 and lowest <= highest, "stretch")
        stretches.append((length, table, lowest))
    lanes, at = read_lanes(data, at)
    out = []
    for length, table, value in stretches:
        if table:
            part, at = decode_stretch(data, at, length, lanes, table)
        else:
            part = bytes([value]) * length
        out.append(part)
    need(lanes == [2**15] * 32, "end of the lanes")
    return b"".join(out), at


def decode_planes(data, length, planes):
    n, at, out = length // planes, 0, []
    for _ in range(planes):
        mode = data[at]
        at += 1
        need(mode <= 3, "form of a plane")
        if mode == 0:
            out.append(data[at:at + n])
            at += n
        elif mode == 1:
            out.append(data[at:at + 1] * n)
            at += 1
        else:
            plane, at = (decode_rans if mode == 2 else decode_stretches)(data, at, n)
            out.append(plane)
    need(at == len(data), "end of the planes")
    return b"".join(out)


def read_part(file, version, end, size, digest, layout, decompress):
    """The content of a part and the byte after its last frame."""
    begin, coder, width = layout.number("Q"), layout.number("B"), layout.number("B")
    frames = -(-size // MIB)
    need(coder <= 1 and width in (0, 2, 4, 8) and (coder == 1 or width == 0), "coder or width")
    leaves = None
    if frames > 1:
        leaves = [layout.take(32) for _ in range(frames)]
        need(layout.number("Q") == size, "bytes of a part")
        need(sha256(b"".join(leaves) + struct.pack("<Q", size)) == digest, "digests of frames")
    lengths = [min(MIB, size - i * MIB) for i in range(frames)]
    stored, checks, by_rans = lengths, [0] * frames, [False] * frames
    if coder == 1:
        stored = [layout.number("I") for _ in range(frames)]
        by_rans = [n >= 2**31 for n in stored]
        stored = [n % 2**31 for n in stored]
        need(version > 1 or not any(by_rans), "rANS in version 1")
        checks = [layout.number("Q") for _ in range(frames)]
    need(0 <= begin - end <= (63 if frames else 0), "place of a part")
    need(not any(file[end:begin]), "padding")
    content, hashes = [], []
    for length, n, check, is_rans in zip(lengths, stored, checks, by_rans):
        need(0 < n <= length - is_rans, "length of a frame")
        data = file[begin:begin + n]
        begin += n
        if n < length:
            need(xxh64(data) == check, "checksum of a frame")
            data = decode_planes(data, length, width or 1) if is_rans else decompress(data, length)
            need(len(data) == length, "content of a frame")
            data = join_planes(data, width) if width else data
        else:
            need(check == 0, "checksum of a frame stored as it is")
        content.append(data)
        hashes.append(sha256(data))
    need(leaves is None or hashes == leaves, "digest of a frame")
    need(sha256(b"".join(hashes) + struct.pack("<Q", size)) == digest, "digest of a part")
    return b"".join(content), begin


def read(file, decompress):
    need(len(file) >= 64 + 152, "too short")
    header, trailer = file[:64], file[-152:]
    version = struct.unpack_from("<I", header, 4)[0]
    need(version in (1, 2, 3) and header == struct.pack("<4sIII48x", b"VISE", version, 0, MIB), "header")
    need(trailer[144:] == b"VISEend\n", "end")
    need(sha256(header + trailer[:112]) == trailer[112:144], "seal")
    at, *sizes, total = struct.unpack_from("<6Q", trailer)
    need(total == len(file) and at >= 64 and at + sum(sizes) == total - 152, "sections")
    tail_begin = at
    need(sha256(file[at:-152]) == trailer[48:80], "digest of the tail")
    sections = []
    for size in sizes:
        sections.append(file[at:at + size])
        at += size
    contents, manifest, record, layout = sections
    need(sha256(b"vise artifact 1\n" + sha256(contents) + sha256(manifest)) == trailer[80:112], "hash")

    c = Cursor(contents)
    n_parts, n_objects, n_names = c.number("I"), c.number("I"), c.number("I")
    parts = [(c.number("Q"), c.take(32)) for _ in range(n_parts)]
    objects, used, names = [], set(), {}
    for _ in range(n_objects):
        kind = c.number("B")
        need(kind <= 1, "type of an object")
        objects.append(read_tree(c, parts, used) if kind else read_array(c, parts, used))
    for _ in range(n_names):
        name = c.text()
        need(name != "" and name not in names, "name")
        names[name] = c.number("I")
        need(names[name] < n_objects, "number of an object")
    c.done()
    need(len(used) == n_parts and set(names.values()) == set(range(n_objects)), "unused")

    layout, end, contents_of = Cursor(layout), 64, []
    for size, digest in parts:
        content, end = read_part(file, version, end, size, digest, layout, decompress)
        contents_of.append(content)
    need(end == tail_begin, "end of the parts")
    descriptions = [layout.text() for _ in range(n_objects)]
    layout.done()
    return {
        "hash": trailer[80:112].hex(), "manifest": json.loads(manifest),
        "record": json.loads(record) if record else None, "names": list(names),
        "objects": {name: objects[i] for name, i in names.items()},
        "descriptions": {name: descriptions[i] for name, i in names.items()},
        "sha256": [hashlib.sha256(content).hexdigest() for content in contents_of],
    }


def main():
    with open(sys.argv[1], "rb") as f:
        file = f.read()
    try:
        json.dump(read(file, find_zstd()), sys.stdout)
    except (Refused, IndexError, struct.error, UnicodeDecodeError, json.JSONDecodeError) as failure:
        print(f"{sys.argv[1]}: {failure}")
        sys.exit(1)


main()
