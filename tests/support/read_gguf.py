# SPDX-License-Identifier: Apache-2.0
"""What the gguf package of the Python registry reads from a file, as JSON.

Usage: read_gguf.py FILE TENSOR ...; of each tensor named: type, shape (the fastest dimension first, as
the file has it) and its values, decoded.
"""
import json
import sys

import gguf

reader = gguf.GGUFReader(sys.argv[1])
fields = {}
for name, field in reader.fields.items():
    value = field.contents()
    fields[name] = value[:300] if isinstance(value, list) else value
tensors = {}
for tensor in reader.tensors:
    values = None
    if tensor.name in sys.argv[2:]:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).ravel()[:4096].tolist()
    tensors[tensor.name] = {"type": tensor.tensor_type.name.lower(),
                            "shape": [int(d) for d in tensor.shape], "values": values}
print(json.dumps({"fields": fields, "tensors": tensors}))
