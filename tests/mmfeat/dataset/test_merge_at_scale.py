"""Merges that are killed, and merges of very many clips."""

import random
import signal
import subprocess
import sys
import time
import tracemalloc

import h5py
import numpy as np

from mmfeat import merge_datasets, validate

from .conftest import sound

PROGRAM = """
import sys, time
from mmfeat import merge_datasets

def slowly(items, total, description):
    for item in items:
        time.sleep(0.01)
        yield item

print("begun", flush=True)
merge_datasets(sys.argv[2:], sys.argv[1], track=slowly)
"""


def test_a_killed_merge_leaves_no_file_and_the_next_one_is_whole(make, ids, tmp_path, content):
    shards = [make(f"{index}.h5", [clip_id]) for index, clip_id in enumerate(ids)]
    expected, out = content(make("whole.h5", ids)), tmp_path / "out" / "c.h5"
    rng = random.Random(0)
    for _ in range(6):
        command = [sys.executable, "-c", PROGRAM, out, *shards]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0.1, 1.5))
            process.send_signal(signal.SIGKILL)
        assert not out.exists() or content(sound(out)) == expected
    merge_datasets(shards, out, overwrite=True)
    assert content(sound(out)) == expected
    assert [path.name for path in out.parent.iterdir()] == ["c.h5"]


def test_a_hundred_thousand_clips_of_a_hundred_files_are_merged_in_bounded_memory(tmp_path):
    n_shard, n_clip, n_feature = 100, 1000, 200
    shards = [many_clips(tmp_path / f"{shard}.h5", shard, n_clip, n_feature) for shard in range(n_shard)]
    size = sum(path.stat().st_size for path in shards)
    tracemalloc.start()
    try:
        merge_datasets(shards, tmp_path / "all.h5", verify=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 150e6
    assert peak < 75e6
    with h5py.File(tmp_path / "all.h5") as file:
        assert file["/clips/id"].shape == (n_shard * n_clip,)
        values, offsets = file["/streams/signal/values"], file["/streams/signal/offsets"]
        for row in (0, 999, 1000, 55_555, 99_999):
            assert (values[offsets[row] : offsets[row + 1], 0] == row % 997).all()
    assert validate(tmp_path / "all.h5").ok


def many_clips(path, shard, n_clip, n_feature):
    """Write a file of tiny clips at once; the first column is the number of the clip modulo 997."""
    with h5py.File(write_template(path.parent, n_feature)) as template, h5py.File(path, "w") as file:
        file.attrs.update(dict(template.attrs))
        rows = np.arange(n_clip)
        offsets = np.concatenate([[0], np.cumsum(1 + rows % 3)])
        values = np.zeros((offsets[-1], n_feature), dtype=np.float32)
        values[:, 0] = np.repeat((shard * n_clip + rows) % 997, 1 + rows % 3)
        special = {"id": [f"{shard}/{row}" for row in rows], "values": values, "offsets": offsets, "status": rows * 0}
        special["valid"] = np.ones(len(values), dtype=bool)

        def copy(name, item):
            if isinstance(item, h5py.Group):
                file.create_group(name).attrs.update(dict(item.attrs))
                return
            leaf = name.rpartition("/")[2]
            data = special.get(leaf, item[:] if leaf.startswith("feature") or "prov" in name else None)
            shape = (n_clip,) if name.startswith("clips") else item.shape
            made = file.create_dataset(name, data=data, shape=None if data is not None else shape, dtype=item.dtype)
            made.attrs.update(dict(item.attrs))

        template.visititems(copy)
    return path


def write_template(folder, n_feature):
    from mmfeat import DatasetInfo, DatasetWriter, StreamInfo

    path = folder / "template"
    if not path.exists():
        names = tuple(f"f{index}" for index in range(n_feature))
        info = StreamInfo(
            name="signal",
            feature_names=names,
            feature_units=names,
            extractor="test",
            extractor_version="1",
            preset="custom",
            config={},
            hop_s=0.1,
        )
        with DatasetWriter(path, info=DatasetInfo(name="test"), streams=[info]):
            pass
    return path
