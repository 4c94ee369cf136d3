"""What one of two processes does in the tests of VAT; run by ``runpy`` with its place, a port and paths as globals."""

import os

import torch
from accelerate import PartialState
from safetensors.torch import save_file

from skesl import finetune, pretrain
from skesl.gathering import gather_rows
from skesl.losses import contrastive_loss
from skesl.testing import chosen_clips

os.environ |= {
    "RANK": str(place),  # noqa: F821
    "LOCAL_RANK": str(place),  # noqa: F821
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": str(port),  # noqa: F821
}
torch.set_num_threads(1)
PartialState(cpu=True)
found = {}

# Ragged rows: the first process has three, the second one.
own = torch.arange(3) if place == 0 else torch.tensor([7])  # noqa: F821
rows, values = gather_rows(own, own[:, None] * torch.tensor([1.0, 10.0]))
found |= {"rows": rows, "values": values}

# The contrastive loss of each process's share of a batch; the last has one clip, which the second process repeats.
method, batches, momentum = torch.load(given, weights_only=False)  # noqa: F821
for number, batch in enumerate(batches):
    share = list(range(len(batch)))[place::2]  # noqa: F821
    part = chosen_clips(batch, share or [0])
    with torch.no_grad():
        method.train()
        features, of_momentum = method.embed(part), momentum.embed(part)
        candidates = method._candidates(*of_momentum, part)
        loss = contrastive_loss(*features, *of_momentum, candidates, temperature=0.2, alpha=0.4)
    found[f"loss_{number}"] = loss * len(share)
found |= {f"queue.{name}": value for name, value in method.queue.state_dict().items()}

for stage, data, run, config in trainings:  # noqa: F821
    {"pretrain": pretrain, "finetune": finetune}[stage](data, run, config)
save_file({name: value.contiguous() for name, value in found.items()}, f"{out}-{place}.safetensors")  # noqa: F821
torch.distributed.destroy_process_group()
