"""The compiled scan gives what Python's ``float`` gives, cell by cell and bit by bit."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat.vision.cells import scan_cells
from mmfeat.vision.table import PADDING, number

BLOCK = 1 << 17  # bytes that the scan looks at at once
WINDOWS_NAN = ["-nan(ind)", "nan(snan)", "1.#QNAN", "-1.#IND", "+1.#SNAN"]
WINDOWS_INF = {"1.#INF": np.inf, "-1.#INF": -np.inf, "+1.#inf": np.inf}
NAMES = ["nan", "-nan", "NaN", "inf", "-inf", "+Infinity", *WINDOWS_NAN, *WINDOWS_INF]

signs = st.sampled_from(["", "-", "+"])
digits = st.text("0123456789", max_size=20)
fixed = st.builds("{}{}{}{}".format, signs, digits, st.sampled_from(["", "."]), digits)
scientific = st.builds("{}e{}{}".format, fixed, signs, st.text("0123456789", min_size=1, max_size=3))
printed = st.floats().map(repr) | st.floats(-1e6, 1e6).map("{:.3f}".format) | st.integers().map(str)
nonsense = st.text("0123456789.+-eE nif_#xé\x00\xa0", max_size=12)
spaces = st.text(" \t", max_size=3)
cells = st.builds(
    "{}{}{}".format, spaces, fixed | scientific | printed | nonsense | st.sampled_from([*NAMES, "", ".", "-"]), spaces
)
plain_cells = st.builds("{}{}{}".format, signs.filter("+".__ne__), st.text("0123456789", max_size=7), st.just("")).map(
    lambda text: text if text.strip("-") else text + "0"
)


def scan(lines, *, n_column=1, wanted=None, separator=","):
    text = "\n".join(lines).encode()
    data = np.frombuffer(text + b"\n" * PADDING, dtype=np.uint8)
    columns = np.arange(n_column) if wanted is None else np.array(wanted)
    return scan_cells(data, 0, len(text), separator, n_column, columns), text


def spelt(cell):
    """Return the number that a cell spells, None for none."""
    cell = cell.strip("".join(map(chr, range(33))))
    if cell in WINDOWS_INF:
        return WINDOWS_INF[cell]
    if not cell or cell in WINDOWS_NAN:
        return np.nan
    try:
        return None if "_" in cell or not cell.isascii() else float(cell)
    except ValueError:
        return None


def bits(value):
    """Return the eight bytes of a number: they tell -0.0 from 0.0. All NaN are one."""
    return None if value is None else np.float64(np.nan if value != value else value).tobytes()


@settings(max_examples=300, deadline=None)  # the kernels are compiled in the first example
@given(row=st.lists(cells, min_size=1, max_size=8))
def test_every_cell_is_the_number_that_python_reads_or_left_to_the_caller(row):
    line = ",".join(["1", *row, "2"])  # never a blank line
    found, text = scan([line], n_column=len(row) + 2)
    odd = {column: text[begin:end] for _, column, begin, end in found.odd.tolist()}
    for column, cell in enumerate(row, 1):
        value = number(odd[column]) if column in odd else found.values[0, column]
        assert bits(value) == bits(spelt(cell)), cell


@settings(max_examples=300, deadline=None)
@given(text=st.text("0123456789", min_size=1, max_size=15), sign=st.sampled_from(["", "-"]), dot=st.integers(-1, 15))
def test_a_fixed_number_of_up_to_15_digits_is_never_left_to_the_caller(text, sign, dot):
    cell = sign + (text if dot < 0 else f"{text[:dot]}.{text[dot:]}")
    found, _ = scan([cell])
    assert found.odd.size == 0
    assert bits(found.values[0, 0]) == bits(float(cell))


@pytest.mark.parametrize("cell", ["-0", "-0.000", "-.0", "-0.", "-0.00000000", "-000000000000000"])
def test_a_negative_zero_keeps_its_sign(cell):
    found, _ = scan([cell])
    assert np.signbit(found.values[0, 0])


SHORT = ("", ".", "-", "+", "-.", "1.2.3", "--1", "1-", "1 2", "1e5", "+1")
LONG = (
    "12345.678.9",
    "123456789-",
    "-12345678-9",
    ".........",
    "-.........",
    "123456789 1",
    "1234567890123456",
    "1234567.e1",
)


@pytest.mark.parametrize("cell", [*SHORT, *LONG])
def test_what_is_no_plain_number_is_left_to_the_caller_with_its_place(cell):
    found, text = scan([f"7, {cell} ,8"], n_column=3)
    ((row, column, begin, end),) = found.odd.tolist()
    assert (row, column, text[begin:end].decode()) == (0, 1, f" {cell} ")
    assert found.values[0, [0, 2]].tolist() == [7, 8]


def test_every_three_decimals_are_read_exactly():
    """All of 0.000 to 9.999 and their negatives, the numbers that OpenFace writes most."""
    texts = [f"{sign}{n // 1000}.{n % 1000:03d}" for n in range(10_000) for sign in ("", "-")]
    found, _ = scan(texts)
    assert found.odd.size == 0
    assert found.values[:, 0].tobytes() == np.array([float(text) for text in texts]).tobytes()


@settings(max_examples=100, deadline=None)
@given(byte=st.integers(0, 255), place=st.integers(0, 7), word=st.text("0123456789", min_size=8, max_size=8))
def test_a_foreign_byte_never_becomes_a_digit(byte, place, word):
    cell = bytearray(word.encode())
    cell[place] = byte
    data = np.frombuffer(b"5;" + cell + b";6" + b"\n" * PADDING, dtype=np.uint8)
    found = scan_cells(data, 0, 12, ";", 3, np.arange(3))
    if byte not in b";\n":
        value = number(bytes(cell)) if found.odd.size else found.values[0, 1]
        truth = None if byte > 127 else spelt(cell.decode())
        assert bits(value) == bits(truth)


@pytest.mark.parametrize("wanted", [[0], [2], [3], [1, 3], [3, 0, 2], []])
def test_only_the_wanted_columns_come_back_in_the_order_asked_for(wanted):
    found, _ = scan(["1,2,3,4", "5,6,7,8"], n_column=4, wanted=np.array(wanted, dtype=np.int64))
    np.testing.assert_array_equal(found.values, np.array([[1, 2, 3, 4], [5, 6, 7, 8]])[:, wanted])


def test_a_cell_that_nobody_wants_may_hold_anything():
    found, _ = scan(["1,smile,3"], n_column=3, wanted=[0, 2])
    assert found.odd.size == 0
    assert found.values.tolist() == [[1, 3]]


@pytest.mark.parametrize("shift", range(26))
def test_the_border_of_a_block_may_fall_anywhere_in_a_row(shift):
    row, n_row = "12.345,-6.5,1e3,-0.25,78", 6 * BLOCK // 25
    lines = [" " * shift + row, *[row] * (n_row - 1)]
    found, _ = scan(lines, n_column=5)
    assert found.bad_line is None
    assert found.odd[:, 0].tolist() == list(range(n_row))  # 1e3 of each row
    assert (found.values[:, [0, 1, 3, 4]] == [12.345, -6.5, -0.25, 78]).all()
    assert (np.diff(found.begins)[1:] == len(row) + 1).all()


@pytest.mark.parametrize("length", [BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 63, 2 * BLOCK, 5 * BLOCK + 7])
def test_a_line_may_be_longer_than_a_block(length):
    long = "1," + " " * (length - 3) + "2"
    found, _ = scan(["3,4", long, "5,6", long, "7,8"], n_column=2)
    assert found.bad_line is None
    assert found.values.tolist() == [[3, 4], [1, 2], [5, 6], [1, 2], [7, 8]]


def test_a_long_line_of_another_length_is_told_with_its_cells():
    found, text = scan(["3,4", "1," * (2 * BLOCK) + "1", "5,6"], n_column=2)
    begin, end, n_cell = found.bad_line
    assert (begin, text[end : end + 4], n_cell) == (4, b"\n5,6", 2 * BLOCK + 1)


@settings(max_examples=60, deadline=None)
@given(blanks=st.lists(st.text(" \t\r", max_size=70), max_size=4), n_row=st.integers(1, 5), place=st.integers(0, 5))
def test_blank_lines_are_no_rows(blanks, n_row, place):
    rows = [f"{i},{i + 0.5}" for i in range(n_row)]
    found, _ = scan([*rows[:place], *blanks, *rows[place:]], n_column=2)
    assert found.values.tolist() == [[i, i + 0.5] for i in range(n_row)]
