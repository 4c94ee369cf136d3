"""Configurations: what is read is what was written, and every fault is named."""

import json
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given, strategies as st

from mmfeat import (
    AUDIO_PRESETS,
    AudioFeatureConfig,
    BuildConfig,
    ConfigError,
    InputError,
    OpenFaceConfig,
    config_from_mapping,
    config_sha256,
    config_to_dict,
    load_config,
    merge_mappings,
    merge_overrides,
    read_toml,
    resolve_build_config,
)


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate_hz: float = 1.0
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    n_item: int = 1
    exact: bool = False
    kind: Literal["slow", "fast"] = "slow"
    names: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        if self.n_item < 1:
            raise ConfigError(f"n_item must be at least 1, got {self.n_item}")


outer_configs = st.builds(
    Outer,
    n_item=st.integers(1, 10**9),
    exact=st.booleans(),
    kind=st.sampled_from(["slow", "fast"]),
    names=st.lists(st.text()).map(tuple),
    inner=st.builds(
        Inner,
        rate_hz=st.floats(allow_nan=False, allow_infinity=False),
        limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
)


@given(outer_configs)
def test_a_configuration_survives_the_way_through_plain_values_and_json(config):
    stored = json.loads(json.dumps(config_to_dict(config)))
    assert config_from_mapping(Outer, stored) == config


@given(outer_configs)
def test_overrides_of_every_field_make_any_configuration(config):
    overrides = [
        f"n_item={config.n_item}",
        f"exact={str(config.exact).lower()}",
        f"kind={config.kind}",
        f"inner.rate_hz={config.inner.rate_hz!r}",
        f"inner.limit={'none' if config.inner.limit is None else repr(config.inner.limit)}",
    ]
    built = config_from_mapping(Outer, merge_overrides(config_to_dict(Outer(names=config.names)), overrides))
    assert built == config


def test_missing_keys_keep_their_defaults():
    assert config_from_mapping(Outer, {}) == Outer()


def test_a_whole_number_is_accepted_for_a_float_and_becomes_one():
    rate_hz = config_from_mapping(Inner, {"rate_hz": 3}).rate_hz
    assert (rate_hz, type(rate_hz)) == (3.0, float)


def test_a_list_may_stand_for_a_tuple_and_its_items_are_checked():
    assert config_from_mapping(Outer, {"names": ["a", "b"]}).names == ("a", "b")
    with pytest.raises(ConfigError, match=r"names\[1\]: expected str, got 2"):
        config_from_mapping(Outer, {"names": ["a", 2]})


def test_an_unknown_key_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown key 'inner.rate'; known: rate_hz, limit"):
        config_from_mapping(Outer, {"inner": {"rate": 2.0}})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"n_item": "3"}, r"n_item: expected int, got '3'"),
        ({"n_item": True}, r"n_item: expected int, got True"),
        ({"n_item": 1.5}, r"n_item: expected int, got 1.5"),
        ({"exact": 1}, r"exact: expected bool, got 1"),
        ({"kind": "medium"}, r"kind: expected one of 'slow', 'fast', got 'medium'"),
        ({"inner": 3}, r"inner: expected Inner, got 3"),
        ({"inner": {"limit": "low"}}, r"inner.limit: expected float, got 'low'"),
        ({"n_item": 0}, r"n_item must be at least 1, got 0"),
    ],
)
def test_a_value_of_another_type_or_range_is_refused_with_its_place(mapping, message):
    with pytest.raises(ConfigError, match=message):
        config_from_mapping(Outer, mapping)


def test_all_faults_are_reported_at_once_under_the_file_name():
    with pytest.raises(ConfigError, match=r"^mine.toml: the configuration is wrong") as caught:
        config_from_mapping(Outer, {"n_item": "x", "colour": 1, "inner": {"rate_hz": "y"}}, where="mine.toml")
    assert len(str(caught.value).splitlines()) == 4


def test_a_toml_file_is_read_into_a_configuration(tmp_path):
    path = tmp_path / "outer.toml"
    path.write_text('kind = "fast"\n[inner]\nlimit = 1e-4\n')
    assert load_config(Outer, path) == Outer(kind="fast", inner=Inner(limit=1e-4))


