"""The restricted unpickler: good pickles are read, hostile and damaged ones refused, nothing is executed."""

import collections
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmfeat import InputError, import_mmsa, load_pickle

from .conftest import make_mmsa

CONTENT = {
    "floats": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "texts": np.array(["a", "über"]),
    "bytes": np.array([b"x", b"yz"]),
    "objects": np.array(["a", "bcd"], dtype=object),
    "empty": np.zeros((0, 3)),
    "flags": np.array([True, False]),
    "number": np.float64(2.5),
    "whole": 2**70,
    "set": {1, 2},
    "frozen": frozenset([3]),
    "ordered": collections.OrderedDict(a=1, b=[None, True]),
    "raw": b"\x00\xff",
    "none": b"",
}


class Evil:
    """Calls whatever it is told to when it is unpickled."""

    def __init__(self, function, *arguments):
        self.answer = (function, arguments)

    def __reduce__(self):
        return self.answer


def refused(path):
    with pytest.raises(InputError) as caught:
        load_pickle(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_come_back(save, protocol):
    read = load_pickle(save(CONTENT, protocol=protocol))
    assert list(read) == list(CONTENT)
    for name, value in CONTENT.items():
        if isinstance(value, np.ndarray):
            assert read[name].dtype.kind == value.dtype.kind
            np.testing.assert_array_equal(np.asarray(read[name]), value)
        else:
            assert read[name] == value


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_old_and_new_places_of_numpy_are_known(save, core):
    content = pickle.dumps(CONTENT, protocol=2).replace(b"numpy._core", core).replace(b"numpy.core", core)
    np.testing.assert_array_equal(np.asarray(load_pickle(save(content))["floats"]), CONTENT["floats"])


def test_a_pickle_of_python_2_is_read(save):
    """Written out by hand: {'id': 'caf\\xc3\\xa9', 'x': array([1., 2.])} as Python 2 and numpy 1 write it."""
    data = struct.pack("<2d", 1, 2)
    content = (
        b"\x80\x02}q\x00(U\x02idq\x01U\x05caf\xc3\xa9q\x02U\x01xq\x03"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85q\x06U\x01bq\x07\x87q\x08Rq\x09"
        b"(K\x01K\x02\x85q\x0acnumpy\ndtype\nq\x0bU\x02f8q\x0cK\x00K\x01\x87q\x0dRq\x0e"
        b"(K\x03U\x01<q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x10b\x89U\x10" + data + b"q\x11tq\x12bu."
    )
    read = load_pickle(save(content))
    assert read[b"id"].decode() == "café"
    np.testing.assert_array_equal(read[b"x"], [1, 2])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "system"),
        (eval, ("open({!r}, 'w')",), "eval"),
        (exec, ("open({!r}, 'w')",), "exec"),
        (open, ("{}", "w"), "open"),
        (subprocess.check_call, (["touch", "{}"],), "check_call"),
        (np.load, ("{}",), "numpy"),
        (np.fromfile, ("{}",), "fromfile"),
    ],
)
def test_a_call_is_refused_and_not_made(save, tmp_path, protocol, function, arguments, name):
    mark = tmp_path / "mark"

    def filled(argument):
        return [filled(item) for item in argument] if isinstance(argument, list) else argument.format(str(mark))

    evil = Evil(function, *map(filled, arguments))
    message = refused(save({"train": {"audio": [evil]}}, protocol=protocol))
    assert name in message
    assert "nothing of it was run" in message
    assert not mark.exists()


