"""What one process of ``torchrun -- skesl predict`` does in the tests; run by ``runpy`` with its place as a global.

It leaves what was printed, how often predictions were written, and how many batches were read.
"""

import json
import os

import torch
from click.testing import CliRunner

from mmfeat_cli.skesl import skesl
from skesl import ClipSet
from skesl.predictions import Predictions

os.environ |= {
    "RANK": str(place),  # noqa: F821
    "LOCAL_RANK": str(place),  # noqa: F821
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": str(port),  # noqa: F821
}
torch.set_num_threads(1)
counts = {"save": 0, "batch": 0}


def counting(owner, name):
    method = getattr(owner, name)

    def counted(*args, **kwargs):
        counts[name] += 1
        return method(*args, **kwargs)

    setattr(owner, name, counted)


counting(Predictions, "save")
counting(ClipSet, "batch")
result = CliRunner().invoke(skesl, command, catch_exceptions=False)  # noqa: F821
assert result.exit_code == 0, result.output
said = [result.stdout, counts["save"], counts["batch"]]
(folder / f"said-{place}.json").write_text(json.dumps(said))  # noqa: F821
torch.distributed.destroy_process_group()
