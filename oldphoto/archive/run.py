"""Restore an archive from beginning to end: list, plan, run an engine, merge the manifest."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from oldphoto.archive.manifest import Manifest, Row, require_pyarrow
from oldphoto.archive.storage import Storage
from oldphoto.archive.tasks import Listing, Task, list_sources, plan_tasks
from oldphoto.archive.worker import ArchiveWorker, MakeWorker, Settings, forget_tries
from oldphoto.system.outputs import HIDDEN, lock_folder, require_writable

Engine = Callable[[MakeWorker, list[Task]], Iterator[Row]]
"""Runs the tasks with workers and yields a row for each photo, in any order."""


def restore_archive(
    words: Sequence[str],
    output: str,
    engine: Engine,
    settings: Settings,
    recursive: bool = False,
    listed: Callable[[Listing], None] = lambda listing: None,
    make_worker: MakeWorker | None = None,
    masks: Path | None = None,
) -> Iterator[Row]:
    """Restore all photos of an archive that its manifest does not prove done.

    Args:
        words: what to restore, see ``list_sources``.
        output: folder or URL of the results and of ``manifest.parquet``.
        engine: such as ``partial(run_pool, num_workers=4, batch_size=16)``.
        settings: how photos are restored.
        recursive: search sub-folders, too.
        listed: called with the listing before the first photo.
        make_worker: other work than ``ArchiveWorker`` with these settings.
        masks: folder of masks with the names of the photos.

    Yields:
        One row for each photo as it comes, also for those that were done before.

    Raises:
        InputError: if the call itself is wrong, or another process writes into the folder.
    """
    require_pyarrow()
    storage = Storage(output)
    manifest = Manifest(storage)
    with contextlib.ExitStack() as held:
        if storage.folder is not None:
            require_writable(storage.folder)
            held.enter_context(lock_folder(storage.folder, storage.folder / HIDDEN))
        storage.clear_new()
        forget_tries(storage)
        known = manifest.begin()
        listing = list_sources(words, recursive, storage, masks)
        listed(listing)
        tasks = plan_tasks(listing, known)
        for row in engine(make_worker or partial(ArchiveWorker.load, output, settings), tasks):
            known[row.source] = row
            yield row
        manifest.merge(known)
