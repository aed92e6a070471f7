"""The answers of six archives in their real shapes, over photos that the test server holds.

``PAGES[source](root)`` answers two pages with five items: 0, 1 and 4 are allowed and have a photo,
2 is share-alike or otherwise limited, 3 has no photo.
"""

from collections.abc import Callable
from typing import Any

Query = dict[str, list[str]]
Pages = Callable[[str, Query], Any]

MARK = "http://creativecommons.org/publicdomain/mark/1.0/"
BY_SA = "http://creativecommons.org/licenses/by-sa/4.0/"


def commons(root: str, files: list[tuple[str, str]], per_page: int = 3) -> Pages:
    """Answer as the API of Commons does for files of (path or address, licence short name)."""

    def pages(path: str, query: Query) -> Any:
        start = int(query.get("gsroffset", ["0"])[0])
        found = [_commons_file(root, number, *file) for number, file in enumerate(files)]
        answer: dict[str, Any] = {
            "batchcomplete": True, "query": {"pages": found[start : start + per_page]},
        }  # fmt: skip
        if start + per_page < len(files):
            answer["continue"] = {"gsroffset": start + per_page, "continue": "gsroffset||"}
        return answer

    return pages


def _commons_file(root: str, number: int, path: str, licence: str) -> dict[str, Any]:
    info = {
        "url": root + path if path.startswith("/") else path,
        "descriptionurl": f"https://commons.wikimedia.org/wiki/File:Photo_{number}.jpg",
        "width": 800, "height": 600, "size": 1000,
        "mime": "image/jpeg" if path else "audio/ogg",
        "extmetadata": {
            "LicenseShortName": {"value": licence, "source": "commons-desc-page"},
            "Artist": {"value": '<a href="//commons.wikimedia.org/x">Ada &amp; Co</a>'},
        },
    }  # fmt: skip
    return {"pageid": 1000 + number, "ns": 6, "title": f"File:Photo {number}.jpg",
            "index": number + 1, "imageinfo": [info]}  # fmt: skip


def _page_of(query: Query, name: str) -> tuple[int, range]:
    """Return the number of the page that is asked for, from 1, and the items on it."""
    number = int(query.get(name, ["1"])[0])
    return number, range(3) if number == 1 else range(3, 5)


def _commons(root: str) -> Pages:
    licences = ["Public domain", "CC0", "CC BY-SA 4.0", "CC BY 4.0", "CC BY 2.0"]
    paths = [f"/p/{number}.jpg" if number != 3 else "" for number in range(5)]
    return commons(root, list(zip(paths, licences, strict=True)))


def _loc(root: str) -> Pages:
    rights = ["No known restrictions on publication.", None, "Publication may be restricted.",
              "No known restrictions on publication.", "No known restrictions."]  # fmt: skip

    def result(number: int) -> dict[str, Any]:
        image = f"{root}/p/{number}.jpg#h=600&w=800"
        item = {"contributors": ["Bain News Service"], "rights_advisory": rights[number]}
        return {"id": f"http://www.loc.gov/item/{number}/", "title": f"Photo {number}",
                "url": f"https://www.loc.gov/item/{number}/", "date": "1910", "item": item,
                "image_url": [image] if number != 3 else []}  # fmt: skip

    def pages(path: str, query: Query) -> Any:
        if path.startswith("/item/"):
            assert path == "/item/1/"
            return {"item": {"rights_information": "No known restrictions on publication."}}
        page, numbers = _page_of(query, "sp")
        paging = {"current": page, "next": f"{root}/photos/?sp=2" if page == 1 else None}
        return {"results": [result(number) for number in numbers], "pagination": paging}

    return pages


def _internet_archive(root: str) -> Pages:
    def doc(number: int) -> dict[str, Any]:
        return {"identifier": f"plate-{number}", "title": f"Photo {number}", "creator": "Ada",
                "licenseurl": BY_SA if number == 2 else MARK}  # fmt: skip

    def pages(path: str, query: Query) -> Any:
        if path.startswith("/metadata/plate-"):
            number = int(path[-1])
            file = {"name": f"p/{number}.jpg", "source": "original", "size": "4000",
                    "format": "JPEG" if number != 3 else "Metadata"}  # fmt: skip
            return {"metadata": doc(number), "files": [file], "server": "ia1"}
        _, numbers = _page_of(query, "page")
        docs = [doc(number) for number in numbers]
        return {"responseHeader": {"status": 0},
                "response": {"numFound": 105, "start": 0, "docs": docs}}  # fmt: skip

    return pages


def _smithsonian(root: str) -> Pages:
    def row(number: int) -> dict[str, Any]:
        media = {
            "type": "Images" if number != 3 else "3d_package",
            "content": f"{root}/p/{number}.jpg",
            "usage": {"access": "CC0" if number != 2 else "Usage conditions apply"},
        }
        described = {"record_ID": f"npg_{number}", "record_link": f"https://n2t.net/{number}",
                     "online_media": {"mediaCount": 1, "media": [media]},
                     "data_source": "National Portrait Gallery"}  # fmt: skip
        return {"id": f"edanmdm-npg_{number}", "title": f"Photo {number}", "content": {
            "descriptiveNonRepeating": described,
            "freetext": {"name": [{"label": "Artist", "content": "Ada"}]}}}  # fmt: skip

    def pages(path: str, query: Query) -> Any:
        numbers = range(3) if query["start"] == ["0"] else range(3, 5)
        return {
            "status": 200,
            "responseCode": 1,
            "response": {"rows": [row(number) for number in numbers], "rowCount": 105},
        }

    return pages


def _europeana(root: str) -> Pages:
    def item(number: int) -> dict[str, Any]:
        return {"id": f"/9200/{number}", "title": [f"Photo {number}"], "dcCreator": ["Ada"],
                "rights": [BY_SA if number == 2 else MARK], "dataProvider": ["Museum"],
                "edmIsShownBy": [f"{root}/p/{number}.jpg"] if number != 3 else []}  # fmt: skip

    def pages(path: str, query: Query) -> Any:
        numbers, more = (range(3), {"nextCursor": "AoE=/x"})
        if query["cursor"] != ["*"]:
            numbers, more = range(3, 5), {}
        return {"success": True, "items": [item(number) for number in numbers], **more}

    return pages


def _flickr(root: str) -> Pages:
    def photo(number: int) -> dict[str, Any]:
        size = {"url_l": f"{root}/p/{number}.jpg"} if number != 3 else {}
        return {"id": str(number), "owner": "1@N04", "title": f"Photo {number}",
                "ownername": "Museum", "license": "5" if number == 2 else "7", **size}  # fmt: skip

    def pages(path: str, query: Query) -> Any:
        page, numbers = _page_of(query, "page")
        photos = [photo(number) for number in numbers]
        return {"photos": {"page": page, "pages": 2, "total": "5", "photo": photos}, "stat": "ok"}

    return pages


PAGES: dict[str, Callable[[str], Pages]] = {
    "loc": _loc,
    "commons": _commons,
    "internet-archive": _internet_archive,
    "smithsonian": _smithsonian,
    "europeana": _europeana,
    "flickr": _flickr,
}
