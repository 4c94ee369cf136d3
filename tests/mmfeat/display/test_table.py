import csv
import math

from mmfeat.display import Table

TABLE = Table(
    header=("metric", "skesl", "95 % interval", "note"),
    rows=(("acc2_has0", 0.123456, (0.1, 1 / 3), "a & b"), ("corr", math.nan, (math.nan, math.nan), None)),
)


def test_text_has_aligned_columns():
    assert TABLE.to_text().splitlines() == [
        "metric         skesl    95 % interval   note",
        "acc2_has0     0.1235  0.1000 … 0.3333  a & b",
        "corr       undefined        undefined",
    ]


def test_latex_is_escaped():
    lines = TABLE.to_latex().splitlines()

    assert lines[0] == r"\begin{tabular}{lrrr}"
    assert lines[2] == r"metric & skesl & 95 \% interval & note \\"
    assert lines[4] == r"acc2\_has0 & 0.1235 & 0.1000 \dots{} 0.3333 & a \& b \\"
    assert lines[-1] == r"\end{tabular}"


def test_csv_keeps_every_digit_and_has_two_columns_for_an_interval():
    rows = list(csv.DictReader(TABLE.to_csv().splitlines()))

    assert rows[0] == {
        "metric": "acc2_has0", "skesl": "0.123456", "95 % interval_low": "0.1",
        "95 % interval_high": "0.3333333333333333", "note": "a & b",
    }  # fmt: skip
    assert rows[1] == {**dict.fromkeys(rows[0], ""), "metric": "corr"}
