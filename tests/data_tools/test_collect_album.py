"""The folder of a crawl: photos and rows agree after any stop, and bad files are refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_tools.catalogue import CATALOGUE_NAME, CatalogueRow, append_row, read_catalogue
from data_tools.collectors.album import Album, one_writer, photo_extension
from oldphoto.checks import InputError
from oldphoto.system.files import sha256_of

ROW = CatalogueRow(path="", item_id="7/A", image_url="https://x/7.jpg", licence="CC0 1.0")


def picture(kind: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def arrive(album: Album, body: bytes, row: CatalogueRow = ROW) -> Path:
    path = album.arrival(row)
    path.write_bytes(body)
    return path


def rows_of(folder: Path) -> list[CatalogueRow]:
    return read_catalogue(folder / CATALOGUE_NAME)


@pytest.mark.parametrize(
    ("kind", "extension"), [("JPEG", ".jpg"), ("PNG", ".png"), ("TIFF", ".tif"), ("WEBP", ".webp")]
)
def test_a_photo_is_kept_with_its_row(kind: str, extension: str, tmp_path: Path) -> None:
    album = Album(tmp_path, "loc")
    arrived = arrive(album, picture(kind))
    album.keep(ROW)
    [row] = rows_of(tmp_path)
    assert row.path == f"photos/loc/{arrived.name}{extension}"
    assert (row.height, row.width, row.status) == (40, 60, "kept")
    assert row.sha256 == sha256_of(tmp_path / row.path)
    assert row.fetched.endswith("+00:00")
    assert not arrived.exists()
    assert Album(tmp_path, "loc").has_photo("7/A")
    assert not Album(tmp_path, "commons").is_known("7/A")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>not a photo</html>", "expected a JPEG"),
        (b"GIF89a" + bytes(20), "expected a JPEG"),
        (picture()[:300], "incoming"),
        (b"\xff\xd8\xff" + bytes(100), "incoming"),
    ],
)
def test_what_is_no_photo_is_removed(body: bytes, message: str, tmp_path: Path) -> None:
    album = Album(tmp_path, "loc")
    arrived = arrive(album, body)
    with pytest.raises(InputError, match=message):
        album.keep(ROW)
    assert not arrived.exists()
    assert not (tmp_path / CATALOGUE_NAME).exists()


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(out, "PNG")  # 196 million pixels in some 30 kB
    assert len(out.getvalue()) < 100_000
    album = Album(tmp_path, "loc")
    arrive(album, out.getvalue())
    with pytest.raises(InputError, match="pixels"):
        album.keep(ROW)


def test_stopped_before_the_row(tmp_path: Path) -> None:
    arrived = arrive(Album(tmp_path, "loc"), picture())
    half = arrived.with_name(arrived.name + ".partial")
    half.write_bytes(b"half")
    album = Album(tmp_path, "loc")
    assert arrived.exists()  # the next crawl need not fetch it
    assert not half.exists()
    assert not album.is_known("7/A")


def test_stopped_between_row_and_rename(tmp_path: Path) -> None:
    album = Album(tmp_path, "loc")
    arrived = arrive(album, picture())
    path = f"photos/loc/{arrived.name}.jpg"
    append_row(tmp_path / CATALOGUE_NAME, CatalogueRow(path=path, source="loc", item_id="7/A"))
    Album(tmp_path, "commons")  # another archive's crawl leaves it alone
    assert arrived.exists()
    again = Album(tmp_path, "loc")
    assert (tmp_path / path).is_file()
    assert not arrived.exists()
    assert again.has_photo("7/A")


def test_the_row_is_on_the_disk_before_the_photo_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = Album(tmp_path, "loc")
    arrived = arrive(album, picture())

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("data_tools.collectors.album.append_row", stop)
        with pytest.raises(KeyboardInterrupt):
            album.keep(ROW)
    assert not (tmp_path / "photos").exists()
    with monkeypatch.context() as patch:
        patch.setattr(album, "_move", stop)
        with pytest.raises(KeyboardInterrupt):
            album.keep(ROW)
    assert arrived.exists()
    assert len(rows_of(tmp_path)) == 1


def test_a_photo_that_a_person_removed_does_not_come_back(tmp_path: Path) -> None:
    album = Album(tmp_path, "loc")
    arrive(album, picture())
    album.keep(ROW)
    (tmp_path / rows_of(tmp_path)[0].path).unlink()
    assert Album(tmp_path, "loc").is_known("7/A")


def test_refusals_last_and_misses_do_not(tmp_path: Path) -> None:
    album = Album(tmp_path, "loc")
    album.refuse(ROW, "status 404")
    album.miss(CatalogueRow(path="", item_id="8"), "timeout")
    assert album.failures == [("7/A", "status 404"), ("8", "timeout")]
    again = Album(tmp_path, "loc")
    assert again.is_known("7/A")
    assert not again.has_photo("7/A")
    assert not again.is_known("8")
    [row] = rows_of(tmp_path)
    assert (row.path, row.status, row.reason) == ("", "failed", "status 404")


def test_names_of_hostile_items_stay_in_the_folder(tmp_path: Path) -> None:
    album = Album(tmp_path, "loc")
    row = CatalogueRow(path="", item_id="../../../etc/passwd")
    arrive(album, picture(), row)
    album.keep(row)
    [kept] = rows_of(tmp_path)
    assert (tmp_path / kept.path).resolve().is_relative_to(tmp_path.resolve() / "photos" / "loc")


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(12), ".jpg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ".webp"),
        (b"RIFF\n\x00\x00\x00WEBPVP8 ", ".webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", ""),
        (b"", ""),
        (b"<!DOCTYPE html>", ""),
    ],
)
def test_the_first_bytes_tell_the_kind_of_photo(
    head: bytes, extension: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(head)
    if extension:
        assert photo_extension(path) == extension
        return
    with pytest.raises(InputError, match="expected a JPEG, PNG, TIFF or WebP photo"):
        photo_extension(path)


def test_one_crawl_at_a_time(tmp_path: Path) -> None:
    with one_writer(tmp_path), pytest.raises(InputError, match="another process is writing"):
        one_writer(tmp_path).__enter__()
    with one_writer(tmp_path):  # free again
        pass


@pytest.mark.parametrize("name", ["photos", "photos/loc", CATALOGUE_NAME])
def test_what_stands_in_the_way_is_said_before_the_first_download(
    tmp_path: Path, name: str
) -> None:
    way = tmp_path / name
    if name == CATALOGUE_NAME:
        way.mkdir()
    else:
        way.parent.mkdir(exist_ok=True)
        way.write_bytes(b"x")
    with pytest.raises(InputError, match=r"move it away|rename the folder"):
        Album(tmp_path, "loc")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for refuse in (lambda f: Album(f, "loc"), lambda f: one_writer(f).__enter__()):
        with pytest.raises(InputError, match="expected a folder that can be written to"):
            refuse(tmp_path / "file")
