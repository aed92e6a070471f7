"""Fetch the photo of each item with Scrapy's file pipeline, and hand it to the album.

``FilesPipeline`` and not ``ImagesPipeline``: the latter saves every photo anew as JPEG, and the
catalogue's SHA-256 is to be that of the archive's own file.
"""

from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.pipelines.files import FilesPipeline, FSFilesStore
from scrapy.pipelines.media import FileException
from twisted.python.failure import Failure

from data_tools.catalogue import CatalogueRow
from data_tools.collectors.album import require_sniffed
from oldphoto.checks import InputError
from oldphoto.system.files import written_whole

_KINDS = ("image/jpeg", "image/jpg", "image/png", "image/tiff", "image/webp")
# Some archives send photos without a type, or with the type of any file; their bytes decide.
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream")


class PhotoRefused(FileException):
    """The address gives no photo that can be used, today or tomorrow."""


class PhotoMissed(FileException):
    """The photo did not come this time."""


class WholeFileStore(FSFilesStore):
    """Scrapy's folder of files, where a file appears whole or not at all."""

    def persist_file(
        self, path: Any, buf: BytesIO, info: Any, meta: Any = None, headers: Any = None
    ) -> None:
        """Write the file aside and rename it."""
        with written_whole(Path(self._get_filesystem_path(path))) as file:
            file.write(buf.getbuffer())


class PhotoPipeline(FilesPipeline):
    """One item, one photo: downloaded into the album's ``incoming``, then kept or refused.

    Scrapy itself passes over a download whose file is there already, so a photo that arrived just
    before a crash is not fetched again.
    """

    STORE_SCHEMES: ClassVar = {"": WholeFileStore, "file": WholeFileStore}

    @classmethod
    def _update_stores(cls, settings: Any) -> None:
        """Do nothing: there are no stores in a cloud here."""

    async def process_item(self, item: CatalogueRow) -> CatalogueRow:
        """Fetch the photo, then let the spider go on to the next item."""
        try:
            return await super().process_item(item)
        finally:
            self.crawler.spider.item_done.set()

    def get_media_requests(self, item: CatalogueRow, info: Any) -> list[Request]:
        """Ask for the photo; it is kept out of the page cache, which would hold it twice."""
        try:
            return [Request(item.image_url, callback=NO_CALLBACK, meta={"dont_cache": True})]
        except ValueError:  # Scrapy's Request says so of an address without a scheme
            self._refuse(item, f"no address of a photo: {item.image_url[:80]!r}")
            return []

    def file_path(
        self, request: Request, response: Any = None, info: Any = None, *, item: Any = None
    ) -> str:
        """Name the download after the item."""
        return self.crawler.spider.album.incoming_name(item)

    async def media_downloaded(
        self, response: Response, request: Request, info: Any, *, item: Any = None
    ) -> Any:
        """Look at the answer before anything of it is written."""
        require_photo(response)
        return await super().media_downloaded(response, request, info, item=item)

    def media_failed(self, failure: Failure, request: Request, info: Any) -> NoReturn:
        """Say why the photo did not come, and whether it is worth asking again."""
        error = failure.value
        if isinstance(error, (PhotoRefused, PhotoMissed)):
            raise error
        if isinstance(error, IgnoreRequest):
            raise PhotoRefused(str(error)) from error
        if isinstance(error, DownloadCancelledError):
            limit = self.crawler.settings.getint("DOWNLOAD_MAXSIZE")
            raise PhotoRefused(f"larger than {limit} bytes") from error
        raise PhotoMissed(f"{type(error).__name__}: {error}".rstrip(": ")) from error

    def item_completed(self, results: list[Any], item: CatalogueRow, info: Any) -> CatalogueRow:
        """Keep the photo that came, or note why there is none."""
        for succeeded, result in results:
            if succeeded:
                self._keep(item)
            elif isinstance(result.value, PhotoRefused):
                self._refuse(item, str(result.value))
            else:
                self.crawler.spider.album.miss(item, str(result.value))
                self.crawler.spider.photo_missed(str(result.value))
        return item

    def _keep(self, item: CatalogueRow) -> None:
        try:
            self.crawler.spider.album.keep(item)
        except InputError as error:
            self._refuse(item, str(error))
        else:
            self.crawler.spider.photo_came()

    def _refuse(self, item: CatalogueRow, reason: str) -> None:
        self.crawler.spider.album.refuse(item, reason)


def require_photo(response: Response) -> None:
    """Raise PhotoRefused or PhotoMissed unless the answer is a photo by status, type and bytes."""
    if response.status >= 500 or response.status in (408, 429):
        raise PhotoMissed(f"status {response.status}")
    if response.status != 200:
        raise PhotoRefused(f"status {response.status}")
    header = (response.headers.get("Content-Type") or b"").decode("latin-1")
    kind = header.split(";")[0].strip().lower()
    if kind not in _KINDS and kind not in _UNTYPED:
        raise PhotoRefused(f"expected a photo, got content of type {kind}")
    try:
        require_sniffed(response.body[:16])
    except InputError as error:
        raise PhotoRefused(str(error)) from error
