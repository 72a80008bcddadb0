#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Break an honest artifact in one way for each file of this folder (share/doc/artifact.md has the
places). Where the lie is in a number, the hashes are made true again, so that the number is met.

    python3 tests/corrupt/artifact/make.py      from the root of the repository
"""
import hashlib
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
GOOD = (HERE / "../../fuzz/seeds/artifact/quant-zstd.vise").read_bytes()
TRAILER = len(GOOD) - 152
CONTENTS, CONTENTS_BYTES, MANIFEST_BYTES, RECORD_BYTES = struct.unpack_from("<4Q", GOOD, TRAILER)
MANIFEST = CONTENTS + CONTENTS_BYTES
LAYOUT = MANIFEST + MANIFEST_BYTES + RECORD_BYTES


def sha256(data):
    return hashlib.sha256(data).digest()


def alter(at, new):
    return GOOD[:at] + new + GOOD[at + len(new):]


def flip(at):
    return alter(at, bytes([GOOD[at] ^ 1]))


def reseal(data):
    b = bytearray(data)
    b[TRAILER + 48:TRAILER + 80] = sha256(b[CONTENTS:TRAILER])
    hashed = sha256(b[CONTENTS:MANIFEST]) + sha256(b[MANIFEST:MANIFEST + MANIFEST_BYTES])
    b[TRAILER + 80:TRAILER + 112] = sha256(b"vise artifact 1\n" + hashed)
    b[TRAILER + 112:TRAILER + 144] = sha256(b[:64] + b[TRAILER:TRAILER + 112])
    return bytes(b)


FILES = {
    "truncated": GOOD[:-1],
    "truncated_inside": GOOD[:1000],
    "no_artifact": b"PK\3\4" + GOOD[4:],
    "altered_code": flip(70),
    "altered_plane": flip(700),
    "altered_manifest": flip(MANIFEST + 2),
    "altered_trailer": alter(TRAILER + 8, b"\0"),
    "newer_version": reseal(alter(4, b"\4")),
    "many_parts": reseal(alter(CONTENTS, b"\xff\xff\xff\x7f")),
    "large_part": reseal(alter(CONTENTS + 12, struct.pack("<Q", 1 << 62))),
    "overlap": reseal(alter(LAYOUT + 10, struct.pack("<Q", 100))),
    "sections_overflow": reseal(alter(TRAILER + 16, struct.pack("<Q", 2**64 - 1))),
}
for name, content in FILES.items():
    (HERE / f"{name}.vise").write_bytes(content)
