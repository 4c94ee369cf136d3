"""A million clips: bounded memory, and a file that opens and describes itself at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "million_clips.py"


@pytest.mark.slow
def test_a_million_clips_take_less_than_a_gigabyte_and_are_described_within_a_second(tmp_path):
    command = [sys.executable, PROGRAM, "--folder", tmp_path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found["n_failure"] == 10_000
    assert found["write_peak_mb"] < 1_000
    assert found["open_s"] < 1
    assert found["describe_s"] < 1
    assert found["read_clip_us"] < 2 * found["read_clip_of_1000_us"]
