"""The table of the comparison as Markdown, CSV and HTML, with the paper's numbers beside ours."""

import base64
import csv
import html
import io
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PIL import Image

from oldphoto.evaluation.comparison import MethodResult, Metric, best, difference
from oldphoto.evaluation.test_photos import TestPhoto
from oldphoto.metrics.bootstrap import Interval

NOT_AVAILABLE = "not available"
PAPER_COLUMNS = ("PSNR", "SSIM", "LPIPS", "FID")
PAPER: dict[str, tuple[float, float, float, float]] = {
    "Input": (12.92, 0.49, 0.59, 306.80),
    "Attention": (24.12, 0.70, 0.33, 208.11),
    "DIP": (22.59, 0.57, 0.54, 194.55),
    "Pix2Pix": (22.18, 0.62, 0.23, 135.14),
    "Sequential": (22.71, 0.60, 0.49, 191.98),
    "ours without partial non-local": (23.14, 0.68, 0.26, 143.62),
    "ours with partial non-local": (23.33, 0.69, 0.25, 134.35),
}
"""Table 1 of Wan et al., CVPR 2020: DIV2K photos, degraded by the authors."""

PAPER_NOTE = (
    "The paper's numbers are of other photos (DIV2K), other damage and networks trained for days, "
    "so compare the order of the rows, not numbers. In the paper its model is best in FID only: "
    "Attention has the best PSNR and SSIM, Pix2Pix the best LPIPS."
)
_THUMBNAIL = 192


def as_markdown(
    rows: Sequence[MethodResult], columns: Sequence[Metric], reference: str | None
) -> str:
    """Return the table, what is missing, and the differences to one row, as Markdown.

    Args:
        rows: in the order of the table.
        columns: the metrics.
        reference: name of the row that all others are compared with, photo by photo.
    """
    lines = markdown_table(_titles(columns), _cells(rows, columns, "**{}**"))
    lines += ["", _legend(rows), PAPER_NOTE]
    lines += [f"- {sentence}" for sentence in [*trainings(rows), *missing(rows, columns)]]
    lines += _difference_lines(rows, columns, reference)
    return "\n".join(lines) + "\n"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown.

    >>> print(*markdown_table(["method", "PSNR"], [["Input", "12.92"]]), sep="\\n")
    | method | PSNR |
    |---|---|
    | Input | 12.92 |
    """
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows of cells as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def as_csv(rows: Sequence[MethodResult], columns: Sequence[Metric]) -> str:
    """Return the means and intervals of all methods, and the paper's numbers, as CSV."""
    names = [f"{m.name}{end}" for m in columns for end in ("", " low", " high")]
    papers = [f"paper {name}" for name in PAPER_COLUMNS]
    table: list[list[object]] = [["method", *names, "seconds", "parameters", *papers]]
    for row in rows:
        values: list[object] = []
        for metric in columns:
            interval = row.interval(metric)
            ends = (interval.low, interval.high) if interval else (None, None)
            values += [_plain(value) for value in (row.mean(metric), *ends)]
        measured = [_plain(_seconds(row)), row.compared.num_parameters if row.seconds else ""]
        table.append([row.name, *values, *measured, *PAPER.get(row.name, ("",) * 4)])
    return csv_text(table)


def as_html(
    rows: Sequence[MethodResult],
    columns: Sequence[Metric],
    photos: Sequence[TestPhoto],
    reference: str | None,
) -> str:
    """Return an HTML page with the table and all photos side by side."""
    cells = _cells(rows, columns, "<b>{}</b>", html.escape)
    table = "".join(_html_row(row, "td") for row in cells)
    head = _html_row([html.escape(title) for title in _titles(columns)], "th")
    notes = [_legend(rows), PAPER_NOTE, *trainings(rows), *missing(rows, columns)]
    notes += [line for line in _difference_lines(rows, columns, reference) if line]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Methods compared</title>'
        "<style>body{font-family:sans-serif;margin:2em}td,th{padding:.3em .6em;"
        "border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
        "table{border-collapse:collapse}.scroll{overflow-x:auto}</style></head><body>"
        f'<h1>Methods compared</h1><div class="scroll"><table>{head}{table}</table></div>'
        + "".join(f"<p>{html.escape(note)}</p>" for note in notes)
        + f'<h2>Photos</h2><div class="scroll"><table>{_pictures(rows, photos)}</table></div>'
        "</body></html>\n"
    )


def trainings(rows: Sequence[MethodResult]) -> list[str]:
    """Return a sentence for each trained method: on what, and how long."""
    return [f"{row.name}: {row.compared.note}" for row in rows if row.compared.note]


