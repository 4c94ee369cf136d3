"""Bytes appended to a file, written and hashed beside the work that makes them.

Bytes that come fast fill blocks, which are written around the system's page cache where that can be done: the copy into
fresh pages takes several times what the disk does. What comes slowly goes through the cache, piece by piece.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_ALIGNED = 4096  # bytes: place and length of a direct write are multiples of it
_BLOCK_BYTES = 1 << 21
_N_BLOCK = 3  # one is filled, one is written, one waits
_MOST_STORED = _BLOCK_BYTES // 4  # of a block that is worth to be written as a whole


class Appending:
    """Adds bytes to the end of a file.

    Args:
        path: the file.
        end: byte at which its content ends; a multiple of 4,096 where the hash is wanted.
    """

    def __init__(self, path: Path, end: int) -> None:
        self._path = path
        self._descriptor, self._direct = os.open(path, os.O_RDWR), -1
        self._n_byte = self._n_stored = end % _ALIGNED  # of the block that is filled
        self._place = end - self._n_byte  # of this block in the file
        self._block = mmap.mmap(-1, _BLOCK_BYTES)  # begins at a page, as direct writes ask for
        self._block[: self._n_byte] = os.pread(self._descriptor, self._n_byte, self._place)
        self._free: list[mmap.mmap] = []
        self._sent: deque[tuple[mmap.mmap, tuple[Future[None], ...]]] = deque()
        self._sha256 = hashlib.sha256()
        self._writing, self._hashing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)  # they start at the first block

    def append(self, content: memoryview) -> None:
        """Add a copy of some bytes.

        Raises:
            OSError: earlier ones could not be written.
        """
        while content:
            n_byte = min(len(content), _BLOCK_BYTES - self._n_byte)
            self._block[self._n_byte : self._n_byte + n_byte] = content[:n_byte]
            self._n_byte, content = self._n_byte + n_byte, content[n_byte:]
            if self._n_byte == _BLOCK_BYTES:
                self._send()

    def flush(self) -> None:
        """Hand all bytes to the operating system: a killed process does not lose them.

        Raises:
            OSError: they could not be written.
        """
        self._wait(0)
        write_at(self._descriptor, memoryview(self._block)[self._n_stored : self._n_byte], self._place + self._n_stored)
        self._n_stored = self._n_byte

    def read(self, n_byte: int, place: int) -> bytes:
        """Return bytes of the file; what was flushed is there."""
        return os.pread(self._descriptor, n_byte, place)

    def sha256(self) -> bytes:
        """Return the hash of all bytes that were added so far."""
        self._wait(0)
        digest = self._sha256.copy()
        digest.update(memoryview(self._block)[: self._n_byte])
        return digest.digest()

    def close(self) -> None:
        """End the threads and close the file; what was not flushed is lost."""
        for thread in (self._writing, self._hashing):
            thread.shutdown(cancel_futures=True)
        for descriptor in (self._descriptor, self._direct):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._direct = -1

    def _send(self) -> None:
        """Have the full block written and hashed, and begin the next one."""
        self._wait(_N_BLOCK - 2)
        written = self._writing.submit(self._store, self._block, self._place, self._n_stored)
        self._sent.append((self._block, (written, self._hashing.submit(self._sha256.update, self._block))))
        self._block = self._free.pop() if self._free else mmap.mmap(-1, _BLOCK_BYTES)
        self._place, self._n_byte, self._n_stored = self._place + _BLOCK_BYTES, 0, 0

    def _wait(self, n_sent: int) -> None:
        """Wait until so many blocks at most are on their way; one that failed fails again and stays."""
        while len(self._sent) > n_sent:
            block, jobs = self._sent[0]
            for job in jobs:
                job.result()
            self._free.append(block)
            self._sent.popleft()

    def _store(self, block: mmap.mmap, place: int, n_stored: int) -> None:
        """Write what is not yet in the file of a block."""
        if n_stored > _MOST_STORED or not self._store_directly(block, place):
            write_at(self._descriptor, memoryview(block)[n_stored:], place + n_stored)

    def _store_directly(self, block: mmap.mmap, place: int) -> bool:
        """Return whether a whole block could be written around the page cache; not all systems and disks can."""
        if not hasattr(os, "O_DIRECT"):
            return False
        try:
            if self._direct < 0:
                self._direct = os.open(self._path, os.O_WRONLY | os.O_DIRECT)
            return os.pwrite(self._direct, block, place) == _BLOCK_BYTES
        except OSError:  # the other way also fails where the disk is full, and says so
            return False


def write_at(descriptor: int, content: bytes | memoryview, place: int) -> None:
    """Write all bytes to a place in a file."""
    left = memoryview(content)
    while left:
        n_byte = os.pwrite(descriptor, left, place)
        left, place = left[n_byte:], place + n_byte
