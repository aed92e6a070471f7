"""What each spider reads from its archive's answers: shapes as served, with fields missing."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("scrapy")

from data_tools.catalogue import CatalogueRow
from data_tools.collectors import SOURCE_NAMES
from data_tools.collectors.album import Album
from data_tools.collectors.answers import error_of, first_text, texts
from data_tools.collectors.sources import SPIDERS, largest
from data_tools.collectors.spider import PhotoSpider


def spider(name: str, folder: Path, query: str = "old photo", key: str = "K3Y") -> PhotoSpider:
    """Return a spider that is not part of a crawl."""
    key = key if SPIDERS[name].key_variable else ""
    return SPIDERS[name](query=query, limit=9, album=Album(folder, name), key=key)


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def test_the_names_on_the_command_line_are_the_spiders() -> None:
    assert tuple(SPIDERS) == SOURCE_NAMES


@pytest.mark.parametrize("name", SOURCE_NAMES)
@pytest.mark.parametrize(
    "payload",
    [{}, {"results": None}, {"query": {"pages": [{}, None]}}, {"response": {"docs": [{}]}},
     {"response": {"rows": [{}, 3]}}, {"items": [{}]}, {"photos": {"photo": [{}]}},
     {"results": [{"url": "https://www.loc.gov/collections/fsa/"}, "x"]}],
)  # fmt: skip
def test_answers_with_nothing_in_them(name: str, payload: dict[str, Any], tmp_path: Path) -> None:
    rows, following = spider(name, tmp_path).parse_page(payload, None)
    assert rows == []
    assert following is None


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_every_page_address_carries_the_query(name: str, tmp_path: Path) -> None:
    one = spider(name, tmp_path, query='ferry & "old" town?')
    address = one.page_url(None)
    assert address.startswith(one.default_root + "/")
    assert any('ferry & "old" town?' in value for [value, *_] in query_of(address).values())


LOC_RESULT = {
    "access_restricted": False,
    "contributor": ["bain news service"],
    "date": "1910",
    "id": "http://www.loc.gov/item/2014683021/",
    "image_url": [
        "//tile.loc.gov/storage-services/service/pnp/ggbain/04400/04453_150px.jpg#h=150&w=107",
        "//tile.loc.gov/storage-services/service/pnp/ggbain/04400/04453v.jpg#h=1024&w=730",
        "//tile.loc.gov/storage-services/service/pnp/ggbain/04400/04453r.jpg#h=640&w=456",
        "//tile.loc.gov/storage-services/master/pnp/ggbain/04400/04453u.tif",
    ],
    "item": {
        "contributors": ["Bain News Service, publisher"],
        "rights_advisory": ["No known restrictions on publication."],
        "rights_information": "No known restrictions on publication. For information see ...",
    },
    "title": "Portrait of a lady",
    "url": "https://www.loc.gov/item/2014683021/",
}


def test_loc(tmp_path: Path) -> None:
    payload = {"results": [LOC_RESULT], "pagination": {"current": 1, "next": "https://...sp=2"}}
    loc = spider("loc", tmp_path)
    [row], following = loc.parse_page(payload, None)
    assert row == CatalogueRow(
        path="", item_id="2014683021", item_url="https://www.loc.gov/item/2014683021/",
        image_url="https://tile.loc.gov/storage-services/service/pnp/ggbain/04400/04453v.jpg",
        title="Portrait of a lady", creator="Bain News Service, publisher", date="1910",
        licence="No known restrictions",
    )  # fmt: skip
    assert following == "2"
    assert query_of(loc.page_url(following))["sp"] == ["2"]
    assert loc.parse_page({"pagination": {"next": None}}, "7") == ([], None)
    assert loc.parse_page({"pagination": {"next": "x"}}, "2000")[1] is None  # the 100,000th
    assert loc.detail_url(row) is None


def test_loc_asks_the_item_when_the_results_do_not_tell_the_rights(tmp_path: Path) -> None:
    loc = spider("loc", tmp_path)
    [row], _ = loc.parse_page({"results": [LOC_RESULT | {"item": {}}]}, None)
    assert row.licence == ""
    assert loc.detail_url(row) == "https://www.loc.gov/item/2014683021/?fo=json&at=item,resources"
    free = {"item": {"rights_advisory": "No known restrictions on publication."}}
    assert loc.read_detail(free, row).licence == "No known restrictions"
    assert loc.read_detail({}, row).licence == ""


def test_loc_believes_the_stricter_of_two_statements(tmp_path: Path) -> None:
    item = LOC_RESULT["item"] | {"rights_advisory": "Publication may be restricted."}
    loc = spider("loc", tmp_path)
    [row], _ = loc.parse_page({"results": [LOC_RESULT | {"item": item}]}, None)
    assert row.licence == ""
    assert loc.detail_url(row) is None  # nothing new would be learnt


def test_loc_takes_no_restricted_photo_and_no_icon(tmp_path: Path) -> None:
    [row], _ = spider("loc", tmp_path).parse_page(
        {"results": [LOC_RESULT | {"access_restricted": True}]}, None
    )
    assert row.image_url == ""
    assert largest(["https://www.loc.gov/static/images/original-format/photo.svg"]) == ""
    assert largest(None) == ""


COMMONS_FILE = {
    "pageid": 81754323, "ns": 6, "title": "File:Lone tree.jpg", "index": 2,
    "imagerepository": "local",
    "imageinfo": [{
        "url": "https://upload.wikimedia.org/wikipedia/commons/2/25/Lone_tree.jpg",
        "thumburl": "https://upload.wikimedia.org/wikipedia/commons/thumb/2/25/Lone_tree.jpg"
        "/960px-Lone_tree.jpg",
        "descriptionurl": "https://commons.wikimedia.org/wiki/File:Lone_tree.jpg",
        "width": 5514, "height": 3102, "size": 11863148, "mime": "image/jpeg",
        "extmetadata": {
            "Artist": {"source": "commons-desc-page",
                       "value": '<a href="//commons.wikimedia.org/wiki/User:P">P</a>'},
            "DateTimeOriginal": {"value": '1912 <div style="display: none;">date</div>'},
            "LicenseShortName": {"value": "CC BY 4.0", "hidden": ""},
            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by/4.0"},
            "ObjectName": {"value": "Lone tree"},
        },
    }],
}  # fmt: skip


def test_commons(tmp_path: Path) -> None:
    small = json.loads(json.dumps(COMMONS_FILE))
    small |= {"pageid": 7, "index": 1}
    small["imageinfo"][0] |= {"width": 700, "thumburl": "https://upload.wikimedia.org/up.jpg"}
    small["imageinfo"][0]["extmetadata"] = {"LicenseShortName": {"value": "CC BY-SA 4.0"}}
    payload = {
        "batchcomplete": True,
        "continue": {"gsroffset": 50, "continue": "gsroffset||"},
        "query": {"pages": [COMMONS_FILE, small]},
    }
    commons = spider("commons", tmp_path)
    [first, second], following = commons.parse_page(payload, None)
    assert (first.item_id, first.licence, first.creator) == ("7", "", "")
    assert first.image_url.endswith("/2/25/Lone_tree.jpg")  # never enlarged
    assert first.title == "Lone tree.jpg"
    assert second.image_url.endswith("/960px-Lone_tree.jpg")
    assert (second.licence, second.creator, second.title) == ("CC BY 4.0", "P", "Lone tree")
    assert second.licence_url == "https://creativecommons.org/licenses/by/4.0"
    asked = query_of(commons.page_url(following))
    assert (asked["gsroffset"], asked["continue"]) == (["50"], ["gsroffset||"])
    assert asked["maxlag"] == ["5"]
    assert asked["gsrsearch"] == ["old photo filetype:bitmap"]


def test_commons_reads_a_category(tmp_path: Path) -> None:
    asked = query_of(spider("commons", tmp_path, query="Category:Albumen prints").page_url(None))
    assert asked["gcmtitle"] == ["Category:Albumen prints"]
    assert "gsrsearch" not in asked


def test_commons_takes_pictures_only(tmp_path: Path) -> None:
    video = json.loads(json.dumps(COMMONS_FILE))
    video["imageinfo"][0]["mime"] = "video/webm"
    [row], _ = spider("commons", tmp_path).parse_page({"query": {"pages": [video]}}, None)
    assert row.image_url == ""


def test_internet_archive(tmp_path: Path) -> None:
    free = {"identifier": "glass-plates", "title": "Glass plates", "creator": ["Ada", "Bo"],
            "date": "1905-01-01T00:00:00Z",
            "licenseurl": "http://creativecommons.org/publicdomain/mark/1.0/"}  # fmt: skip
    limited = free | {"identifier": "b", "rights": "For non-commercial use only"}
    payload = {"responseHeader": {"status": 0},
               "response": {"numFound": 250, "start": 0, "docs": [free, limited]}}  # fmt: skip
    archive = spider("internet-archive", tmp_path)
    [first, second], following = archive.parse_page(payload, None)
    assert (first.licence, first.creator) == ("Public domain", "Ada")
    assert archive.detail_url(first) == "https://archive.org/metadata/glass-plates"
    assert second.licence == ""
    assert archive.detail_url(second) is None
    assert following == "2"
    assert archive.parse_page(payload, "3")[1] is None
    assert archive.parse_page({"response": {"numFound": 10**6}}, "100")[1] is None

    files = [
        {"name": "glass-plates_meta.xml", "source": "original", "format": "Metadata", "size": "9"},
        {"name": "plate 1.jpg", "source": "original", "format": "JPEG", "size": "1200000"},
        {"name": "plate2.jpg", "source": "original", "format": "JPEG", "size": "800000"},
        {"name": "plate1.tif", "source": "original", "format": "TIFF", "size": "90000000"},
        {"name": "plate1_thumb.jpg", "source": "derivative", "format": "JPEG", "size": "1300000"},
        {"name": "no_size.jpg", "source": "original", "format": "JPEG"},
    ]
    row = archive.read_detail({"files": files, "metadata": free}, first)
    assert row.image_url == "https://archive.org/download/glass-plates/plate%201.jpg"
    assert row.licence == "Public domain"
    assert archive.read_detail({"files": files, "metadata": limited}, first).licence == ""
    assert archive.read_detail({"files": files, "is_dark": True}, first).image_url == ""
    assert archive.read_detail({}, first).image_url == ""


def test_smithsonian(tmp_path: Path) -> None:
    def media(usage: str, number: int) -> dict[str, Any]:
        return {"content": f"https://ids.si.edu/ids/deliveryService?id=NPG-{number}",
                "type": "Images", "usage": {"access": usage}}  # fmt: skip

    item = {
        "id": "edanmdm-npg_NPG.1", "title": "Clara Barton", "unitCode": "NPG",
        "content": {
            "descriptiveNonRepeating": {
                "record_ID": "npg_NPG.1", "record_link": "https://n2t.net/ark:/65665/1",
                "data_source": "National Portrait Gallery", "metadata_usage": {"access": "CC0"},
                "online_media": {"mediaCount": 2, "media": [media("Usage conditions apply", 1),
                                                            media("CC0", 2)]},
            },
            "freetext": {"name": [{"label": "Artist", "content": "Mathew B. Brady"}],
                         "date": [{"label": "Date", "content": "c. 1865"}]},
        },
    }  # fmt: skip
    closed = {"id": "x", "title": "Closed", "content": {"descriptiveNonRepeating": {}}}
    payload = {"status": 200, "responseCode": 1, "message": "content found",
               "response": {"rows": [item, closed], "rowCount": 150}}  # fmt: skip
    smithsonian = spider("smithsonian", tmp_path)
    [first, second], following = smithsonian.parse_page(payload, None)
    assert first.image_url == "https://ids.si.edu/ids/deliveryService?id=NPG-2&max=1280"
    assert (first.licence, first.creator, first.date) == ("CC0 1.0", "Mathew B. Brady", "c. 1865")
    assert first.credit == "National Portrait Gallery"
    assert (second.licence, second.image_url) == ("", "")
    assert following == "100"
    assert smithsonian.parse_page(payload, "100")[1] is None
    assert query_of(smithsonian.page_url("100"))["api_key"] == ["K3Y"]


def test_europeana(tmp_path: Path) -> None:
    item = {
        "id": "/2022704/ent1", "type": "IMAGE", "title": ["Cloister"], "year": ["1890"],
        "dcCreator": ["http://hispana.mcu.es/lod/ent2", "Laurent, Jean"],
        "dataProvider": ["Biblioteca Digital"], "provider": ["Hispana"],
        "edmIsShownBy": ["http://bibliotecadigital.example/imagen_id.cmd?idImagen=1"],
        "rights": ["http://creativecommons.org/publicdomain/mark/1.0/"],
        "guid": "https://www.europeana.eu/item/2022704/ent1?utm_source=api",
        "link": "https://api.europeana.eu/record/v2/2022704/ent1.json?wskey=K3Y",
    }  # fmt: skip
    shared = {"id": "/2/x", "rights": ["http://creativecommons.org/licenses/by-sa/4.0/"]}
    payload = {"success": True, "itemsCount": 2, "nextCursor": "AoE/abc=", "items": [item, shared]}
    europeana = spider("europeana", tmp_path)
    [first, second], following = europeana.parse_page(payload, None)
    assert (first.item_id, first.item_url) == (
        "2022704/ent1", "https://www.europeana.eu/item/2022704/ent1",
    )  # fmt: skip
    assert (first.licence, first.creator) == ("Public domain", "Laurent, Jean")
    assert first.credit == "Laurent, Jean, Biblioteca Digital, via Europeana"
    assert "K3Y" not in repr(first)
    assert (second.licence, second.image_url) == ("", "")
    assert query_of(europeana.page_url(following))["cursor"] == ["AoE/abc="]
    assert query_of(europeana.page_url(None))["cursor"] == ["*"]


def test_flickr(tmp_path: Path) -> None:
    photo = {
        "id": "456", "owner": "456@N04", "title": "Harbour", "license": "7", "ownername": "Museum",
        "datetaken": "1911-01-01 00:00:00", "datetakenunknown": "0",
        "url_l": "https://live.staticflickr.com/456_b.jpg", "height_l": 768, "width_l": 1024,
    }  # fmt: skip
    shared = {"id": "9", "owner": "x", "license": "5", "datetakenunknown": "1",
              "datetaken": "2019-01-01 00:00:00", "url_o": "https://x/o.jpg"}  # fmt: skip
    payload = {"photos": {"page": 1, "pages": 3, "perpage": 250, "total": "611",
                          "photo": [photo, shared]}, "stat": "ok"}  # fmt: skip
    flickr = spider("flickr", tmp_path)
    [first, second], following = flickr.parse_page(payload, None)
    assert (first.licence, first.date) == ("No known restrictions", "1911-01-01 00:00:00")
    assert first.item_url == "https://www.flickr.com/photos/456@N04/456/"
    assert first.image_url.endswith("456_b.jpg")
    assert (second.licence, second.date) == ("", "")
    assert following == "2"
    assert flickr.parse_page(payload, "3")[1] is None
    assert flickr.parse_page({"photos": {"pages": 99}}, "16")[1] is None  # past the 4,000th


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        ({"error": {"code": "maxlag", "info": "Waiting for a database server"}}, "Waiting"),
        ({"error": {"code": "API_KEY_INVALID", "message": "An invalid api_key"}}, "invalid"),
        ({"stat": "fail", "code": 100, "message": "Invalid API Key"}, "Invalid API Key"),
        ({"success": False, "error": "Empty API key"}, "Empty API key"),
        ({"error": "page must be positive"}, "positive"),
        ([1, 2], "not a JSON object"),
    ],
)
def test_errors_inside_good_answers_are_read(payload: Any, part: str) -> None:
    assert part in error_of(payload)


def test_good_answers_hold_no_error() -> None:
    assert error_of({"stat": "ok", "photos": {}}) == ""
    assert error_of({"success": True, "items": []}) == ""


def test_texts_of_untidy_fields() -> None:
    assert texts(["a", ["b", None], {"c": 1}, 3, True, " "]) == ["a", "b", "3"]
    assert first_text(None, [], "x") == "x"
    assert first_text() == ""
