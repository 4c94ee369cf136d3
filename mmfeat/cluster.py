"""Extract clips on the workers of a dask.distributed cluster: in their order, a bounded number at a time.

joblib's back end for dask takes in all clips at once and holds what is finished before its turn, so that one long clip
at the start has the results of all others in memory. Here a window of clips is on the cluster, and one result on the
way. Workers may come and go: what a worker had when it died is done again by another one.
"""

from __future__ import annotations

import functools
import logging
import platform
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mmfeat.build_config import BuildConfig
from mmfeat.errors import ClusterError, MissingExtraError
from mmfeat.extract import extract_clip
from mmfeat.stamps import source_paths
from mmfeat.types import ClipEntry, ClipFeatures, StreamInfo
from mmfeat.versions import versions_of

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_TIMEOUT_S = 20.0
NO_WORKER_TIMEOUT_S = 120.0  # a batch system may take its time to start one
_LOOK_S = 1.0
_CLIPS_PER_THREAD = 4  # some wait at the workers, so that none stands idle
_AGAIN = "run the same command again, it goes on from what was done"


def extract_on_cluster(
    entries: Sequence[ClipEntry],
    config: BuildConfig,
    named: Mapping[str, StreamInfo],
    scheduler: str,
    versions: Mapping[str, str],
) -> Iterator[ClipFeatures]:
    """Yield the clips in the order of ``entries``; ``extract_clip`` runs on the workers, which must see their files.

    Args:
        entries: the clips; relative paths count from this process's folder, there as here.
        config: settings of the streams that are extracted.
        named: the streams whose files the clips name.
        scheduler: address of the scheduler, ``tcp://HOST:PORT``.
        versions: of the packages that a worker must have, for content that does not depend on where it was made.

    Raises:
        MissingExtraError: dask.distributed is not installed.
        ClusterError: there is no scheduler or no worker, or they are gone; a worker has other versions or does not see
            the files; workers died over one clip.
    """
    with ThreadPoolExecutor(1) as fetching, _connected(scheduler) as client:
        window = _Window(client, scheduler, fetching)
        folder = str(Path.cwd())
        waiting: deque[tuple[ClipEntry, Future[ClipFeatures]]] = deque()
        remaining = iter(entries)
        while True:
            for entry in islice(remaining, max(window.size() - len(waiting), 0)):  # fewer where a worker went
                future = client.submit(extract_there, entry, config, named, folder, dict(versions), pure=False)
                waiting.append((entry, future))
            if not waiting:
                return
            entry, future = waiting.popleft()
            clip = window.result(entry, future)
            future.release()
            _check_sees_files(clip, scheduler)
            yield clip


def extract_there(
    entry: ClipEntry,
    config: BuildConfig,
    named: Mapping[str, StreamInfo],
    folder: str,
    versions: Mapping[str, str],
) -> ClipFeatures:
    """Return all streams of one clip; runs on a worker, whose own folder is another one.

    Raises:
        ClusterError: the worker has other versions.
    """
    other = _other_versions(tuple(versions.items()))
    if other:
        raise ClusterError(f"a worker on {platform.node()} has {other}; install the same versions on all machines")
    there = _in_folder(entry, folder)
    clip = extract_clip(there, config, named)
    pairs = zip(source_paths(entry), source_paths(there), strict=True)
    prefixes = {f"{path.parent}/": _prefix(given) for given, path in pairs if path != given}
    return _told_as_given(clip, entry, prefixes) if prefixes else clip


def _in_folder(entry: ClipEntry, folder: str) -> ClipEntry:
    """Return the clip with its relative paths below a folder."""
    paths = {name: path for name in ("audio", "video", "openface") if (path := getattr(entry, name)) is not None}
    return replace(
        entry,
        **{name: folder / path for name, path in paths.items()},  # an absolute path stays
        features={name: folder / path for name, path in entry.features.items()},
    )


@functools.cache
def _other_versions(expected: tuple[tuple[str, str], ...]) -> str:
    """Return which packages have other versions here; empty where none has."""
    here = versions_of(name for name, _ in expected)
    return ", ".join(f"{name} {here[name]} in place of {number}" for name, number in expected if here[name] != number)


