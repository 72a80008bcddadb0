#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Break the tokenizers that the fuzzer starts from, in one way for each file.

    python3 tests/corrupt/tokenizer/make.py      from the root of the repository
"""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def model_of(seed):
    """A seed is the length of a text, a model, and the text."""
    data = (HERE / "../../fuzz/seeds" / seed).read_bytes()
    return data[2:len(data) - struct.unpack_from(">H", data)[0]]


PIECES = model_of("tokenizer_sentencepiece/unknown")
LLAMA = model_of("tokenizer_bpe/unknown")


def rewrite(data, old, new):
    assert old in data
    return data.replace(old, new, 1)


def spec(change):
    value = json.loads(LLAMA)
    change(value)
    return json.dumps(value).encode()


FILES = {
    "truncated.model": PIECES[:-1],
    "length_overflow.model": PIECES[:1] + b"\xff" * 9 + b"\x01" + PIECES[2:],
    "varint_too_long.model": b"\xff" * 11 + PIECES,
    "piece_twice.model": PIECES + b"\n\x04\n\x02he",
    "no_unknown.model": rewrite(PIECES, b"<unk>\x15\0\0\0\0\x18\2", b"<unk>\x15\0\0\0\0\x18\3"),
    "score_nan.model": rewrite(PIECES, b"<s>\x15\0\0\0\0", b"<s>\x15\0\0\xc0\x7f"),
    "not_utf8.model": rewrite(PIECES, b"\n\x02he", b"\n\x02\xffe"),
    "truncated.json": LLAMA[:-1],
    "id_twice.json": spec(lambda s: s["model"]["vocab"].update(he=1)),
    "id_huge.json": spec(lambda s: s["model"]["vocab"].update(he=1 << 40)),
    "merge_of_nothing.json": spec(lambda s: s["model"]["merges"].append("q e")),
    "unknown_missing.json": spec(lambda s: s["model"].update(unk_token="<none>")),
    "deep.json": b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
}
for name, content in FILES.items():
    (HERE / name).write_bytes(content)
