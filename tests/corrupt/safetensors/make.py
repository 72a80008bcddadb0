#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Break the safetensors file of two tensors that the fuzzer starts from, in one way for each file.

    python3 tests/corrupt/safetensors/make.py      from the root of the repository
"""
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
GOOD = (HERE / "../../fuzz/seeds/safetensors/two_tensors").read_bytes()
SIZE = struct.unpack_from("<Q", GOOD)[0]


def rewrite(old, new, data=GOOD[8 + SIZE:]):
    header = GOOD[8:8 + SIZE]
    assert header.count(old) == 1
    header = header.replace(old, new)
    return struct.pack("<Q", len(header)) + header + data


FILES = {
    "truncated": GOOD[:-1],
    "truncated_header": GOOD[:40],
    "rest": GOOD + b"\0",
    "header_overflow": b"\xff" * 8 + GOOD[8:],
    "header_past_end": struct.pack("<Q", len(GOOD)) + GOOD[8:],
    "header_altered": GOOD[:20] + b"\0" + GOOD[21:],
    "hole": rewrite(b"[8,14]", b"[9,15]", GOOD[8 + SIZE:] + b"\0"),
    "overlap": rewrite(b"[8,14]", b"[6,12]", GOOD[8 + SIZE:-2]),
    "wrong_dtype": rewrite(b'"BF16"', b'"BF17"'),
    "shape_overflow": rewrite(b"[2,1]", b"[4611686018427387904,4]"),
    "shape_too_small": rewrite(b"[2,1]", b"[1,1]"),
    "offset_negative": rewrite(b"[0,8]", b"[-8,0]"),
    "twice": rewrite(b'"b":', b'"a":'),
    "metadata_number": rewrite(b'"pt"', b"7"),
}
for name, content in FILES.items():
    (HERE / f"{name}.safetensors").write_bytes(content)