def test_a_toml_file_that_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.toml: expected a readable TOML file: No such file"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("a = = 1")
    with pytest.raises(InputError, match=r"broken.toml: expected TOML: "):
        read_toml(tmp_path / "broken.toml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ('["au", "pose"]', ["au", "pose"]),
        ("skesl-33", "skesl-33"),
        ("a=b", "a=b"),
    ],
)
def test_an_override_is_toml_and_else_plain_text(text, value):
    assert merge_overrides({}, [f"section.key={text}"]) == {"section": {"key": value}}


def test_overrides_leave_the_given_mapping_as_it_is():
    mapping = {"inner": {"rate_hz": 1.0}}
    assert merge_overrides(mapping, ["inner.rate_hz=2.0"]) == {"inner": {"rate_hz": 2.0}}
    assert mapping == {"inner": {"rate_hz": 1.0}}


@pytest.mark.parametrize("override", ["n_item", "=3", " =3"])
def test_an_override_without_key_or_value_is_refused(override):
    with pytest.raises(ConfigError, match=r"expected KEY=VALUE"):
        merge_overrides({}, [override])


def test_an_override_through_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"'n_item' is a value, not a section"):
        merge_overrides({"n_item": 1}, ["n_item.more=3"])


def test_sections_are_merged_and_values_replaced():
    base = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merge_mappings(base, {"a": {"y": 5}, "b": {"z": 6}}) == {"a": {"x": 1, "y": 5}, "b": {"z": 6}}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}


def test_the_hash_of_a_configuration_ignores_the_order_of_keys_and_sees_every_value():
    assert config_sha256({"a": 1, "b": 2}) == config_sha256({"b": 2, "a": 1})
    assert config_sha256({"a": 1, "b": 2}) != config_sha256({"a": 1, "b": 3})


@pytest.mark.parametrize("name", AUDIO_PRESETS)
def test_a_preset_by_name_is_the_preset(name):
    assert resolve_build_config(preset=name).audio == AUDIO_PRESETS[name]


def test_a_build_configuration_takes_preset_then_file_then_overrides(tmp_path):
    path = tmp_path / "build.toml"
    path.write_text('[audio]\nhop_length = 256\n[audio.pitch]\nf0_min_hz = 60\n[openface]\ngroups = ["au"]\n')
    config = resolve_build_config(preset="skesl-33", file=path, overrides=["audio.pitch.f0_min_hz=70"])
    assert config.audio.sample_rate == 22_050  # the preset's
    assert config.audio.hop_length == 256  # the file's
    assert config.audio.pitch.f0_min_hz == 70.0  # the override's
    assert config == BuildConfig(audio=config.audio, openface=OpenFaceConfig(groups=("au",)))


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown audio preset 'slow'; known: default, skesl-33"):
        resolve_build_config(preset="slow")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("audio.hop_length=100", r"hop_length must be a multiple of 64"),
        ("audio.sample_rate=8000", r"sample_rate must be at least 11025 Hz"),
        ("audio.pitch.f0_min_hz=10", r"less than two periods of 10.0 Hz"),
        ("audio.pitch.f0_min_hz=700", r"expected 0 < f0_min_hz < f0_max_hz"),
        ("audio.pitch.f0_max_hz=9000", r"f0_max_hz must lie below 8000.0 Hz"),
        ("audio.pitch.frame_length=4", r"frame_length must be at least 16"),
        ("audio.mfcc.n_mfcc=0", r"expected 1 <= n_mfcc <= n_mels"),
        ("audio.mfcc.n_fft=2", r"n_fft must be at least 16"),
        ("audio.chroma.tuning=0.7", r"tuning must lie in \[-0.5, 0.5\)"),
        ("openface.frame_rate_hz=0", r"frame_rate_hz must be positive and finite, got 0.0"),
        ("openface.frame_rate_hz=nan", r"frame_rate_hz must be positive and finite, got nan"),
        ("openface.groups=[]", r"expected at least one OpenFace group"),
        ('openface.groups=["eyes"]', r"unknown OpenFace group 'eyes'; known: gaze"),
    ],
)
def test_a_setting_out_of_range_is_refused_before_anything_is_read(override, message):
    with pytest.raises(ConfigError, match=message):
        resolve_build_config(overrides=[override])


def test_tuning_can_be_switched_to_estimation():
    assert resolve_build_config(overrides=["audio.chroma.tuning=none"]).audio.chroma.tuning is None


def test_the_default_audio_features_are_33():
    config = AudioFeatureConfig()
    assert len(config.feature_names) == len(set(config.feature_names)) == len(config.feature_units) == 33
