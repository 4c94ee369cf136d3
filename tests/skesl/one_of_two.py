"""What one process of ``torchrun`` does in the tests; run by ``runpy`` with its place and its trainings as globals."""

import os

import torch

from skesl import evaluate_run, finetune, pretrain

os.environ |= {
    "RANK": str(place),  # noqa: F821
    "LOCAL_RANK": str(place),  # noqa: F821
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": str(port),  # noqa: F821
}
torch.set_num_threads(1)
for stage, data, run, config in trainings:  # noqa: F821
    {"pretrain": pretrain, "finetune": finetune}[stage](data, run, config)
report = evaluate_run(run, data, device="cpu")
(run / f"report-{place}.json").write_text(report.to_json())  # noqa: F821
torch.distributed.destroy_process_group()
