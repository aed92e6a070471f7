"""Metadata before and after a restoration, compared field by field by exiftool."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oldphoto.images.files import read_photo, write_photo
from oldphoto.images.metadata import Metadata
from oldphoto.inference.batch import restore_one
from oldphoto.inference.jobs import Job
from oldphoto.inference.provenance import Provenance, read_provenance

EXIFTOOL = shutil.which("exiftool")
pytestmark = pytest.mark.skipif(
    EXIFTOOL is None, reason="exiftool is not installed (Debian: libimage-exiftool-perl)"
)
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (40, 56, 3), np.uint16)
RECORD = Provenance("small", "ab" * 32, 0.0)

# Fields that people, scanners and cameras write; exiftool puts each where the format has it.
EXIF = {
    "EXIF:ImageDescription": "Großmutter Änne, Łódź 1931 – 祖母",
    "EXIF:Artist": "Jürgen Müller",
    "EXIF:Copyright": "© 2020 Müller",
    "EXIF:Make": "EPSON",
    "EXIF:Model": "Perfection V850",
    "EXIF:Software": "VueScan 9.7",
    "EXIF:HostComputer": "scanner room",
    "EXIF:DocumentName": "album 7, page 3",
    "EXIF:ModifyDate": "2020:02:03 04:05:06",
    "EXIF:DateTimeOriginal": "1931:05:01 12:00:00",
    "EXIF:CreateDate": "2020:02:03 04:05:00",
    "EXIF:OffsetTimeOriginal": "+01:00",
    "EXIF:SubSecTimeOriginal": "25",
    "EXIF:UserComment": "von der Rückseite: für Änne",
    "EXIF:XPTitle": "Größe",
    "EXIF:XPComment": "Über 祖母",
    "EXIF:XPAuthor": "Jürgen",
    "EXIF:XPKeywords": "Familie;Łódź",
    "EXIF:XPSubject": "Album",
    "EXIF:ExposureTime": "1/60",
    "EXIF:FNumber": "5.6",
    "EXIF:ISO": "100",
    "EXIF:FocalLength": "50",
    "EXIF:LensModel": "Planar 50mm",
    "EXIF:SerialNumber": "A-17",
    "EXIF:ImageUniqueID": "00112233445566778899aabbccddeeff",
    "EXIF:Rating": "4",
    "EXIF:XResolution": "600",
    "EXIF:YResolution": "600",
    "EXIF:ResolutionUnit": "inches",
    "EXIF:GPSLatitude": "51.7592",
    "EXIF:GPSLatitudeRef": "N",
    "EXIF:GPSLongitude": "19.4560",
    "EXIF:GPSLongitudeRef": "E",
    "EXIF:GPSAltitude": "219.5",
    "EXIF:GPSDateStamp": "1931:05:01",
    "EXIF:GPSMapDatum": "WGS-84",
    "EXIF:InteropIndex": "R03 - DCF option file (Adobe RGB)",
    "EXIF:ColorSpace": "Uncalibrated",
}
XMP = {
    "XMP-dc:Title": "Großmutter Änne",
    "XMP-dc:Creator": "Jürgen Müller",
    "XMP-dc:Subject": "Łódź",
    "XMP-photoshop:City": "Łódź",
    "XMP-xmp:Rating": "4",
    "XMP-xmpRights:Marked": "True",
}
IPTC = {
    "IPTC:Headline": "Familie",
    "IPTC:Keywords": "Album",
    "IPTC:City": "Lodz",
    "IPTC:By-line": "Mueller",
    "IPTC:CopyrightNotice": "2020",
}
PNG = {
    "PNG:Author": "Jürgen Müller",
    "PNG:Copyright": "© 2020 祖母",
    "PNG:CreationTime": "1931:05:01 12:00:00",
    "PNG:Title": "Großmutter",
    "PNG:Description": "Änne, Łódź",
}
# What must differ: structure of the file, and what describes the old file's own making.
NOT_COMPARED = {
    *("ExifByteOrder", "StripOffsets", "StripByteCounts", "RowsPerStrip", "Compression"),
    *("ProcessingSoftware", "ImageHistory", "Predictor", "BitsPerSample", "XMPToolkit"),
    *("CurrentIPTCDigest", "FillOrder", "PlanarConfiguration"),
}
COMPARED_GROUPS = (
    *("IFD0", "ExifIFD", "GPS", "InteropIFD", "IPTC", "XMP", "PNG", "JFIF", "Photoshop"),
)


def exiftool(*words: object) -> str:
    found = subprocess.run(
        [str(EXIFTOOL), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def fields_of(path: Path) -> dict[str, object]:
    """All fields of a file by group and name, with numbers as they are stored."""
    found = json.loads(exiftool("-j", "-G1", "-n", path))[0]
    return {
        name: value
        for name, value in found.items()
        if name.startswith(COMPARED_GROUPS) and name.partition(":")[2] not in NOT_COMPARED
    }


def warnings_of(path: Path) -> set[str]:
    """What exiftool finds wrong with the structure of a file; uncommon fields are not wrong."""
    lines = exiftool("-validate", "-warning", "-error", "-a", "-s3", path).splitlines()[1:]
    return {line for line in lines if not re.search("Non-standard|0x0103", line)}


def original(path: Path, *wanted: dict[str, str], more: tuple[str, ...] = ()) -> Path:
    options = {"dpi": (600, 600)} if path.suffix in (".jpg", ".png", ".tif") else {}
    if path.stem == "deep":
        write_photo(path, DEEP, metadata=Metadata(dpi=(600, 600)))
    else:
        Image.fromarray(PIXELS).save(path, **options)
    words = [f"-{name}={value}" for fields in wanted for name, value in fields.items()]
    exiftool("-q", "-overwrite_original", "-charset", "iptc=UTF8", *words, *more, path)
    return path


def restored(photo: Path, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Write a photo through the path of ``oldphoto restore``; the network changes nothing."""
    folder.mkdir(exist_ok=True)
    job = Job(photo, folder / photo.name)
    outcome = restore_one(job, lambda pixels, _mask: pixels, lambda *_: None, RECORD)
    return job.output, outcome.file_notes


