-- SPDX-License-Identifier: Apache-2.0
-- Files that make.py broke in one way each, and how they must be refused.
return {
  ["deep.json"] = "line 1: nested deeper than 64 levels",
  ["id_huge.json"] = "id of 'he' is no integer in [0, 4122)",
  ["id_twice.json"] = "id 1 is both '<s>' and 'he'",
  ["length_overflow.model"] = "protocol buffer: field 1 is cut off",
  ["merge_of_nothing.json"] =
    "merge 3: 'q' and 'e' and what they make are not all in the vocabulary",
  ["no_unknown.model"] = "sentencepiece: has no unknown piece",
  ["not_utf8.model"] = "sentencepiece: piece 6 has 2 bytes, expected UTF-8 of 1 to 1024",
  ["piece_twice.model"] = "sentencepiece: piece 15 'he' is there twice",
  ["score_nan.model"] = "sentencepiece: score of piece 1 is no number",
  ["truncated.json"] = "line 1, column 864: '}' expected near end of file",
  ["truncated.model"] = "protocol buffer: field 3 is cut off",
  ["unknown_missing.json"] =
    "model without byte level, byte_fallback and unk_token cannot encode every text",
  ["varint_too_long.model"] = "protocol buffer: bad key of a field",
}
