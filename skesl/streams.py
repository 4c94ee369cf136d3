"""Whether a dataset's streams are those that a run was trained on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mmfeat import DatasetReader
from skesl.errors import CheckpointError

_TIME_BASE = "frame_rate_hz"  # of files without timestamps; it changes no feature


def check_streams(settings: Mapping[str, Any], reader: DatasetReader) -> None:
    """Refuse a dataset whose features are not those that a run was trained on.

    Args:
        settings: content of the run's ``config.json``.
        reader: the dataset.

    Raises:
        CheckpointError: a stream is missing, or its columns or settings differ; the differences are spelled out.
    """
    for name, stream in settings["data"]["streams"].items():
        if name not in reader.stream_names:
            known = ", ".join(reader.stream_names) or "none"
            raise CheckpointError(f"{reader.path}: the run needs the stream {name!r}, the file has {known}")
        info = reader.info(name)
        differences = setting_differences(stream["config"], dict(info.config), ignored=(_TIME_BASE,))
        if differences or list(info.feature_names) != stream["feature_names"]:
            raise CheckpointError(
                f"{reader.path}: stream {name!r} was made with other settings than the run's: "
                f"{'; '.join(differences) or 'other columns'}; build the file again with the run's settings"
            )


def setting_differences(
    before: Mapping[str, Any], given: Mapping[str, Any], *, ignored: Collection[str] = ()
) -> list[str]:
    """Return how nested settings differ from earlier ones, ``section.key NEW instead of OLD`` each.

    Example:
        >>> setting_differences({"mfcc": {"n_mfcc": 20}}, {"mfcc": {"n_mfcc": 13}})
        ['mfcc.n_mfcc 13 instead of 20']
    """
    old, new = _flat(before), _flat(given)
    names = sorted(name for name in old.keys() | new.keys() if name not in ignored and old.get(name) != new.get(name))
    return [f"{name} {new.get(name)!r} instead of {old.get(name)!r}" for name in names]


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as ``section.key`` pairs."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
