# SPDX-License-Identifier: Apache-2.0
"""An independent evaluation in NumPy: windows of a protocol, integer quantization, Llama in float64.

Reads one JSON object on standard input and writes one on standard output:

  {"model": folder, "rule": "nll", "window": 256, "bos": 1, "texts": [[ids], ...],
   "variants": [null, {"bits": 4, "group": 32, "search": "none"}, ...]}
  {"tokens": n, "nll": [mean nats per token of each variant], "kl": [from the first variant],
   "top1": [agreement with the first variant]}

or, to compare weights that vise wrote decoded into a safetensors file, under the names of the model,

  {"model": folder, "variant": {"bits": 4, "group": 32, "search": "mse"}, "decoded": path}
  {"groups": n, "differ": groups with another value, "unequal": those of them with another error}

Shares no code with vise and follows the texts alone: ../shared/data/README.md for protocols, the
Llama paper for the forward pass, native/format/int_affine.h and the derivation in int_affine.c for
the integer format. Needs NumPy only; the safetensors reader is here.
"""

import json
import os
import struct
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its threads cost more than these small products

import numpy as np  # noqa: E402


# ---- files ----

def read_safetensors(path):
    """All tensors of a file as float32."""
    with open(path, "rb") as file:
        data = file.read()
    (n,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + n]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + n + at for at in entry["data_offsets"])
        raw = data[begin:end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        tensors[name] = values.astype(np.float32).reshape(entry["shape"])
    return tensors


def read_model(folder):
    tensors = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            tensors.update(read_safetensors(os.path.join(folder, name)))
    with open(os.path.join(folder, "config.json")) as file:
        return json.load(file), tensors


# ---- protocols ----

def windows(rule, n, bos, texts):
    """(ids, positions of the scored tokens counted from 0) of each window."""
    out = []
    for text in texts:
        if rule == "stories":
            ids = ([bos] + text)[:n]
            out.append((ids, range(1, len(ids))))
        elif rule == "nll":
            for at in range(0, len(text), n - 1):
                ids = [bos] + text[at : at + n - 1]
                out.append((ids, range(1, len(ids))))
        else:
            sequence = [bos] + text
            for at in range(0, len(sequence) - n + 1, n):
                ids = sequence[at : at + n]
                if rule == "gptq":
                    out.append((ids, range(1, n)))
                else:
                    out.append(([bos] + ids[1:], range(n // 2 + 1, n)))
    return out


# ---- integers ----

def quantize(w, bits, group, search):
    """w [m, k] rounded to symmetric groups of a row with f16 scales, decoded again."""
    m, k = w.shape
    out = np.empty_like(w)
    for at in range(0, k, group):
        x = w[:, at : at + group]
        out[:, at : at + group] = quantize_groups(x, bits, search)
    return out


def quantize_groups(x, bits, search):
    """x [m, g] float32, each row a group."""
    half = 2 ** (bits - 1)
    low, high = x.min(1), x.max(1)
    extreme = np.where(-low >= high, low, high)  # of two equal ones the negative
    scale = stored(-extreme / np.float32(half))
    if search == "mse":
        scale = searched(x, scale, half)
    codes = np.clip(np.rint(x * reciprocal(scale)[:, None]), -half, half - 1)
    return (scale[:, None] * codes).astype(np.float32)


def stored(scale):
    return np.clip(scale, -65504, 65504).astype(np.float16).astype(np.float32)


def reciprocal(scale):
    with np.errstate(divide="ignore"):
        return np.where(scale == 0, np.float32(0), np.float32(1) / scale)


WIDE = [0.85, 0.95, 1.05, 1.15, 1.27, 1.42, 1.65, 2.0, 2.5, 3.2]


def steps(half):
    """Multiples of the plain reciprocal scale, float32 as in the program: a tie may hang on it."""
    if half <= 8:
        return np.array(WIDE, np.float32)
    d = np.float32(0.3) * np.arange(10, dtype=np.float32) - np.float32(1.9)
    return np.float32(1) + d / np.float32(half)


def attempt(x, r, half):
    """The error that the codes at reciprocal scale r reach after the scale is refitted, and that
    scale's reciprocal; float64."""
    t = (x * r[:, None]).astype(np.float64)
    codes = np.clip(np.rint(t), -half, half - 1)
    e = t - codes
    error, slope, mass = (e * e).sum(1), (e * codes).sum(1), (codes * codes).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = (error - np.where(mass > 0, slope**2 / mass, 0)) / r.astype(np.float64) ** 2
        refit = np.where(mass > 0, r / (1 + slope / mass), r)
    return fitted, refit.astype(np.float32)


def searched(x, plain, half):
    r = reciprocal(plain)
    best_error, best_refit = np.full(len(x), np.inf), r

    def at_step(step, where):
        nonlocal best_error, best_refit
        was_better = np.zeros(len(x), bool)
        for side in (np.float32(1), np.float32(-(half - 1) / half)):
            error, refit = attempt(x, side * (step * r), half)
            better = where & (error < best_error)
            best_error = np.where(better, error, best_error)
            best_refit = np.where(better, refit, best_refit)
            was_better |= better
        return was_better

    for step in steps(half):
        goes_on = at_step(step, np.ones(len(x), bool))
    while goes_on.any():
        step = step * np.float32(1.125)
        goes_on = at_step(step, goes_on)
    for _ in range(3):
        error, refit = attempt(x, best_refit, half)
        better = error < best_error
        best_error = np.where(better, error, best_error)
        best_refit = np.where(better, refit, best_refit)
    found = stored(np.where(r == 0, 0, reciprocal(best_refit)))
    return np.where(squared_error(x, found, half) < squared_error(x, plain, half), found, plain)


def squared_error(x, scale, half):
    codes = np.clip(np.rint(x * reciprocal(scale)[:, None]), -half, half - 1)
    return ((x.astype(np.float64) - scale[:, None].astype(np.float64) * codes) ** 2).sum(1)


# ---- Llama in float64 ----

def forward(config, w, ids):
    """Logits [len(ids), vocabulary] of one sequence."""
    n = len(ids)
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads", heads)
    size = config.get("head_dim", config["hidden_size"] // heads)
    angles = np.outer(np.arange(n), config["rope_theta"] ** (-np.arange(0, size, 2) / size))
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    mask = np.where(np.tril(np.ones((n, n), bool)), 0, -np.inf)

    def norm(x, gain):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + config["rms_norm_eps"]) * gain

    def turn(x):
        a, b = x[..., : size // 2], x[..., size // 2 :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    x = w["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        h = norm(x, w[at + "input_layernorm.weight"])
        q, k, v = (h @ w[f"{at}self_attn.{p}_proj.weight"].T for p in "qkv")
        q = turn(q.reshape(n, heads, size))
        k = turn(k.reshape(n, kv_heads, size)).repeat(heads // kv_heads, 1)
        v = v.reshape(n, kv_heads, size).repeat(heads // kv_heads, 1)
        q, k, v = (a.transpose(1, 0, 2) for a in (q, k, v))  # heads first
        p = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(size) + mask)
        mixed = (p @ v).transpose(1, 0, 2).reshape(n, heads * size)
        x = x + mixed @ w[at + "self_attn.o_proj.weight"].T
        h = norm(x, w[at + "post_attention_layernorm.weight"])
        gate = h @ w[at + "mlp.gate_proj.weight"].T
        up = h @ w[at + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[at + "mlp.down_proj.weight"].T
    x = norm(x, w["model.norm.weight"])
    return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def variant(tensors, spec):
    """The model's tensors in float64, matrices quantized as `spec` says."""
    w = {}
    for name, t in tensors.items():
        if spec and t.ndim == 2:
            t = quantize(t, spec["bits"], spec["group"], spec["search"])
        w[name] = t.astype(np.float64)
    return w


def compare(original, spec, decoded):
    """Counts of groups: all, those where `decoded` differs from ours, those of another error too."""
    ours = quantize(original, spec["bits"], spec["group"], spec["search"])
    x, a, b = (w.astype(np.float64).reshape(-1, spec["group"]) for w in (original, ours, decoded))
    differ = (a != b).any(1)
    unequal = ((x - a) ** 2).sum(1) != ((x - b) ** 2).sum(1)
    return len(x), int(differ.sum()), int((differ & unequal).sum())


def compare_weights(request, tensors):
    counts = [compare(tensors[name], request["variant"], decoded)
              for name, decoded in read_safetensors(request["decoded"]).items()]
    return dict(zip(("groups", "differ", "unequal"), map(sum, zip(*counts))))


def main():
    request = json.load(sys.stdin)
    config, tensors = read_model(request["model"])
    if "decoded" in request:
        json.dump(compare_weights(request, tensors), sys.stdout)
    else:
        json.dump(evaluate(request, config, tensors), sys.stdout)


def evaluate(request, config, tensors):
    models = [variant(tensors, spec) for spec in request["variants"]]
    nll, kl, top1 = ([0.0] * len(models) for _ in range(3))
    tokens = 0
    for ids, scored in windows(*(request[key] for key in ("rule", "window", "bos", "texts"))):
        scored = np.array(scored)
        tokens += len(scored)
        first = None
        for i, w in enumerate(models):
            logp = log_softmax(forward(config, w, ids)[scored - 1])
            first = logp if first is None else first
            nll[i] -= logp[np.arange(len(scored)), np.array(ids)[scored]].sum()
            kl[i] += (np.exp(first) * (first - logp)).sum()
            top1[i] += (first.argmax(-1) == logp.argmax(-1)).sum()
    return {"tokens": int(tokens), "nll": [x / tokens for x in nll],
            "kl": [x / tokens for x in kl], "top1": [float(x / tokens) for x in top1]}


if __name__ == "__main__":
    main()
