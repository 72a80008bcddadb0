-- SPDX-License-Identifier: Apache-2.0
-- Files that make.py broke in one way each, and how they must be refused, after the path.
return {
  ["header_altered.safetensors"] =
    "header: line 1, column 12: control character 0x0 near '\"__metadata'",
  ["header_overflow.safetensors"] =
    "header of 18446744073709551615 bytes, expected at most 100000000",
  ["header_past_end.safetensors"] = "header ends at byte 172, file has 164 bytes",
  ["hole.safetensors"] = "bytes 158 to 159 before tensor 'b' belong to no tensor",
  ["metadata_number.safetensors"] = "__metadata__ 'format' is no string",
  ["offset_negative.safetensors"] =
    "data_offsets of tensor 'a' are not two integers 0 <= begin <= end",
  ["overlap.safetensors"] = "tensors 'a' and 'b' overlap at byte 156",
  ["rest.safetensors"] = "tensors end at byte 164, file has 165 bytes",
  ["shape_overflow.safetensors"] = "shape of tensor 'a' overflows 64 bits",
  ["shape_too_small.safetensors"] = "tensor 'a' has 8 bytes, expected 4 from its dtype and shape",
  ["truncated.safetensors"] = "tensor 'b' ends at byte 164, file has 163 bytes",
  ["truncated_header.safetensors"] = "header ends at byte 150, file has 40 bytes",
  ["twice.safetensors"] = "header: line 1, column 90: duplicate object key near '\"a\"'",
  ["wrong_dtype.safetensors"] =
    "tensor 'b' has unknown dtype 'BF17', expected one of F64 F32 F16 BF16 F8_E4M3 F8_E5M2 "
    .. "I64 I32 I16 I8 U64 U32 U16 U8 BOOL",
}
