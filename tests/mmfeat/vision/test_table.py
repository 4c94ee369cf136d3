"""Tables of numbers are read exactly, the same by both loaders, and refused in the same words."""

import codecs

import numpy as np
import pandas
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import ClipError, StreamStatus
from mmfeat.vision.table import number, read_header, read_table

LOADERS = ("compiled", "numpy")
NEWLINES = ("\n", "\r\n", "\r")
SEPARATORS = (",", ";", "\t", ", ", " , ", "; ")
ODD = ["", "nan", "-nan(ind)", "1.#QNAN", "inf", "-1.#INF", "1e-3", "+4", "123456789.123456789", ".5", "5.", "-0"]
NONSENSE = ["-", ".", "smile", "1.2.3", "1_0", "é", "1 2", "0x10", "1,5"[:1] + "\x00", "\x1f7", "7\xa0", "٣", '"1"']

numbers = st.floats(-1e6, 1e6).map("{:.3f}".format) | st.integers(-99, 10**9).map(str)
plain = st.floats(allow_nan=False, allow_infinity=False).map(repr) | numbers


def everything(header):
    return header


def outcome(path, choose=everything, loader="compiled"):
    """Return what a loader makes of a file, in a form that can be compared."""
    try:
        table = read_table(path, choose, loader=loader)
    except ClipError as error:
        return str(error), error.status
    values = np.where(np.isnan(table.values), np.nan, table.values)  # one NaN for all
    return table.header, table.names, values.shape, values.tobytes()


def both(path, choose=everything):
    """Return what the compiled loader makes of a file, which is what the other one makes of it."""
    compiled = outcome(path, choose)
    assert compiled == outcome(path, choose, "numpy")
    return compiled