def missing(rows: Sequence[MethodResult], columns: Sequence[Metric]) -> list[str]:
    """Return a sentence for each metric and method that is not available."""
    said = [f"{m.name} is {NOT_AVAILABLE}: {m.missing}" for m in columns if m.missing]
    said += [
        f"{name} of {row.name} is {NOT_AVAILABLE}: {reason}"
        for row in rows
        for name, reason in row.not_measured.items()
    ]
    return said + [
        f"{row.name} is {NOT_AVAILABLE}: {row.compared.missing}"
        for row in rows
        if row.compared.missing
    ]


def _titles(columns: Sequence[Metric]) -> list[str]:
    ours = [f"{m.name} {'↑' if m.higher_is_better else '↓'}" for m in columns]
    return ["method", *ours, "s a photo", "parameters", *(f"paper {n}" for n in PAPER_COLUMNS)]


def _cells(
    rows: Sequence[MethodResult],
    columns: Sequence[Metric],
    bold: str,
    escape: Callable[[str], str] = str,
) -> list[list[str]]:
    """Return the cells of the table; the best cell of a column is bold."""
    winners = {metric.name: best(rows, metric) for metric in columns}
    table = []
    for row in rows:
        cells = [escape(row.name)]
        for metric in columns:
            cell = _cell(row, metric)
            cells.append(bold.format(cell) if winners[metric.name] == row.name else cell)
        seconds = _seconds(row)
        cells.append("" if seconds is None else f"{seconds:.2f}")
        cells.append(f"{row.compared.num_parameters:,}" if row.seconds else "")
        paper = PAPER.get(row.name)
        cells += [f"{value:.2f}" for value in paper] if paper else ["–"] * len(PAPER_COLUMNS)
        table.append(cells)
    return table


def _cell(row: MethodResult, metric: Metric) -> str:
    mean = row.mean(metric)
    if mean is None:
        return NOT_AVAILABLE
    interval = row.interval(metric)
    text = f"{mean:.{metric.digits}f}"
    return text if interval is None else f"{text} {_ends(interval, metric)}"


def _ends(interval: Interval, metric: Metric) -> str:
    return f"[{interval.low:.{metric.digits}f}, {interval.high:.{metric.digits}f}]"


def _legend(rows: Sequence[MethodResult]) -> str:
    number = max((len(row.seconds) for row in rows), default=0)
    return (
        f"Means over {number} photos; in brackets the 95 % bootstrap interval over the photos. "
        "The best of each column is bold."
    )


def _difference_lines(
    rows: Sequence[MethodResult], columns: Sequence[Metric], reference: str | None
) -> list[str]:
    """Return lines with the differences of all methods to the reference, photo by photo."""
    found = next((row for row in rows if row.name == reference and row.seconds), None)
    if found is None:
        return []
    lines = ["", f"Difference to {found.name}, photo by photo (* does not include 0):", ""]
    for row in rows:
        parts = []
        for metric in columns:
            interval = None if row is found else difference(row, found, metric)
            if interval is not None:
                star = " *" if interval.excludes_zero else ""
                value = f"{interval.mean:+.{metric.digits}f}"
                parts.append(f"{metric.name} {value} {_ends(interval, metric)}{star}")
        if parts:
            lines.append(f"- {row.name}: " + "; ".join(parts))
    return lines


def _seconds(row: MethodResult) -> float | None:
    return float(np.median(row.seconds)) if row.seconds else None


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _html_row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _pictures(rows: Sequence[MethodResult], photos: Sequence[TestPhoto]) -> str:
    """Return a table of pictures: one photo per row, one method per column, the clean one last."""
    shown = [row for row in rows if len(row.restored) == len(photos)]
    head = _html_row(["", *(html.escape(row.name) for row in shown), "clean"], "th")
    lines = []
    for number, photo in enumerate(photos):
        pictures = [row.restored[number] for row in shown] + [photo.clean]
        names = [f"{photo.name}, {row.name}" for row in shown] + [f"{photo.name}, clean"]
        images = [_img(p, name) for p, name in zip(pictures, names, strict=True)]
        lines.append(_html_row([html.escape(photo.name), *images], "td"))
    return head + "".join(lines)


def _img(pixels: np.ndarray, name: str) -> str:
    """Return a thumbnail as an <img> with embedded data."""
    image = Image.fromarray(pixels)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=88)
    source = base64.b64encode(data.getvalue()).decode("ascii")
    return f'<img alt="{html.escape(name)}" src="data:image/jpeg;base64,{source}">'
