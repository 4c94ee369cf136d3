"""A hundred thousand clips: the report takes bounded memory, and its page stays small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from million_clips import peak_mb, write
from mmfeat import write_data_report
folder = Path(sys.argv[2])
before = peak_mb()
survey = write_data_report(folder / "large.h5", folder / "large.html")
print(json.dumps({"n_clip": survey.description["n_clip"], "n_failure": survey.failures[0].n_clip,
                  "n_equal": sum(len(found.clip_ids) for found in survey.duplicates), "grown_mb": peak_mb() - before}))
"""


@pytest.mark.slow
def test_the_report_of_a_hundred_thousand_clips_takes_less_than_half_a_gigabyte(tmp_path):
    from million_clips import write

    write(tmp_path / "large.h5", 100_000)
    command = [sys.executable, "-c", PROGRAM, BENCHMARKS, tmp_path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert (found["n_clip"], found["n_failure"]) == (100_000, 1_000)
    assert found["n_equal"] == 99_000  # there are five different arrays of frames
    assert found["grown_mb"] < 500
    assert (tmp_path / "large.html").stat().st_size < 1_000_000
