# SPDX-License-Identifier: Apache-2.0
"""Factors of NumPy for tests/lua/test_linalg_numpy.lua: one JSON object in, one out."""
import json
import sys

import numpy as np

asked = json.load(sys.stdin)
a = np.array(asked["a"], dtype=np.float64).reshape(asked["shape"])
symmetric = a @ a.T + np.eye(a.shape[0])
values, _ = np.linalg.eigh(symmetric)
q, r = np.linalg.qr(a)
signs = np.where(np.diagonal(r) < 0, -1.0, 1.0)
u, s, vt = np.linalg.svd(a, full_matrices=False)
turn = np.sign(vt[np.arange(len(s)), np.argmax(np.abs(vt), axis=1)])
json.dump({
    "symmetric": symmetric.ravel().tolist(),
    "values": values.tolist(),
    "q": (q * signs).ravel().tolist(),
    "r": (r * signs[:, None]).ravel().tolist(),
    "u": (u * turn).ravel().tolist(),
    "s": s.tolist(),
    "vt": (vt * turn[:, None]).ravel().tolist(),
    "l": np.linalg.cholesky(symmetric).ravel().tolist(),
    "gram": (a.T @ a).ravel().tolist(),
}, sys.stdout)
print()
