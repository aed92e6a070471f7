"""``oldphoto evaluate``: measure weights, or several methods, on degraded clean photos."""

import argparse
import csv
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm.auto import tqdm

from oldphoto.checks import InputError
from oldphoto.data import photo_paths
from oldphoto.evaluation.comparison import MethodResult, Metric, measure, metrics
from oldphoto.evaluation.comparison_table import as_csv, as_html, as_markdown
from oldphoto.evaluation.methods import DIP_SIZES, METHODS, OURS, Sources, compared_methods, peer
from oldphoto.evaluation.scores import Score, evaluate, mean_score
from oldphoto.evaluation.test_photos import TestPhoto, make_test_photos
from oldphoto.inference.restorer import Restorer
from oldphoto.samples import sample_paths
from oldphoto.system.outputs import OutputFolder, photo_folder
from oldphoto.system.streams import printable
from oldphoto.weights.source import WeightsSource

ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    parser.add_argument(
        "--weights",
        default="small",
        help="small, a folder written by training, or official:FOLDER (default: small)",
    )
    parser.add_argument(
        "--variant", help="scratch, quality or hr (default: the first one of the weights)"
    )
    parser.add_argument(
        "--data", type=Path, help="folder of clean photos (default: the held-out ones)"
    )
    parser.add_argument("--recipe", default="released", help="recipe that degrades the photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="folder for the table")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=(*METHODS, ALL),
        metavar="METHOD",
        help=f"compare methods in one table: {', '.join(METHODS)}, or {ALL}",
    )
    parser.add_argument(
        "--baselines",
        type=Path,
        help="run folder of `oldphoto baseline` (default: the shipped ones, of size course)",
    )
    parser.add_argument(
        "--peer",
        metavar="realesrgan[:FILE]",
        help="with --methods: one more row, Real-ESRGAN x4plus (pip install oldphoto[peers])",
    )
    parser.add_argument("--metric-files", type=Path, help="folder of `oldphoto download`")
    parser.add_argument("--dip-size", choices=tuple(DIP_SIZES), default="tiny")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table as Markdown and write it into the output folder.

    Returns:
        0, or 1 if a photo was refused; it is named, and the table has the others.
    """
    paths = photo_paths(arguments.data) if arguments.data else sample_paths("held_out")
    if arguments.output.is_file():
        raise InputError(f"expected a folder for --output, got the file {arguments.output}")
    num_refused = 0

    def refused(path: Path, reason: str) -> None:
        nonlocal num_refused
        num_refused += 1
        named = reason if str(path) in reason else f"{path}: {reason}"
        tqdm.write(printable(f"not measured: {named}"), file=sys.stderr)

    if arguments.peer and not arguments.methods:
        raise InputError("--peer adds a row to the table of --methods: give both")
    photos = make_test_photos(paths, arguments.recipe, arguments.seed, refused)
    if arguments.methods:
        _compare(photos, arguments)
    else:
        _measure(photos, len(paths), arguments)
    if num_refused:
        print(f"{len(paths) - num_refused} of {len(paths)} photos measured")
    return 1 if num_refused else 0


def _measure(photos: Iterable[TestPhoto], num_photos: int, arguments: argparse.Namespace) -> None:
    """Measure one set of weights and write ``scores.csv``."""
    source = WeightsSource.parse(arguments.weights)
    restorer = Restorer.from_source(source, arguments.variant)
    with photo_folder(arguments.output) as outputs:  # refused now rather than after the work
        scores = evaluate(restorer, tqdm(photos, total=num_photos, desc="measuring", unit="photo"))
        scores.append(mean_score(scores))
        _write(outputs, {"scores.csv": _as_csv(scores)})
    print(as_markdown_scores(scores))


def _compare(degraded: Iterable[TestPhoto], arguments: argparse.Namespace) -> None:
    """Measure several methods and write ``table.md``, ``table.csv`` and ``table.html``."""
    names = list(METHODS) if ALL in arguments.methods else arguments.methods
    sources = Sources(arguments.weights, arguments.baselines, arguments.dip_size)
    columns: list[Metric] = metrics(arguments.metric_files)
    rows: list[MethodResult] = []
    with photo_folder(arguments.output) as outputs:
        photos = list(degraded)
        peers = [peer(arguments.peer)] if arguments.peer else []
        for compared in [*compared_methods(names, sources), *peers]:
            shown = tqdm(photos, desc=compared.name, unit="photo", disable=compared.method is None)
            rows.append(measure(compared, shown, columns))
        text = as_markdown(rows, columns, OURS)
        tables = {"table.md": text, "table.csv": as_csv(rows, columns)}
        tables["table.html"] = as_html(rows, columns, photos, OURS)
        _write(outputs, tables)
    print(text)


def _write(outputs: OutputFolder, texts: Mapping[str, str]) -> None:
    """Write the tables; one whose name a file of the user has gets another name, which is said."""
    for name, text in texts.items():
        path = outputs.write_text(name, text, source="evaluate")
        if path.name != name:
            print(f"{outputs.folder} holds another {name}: saved as {path.name}", file=sys.stderr)


def _as_csv(scores: Sequence[Score]) -> str:
    """Return the scores as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(asdict(scores[0])))
    writer.writeheader()
    writer.writerows(asdict(score) for score in scores)
    return text.getvalue()


def as_markdown_scores(scores: list[Score]) -> str:
    """Return the scores of single photos as a Markdown table."""
    lines = [
        "| photo | PSNR degraded | PSNR restored | SSIM degraded | SSIM restored |",
        "|---|---|---|---|---|",
    ]
    for s in scores:
        lines.append(
            f"| {printable(s.name)} | {s.psnr_degraded:.2f} | {s.psnr_restored:.2f} "
            f"| {s.ssim_degraded:.3f} | {s.ssim_restored:.3f} |"
        )
    return "\n".join(lines)
