"""Run crawls in processes of their own: Scrapy's reactor starts only once in a process."""

import json
import multiprocessing
from dataclasses import asdict
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from data_tools.collectors.crawl import crawl
from data_tools.collectors.sources import SPIDERS
from oldphoto.checks import InputError

QUICK = {
    "DOWNLOAD_DELAY": 0.0,
    "AUTOTHROTTLE_START_DELAY": 0.0,
    "AUTOTHROTTLE_MAX_DELAY": 0.0,
    "DOWNLOAD_SLOTS": {},
    "COLLECT_FIRST_WAIT": 0.02,
    "LOG_VERSIONS": [],
}


def start(source: str, folder: Path, limit: int = 100, **job: Any) -> BaseProcess:
    """Start a crawl; ``run`` says what the job may hold."""
    job |= {"source": source, "folder": str(folder), "limit": limit}
    process = _context().Process(target=_work, args=(job,))
    process.start()
    return process


def run(source: str, folder: Path, limit: int = 100, **job: Any) -> dict[str, Any]:
    """Run a crawl to its end and return its summary, or ``{"error": sentence}``.

    Args:
        job: query, key, root, allowed (addresses), overrides (settings), times (of the crawl).
    """
    process = start(source, folder, limit, **job)
    process.join(60)
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def _context() -> BaseContext:
    """Return the quickest way to start processes that works here."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([
        "data_tools.collectors.crawl", "data_tools.collectors.sources",
        "data_tools.collectors.middlewares",
        "scrapy.core.downloader.handlers.http11",
    ])  # fmt: skip
    return context


def _work(job: dict[str, Any]) -> None:
    folder = Path(job["folder"])
    folder.mkdir(exist_ok=True)
    for _ in range(job.get("times", 1)):
        try:
            summary = crawl(
                SPIDERS[job["source"]], job.get("query", "old photo"), job["limit"], folder,
                "me@my.org", job.get("key", ""), root=job["root"],
                allowed_addresses=job.get("allowed", ["127.0.0.1"]),
                overrides=QUICK | job.get("overrides", {}),
            )  # fmt: skip
            result = asdict(summary)
        except InputError as error:
            result = {"error": str(error)}
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
