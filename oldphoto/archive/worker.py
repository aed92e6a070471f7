"""Restore batches of an archive's photos: the work of one process, on this machine or another."""

import hashlib
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np
import torch

from oldphoto.archive.manifest import Manifest, Row
from oldphoto.archive.storage import Storage, is_url, open_place
from oldphoto.archive.tasks import Task
from oldphoto.checks import InputError
from oldphoto.inference.batch import Gate, Restore, record_of, restore_one, sentence_on
from oldphoto.inference.gate import choose_gate
from oldphoto.inference.jobs import Job
from oldphoto.inference.masks import (
    MaskReading,
    MaskSource,
    choose_masks,
    read_given,
    require_use_for_masks,
)
from oldphoto.inference.provenance import Provenance
from oldphoto.inference.restorer import Attention, Precision, Restorer, TilingWarning, Tone
from oldphoto.system.files import sha256_of
from oldphoto.system.outputs import HIDDEN
from oldphoto.system.packages import own_version
from oldphoto.weights.source import WeightsSource

NUM_TRIES = 3
"""How often a photo is begun whose process dies, for example for want of memory."""
_TRIES = f"{HIDDEN}/tries"


@dataclass(frozen=True)
class Settings:
    """How all photos of an archive are restored; see ``Restorer`` and ``choose_masks``.

    Attributes:
        always: restore photos that need nothing as well.
        mask: "auto", "none", or None, as for ``choose_masks``.
        has_mask_files: some photos have a mask in a file, whatever ``mask`` says.
        inverted: in these files black is damaged.
        threads: of each process; None: PyTorch's default.
    """

    weights: str = "small"
    variant: str | None = None
    device: str | None = None
    precision: str = "auto"
    max_memory_gb: float | None = None
    max_seconds: float = float("inf")
    tone: str | None = None
    strength: float = 1.0
    attention: str | None = None
    always: bool = False
    mask: str | None = None
    has_mask_files: bool = False
    inverted: bool = False
    accept_large_masks: bool = False
    threads: int | None = None


