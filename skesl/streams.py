"""Whether a dataset's streams are those that a run was trained on."""

from __future__ import annotations

from collections.abc import Mapping
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
        trained, given = _flat(stream["config"]), _flat(dict(info.config))
        differing = sorted(key for key in trained.keys() | given.keys() if trained.get(key) != given.get(key))
        if differing or list(info.feature_names) != stream["feature_names"]:
            details = "; ".join(f"{key} {given.get(key)!r} instead of {trained.get(key)!r}" for key in differing)
            raise CheckpointError(
                f"{reader.path}: stream {name!r} was made with other settings than the run's: "
                f"{details or 'other columns'}; build the file again with the run's settings"
            )


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as ``section.key`` pairs."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if key != _TIME_BASE:
            flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
