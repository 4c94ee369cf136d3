"""Check a dataset file against its specification; every rule has a stable id.

========  ==========================================================================
MF001     the file is HDF5 and of this format
MF002     the format version is one that this program knows
MF003     an attribute is missing or of another type
MF004     a group or dataset that MUST be there is missing
MF005     a group or dataset has another kind or type than specified
MF006     an axis has another length than the other datasets on it
MF007     an object that the specification does not know
MF008     a link that leaves its place (soft or external)
MF009     clip ids are unique and not empty
MF010     offsets start at 0, never decrease and end at the number of frames
MF011     a number is NaN or infinite
MF012     a number lies outside its range or its enumeration
MF013     frames exist exactly where the status is ok
MF014     values are 0 where frames are not valid
MF015     feature names are unique
MF016     a failure names an unknown clip or stream, or a failed stream has no failure
MF017     times never go back inside a clip
MF018     recording_disjoint says what the split scheme is
MF019     the content hash is the one stored
MF020     log_f0 is 0 where a frame is not voiced
MF021     offsets of encoded frames start at 0, always increase and end at the number of bytes
MF022     the codec of encoded frames is known, their height and width are above 0
MF023     every encoded frame is a whole file of its codec and has the stated size
MF024     all values are in the file itself and can be decoded
========  ==========================================================================

Level ``structure`` reads the tables (MF001 to MF010, MF012, MF013, MF015, MF016, MF018, MF021, MF022, MF024); level
``content`` also reads every frame (MF011, MF014, MF017, MF019, MF020, MF023).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h5py

from mmfeat.dataset.check_content import content_findings
from mmfeat.dataset.check_structure import structure_findings
from mmfeat.dataset.damage import DAMAGE, in_a_line
from mmfeat.dataset.findings import Finding
from mmfeat.dataset.schema import FORMAT, FORMAT_VERSION
from mmfeat.errors import InputError

Level = Literal["structure", "content"]


@dataclass(frozen=True, kw_only=True)
class ValidationReport:
    """What was found in one file."""

    path: Path
    level: Level
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no rule is broken."""
        return not self.findings

    def summary(self) -> str:
        """Return one line for each finding, or one line that says the file is sound."""
        if self.ok:
            return f"{self.path}: valid ({self.level})"
        return "\n".join(f"{self.path}: {finding}" for finding in self.findings)


def validate(path: Path | str, *, level: Level = "structure") -> ValidationReport:
    """Return every broken rule of a dataset file.

    Args:
        path: the file.
        level: ``structure`` or ``content``; see the module's table.

    Raises:
        InputError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a dataset file, found none; correct the path")
    try:
        with h5py.File(path, "r") as file:
            findings = _findings(file, level)
    except DAMAGE as error:
        message = f"expected an HDF5 file that can be read: {in_a_line(error)}"
        findings = [Finding(rule="MF001", where="/", message=message)]
    return ValidationReport(path=path, level=level, findings=tuple(findings))


def _findings(file: h5py.File, level: Level) -> list[Finding]:
    stored_format = file.attrs.get("format")
    if not isinstance(stored_format, str) or stored_format != FORMAT:
        return [Finding(rule="MF001", where="/", message=f"expected format={FORMAT!r}, got {stored_format!r}")]
    stored = str(file.attrs.get("format_version", ""))
    if stored.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        return [
            Finding(
                rule="MF002",
                where="/",
                message=f"expected version {FORMAT_VERSION}, got {stored!r}; update mmfeat",
            )
        ]
    findings = structure_findings(file)
    if level == "content" and not findings:
        findings = content_findings(file)
    return findings
