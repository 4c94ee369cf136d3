"""Bytes that are appended come out as they went in, and their hash is right, whichever way they take to the disk."""

import errno
import hashlib
import os
import time
from contextlib import closing

import numpy as np
import pytest

import mmfeat.dataset.appending
from mmfeat.dataset.appending import Appending

BLOCK = 1 << 14  # small, so that tests fill many
ROOM = 4096


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(mmfeat.dataset.appending, "_BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(mmfeat.dataset.appending, "_MOST_STORED", BLOCK // 4)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(ROOM))
    return path


def no_direct_writes(monkeypatch):
    monkeypatch.delattr(os, "O_DIRECT", raising=False)


def refused_opening(monkeypatch):
    def refuse(path, flags, *rest, opened=os.open):
        if flags & getattr(os, "O_DIRECT", 0):
            raise OSError(errno.EINVAL, "Invalid argument")
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)


def writes_cut_short(monkeypatch):
    """Write no more than 1,000 bytes a call, directly or not."""
    written = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, place: written(descriptor, content[:1000], place))


WAYS = {
    "as the system can": lambda _patch: None,
    "through the cache": no_direct_writes,
    "refused": refused_opening,
    "cut short": writes_cut_short,
}


@pytest.fixture(params=WAYS)
def _way(request, monkeypatch):
    WAYS[request.param](monkeypatch)


def pieces_of(sizes):
    return [np.random.default_rng(index).bytes(size) for index, size in enumerate(sizes)]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize(
    "sizes",
    [[], [0], [10], [BLOCK], [BLOCK - 1, 1, 1], [10, 5 * BLOCK, 10, 0, 3 * BLOCK + 7], [BLOCK // 3] * 50, [1] * 300],
)
@pytest.mark.parametrize("n_per_flush", [1, 7, 1000])
def test_bytes_and_hash_are_those_that_were_added(path, sizes, n_per_flush):
    pieces = pieces_of(sizes)
    with closing(Appending(path, ROOM)) as file:
        for number, piece in enumerate(pieces, start=1):
            file.append(memoryview(piece))
            if number % n_per_flush == 0:
                file.flush()
                assert path.read_bytes() == bytes(ROOM) + b"".join(pieces[:number])
        assert file.sha256() == hashlib.sha256(b"".join(pieces)).digest()
        file.flush()
        assert file.sha256() == hashlib.sha256(b"".join(pieces)).digest()
        assert file.read(ROOM, 0) == bytes(ROOM)
    assert path.read_bytes() == bytes(ROOM) + b"".join(pieces)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("end", [ROOM, ROOM + 1, ROOM + 4095, ROOM + 4096, ROOM + 3 * BLOCK + 5])
def test_a_file_is_continued_where_it_was_cut_off(path, end):
    before, pieces = np.random.default_rng(9).bytes(end), pieces_of([3, 4 * BLOCK, 2, BLOCK])
    path.write_bytes(before)
    with closing(Appending(path, end)) as file:
        for piece in pieces:
            file.append(memoryview(piece))
        file.flush()
    assert path.read_bytes() == before + b"".join(pieces)


def test_any_order_of_pieces_flushes_and_reopenings_gives_their_bytes(path):
    chance = np.random.default_rng(0)
    content = b""
    for _ in range(10):
        with closing(Appending(path, ROOM + len(content))) as file:
            for size in chance.integers(0, BLOCK, 20).tolist():
                piece = chance.bytes(size)
                file.append(memoryview(piece))
                content += piece
                if chance.random() < 0.3:
                    file.flush()
            file.flush()
    assert path.read_bytes() == bytes(ROOM) + content


def test_what_is_added_may_be_changed_afterwards(path):
    content = np.ones(5 * BLOCK + 3, dtype=np.uint8)
    with closing(Appending(path, ROOM)) as file:
        file.append(content.data)
        content[:] = 2
        file.flush()
    assert path.read_bytes() == bytes(ROOM) + bytes([1]) * content.size


def test_a_block_that_cannot_be_written_is_told_at_every_flush(path, monkeypatch):
    with closing(Appending(path, ROOM)) as file:

        def fail(_descriptor, _content, _place):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", fail)
        file.append(memoryview(bytes(BLOCK + 5)))
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                file.flush()
        with pytest.raises(OSError, match="No space left"):
            file.append(memoryview(bytes(9 * BLOCK)))
        with pytest.raises(OSError, match="No space left"):
            file.append(memoryview(bytes(1)))
    assert path.read_bytes() == bytes(ROOM)


def test_nothing_is_written_after_the_end(path, monkeypatch):
    places, write = [], os.pwrite

    def slowly(descriptor, content, place):
        places.append(place)
        time.sleep(0.02)
        return write(descriptor, content, place)

    monkeypatch.setattr(os, "pwrite", slowly)
    file = Appending(path, ROOM)
    file.append(memoryview(bytes(4 * BLOCK)))
    file.close()
    n_written = len(places)
    time.sleep(0.1)
    assert len(places) == n_written < 4
    file.close()