def refusal(path, choose=everything):
    errors = []
    for loader in LOADERS:
        with pytest.raises(ClipError, match=r"expected .*") as caught:
            read_table(path, choose, loader=loader)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1])
    assert errors[0].status is errors[1].status
    assert str(errors[0]).startswith(f"{path}: ")
    return errors[0]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a path that every example writes anew."""
    return tmp_path_factory.mktemp("table") / "a.csv"


@pytest.fixture(params=LOADERS)
def loader(request):
    return request.param


@st.composite
def tables(draw, cells, *, most_columns=6, most_rows=6):
    """Return names and rows of cells."""
    n_column = draw(st.integers(1, most_columns))
    names = [f"c{i}" for i in draw(st.permutations(range(n_column)))]
    row = st.lists(cells, min_size=n_column, max_size=n_column)
    return names, draw(st.lists(row, min_size=1, max_size=most_rows))


@st.composite
def spoilt_files(draw):
    """Return the bytes of a table with any of the faults that files have."""
    names, rows = draw(tables(st.one_of(numbers, numbers, st.sampled_from(ODD), st.sampled_from(NONSENSE))))
    if draw(st.integers(0, 4)) == 0:
        names[-1] = names[0]
    if draw(st.integers(0, 4)) == 0:
        row = draw(st.sampled_from(rows))
        row[:] = draw(st.sampled_from([row[:-1], [*row, "1"], [*row, ""], row[:1], [""] * len(row)]))
    separator, newline = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from([*NEWLINES, "\n\r", "\r\r\n"]))
    lines = [separator.join(row) for row in [names, *rows]]
    for _ in range(draw(st.integers(0, 2))):
        lines.insert(draw(st.integers(1, len(lines))), draw(st.sampled_from(["", " ", "\t", " \x00\t", "\x1f"])))
    text = newline.join(lines) + draw(st.sampled_from(["", newline, newline * 2]))
    cut = draw(st.integers(0, len(text)) | st.just(0))
    text = text[: len(text) - cut] if cut < len(lines[-1]) else text
    return text.encode(
        draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])), "replace"
    )


@settings(max_examples=600, deadline=None)  # the kernels are compiled in the first example
@given(content=spoilt_files())
def test_both_loaders_give_the_same_values_or_the_same_words(file, content):
    file.write_bytes(content)
    both(file)


@settings(max_examples=200, deadline=None)
@given(content=spoilt_files(), seed=st.integers(0, 99))
def test_both_loaders_agree_whichever_columns_are_wanted(file, content, seed):
    file.write_bytes(content)
    rng = np.random.default_rng(seed)

    def some(header):
        names = rng.permutation(sorted(set(header)))
        return tuple(map(str, names[: 1 + seed % len(names)]))

    state = rng.bit_generator.state
    compiled = outcome(file, some)
    rng.bit_generator.state = state
    assert compiled == outcome(file, some, "numpy")


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=60) | st.text("abc019.,;-\t\r\n \x00\xa0\ufeff", max_size=60).map(str.encode))
def test_both_loaders_agree_on_any_bytes(file, content):
    file.write_bytes(content)
    both(file)


@settings(max_examples=150, deadline=None)
@given(table=tables(plain | st.just("")), separator=st.sampled_from(SEPARATORS), newline=st.sampled_from(NEWLINES))
def test_a_table_holds_the_numbers_that_pandas_reads(file, table, separator, newline):
    names, rows = table
    for row in rows:
        row[-1] = row[-1] or "0"  # an empty last cell is another test
    lines = [separator.join(row) for row in [names, *rows]]
    file.write_bytes(newline.join([*lines, ""]).encode())
    expected = pandas.read_csv(file, sep=separator.strip(" ") or separator, skipinitialspace=True, dtype=np.float64)
    for loader in LOADERS:
        found = read_table(file, everything, loader=loader)
        assert found.header == tuple(name.strip() for name in expected.columns)
        np.testing.assert_array_equal(found.values, expected.to_numpy())
        assert (np.signbit(found.values) == np.signbit(expected.to_numpy()))[~np.isnan(found.values)].all()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", NEWLINES)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_spelling_changes_nothing(tmp_path, loader, separator, newline, encoding):
    rows = [["a", "b", "c"], ["1", "-2.5", ""], ["", "1e3", "4"]]
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    text = newline.join([separator.join(row) for row in rows])
    (tmp_path / "a.csv").write_bytes(mark + (text + newline).encode(encoding))
    table = read_table(tmp_path / "a.csv", everything, loader=loader)
    assert table.names == table.header == ("a", "b", "c")
    np.testing.assert_array_equal(table.values, [[1, -2.5, np.nan], [np.nan, 1000, 4]])
    assert read_header(tmp_path / "a.csv") == ("a", "b", "c")


def test_names_may_stand_in_quotes(tmp_path, loader):
    (tmp_path / "a.csv").write_text('"a", "b"\n1,2\n')
    assert read_table(tmp_path / "a.csv", everything, loader=loader).names == ("a", "b")


def test_a_tabulator_beside_the_comma_separates_nothing(tmp_path, loader):
    (tmp_path / "a.csv").write_text("a,\tb,c\t\n1,\t2,3\t\n")
    table = read_table(tmp_path / "a.csv", everything, loader=loader)
    assert table.names == ("a", "b", "c")
    assert table.values.tolist() == [[1, 2, 3]]


def test_columns_come_back_in_the_order_asked_for(tmp_path, loader):
    (tmp_path / "a.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    table = read_table(tmp_path / "a.csv", lambda _: ("c", "a"), loader=loader)
    assert ("c" in table, "b" in table, table.has_all(("a", "c")), table.has_all(("a", "b"))) == (
        True,
        False,
        True,
        False,
    )
    assert table["c"].tolist() == [3, 6]
    assert table.columns(("c", "a")).tolist() == [[3, 1], [6, 4]]
    assert table.columns(("a", "c")).tolist() == [[1, 3], [4, 6]]
    assert (table.n_row, table.values.dtype) == (2, np.float64)


LAST_ROW = "-5.25, 12.75, -nan(ind), 1.5e-03, -6.25"


@pytest.mark.parametrize("n_byte", range(len(LAST_ROW) + 1))
@pytest.mark.parametrize("newline", NEWLINES)
def test_a_last_row_cut_at_any_byte_is_left_out_or_whole(tmp_path, n_byte, newline):
    """Only a cut inside the digits of the very last cell cannot be seen."""
    path = tmp_path / "a.csv"
    path.write_bytes(newline.join(["a, b, c, d, e", "1, 2, 3, 4, 5", LAST_ROW[:n_byte]]).encode())
    last = LAST_ROW[:n_byte].split(",")
    is_whole = len(last) == 5 and last[4].strip() not in ("", "-")
    for loader in LOADERS:
        values = read_table(path, everything, loader=loader).values
        assert values[0].tolist() == [1, 2, 3, 4, 5]
        assert values.shape[0] == 1 + is_whole
        if is_whole:
            np.testing.assert_array_equal(values[1], [-5.25, 12.75, np.nan, 0.0015, float(last[4])])
    both(path)


@pytest.mark.parametrize(
    "last", ["1,,", "1,smile,", "1,2,\n \t \n", "1,2,\r\n\r\n", "1,2,-", "1,2,1e-", "1,2,-na", "1,2"]
)
def test_a_last_row_whose_last_cell_is_missing_or_begun_is_left_out(tmp_path, loader, last):
    (tmp_path / "a.csv").write_text(f"a,b,c\n7,8,9\n{last}", newline="")
    assert read_table(tmp_path / "a.csv", everything, loader=loader).values.tolist() == [[7, 8, 9]]


def test_an_empty_last_cell_above_the_last_row_is_nan(tmp_path, loader):
    (tmp_path / "a.csv").write_text("a,b\n1,\n2,3\n")
    np.testing.assert_array_equal(
        read_table(tmp_path / "a.csv", everything, loader=loader).values, [[1, np.nan], [2, 3]]
    )


def test_a_separator_behind_every_row_is_no_interruption(tmp_path, loader):
    (tmp_path / "a.csv").write_text("a,b,\n1,2,\n3,4,\n")
    table = read_table(tmp_path / "a.csv", lambda _: ("a", "b"), loader=loader)
    assert table.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("n_blank", [0, 1, 3])
def test_a_word_is_refused_with_its_line_and_column(tmp_path, n_blank):
    (tmp_path / "a.csv").write_text("a,b\n" + "\n" * n_blank + "1,2\n3,smile\n-,4\n5,6\n")
    error = refusal(tmp_path / "a.csv")
    assert error.status is StreamStatus.DECODE_ERROR
    assert str(error).splitlines()[1:] == [
        f"  line {3 + n_blank}, column 'b': got 'smile'",
        f"  line {4 + n_blank}, column 'a': got '-'",
    ]


@pytest.mark.parametrize("cell", [b"7\xa0", b"\x857", b"7\xff", "٣".encode(), b"12345.678.9"])
def test_a_cell_of_other_characters_is_refused(tmp_path, cell):
    """Latin-1 has white space that utf-8 has not, and numpy would strip it."""
    (tmp_path / "a.csv").write_bytes(b"a,b\n1," + cell + b"\n3,4\n")
    assert "expected numbers; run FeatureExtraction again:\n  line 2, column 'b': got" in str(
        refusal(tmp_path / "a.csv")
    )


def test_a_begun_number_in_a_finished_last_line_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,-\n")
    assert "line 3, column 'b': got '-'" in str(refusal(tmp_path / "a.csv"))


@pytest.mark.parametrize("row", ["1,2", "1,2,3,4", "1", ",,,"])
def test_a_row_of_another_length_in_the_middle_is_refused_with_its_line(tmp_path, row):
    (tmp_path / "a.csv").write_text(f"a,b,c\n1,2,3\n\n{row}\n4,5,6\n")
    error = refusal(tmp_path / "a.csv")
    assert error.status is StreamStatus.DECODE_ERROR
    assert f"line 4: expected 3 cells as in the header, got {row.count(',') + 1}; run Feat" in str(error)


def test_a_last_row_with_too_many_cells_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1,2,3")
    assert "line 3: expected 2 cells as in the header, got 3" in str(refusal(tmp_path / "a.csv"))


def test_a_column_that_stands_twice_is_refused_if_it_is_wanted(tmp_path, loader):
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    assert "expected each column once, got 'a' 2 times" in str(refusal(tmp_path / "a.csv"))
    assert read_table(tmp_path / "a.csv", lambda _: ("b",), loader=loader).values.tolist() == [[2]]


@pytest.mark.parametrize("rows", ["", "\n", "\n \n\t\n", "\n1", "\n1,"])
def test_a_header_without_a_whole_row_is_empty(tmp_path, rows):
    (tmp_path / "a.csv").write_text(f"a,b{rows}")
    error = refusal(tmp_path / "a.csv")
    assert error.status is StreamStatus.EMPTY
    assert "expected frames below the header, got none" in str(error)


def test_a_folder_cannot_be_read(tmp_path):
    assert "expected a file that can be read" in str(refusal(tmp_path))
    assert read_header(tmp_path) is None


@settings(max_examples=15, deadline=None)  # each example is a file of several blocks
@given(
    n_column=st.integers(1, 40), first=st.integers(0, 400), newline=st.sampled_from(NEWLINES), seed=st.integers(0, 99)
)
def test_files_of_many_blocks_hold_the_same_numbers(file, n_column, first, newline, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(400_000 // (9 * n_column), n_column)).round(6)
    values[:, 0] *= 10.0 ** rng.integers(-3, 6, values.shape[0])
    rows = [", ".join(map(repr, row)) for row in values.tolist()]
    header = ", ".join(f"c{i}" for i in range(n_column))
    file.write_bytes(newline.join([header, " " * first + rows[0], *rows[1:], ""]).encode())
    for loader in LOADERS:
        np.testing.assert_array_equal(read_table(file, everything, loader=loader).values, values)


@pytest.mark.parametrize("n_column", [30_000, 70_000, 140_000])  # lines of half a block to three blocks
def test_lines_longer_than_a_block_are_read(tmp_path, n_column):
    header, row = (",".join(f"{start}{i % 7}" for i in range(n_column)) for start in "12")
    names = [f"{name}_{i}" for i, name in enumerate(header.split(","))]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), row, row, row]))
    for loader in LOADERS:
        values = read_table(tmp_path / "a.csv", lambda names: (names[-1], names[0]), loader=loader).values
        assert values.tolist() == [[20 + (n_column - 1) % 7, 20]] * 3
    assert read_header(tmp_path / "a.csv")[:2] == tuple(names[:2])


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1.#INF", np.inf), ("-1.#INF", -np.inf), ("+1.#inf", np.inf), (" -7 ", -7), ("\x001", 1), ("1e400", np.inf)],
)
def test_a_cell_is_the_number_it_spells(cell, value):
    assert number(cell.encode()) == value


@pytest.mark.parametrize("cell", ["", " ", "nan", "-NaN", "-nan(ind)", "nan(snan)", "1.#QNAN", "-1.#IND", "1.#SNAN"])
def test_every_spelling_of_nan_is_nan(cell):
    assert np.isnan(number(cell.encode()))


@pytest.mark.parametrize("cell", ["1_0", "x", "1.#", "nan(x)", "1.#INF0", "٣", "1 2", "--1", "0x10", "\xa07"])
def test_what_spells_no_number_is_none(cell):
    assert number(cell.encode()) is None