def _told_as_given(clip: ClipFeatures, entry: ClipEntry, prefixes: Mapping[str, str]) -> ClipFeatures:
    """Return a clip whose stamps, messages and notes name its files as they were given."""

    def told(text: str) -> str:
        for prefix, given in prefixes.items():
            text = text.replace(prefix, given)
        return text

    stamps = zip(source_paths(entry), clip.stamps, strict=True)
    return replace(
        clip,
        entry=entry,
        failures=tuple(replace(failure, message=told(failure.message)) for failure in clip.failures),
        stamps=tuple((str(path), *stamp[1:]) for path, stamp in stamps),
        notes=tuple(map(told, clip.notes)),
    )


def _prefix(path: Path) -> str:
    """Return what stands before the name of a relative path."""
    return "" if path.parent == Path() else f"{path.parent}/"


def _check_sees_files(clip: ClipFeatures, scheduler: str) -> None:
    """Refuse to take a file as missing that is missing for a worker alone."""
    for path, n_byte, *_ in clip.stamps:
        if n_byte < 0 and Path(path).exists():
            raise ClusterError(
                f"{scheduler}: {path}: expected a file system that the workers share, a worker does not see this file; "
                "mount it there under the same path"
            )


class _Window:
    """How many clips may be on the cluster, and how their results come back."""

    def __init__(self, client: Client, scheduler: str, fetching: ThreadPoolExecutor) -> None:
        self._client = client
        self._scheduler = scheduler
        self._fetching = fetching
        self._n_clip = 0
        self._counted_s = float("-inf")

    def size(self) -> int:
        """Return how many clips may be on the cluster; workers are counted again now and then."""
        if self._client.status in ("closing", "closed"):  # by itself, when it could not connect again
            raise self._lost()
        if time.monotonic() - self._counted_s > _LOOK_S:
            self._n_clip = max(_CLIPS_PER_THREAD * self._n_thread(), 1)
            self._counted_s = time.monotonic()
        return self._n_clip

    def result(self, entry: ClipEntry, future: Future[ClipFeatures]) -> ClipFeatures:
        """Wait for a clip; its transfer goes on while the workers are looked at."""
        from distributed import CancelledError, KilledWorker

        waiting = self._fetching.submit(future.result)
        alone_since_s = None
        while True:
            try:
                clip: ClipFeatures = waiting.result(timeout=_LOOK_S)
                return clip
            except TimeoutError:
                alone_since_s = None if self._n_thread() else alone_since_s or time.monotonic()
                if alone_since_s is not None and time.monotonic() - alone_since_s > NO_WORKER_TIMEOUT_S:
                    message = f"{self._scheduler}: expected workers, the last one is gone; start some and {_AGAIN}"
                    raise ClusterError(message) from None
            except (CancelledError, OSError):
                raise self._lost() from None
            except KilledWorker as error:
                message = f"{self._scheduler}: {error.allowed_failures + 1} worker(s) died over clip {entry.clip_id!r}"
                message += f", last {error.last_worker.address}; look into their logs for why, and {_AGAIN}"
                raise ClusterError(message) from None
            except ImportError as error:
                message = f"{self._scheduler}: expected workers with mmfeat, one says {str(error)!r}; install it there"
                raise ClusterError(message) from None

    def _n_thread(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except OSError:
            raise self._lost() from None

    def _lost(self) -> ClusterError:
        return ClusterError(f"{self._scheduler}: the scheduler is gone; start it and {_AGAIN}")


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    """Give a client of the cluster, once it has a worker; what it has to say is said by our errors."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("distributed", extra="cluster", purpose="--scheduler") from error
    with _silent():
        try:
            client: Client = Client(scheduler, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ClusterError(
                f"{scheduler}: expected the address of a running scheduler, tcp://HOST:PORT, got {reason!r}; start "
                "dask scheduler, or correct the address"
            ) from None
        try:
            _wait_for_workers(client, scheduler)
            yield client
        finally:
            with suppress(OSError):
                client.close()


def _wait_for_workers(client: Client, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=NO_WORKER_TIMEOUT_S)
    except OSError:  # a TimeoutError as well
        raise ClusterError(
            f"{scheduler}: expected at least one worker within {NO_WORKER_TIMEOUT_S:g} s, there is none; start "
            f"dask worker {scheduler}"
        ) from None


@contextmanager
def _silent() -> Iterator[None]:
    """Keep dask's own accounts of lost connections off the screen."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
