"""The sections of a dataset's report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mmfeat.data_report import figures
from mmfeat.data_report.duplicates import Duplicates
from mmfeat.data_report.streams import ColumnSurvey, StreamSurvey
from mmfeat.data_report.survey import DatasetSurvey
from mmfeat.dataset import format_description
from mmfeat.display import PageSection, Table, html_details, html_figure, html_list, html_paragraph, html_table

_MOST_ROWS = 40
_MOST_COLUMNS_SHOWN = 80  # of a stream; the rest is shown when asked for
_MOST_LABELS = 24
_MOST_LETTERS = 160


def sections(survey: DatasetSurvey) -> list[PageSection]:
    """Return all sections, in order; those of which there is nothing to say have no blocks."""
    return [
        PageSection(title="What to look at", blocks=(_findings(survey),)),
        PageSection(title="Overview", blocks=(_overview(survey),)),
        PageSection(title="Splits", blocks=tuple(_splits(survey))),
        PageSection(title="Labels", blocks=tuple(_labels(survey))),
        PageSection(title="Durations", blocks=tuple(_durations(survey))),
        PageSection(title="Streams", blocks=tuple(_streams(survey))),
        PageSection(title="Features", blocks=tuple(_features(survey))),
        PageSection(title="Failures", blocks=tuple(_failures(survey))),
        PageSection(title="Duplicates", blocks=tuple(_duplicates(survey))),
    ]


def _findings(survey: DatasetSurvey) -> str:
    return html_list(survey.findings() or ("Nothing stands out.",))


def _overview(survey: DatasetSurvey) -> str:
    facts = [line.split("  ", 1) for line in format_description(survey.description).splitlines()]
    rows = tuple((title.strip(), fact.strip()) for title, fact in facts)
    return html_table(Table(header=("fact", "value"), rows=rows), text_columns=(1,))


def _splits(survey: DatasetSurvey) -> Iterator[str]:
    rows = tuple(
        (f"{part.scheme}: {part.part}", *map(str, (part.n_clip, part.n_recording, part.n_speaker, part.n_text)),
         f"{part.hours:.2f}")
        for part in survey.parts[: 4 * _MOST_ROWS]
    )  # fmt: skip
    if rows:
        yield html_table(Table(header=("part", "clips", "recordings", "speakers", "with text", "hours"), rows=rows))
    if survey.overlaps:
        yield html_paragraph(
            "Recordings and speakers with clips in several parts; a model may know them from training:"
        )
        header = ("split", "kind", "name", "train", "valid", "test")
        shared = tuple(
            (found.scheme, found.kind, found.name, *(str(found.n_clip[part]) for part in header[3:]))
            for found in survey.overlaps[:_MOST_ROWS]
        )
        yield html_table(Table(header=header, rows=shared), text_columns=(1, 2))
        yield from _rest(len(survey.overlaps))
    elif survey.parts:
        yield html_paragraph("No recording and no known speaker has clips in several parts.")


def _labels(survey: DatasetSurvey) -> Iterator[str]:
    rows = tuple(
        (
            label.name,
            label.problem,
            name,
            str(part.n_clip),
            *_short(part.mean, part.sd, part.median, part.low, part.high),
        )
        for label in survey.labels
        for name, part in label.parts.items()
    )
    for label in survey.labels[:_MOST_LABELS]:
        if label.parts:
            scheme = f" (split {survey.scheme})" if survey.scheme else ""
            caption = f"Clips by the label {label.name}, {label.problem}{scheme}"
            yield html_figure(f"label-{label.name}", figures.label_histograms(label), caption)
    if rows:
        header = ("label", "problem", "part", "clips", "mean", "sd", "median", "least", "most")
        yield html_table(Table(header=header, rows=rows), text_columns=(1, 2))


def _durations(survey: DatasetSurvey) -> Iterator[str]:
    if survey.longest:
        svg = figures.duration_histogram(survey.durations_edges_s, survey.durations)
        yield html_figure("durations", svg, f"Clips by the length of their sound ({sum(survey.durations)} clips)")
        pairs = zip(survey.longest, survey.shortest, strict=True)
        rows = tuple((one, f"{most:.2f}", other, f"{least:.2f}") for (one, most), (other, least) in pairs)
        yield html_table(Table(header=("longest", "seconds", "shortest", "seconds"), rows=rows), text_columns=(2,))


def _streams(survey: DatasetSurvey) -> Iterator[str]:
    rows = tuple(
        (
            stream.name, stream.made_by, str(stream.n_clip), str(stream.n_frame),
            " · ".join(f"{count:g}" for count in stream.frames_per_clip), f"{stream.valid_share:.1%}",
            "" if stream.voiced_share is None else f"{stream.voiced_share:.1%}",
        )
        for stream in survey.streams
    )  # fmt: skip
    if rows:
        header = ("stream", "made by", "clips", "frames", "fewest · median · most", "valid", "voiced")
        yield html_table(Table(header=header, rows=rows), text_columns=(1,))
    missing = tuple(
        (stream.name, status.replace("_", " "), str(n_clip))
        for stream in survey.streams
        for status, n_clip in stream.status.items()
        if status != "ok"
    )
    if missing:
        yield html_table(Table(header=("stream", "is missing because", "clips"), rows=missing), text_columns=(1,))
    shown = [stream for stream in survey.streams if stream.n_frame]
    if shown:
        svg = figures.validity_histogram(shown)
        yield html_figure("validity", svg, "Clips by the share of their frames that are valid, of each stream")


def _features(survey: DatasetSurvey) -> Iterator[str]:
    for stream in survey.streams:
        yield from _columns(stream)


def _columns(stream: StreamSurvey) -> Iterator[str]:
    if not stream.columns or not stream.n_frame:
        return
    constant = f"{len(stream.constant)} never change: {', '.join(stream.constant)}" if stream.constant else "all change"
    counts = ", ".join(f"{name} {count}" for name, count in stream.not_finite.items())
    finite = f"NaN or infinity in {counts}" if counts else "all values are finite"
    yield html_paragraph(f"{stream.name}, {len(stream.columns)} columns over valid frames: {constant}; {finite}.")
    whole = _column_table(stream.columns)
    if len(stream.columns) <= _MOST_COLUMNS_SHOWN:
        caption = (
            f"{stream.name}: how far the values of each column lie from its mean, and the means of test and train "
            "from each other"
        )
        yield html_figure(f"columns-{stream.name}", figures.column_ranges(stream.columns), caption)
    yield html_details(f"Statistics of all {len(stream.columns)} columns of {stream.name}", whole)


def _column_table(columns: Sequence[ColumnSurvey]) -> str:
    rows = tuple(
        (column.name, column.unit, *_short(column.mean, column.sd, column.low, column.high, column.shift))
        for column in columns
    )
    header = ("column", "unit", "mean", "sd", "least", "most", "test - train, in sd")
    return html_table(Table(header=header, rows=rows), text_columns=(1,))


def _short(*numbers: float) -> list[str]:
    return ["" if math.isnan(number) else f"{number:.4g}" for number in numbers]


def _failures(survey: DatasetSurvey) -> Iterator[str]:
    rows = tuple(
        (group.stream, group.code.replace("_", " "), str(group.n_clip), group.message, ", ".join(group.clip_ids))
        for group in survey.failures[:_MOST_ROWS]
    )
    if rows:
        header = ("stream", "status", "clips", "reason (of the first one)", "the first ones")
        yield html_table(Table(header=header, rows=rows), text_columns=(1, 3, 4))
        yield from _rest(len(survey.failures))


def _duplicates(survey: DatasetSurvey) -> Iterator[str]:
    if not survey.duplicates and not survey.same_texts:
        yield html_paragraph("No two clips have equal frames in a stream or say the same.")
    for what, groups in (("have equal frames", survey.duplicates), ("say the same", survey.same_texts)):
        if groups:
            crossing = sum(group.crosses_parts for group in groups)
            n_clip = sum(len(group.clip_ids) for group in groups)
            yield html_paragraph(
                f"{n_clip} clips in {len(groups)} group(s) {what}; {crossing} of these groups stand in several parts."
            )
            yield html_table(
                Table(header=("equal in", "clips", "parts", "which"), rows=tuple(map(_duplicate, groups[:_MOST_ROWS]))),
                text_columns=(2, 3),
            )
            yield from _rest(len(groups))
    if survey.same_texts:
        yield html_paragraph("Texts are compared without case and punctuation.")


def _duplicate(group: Duplicates) -> tuple[str, str, str, str]:
    ids = ", ".join(group.clip_ids[:_MOST_ROWS])
    shown = ids if len(ids) <= _MOST_LETTERS else f"{ids[:_MOST_LETTERS]} …"
    parts = ", ".join(f"{part} {group.parts.count(part)}" for part in dict.fromkeys(group.parts))
    return ", ".join(group.equal), str(len(group.clip_ids)), parts, shown


def _rest(n_row: int) -> Iterator[str]:
    if n_row > _MOST_ROWS:
        yield html_paragraph(f"{n_row - _MOST_ROWS} more are not shown here; --json prints all of them.")