class ArchiveWorker:
    """Restores batch after batch, one photo at a time.

    Args:
        output: folder or URL of the results and the manifest.
        restore: called with pixels and mask.
        masks: called with file and pixels.
        record: written into every restored photo.
        made_with: names weights and settings, for the manifest.
        gate: tells the photos that need nothing, see ``restore_batch``.
        reading: how masks from files are taken.
    """

    def __init__(
        self,
        output: str,
        restore: Restore,
        masks: MaskSource,
        record: Provenance | None,
        made_with: str,
        gate: Gate | None = None,
        reading: MaskReading | None = None,
    ) -> None:
        self.storage = Storage(output)
        self.manifest = Manifest(self.storage)
        self.restore, self.masks, self.record = restore, masks, record
        self.made_with, self.gate = made_with, gate
        self.reading = reading or MaskReading()

    @classmethod
    def load(cls, output: str, settings: Settings) -> "ArchiveWorker":
        """Load the networks.

        Raises:
            InputError: if the weights or the settings cannot be used.
        """
        if settings.threads:
            torch.set_num_threads(settings.threads)
        source = WeightsSource.parse(settings.weights)
        restorer = Restorer.from_source(
            source,
            settings.variant,
            settings.device,
            cast(Precision, settings.precision),
            settings.max_memory_gb,
            cast(Tone | None, settings.tone),
            settings.strength,
            cast(Attention | None, settings.attention),
        )
        restorer.max_seconds = settings.max_seconds
        found = MaskReading(accept_large=settings.accept_large_masks)
        masks, mask_words = choose_masks(settings.mask, restorer, source, [], found)
        if settings.has_mask_files:
            require_use_for_masks(restorer, source)
        reading = replace(found, inverted=settings.inverted)
        record = record_of(restorer, source)
        words = [own_version(), record.weights, record.weights_sha256[:16], restorer.precision]
        words += [f"tone {restorer.tone}", f"strength {restorer.strength:g}"]
        words += [f"attention {restorer.attention}", mask_words]
        gate = choose_gate(restorer.tone, settings.always)
        words += ["those that need nothing are copied"] if gate else []
        words += ["mask files inverted"] if settings.inverted else []
        made_with = "; ".join(words)
        return cls(output, restorer.restore_pixels, masks, record, made_with, gate, reading)

    def __call__(self, tasks: list[Task]) -> list[Row]:
        """Restore the photos that the manifest does not prove done; return a row for each."""
        # A process that died in this batch may have given names to some of its results.
        earlier = self.manifest.read_part(task.source for task in tasks)
        rows, names = [], {}
        try:
            for task in tasks:
                known = [row for row in (earlier.get(task.source), task.known) if row]
                row, new = self._restored(task, known)
                rows.append(row)
                if new:
                    names[new] = row.result
            # The manifest comes first: a result that has its name is always known as ours.
            self.manifest.write_part(rows)
            for new, name in names.items():
                self.storage.place_file(new, name)
        finally:
            for new in names:
                new.unlink(missing_ok=True)
        return rows

    def _restored(self, task: Task, known: list[Row]) -> tuple[Row, Path | None]:
        """Return the row of a photo, and the file of its result if it was restored now."""
        ours = [name for row in known for name in (row.result_sha256, row.previous_sha256) if name]
        now = self.storage.sha256(task.result)
        previous = now if now in ours else ""
        row = Row(
            task.source, task.result, previous_sha256=previous or "", made_with=self.made_with
        )
        new = self.storage.new_path(PurePosixPath(task.result).suffix)
        try:
            with _local_copy(task.source) as photo, _local_copy(task.mask) as mask_file:
                row = replace(row, sha256=sha256_of(photo))
                masks = self.masks
                if task.mask:
                    row = replace(row, mask_sha256=sha256_of(mask_file))
                    masks = partial(_painted, mask_file, self.reading)
                done = next((old for old in known if _proves(old, row, now)), None)
                if done:
                    return done, None
                if not previous and not self.storage.is_free(task.result):
                    raise InputError(
                        f"{self.storage.path(task.result)} is not a file that this command wrote, "
                        "so it is left as it is: move it away, or choose another folder"
                    )
                with self._counted(task.source), warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", TilingWarning)
                    outcome = restore_one(
                        Job(photo, new), self.restore, masks, self.record, gate=self.gate
                    )
        except Exception as error:  # noqa: BLE001 - one photo never stops an archive
            new.unlink(missing_ok=True)
            fault = f"the program failed with {type(error).__name__}: {error}"
            return replace(row, error=sentence_on(error) or fault, finished=time.time()), None
        told = [str(one.message) for one in caught if issubclass(one.category, TilingWarning)]
        told += ["it needed nothing and was copied"] if outcome.needed_nothing else []
        height, width = outcome.size
        row = replace(
            row,
            result_sha256=sha256_of(new),
            height=height,
            width=width,
            masked_fraction=outcome.masked_share,
            seconds=outcome.seconds,
            finished=time.time(),
            notes="; ".join([*outcome.notes, *outcome.file_notes, *told]),
        )
        return row, new

    @contextmanager
    def _counted(self, source: str) -> Iterator[None]:
        """Note a photo while it is worked on; refuse it if processes have died of it before."""
        key = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        tries = [f"{_TRIES}/{key}-{number}" for number in range(NUM_TRIES)]
        free = [name for name in tries if self.storage.is_free(name)]
        if not free:
            raise InputError(
                f"the process that restored it died {NUM_TRIES} times: restore it alone, with more "
                "memory"
            )
        self.storage.write(free[0], b"")
        try:
            yield
        finally:  # not reached if the process dies
            for name in tries:
                self.storage.remove(name)


def forget_tries(storage: Storage) -> None:
    """Let a new run begin every photo anew, also one that processes have died of."""
    storage.clear(_TRIES)


def _painted(path: Path, reading: MaskReading, _photo: Path, pixels: np.ndarray) -> np.ndarray:
    return read_given(path, pixels, reading)


@contextmanager
def _local_copy(source: str) -> Iterator[Path]:
    """Yield a file on this machine with the photo or mask; for "" the path of no file."""
    files, path = open_place(source)
    if not is_url(source) or "file" in files.protocol:
        yield Path(path if is_url(source) else source)
        return
    with tempfile.TemporaryDirectory(prefix="oldphoto-") as folder:
        copy = Path(folder) / PurePosixPath(path).name
        files.get_file(path, str(copy))
        yield copy


def _proves(old: Row, row: Row, now: str | None) -> bool:
    """Return whether an old row proves that a photo is restored, given its result as it is now."""
    before = old.sha256, old.mask_sha256, old.made_with
    same = before == (row.sha256, row.mask_sha256, row.made_with)
    return same and not old.error and old.result_sha256 == now


MakeWorker = Callable[[], Callable[[list[Task]], list[Row]]]
"""Makes the worker of a process; it is pickled, so that other processes can call it."""
