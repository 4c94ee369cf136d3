"""The sizes that the released models have, part by part, from the command that says what a method costs."""

import json

import pytest
from click.testing import CliRunner

from mmfeat_cli.skesl import skesl

BERT = {"bert-base": 109_482_240, "bert-base-chinese": 102_267_648}


def parts(method, preset, *settings, encoder="bert-base"):
    arguments = ["estimate", "--method", method, "--preset", preset, "--text-encoder", encoder, "--json"]
    for setting in settings:
        arguments += ["--set", f"method.{setting}"]
    result = CliRunner().invoke(skesl, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert sum(found["parameters_by_part"].values()) == found["parameters"]
    return found["parameters_by_part"]


def split_off(found, prefix):
    """Take the parts of a kind out; return their sum."""
    return sum(found.pop(name) for name in list(found) if name.startswith(prefix))


@pytest.mark.parametrize(
    ("preset", "cross", "published"),
    [
        ("mosi", "none", 212_618),
        ("mosei", "none", 177_338),
        ("sims", "none", 386_986),
        ("mosi", "rank_one", 421_514),
        ("mosei", "rank_one", 386_234),
        ("sims", "rank_one", 595_882),
    ],
)
def test_the_released_variant_has_the_published_size(preset, cross, published):
    encoder = "bert-base-chinese" if preset == "sims" else "bert-base"

    found = parts("tam_ulag", preset, "variant=released", f"cross={cross}", encoder=encoder)

    assert split_off(found, "text_encoder") == BERT[encoder]
    assert split_off(found, "similarity.confidence.") == 867
    assert sum(found.values()) == published


def test_the_parts_of_mosi_are_those_of_the_released_layers():
    assert parts("tam_ulag", "mosi", "variant=released") == {
        "text_encoder": 109_482_240,
        "text_reader": 2 * 769,
        "encoders.audio": 4 * 32 * (5 + 32 + 2) + 2 * 33 + 32 * 16 + 16,
        "encoders.vision": 4 * 64 * (20 + 64 + 2) + 2 * 65 + 64 * 32 + 32,
        "heads.fusion": 816 * 128 + 128 + 128 * 128 + 128 + 128 + 1,
        "heads.text": 768 * 64 + 64 + 64 * 64 + 64 + 64 + 1,
        "heads.audio": 2 * (16 * 16 + 16) + 16 + 1,
        "heads.vision": 2 * (32 * 32 + 32) + 32 + 1,
        "similarity.experts.fusion": 128 * 16 + 16,
        "similarity.experts.text": 64 * 16 + 16,
        "similarity.experts.audio": 16 * 16 + 16,
        "similarity.experts.vision": 32 * 16 + 16,
        **{f"similarity.confidence.{name}": 289 for name in ("text", "audio", "vision")},
    }


@pytest.mark.parametrize("preset", ["mosi", "mosei", "sims"])
def test_the_corrected_variant_has_the_same_parts_and_the_interactions(preset):
    corrected, released = (parts("tam_ulag", preset, f"variant={variant}") for variant in ("corrected", "released"))

    interactions = corrected.pop("heads.interactions")

    assert corrected == released
    assert interactions == 32 * (768 + 16 + 32 + 3) + 3 * 32 * 128


def test_self_mm_is_tam_ulag_without_attention_and_experts():
    found = parts("self_mm", "mosi")

    assert set(found) == {"text_encoder", *(f"encoders.{name}" for name in ("audio", "vision")), *HEADS}
    assert found["encoders.audio"] == 4 * 16 * (5 + 16 + 2) + 16 * 16 + 16
    assert found["heads.text"] == 768 * 32 + 32 + 32 * 32 + 32 + 32 + 1


HEADS = {f"heads.{name}" for name in ("fusion", "text", "audio", "vision")}
