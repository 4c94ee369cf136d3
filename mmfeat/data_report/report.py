"""Write the report of a dataset: one page to look at, to print and to send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmfeat.data_report.sections import sections
from mmfeat.data_report.survey import DatasetSurvey, survey_dataset
from mmfeat.display import check_drawing, check_page_path, html_page, write_page
from mmfeat.types import Track, untracked


def write_data_report(
    dataset: Path | str,
    output: Path | str,
    *,
    scheme: str | None = None,
    overwrite: bool = False,
    track: Track[Any] = untracked,
) -> DatasetSurvey:
    """Write one HTML page about a dataset file, which needs no network and no other file, and return what it shows.

    Every frame is read once, in blocks; memory grows with the number of clips by their ids and texts alone.

    Args:
        dataset: the file.
        output: the page to make; it appears whole or not at all.
        scheme: split scheme by which parts are told apart; None: ``default`` where the file has it, else its first one.
        overwrite: replace an existing page.
        track: shows progress over the blocks of frames.

    Raises:
        InputError: the file or the split scheme is not there, it is damaged, or the page cannot be written.
        SchemaError: it is not a dataset of this format.
        MissingExtraError: matplotlib is not installed.
        OutputExistsError: the page exists and ``overwrite`` is false.
    """
    output = Path(output)
    check_page_path(output, overwrite=overwrite)
    check_drawing()
    survey = survey_dataset(dataset, scheme=scheme, track=track)
    about = survey.description
    lead = f"{about['n_clip']} clips in {about['n_recording']} recordings; content {about['content_sha256'][:16]}"
    write_page(output, html_page(f"mmfeat report: {about['name']}", lead, sections(survey)))
    return survey