HOSTILE = {
    "a nested global": b"\x80\x04\x8c\x05numpy\x8c\x0bf2py.os.popn\x93.",
    "an attribute of a function": b"\x80\x04\x8c\x05numpy\x8c\x10dtype.__class__\x00\x93.",
    "a persistent id": b"\x80\x04Pid\n.",
    "a binary persistent id": b"\x80\x04K\x01Q.",
    "an extension code": b"\x80\x04\x82\x01.",
    "a wide extension code": b"\x80\x04\x84\x01\x00\x00\x00.",
    "an instance": b"(inumpy\nndarray\n.",
    "an object": b"(cnumpy\nndarray\no.",
    "a new object": b"\x80\x02cnumpy\nndarray\nK\x05\x85\x81.",
    "a memo number of 4 billion": b"\x80\x04Nr\xff\xff\xff\xff.",
    "a memo number as text": b"Np4000000000\n.",
    "a call of ndarray": b"cnumpy\nndarray\n((I1000000000000\nttR.",
    "a state of a function": b"cnumpy\ndtype\n(dS'__name__'\nS'x'\nsb.",
    "a slot state of a function": b"\x80\x02cnumpy\ndtype\nN}U\x07_answerNs\x86b.",
    "a structured dtype": b"\x80\x02cnumpy\ndtype\nU\x03V16K\x00K\x01\x87R.",
    "a text of a terabyte": b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a buffer of a terabyte": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a frame of a terabyte": b"\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00N.",
    "an out-of-band buffer": b"\x80\x05\x97.",
    "a number of a billion digits": b"\x80\x02\x8b\x00\xca\x9a\x3b\x01.",
    "a key that is nested too deeply": b"\x80\x04})" + b"\x85" * 200_000 + b"Ns.",
    "no end": b"\x80\x04]",
    "not a pickle": b"PK\x03\x04 a zip file",
    "text": b"clip_id,text\n",
    "a newer protocol": b"\x80\x63N.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pickle_is_one_sentence(save, content):
    refused(save(content))


def claimed_array(shape, dtype="f8", data=b"12345678"):
    """Return the pickle of an array that claims a shape."""
    state = pickle.dumps((1, shape, None, False, data), protocol=2)[2:-1]
    kind = pickle.dumps(dtype, protocol=2)[2:-1]
    dtype_of = b"cnumpy\ndtype\n" + kind + b"K\x00K\x01\x87R"
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return head + state.replace(b"N\x89", dtype_of + b"\x89", 1) + b"b."


def test_the_made_claim_is_a_good_pickle_where_it_is_true(save):
    np.testing.assert_array_equal(load_pickle(save(claimed_array((1,), data=struct.pack("<d", 3)))), [3])


@pytest.mark.parametrize("shape", [(10**12,), (2**62, 2**62), (0, 10**15, 7), (-1,), (1.5,), (1,) * 40, "ab", ((2,),)])
@pytest.mark.parametrize(("dtype", "data"), [("f8", b"12345678"), ("O8", [1])])
def test_a_huge_or_senseless_shape_is_refused(save, shape, dtype, data):
    path = save(claimed_array(shape, dtype, data))
    assert "an array of shape" in refused(path)


@pytest.mark.parametrize("dtype", ["V8", "M8", "(2,)f8", "f8,f8", "U999999999999", "f99", "|O,O", "datetime64[ns]", ""])
def test_another_dtype_is_refused(save, dtype):
    refused(save(claimed_array((1,), dtype)))


def test_more_containers_than_any_dataset_has_are_refused(save):
    assert "more than 2,000,000 containers" in refused(save(b"\x80\x04](" + b"\x8f" * 2_000_001 + b"e."))


@pytest.mark.parametrize("content", [b"", None])
def test_an_empty_or_missing_file_is_said(save, tmp_path, content):
    path = tmp_path / "none.pkl" if content is None else save(content)
    assert ("cannot read it" if content is None else "empty file") in refused(path)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_random_mutations_are_read_or_refused(save, tmp_path, protocol, monkeypatch):
    """1,000 damaged copies of a good pickle go through the whole import: no other exception, no program, no network."""
    called = []
    monkeypatch.setattr(os, "system", called.append)
    monkeypatch.setattr(subprocess, "Popen", called.append)
    small = {part: {key: value[:2] for key, value in fields.items()} for part, fields in make_mmsa().items()}
    for fields in small.values():
        fields["text"] = fields["text"][:, :3, :4]
    good = pickle.dumps(small, protocol=protocol)
    rng = np.random.default_rng(protocol)
    n_read = 0
    for _ in range(1_000 if protocol == 2 else 150):
        content = bytearray(good)
        for place in rng.integers(0, len(good), rng.integers(1, 4)):
            content[place] = rng.integers(0, 256)
        try:
            import_mmsa(save(bytes(content)), tmp_path / "out.h5", overwrite=True)
            n_read += 1
        except InputError:
            pass
    assert called == []
    assert n_read > 0  # a byte of a number changes nothing but this number


@pytest.mark.parametrize("name", ["a memo number of 4 billion", "a buffer of a terabyte", "a text of a terabyte"])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_memory_stays_bounded(save, name):
    path = save(HOSTILE[name])
    code = (
        "import sys; from pathlib import Path; from mmfeat import InputError, load_pickle\n"
        "try: load_pickle(sys.argv[1])\n"
        "except InputError: print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500_000  # kB; the interpreter with numpy, h5py and numba takes most of it


def test_an_array_takes_the_memory_of_the_array_and_little_more(tmp_path):
    path = tmp_path / "large.pkl"
    path.write_bytes(pickle.dumps(np.zeros((64, 1 << 18)), protocol=4))  # 128 MB
    code = (
        "import resource, sys; from mmfeat import load_pickle\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "load_pickle(sys.argv[1]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 3.5 * 131_072  # the mapped file, the bytes and the array