@pytest.mark.parametrize(
    ("name", "groups", "at_least"),
    [
        ("a.jpg", (EXIF, XMP, IPTC), 50),
        ("a.png", (EXIF, XMP, PNG), 50),
        ("a.tif", (EXIF, XMP, IPTC), 50),
        ("a.webp", (EXIF, XMP), 44),
        ("deep.png", (EXIF, XMP, PNG), 50),
        ("deep.tif", (EXIF, XMP, IPTC), 50),
    ],
)
@pytest.mark.parametrize("order", ["II", "MM"])
def test_every_field_is_the_same_after_the_restoration(tmp_path, name, groups, at_least, order):
    more = () if name.endswith(".tif") else (f"-ExifByteOrder={order}",)
    photo = original(tmp_path / name, *groups, more=more)
    result, notes = restored(photo, tmp_path / "out")
    before, after = fields_of(photo), fields_of(result)
    assert len(before) >= at_least
    different = {k: (v, after.get(k)) for k, v in before.items() if after.get(k) != v}
    assert different == {}
    assert notes == ()
    assert read_provenance(result).weights_sha256 == RECORD.weights_sha256
    assert warnings_of(result) <= warnings_of(photo)
    twice, _ = restored(result, tmp_path / "twice")
    again = fields_of(twice)
    assert {k: again.get(k) for k in before} == before
    assert read_provenance(twice) is not None
    if name.startswith("deep"):
        assert np.array_equal(read_photo(twice, with_deep=True).deep, DEEP)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("a.jpg", {"JFIF:ResolutionUnit": "cm", "JFIF:XResolution": "236", "Comment": "mill"}),
        ("a.tif", {"XResolution": "236.2", "YResolution": "100", "ResolutionUnit": "cm"}),
        ("a.png", {"PNG-pHYs:PixelUnits#": "0", "PNG-pHYs:PixelsPerUnitX": "2"}),
        ("a.png", {"PNG:Gamma": "1.8", "PNG:SRGBRendering#": "1", "PNG:ModifyDate": "1999"}),
        ("a.png", {"IPTC:City": "Lodz", "PNG:Comment": "祖母"}),
        ("a.jpg", {"Photoshop:XResolution": "600", "Photoshop:CopyrightFlag#": "1"}),
        ("a.jpg", {"XMP-dc:Description": "ä" * 20_000, "IPTC:Caption-Abstract": "x" * 1500}),
    ],
)
def test_units_and_blocks_of_each_format(tmp_path, name, fields):
    photo = original(tmp_path / name, fields)
    result, notes = restored(photo, tmp_path / "out")
    before, after = fields_of(photo), fields_of(result)
    assert {k: (v, after.get(k)) for k, v in before.items() if after.get(k) != v} == {}
    assert notes == ()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_and_thumbnail_are_of_the_new_photo(tmp_path, suffix):
    wide = {"EXIF:XResolution": "600", "EXIF:YResolution": "300", "EXIF:ResolutionUnit": "inches"}
    turned = {"EXIF:Orientation#": "6", "XMP-tiff:Orientation#": "6"}
    more = ()
    if suffix == ".jpg":
        Image.fromarray(PIXELS[:8, :8]).save(tmp_path / "thumb.jpg")
        more = (f"-ThumbnailImage<={tmp_path / 'thumb.jpg'}",)
    photo = original(tmp_path / f"a{suffix}", wide, turned, more=more)
    result, _ = restored(photo, tmp_path / "out")
    found = json.loads(exiftool("-j", "-G1", "-n", result))[0]
    assert found["IFD0:Orientation"] == found["XMP-tiff:Orientation"] == 1
    assert (found["IFD0:XResolution"], found["IFD0:YResolution"]) == (300, 600)
    assert read_photo(result).pixels.shape == (56, 40, 3)
    assert not any(name.startswith("IFD1") for name in found)


def test_wrong_types_are_repaired_or_left_out_with_a_note(tmp_path):
    from oldphoto.images import exif
    from oldphoto.images.exif import ExifData, Field

    bad = ExifData(
        {0x13B: Field(11, b"\0" * 4), 0x10F: Field(7, b"Leica"), 0x11A: Field(4, b"\x2c\1\0\0")},
        {0x9286: Field(4, b"\xff" * 4), 0x9003: exif.text_field("1931:05:01 12:00:00")},
    )
    photo = tmp_path / "a.jpg"
    Image.fromarray(PIXELS).save(photo, exif=b"Exif\0\0" + exif.build(bad))
    result, notes = restored(photo, tmp_path / "out")
    found = fields_of(result)
    assert "IFD0:Artist" not in found
    assert (found["IFD0:Make"], found["IFD0:XResolution"]) == ("Leica", 300)
    assert found["ExifIFD:DateTimeOriginal"] == "1931:05:01 12:00:00"
    assert notes == ("EXIF fields of a wrong type are left out: 0x013B, 0x9286",)
