"""A stand-in for OpenFace's programs: what the text in a video says is what happens to it.

It keeps to what the real ones do: unknown arguments are ignored, outputs are named after the input, an unreadable video
ends with code 0, missing models with code 1, the program for several faces writes no csv where it tracks nobody. Beside
it lie ``frames.csv``, the csv that it writes, and ``calls.jsonl``, to which it adds each call.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

HOME = Path(__file__).resolve().parent
MULTI = "Multi" in Path(__file__).name
say = partial(print, flush=True)


def main(arguments):
    source = Path(arguments[1 + next(i for i, argument in enumerate(arguments) if argument in ("-f", "-fdir"))])
    output = Path(arguments[1 + arguments.index("-out_dir")])
    call = {"arguments": arguments, "threads": os.environ.get("OMP_NUM_THREADS"), "folder": str(Path.cwd())}
    with (HOME / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(call) + "\n")
    if (HOME / "models-are-missing").exists():
        say("ERROR: Could not load the landmark detector")
        return 1
    if (HOME / "au-models-are-missing").exists():
        say("WARNING: no Action Unit models found")
    say(f"Attempting to read from file: {source}")
    if source.is_dir():
        return write("no face" if MULTI else "ok", source, output / source.resolve().name)
    return write(source.read_text(), source, output / source.stem)


def write(does, source, base):
    """Write what there is to write for one source, in the order of the real programs."""
    if does == "unreadable":
        say(f"Failed to open the video file at location: {source}")
        return 0
    if does == "exit 1":
        say("out of luck", file=sys.stderr)
        return 1
    base.with_name(f"{base.name}_of_details.txt").write_text(f"Input:{source}\n")
    if does == "no face":
        return 0
    if does == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if does in ("grandchild", "grandchild and end"):
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (HOME / "grandchild").write_text(str(sleeper.pid))
    if does in ("hang", "grandchild"):
        time.sleep(600)
    csv = base.with_name(f"{base.name}.csv")
    if does == "half":
        csv.write_text((HOME / "frames.csv").read_text()[:20_000])
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "no action units":
        lines = (HOME / "frames.csv").read_text().splitlines()
        csv.write_text("".join(line.partition(", AU01_r")[0] + "\n" for line in lines))
        return 0
    shutil.copy(HOME / "frames.csv", csv)
    return 0


sys.exit(main(sys.argv[1:]))
