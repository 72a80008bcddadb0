# SPDX-License-Identifier: Apache-2.0
# A byte-level BPE tokenizer trained by the Python package `tokenizers`, and what it makes of a
# tokenizer.json of ours. Reads {text, special, size, file} from standard input; writes
# {vocab, merges, ids, decoded}, where ids are those that `file` gives for `text`.
import json
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

request = json.load(sys.stdin)
theirs = Tokenizer(models.BPE())
theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(
    vocab_size=request["size"],
    min_frequency=2,
    special_tokens=[request["special"]],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
theirs.train_from_iterator(request["text"].split(request["special"]), trainer)
model = json.loads(theirs.to_str())["model"]
ours = Tokenizer.from_str(request["file"])
ids = ours.encode(request["text"]).ids
print(json.dumps({
    "vocab": model["vocab"],
    "merges": [m if isinstance(m, str) else " ".join(m) for m in model["merges"]],
    "ids": ids,
    "decoded": ours.decode(ids, skip_special_tokens=False),
}))
