"""Kernels where nothing can be cached."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mmfeat

SCRIPT = """
import numpy as np
from mmfeat.audio.engine.fft import real_fft_plan, transform
transform(np.zeros(512 * 16, np.float32), real_fft_plan(512))
"""


def test_a_process_that_can_write_no_cache_compiles_for_itself(tmp_path):
    package = tmp_path / "mmfeat"
    shutil.copytree(Path(mmfeat.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    nowhere = tmp_path / "file"
    nowhere.touch()
    for name in ("audio", "engine"):  # a file where numba would make its folder: fails for the superuser too
        (package / ("audio/engine" if name == "engine" else "audio") / "__pycache__").touch()
    environment = {**os.environ, "HOME": str(nowhere), "XDG_CACHE_HOME": str(nowhere), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
