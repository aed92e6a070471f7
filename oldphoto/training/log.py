"""The log of a training run: loss terms as CSV and for TensorBoard, and pictures of samples."""

import csv
import io
import time
from collections import deque
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oldphoto.checks import InputError
from oldphoto.images.files import write_photo
from oldphoto.images.tensors import to_pixels
from oldphoto.system.files import written_whole
from oldphoto.training import old_runs
from oldphoto.training.distributed import mean_over_processes

_PREVIEW_ROWS = 6  # enough to judge by eye, few enough to see details
_JUMP = 10.0  # healthy losses, adversarial ones too, do not grow tenfold over so many steps
_JUMP_STEPS = 20
AFTER_DIVERGENCE = (
    "this state was not saved: repeat the command with --resume and a lower --learning-rate to "
    "continue from the last checkpoint"
)


class NonFiniteLossError(InputError):
    """Training diverged: a loss term or a weight is infinite or undefined."""


class LossJumpError(InputError):
    """Training diverged: the loss rose to more than ten times its minimum."""


def _tensorboard_writer(folder: Path) -> Any | None:
    """Return a TensorBoard writer, or None where TensorBoard is not installed."""
    try:
        # Imported here: it takes a second, and only the process that writes needs it.
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))


class RunLog:
    """Collect the loss terms of each step and write their means every ``every`` steps.

    With several processes, each has a log and calls it in the same way. The numbers are the means
    over all of them, and one process writes them.

    Terms stay on the device until they are written: reading a number makes the CPU wait for the
    GPU.

    Args:
        folder: gets ``log.csv``, ``tensorboard/`` and ``samples/``.
        stage: name of the stage, for messages.
        step: number of steps already done. Rows of later steps, written by a run that was stopped
            after its last checkpoint, are dropped, because these steps will be repeated.
        photos_per_step: batch of all processes together.
        every: steps between two rows.
        writes: whether this process is the one that writes.
    """

    def __init__(
        self,
        folder: Path,
        stage: str,
        step: int,
        photos_per_step: int,
        every: int,
        writes: bool = True,
    ) -> None:
        self.folder = folder
        self.stage = stage
        self.photos_per_step = photos_per_step
        self.every = every
        self.writes = writes
        self.last: dict[str, float] = {}
        self.speed = 0.0
        # Step and terms, still on the device, of the steps since the last row.
        self._pending: list[tuple[int, dict[str, Tensor]]] = []
        # Totals of the last steps, to tell a jump of the loss from one hard batch.
        self._recent: deque[float] = deque(maxlen=_JUMP_STEPS)
        self._lowest = float("inf")
        self._time = time.perf_counter()
        self._path = folder / "log.csv"
        self._board = None
        if writes:
            self._drop_rows_after(step)
            self._board = _tensorboard_writer(folder)

    def add(self, step: int, terms: dict[str, Tensor], rate: float) -> None:
        """Add the terms of a step, and write a row when it is due."""
        self._pending.append((step, terms))
        if len(self._pending) >= self.every:
            self.flush(rate)

    def flush(self, rate: float) -> None:
        """Write the mean of all pending terms as one row.

        Raises:
            NonFiniteLossError: naming the first step and term that is not finite.
            LossJumpError: if the mean of 20 steps is ten times the lowest such mean of before.
        """
        if not self._pending:
            return
        names = list(self._pending[0][1])
        # (steps, terms); one tensor, so that the CPU waits for the GPU once and not for each term.
        table = torch.stack([torch.stack(list(t.values())) for _, t in self._pending]).float()
        table = mean_over_processes(table).cpu()
        # Before anything is written: no row may report a diverged step as progress.
        self._require_finite(table, names)
        self._require_no_jump(table.sum(dim=1).tolist())
        seconds = time.perf_counter() - self._time
        # A step can be too fast for the clock.
        self.speed = len(self._pending) * self.photos_per_step / max(seconds, 1e-9)
        step = self._pending[-1][0]
        self.last = dict(zip(names, table.mean(dim=0).tolist(), strict=True))
        if self.writes:
            facts = {"step": step, "photos_per_second": self.speed, "rate": rate}
            self._write_row(facts | self.last)
        self._pending.clear()
        self._time = time.perf_counter()

    @property
    def is_calm(self) -> bool:
        """Whether the loss of the last flushed step is not suspiciously high.

        It takes 20 steps to tell a jump from a hard batch. Until then no state may be saved.
        """
        # "> 0": without a lowest mean yet, or with losses of 0, nothing counts as a jump.
        return not self._recent or not self._recent[-1] > _JUMP * self._lowest > 0

    def line(self) -> dict[str, str]:
        """Return what the progress bar shows: photos per second, and each loss term."""
        told = {"photos/s": self.speed} | self.last if self.last else {}
        return {name: f"{value:.3g}" for name, value in told.items()}

    def restart_clock(self) -> None:
        """Leave the time since the last row out of the speed; call it after a save."""
        self._time = time.perf_counter()

    def _require_finite(self, table: Tensor, names: list[str]) -> None:
        bad = (~table.isfinite()).nonzero()
        if len(bad):
            row, column = bad[0].tolist()  # the first one is the cause, the others follow from it
            value, step = table[row, column].item(), self._pending[row][0]
            raise NonFiniteLossError(
                f"{self.stage}: the loss term {names[column]} is {value} at step {step}; "
                f"{AFTER_DIVERGENCE}"
            )

    def _require_no_jump(self, totals: list[float]) -> None:
        for (step, _), total in zip(self._pending, totals, strict=True):
            self._recent.append(total)
            if len(self._recent) < _JUMP_STEPS:
                continue  # a mean of fewer steps would jump with every hard batch
            mean = sum(self._recent) / _JUMP_STEPS
            if mean > _JUMP * self._lowest > 0:
                raise LossJumpError(
                    f"{self.stage}: training diverged, the loss rose from {self._lowest:.3g} to "
                    f"{mean:.3g} by step {step}; {AFTER_DIVERGENCE}"
                )
            self._lowest = min(self._lowest, mean)

    def _write_row(self, row: dict[str, float]) -> None:
        is_new = not self._path.is_file()
        # Opened for each row, so that the file is complete whenever somebody looks at it.
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if is_new:
                writer.writeheader()
            writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(f"{self.stage}/{name}", value, int(row["step"]))

    def _drop_rows_after(self, step: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._path.is_file():
            return
        try:
            names, rows = self._rows_until(step)
        except (ValueError, LookupError, TypeError, OverflowError, csv.Error) as error:
            raise InputError(
                f"{self._path} is damaged ({error}): move it away and repeat the command"
            ) from error
        if not rows:  # perhaps the header itself was cut off: start a new file
            self._path.unlink()
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=names)
        writer.writeheader()
        writer.writerows(rows)
        # Written aside and renamed: a kill at this moment must not cost the whole log.
        with written_whole(self._path) as file:
            file.write(text.getvalue().encode())

    def _rows_until(self, step: int) -> tuple[list[str], list[dict[str, str]]]:
        """Read the log; return the names of its columns, as of today, and the rows to keep."""
        with self._path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or [])
            # A row cut off by a crash has no value in its last column.
            rows = [row for row in reader if row[names[-1]] and int(float(row["step"])) <= step]
        # One header for the whole file: rows that follow have the names of today.
        names = [old_runs.today(name) for name in names]
        return names, [dict(zip(names, row.values(), strict=True)) for row in rows]

    def save_samples(self, step: int, samples: dict[str, Tensor]) -> None:
        """Write a picture with input, output and target of some photos of the batch, side by side.

        Args:
            samples: "input", "output" and "target", each (B, 1 or 3, H, W) in [-1, 1].
        """
        if not self.writes:
            return
        size = len(samples["input"])
        # Spread over the batch: that of ``vae-degraded`` holds old photos first, then synthetic.
        shown = torch.linspace(0, size - 1, min(size, _PREVIEW_ROWS)).round().long()
        columns = [samples[name].cpu()[shown] for name in ("input", "output", "target")]
        rows = [torch.cat(list(column.float()), dim=-2) for column in columns]  # (C, n H, W)
        grid = torch.cat(rows, dim=-1).clamp(-1, 1)  # (C, n H, 3 W)
        if grid.shape[0] == 1:
            grid = grid.expand(3, -1, -1)  # the detector's photos are grey
        path = self.folder / "samples" / f"step-{step:08d}.jpg"
        path.parent.mkdir(exist_ok=True)
        write_photo(path, to_pixels(grid))

    def close(self) -> None:
        """Close the TensorBoard files."""
        if self._board is not None:
            self._board.close()
