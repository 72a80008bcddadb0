-- SPDX-License-Identifier: Apache-2.0
-- Files that make.py broke in one way each, and how they must be refused, after the path.
return {
  ["altered_code.vise"] = "part 'codes' of 'q4': frame 0 does not match its digest",
  ["altered_manifest.vise"] = "index at bytes 3042 to 3851 does not match its digest",
  ["altered_plane.vise"] = "part 'values' of 'd': frame 0 does not match its checksum",
  ["altered_trailer.vise"] = "trailer at byte 3851 does not match its digest",
  ["large_part.vise"] =
    "contents: object 0 at byte 3429: its shape does not have the bytes of its part",
  ["many_parts.vise"] = "contents: 2147483647 parts do not fit it",
  ["newer_version.vise"] = "header: version is 4, expected 1 to 3",
  ["no_artifact.vise"] = "is no artifact: does not begin with 'VISE'",
  ["overlap.vise"] = "layout: part 1 begins at byte 100, the one before ends at 320",
  ["sections_overflow.vise"] = "trailer: sections from byte 3042 do not end at byte 3851",
  ["truncated.vise"] = "is truncated or altered: its 4002 bytes do not end in 'VISEend'",
  ["truncated_inside.vise"] = "is truncated or altered: its 1000 bytes do not end in 'VISEend'",
}
