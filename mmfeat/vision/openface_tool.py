"""The user's own OpenFace: which program it is, where it runs, and its command lines.

OpenFace is not part of this package: its licence allows academic or non-profit, non-commercial research only.

What its programs do, from the source of OpenFace 2 (``exe/``, ``lib/local/Utilities/src/``):

- Missing models end with code 1; a video that cannot be opened ends with code 0 and without a file.
- ``FeatureExtraction`` writes a row for each frame, with or without a face, and rewrites the file at the end to
  correct the action units. ``FaceLandmarkVidMulti`` writes rows for tracked faces only: without a face there is no csv,
  only ``NAME_of_details.txt``.
- Without AU or eye models it warns, ends with code 0 and leaves their columns out.
- Unknown arguments are ignored. Models are searched for in the working directory and beside the program.
- ``-fdir`` takes files ending in .jpg, .jpeg, .png and .bmp in small letters; all its time stamps are 0.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmfeat.errors import ConfigError, MissingToolError

FRAME_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp"))
_WIKI = "https://github.com/TadasBaltrusaitis/OpenFace/wiki"
_KNOWN_IMAGE = "algebr/openface"  # https://github.com/TadasBaltrusaitis/OpenFace/wiki/Docker
_KNOWN_IMAGE_FOLDER = "/home/openface-build/build/bin/"
_INPUT, _OUTPUT = "/mmfeat/input", "/mmfeat/output"


@dataclass(frozen=True, kw_only=True)
class OpenFaceTool:
    """One program of OpenFace.

    Args:
        program: absolute path, inside the image where there is one.
        multi: it is ``FaceLandmarkVidMulti``, which tracks several faces.
        image: container image; empty for a program of this machine.
        docker: the program that runs containers.
    """

    program: str
    multi: bool
    image: str = ""
    docker: str = "docker"

    def identity(self) -> dict[str, Any]:
        """Return what tells one installation from another, for the journal."""
        if self.image:
            return {"image": self.image, "program": self.program, "multi": self.multi}
        found = Path(self.program).stat()
        stamp = {"size": found.st_size, "mtime_ns": found.st_mtime_ns}
        return {"program": self.program, **stamp, "multi": self.multi}

    def command(self, source: Path, output: Path, flags: tuple[str, ...], *, name: str, n_thread: int) -> list[str]:
        """Return the command line that analyses one video, or one folder of frames, into the folder ``output``.

        Args:
            source: absolute path.
            output: absolute path of an existing folder.
            flags: of OpenFace.
            name: of the container.
            n_thread: limit of the threads in a container, 0 for none.
        """
        option = "-fdir" if source.is_dir() else "-f"
        if not self.image:
            return [self.program, option, str(source), "-out_dir", str(output), *flags]
        source = source.resolve()  # a link would lead out of the container
        shared = source if source.is_dir() else source.parent
        inside = _INPUT if source.is_dir() else f"{_INPUT}/{source.name}"
        limits = [part for key, value in thread_limits(n_thread).items() for part in ("--env", f"{key}={value}")]
        return [
            *(self.docker, "run", "--rm", "--name", name, "--network", "none"),
            *_user(),
            *limits,
            *("--mount", _mount(shared, _INPUT, "readonly"), "--mount", _mount(output.resolve(), _OUTPUT)),
            *("--workdir", _OUTPUT, "--entrypoint", self.program, self.image),
            *(option, inside, "-out_dir", _OUTPUT, *flags),
        ]

    def kill_command(self, name: str) -> list[str]:
        """Return the command line that ends a container, empty where there is none."""
        return [self.docker, "kill", name] if self.image else []


def find_openface(
    program: str | None = None, *, multi: bool | None = None, image: str = "", docker: str = "docker"
) -> OpenFaceTool:
    """Return the OpenFace program that the user names.

    Args:
        program: path, or name of a program on the search path; inside the image where one is given. May be missing for
            the image ``algebr/openface``.
        multi: whether it is ``FaceLandmarkVidMulti``; told by the name where None.
        image: container image that holds it.
        docker: the program that runs containers.

    Raises:
        MissingToolError: there is no such program here, or it may not be run.
        ConfigError: the program is not named, or is neither of the two that write files for videos.
    """
    if image:
        program = program or _program_in(image, multi=bool(multi))
        docker = _executable(docker, "it runs containers; install Docker, or name podman with --docker-bin")
    elif program is None:
        raise ConfigError("expected the path of OpenFace's FeatureExtraction (--openface-bin) or an image (--docker)")
    else:
        program = _executable(program, f"build OpenFace 2 ({_WIKI}), correct --openface-bin, or use --docker IMAGE")
    return OpenFaceTool(
        program=program, multi=_is_multi(program) if multi is None else multi, image=image, docker=docker
    )


def thread_limits(n_thread: int) -> dict[str, str]:
    """Return the variables that limit the threads of one process; 0 is no limit."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(n_thread)) if n_thread else {}


def _program_in(image: str, *, multi: bool) -> str:
    if image.partition(":")[0].partition("@")[0] != _KNOWN_IMAGE:
        raise ConfigError(f"{image}: expected the path of FeatureExtraction inside the image; add --openface-bin PATH")
    return _KNOWN_IMAGE_FOLDER + ("FaceLandmarkVidMulti" if multi else "FeatureExtraction")


def _executable(program: str, remedy: str) -> str:
    """Return the absolute path of a program."""
    found = shutil.which(program) or shutil.which(Path(program).absolute())
    if found is not None:
        return str(Path(found).absolute())
    problem = "a file that may not be run" if Path(program).is_file() else "none"
    raise MissingToolError(f"{program}: expected a program, found {problem}; {remedy}")


def _is_multi(program: str) -> bool:
    name = Path(program).name.lower()
    if name.startswith("facelandmarkvidmulti"):
        return True
    if name.startswith("featureextraction"):
        return False
    raise ConfigError(
        f"{program}: expected FeatureExtraction or FaceLandmarkVidMulti; say which of the two it is (--single, --multi)"
    )


def _user() -> tuple[str, ...]:
    """Return the option by which a container's files belong to the caller; Windows has no such numbers."""
    return () if sys.platform == "win32" else ("--user", f"{os.getuid()}:{os.getgid()}")


def _mount(source: Path, target: str, *options: str) -> str:
    """Return the value of ``--mount``, which is a line of CSV: a folder's name may hold commas and quotes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", *options])
    return line.getvalue()
