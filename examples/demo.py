"""The whole line on the example clips: build, validate, pretrain, fine-tune, evaluate, and the report.

Runs the same commands that a user types, prints each, and says at the end where the files lie.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def steps(out: Path) -> list[list[str]]:
    """Return the commands of the demo."""
    data, pretrained, finetuned, baseline = (
        str(out / name) for name in ("opinions.h5", "pretrained", "skesl", "text_only")
    )
    encoder = ["--text-encoder", "minilm-l6"]
    rates = ["--epochs", "16", "--batch-size", "8", "--lr", "3e-4", "--lr-text", "3e-5"]
    manifest = str(HERE / "opinions" / "manifest.csv")
    return [
        ["mmfeat", "build", manifest, "--out", data, "--groups", "au,pose", "-j", "2"],
        ["mmfeat", "validate", data, "--level", "content"],
        ["mmfeat", "describe", data],
        ["skesl", "pretrain", data, "--run", pretrained, *encoder, "--epochs", "5", "--batch-size", "8"],
        ["skesl", "finetune", data, "--run", finetuned, "--from", pretrained, *rates],
        ["skesl", "finetune", data, "--run", baseline, "--method", "text_only", *encoder, *rates],
        ["skesl", "evaluate", finetuned, data, "--text-only", baseline, "--ablate"],
        ["skesl", "compare", baseline, finetuned, data],
        ["skesl", "report", finetuned, data, "--out", str(out / "report.html"), "--text-only", baseline],
    ]


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), show_default=True)
def main(out: Path) -> None:
    """Run the demo into OUT, replacing an earlier one."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for command in steps(out):
        click.secho(f"\n$ {' '.join(command)}", bold=True)
        code = subprocess.run([str(BIN / command[0]), *command[1:]], check=False).returncode
        if code:
            sys.exit(code)
    click.secho(f"\nThe dataset, the runs, their predictions and report.html are in {out.resolve()}", bold=True)


if __name__ == "__main__":
    main()
