"""Extract many clips in their order: in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from mmfeat.audio import engine_for, prepare_engine
from mmfeat.build_config import BuildConfig
from mmfeat.build_plan import BuildPlan
from mmfeat.cluster import extract_on_cluster
from mmfeat.extract import extract_clip
from mmfeat.types import ClipEntry, ClipFeatures
from mmfeat.vision import prepare_loader

_MAX_THREADS = 4
_CLIPS_PER_JOB = 64  # joblib holds all results behind a clip that takes long: so many at most, and no more


def extract_all(
    entries: Sequence[ClipEntry], plan: BuildPlan, n_jobs: int, scheduler: str | None
) -> Generator[ClipFeatures]:
    """Yield the clips in the order of ``entries``.

    Args:
        entries: those of the plan that are extracted.
        plan: settings and streams.
        n_jobs: workers on this machine.
        scheduler: address of a cluster, whose workers take their place.

    Raises:
        ClusterError: there is no scheduler or no worker, or they are gone.
        MissingExtraError: ``scheduler`` is given, and dask.distributed is not installed.
    """
    config, named = plan.config, plan.named
    if scheduler is not None:
        yield from extract_on_cluster(entries, config, named, scheduler, plan.versions)
        return
    if n_jobs == 1:
        yield from (extract_clip(entry, config, named) for entry in entries)
        return
    import joblib

    if "audio" in config.streams:
        prepare_engine(config.audio, config.engine)  # compiled once here, loaded from the cache by every worker
    if any(entry.openface for entry in entries):
        prepare_loader()
    n_window = n_jobs * _CLIPS_PER_JOB
    with joblib.Parallel(n_jobs=n_jobs, return_as="generator", prefer=_workers(entries, config, n_jobs)) as parallel:
        for start in range(0, len(entries), n_window):
            window = entries[start : start + n_window]
            yield from parallel(joblib.delayed(extract_clip)(entry, config, named) for entry in window)


def _workers(entries: Sequence[ClipEntry], config: BuildConfig, n_jobs: int) -> str:
    """Return ``threads`` where they are faster: our kernels run without the GIL, and a process costs 2 s to start.

    What of a clip is Python still runs one thread at a time: librosa, and enough of the rest that more than a few
    threads would wait for one another.
    """
    sound = "audio" in config.streams and any(entry.audio or entry.video for entry in entries)
    compiled = not sound or engine_for(config.audio, config.engine) == "fast"
    return "threads" if compiled and 1 < n_jobs <= _MAX_THREADS else "processes"
