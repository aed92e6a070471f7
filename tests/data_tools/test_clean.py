"""Cleaning: each rule sets aside what it should, keeps photos, loses and deletes nothing."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from data_tools.catalogue import CatalogueRow, read_catalogue, write_catalogue
from data_tools.clean import reason_name
from data_tools.cli import main
from data_tools.duplicates import mark_duplicates
from data_tools.examine import examine, examine_all, trim_slices, upright_size
from data_tools.filters import Limits, colour_mode, judge
from data_tools.hashes import near_pairs, perceptual_hash
from data_tools.measures import border_of, measure
from oldphoto.checks import InputError
from oldphoto.samples import sample_names, sample_paths, sample_photo
from oldphoto.system.files import sha256_of

LIMITS = Limits(min_side=200)
WORDS = ("nobody", "knew", "who", "had", "taken", "the", "photo", "or", "why")


def verdict(pixels: np.ndarray) -> str:
    """Return the reason in one word, empty for a photo that is kept."""
    return judge(pixels.shape[:2], measure(pixels), LIMITS).partition(":")[0]


def old_paper(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return uneven, noisy, yellowish paper."""
    rng = np.random.default_rng(seed)
    uneven = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), 30)
    grey = 225 + 3 * uneven / uneven.std() + rng.normal(0, 3, size)
    return np.clip(grey[..., None] * [1.0, 0.97, 0.88], 0, 255).astype(np.uint8)


def text_page() -> np.ndarray:
    """Return a page of text on old paper."""
    page = Image.fromarray(old_paper((900, 700)))
    draw, rng = ImageDraw.Draw(page), np.random.default_rng(0)
    font = ImageFont.load_default(size=18)
    for top in range(60, 840, 26):
        draw.text((60, top), " ".join(rng.choice(WORDS, 11)), fill=(45, 40, 40), font=font)
    return np.asarray(page)


def line_drawing() -> np.ndarray:
    """Return a house and trees in thin strokes on old paper."""
    page = Image.fromarray(old_paper((800, 800)))
    draw = ImageDraw.Draw(page)
    roof = [(150, 650), (150, 350), (350, 200), (550, 350), (550, 650), (150, 650)]
    draw.line(roof, (40, 40, 40), 3)
    for left in range(180, 540, 30):
        draw.line([(left, 650), (left, 380)], (50, 45, 40), 2)
    for left in (600, 660, 720):
        draw.line([(left, 700), (left + 5, 500)], (50, 45, 40), 3)
        draw.ellipse([left - 40, 400, left + 50, 520], outline=(50, 45, 40), width=3)
    return np.asarray(page)


def engraving() -> np.ndarray:
    """Return a photo drawn in parallel lines of varying width."""
    grey = cv2.cvtColor(sample_photo("lighthouse"), cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (900, 900), interpolation=cv2.INTER_CUBIC).astype(float)
    rows, columns = np.mgrid[0:900, 0:900]
    wave = (np.sin((rows + columns) * 2 * np.pi / 7) + 1) * 127
    dark = wave > np.clip(grey * 1.05, 60, 235)
    return np.where(dark[..., None], 35, old_paper((900, 900))).astype(np.uint8)


def mounted(name: str, fraction: float) -> np.ndarray:
    """Return a sample photo on a grey-green mount that covers ``fraction`` on each side."""
    photo = sample_photo(name)
    margin = round(256 * fraction / (1 - 2 * fraction))
    border = cv2.copyMakeBorder(photo, *[margin] * 4, cv2.BORDER_CONSTANT, value=(160, 180, 165))
    noise = np.random.default_rng(0).normal(0, 3, border.shape)
    return np.clip(border + noise, 0, 255).astype(np.uint8)


def test_text_pages_drawings_and_blank_pages_are_recognised():
    assert verdict(text_page()) == "text_page"
    assert verdict(line_drawing()) == "drawing"
    assert verdict(engraving()) == "drawing"
    assert verdict(old_paper((500, 400))) == "blank"
    card = old_paper((500, 400))
    cv2.putText(card, "POST CARD", (120, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (60, 50, 40), 2)
    assert verdict(card) in ("blank", "drawing")  # a few letters make no text page


@pytest.mark.parametrize("kind", ["old", "held_out", "show"])
def test_real_photos_are_kept(kind):
    assert {name: verdict(sample_photo(name)) for name in sample_names(kind)} == dict.fromkeys(
        sample_names(kind), ""
    )


def test_tiny_photo():
    photo = sample_photo("cat")[:199]
    assert judge((199, 256), measure(photo), LIMITS) == (
        "tiny: 256 x 199 px, at least 200 px are needed"
    )


@pytest.mark.parametrize("name", ["streetcar", "builders", "melons", "three_generations"])
def test_borders_of_known_width(name):
    photo = cv2.resize(sample_photo(name), (256, 256))
    framed = cv2.copyMakeBorder(photo, 30, 60, 20, 40, cv2.BORDER_CONSTANT, value=(90, 70, 50))
    expected = (30 / 346, 60 / 346, 20 / 316, 40 / 316)
    assert border_of(framed) == pytest.approx(expected, abs=0.02)


def test_frame_in_a_frame():
    inner = cv2.copyMakeBorder(
        sample_photo("village_street"), *[20] * 4, cv2.BORDER_CONSTANT, value=(230,) * 3
    )
    outer = cv2.copyMakeBorder(inner, *[30] * 4, cv2.BORDER_CONSTANT, value=(10, 10, 10))
    assert border_of(outer) == pytest.approx([50 / 356] * 4, abs=0.02)


def test_ruled_line_around_an_empty_page_is_no_mount():
    page = np.full((300, 300, 3), 220, np.uint8)
    cv2.rectangle(page, (40, 40), (260, 260), (30, 30, 30), 4)
    assert border_of(page) == (0, 0, 0, 0)


def test_strong_border_is_set_aside_and_a_plain_sky_is_not():
    assert verdict(mounted("streetcar", 0.12)) == "bordered"
    assert verdict(mounted("streetcar", 0.03)) == ""
    sky = np.full((300, 400, 3), (120, 160, 230), np.uint8)
    cv2.fillPoly(
        sky, [np.array([[0, 300], [130, 150], [260, 210], [400, 170], [400, 300]])], (60, 70, 40)
    )
    assert border_of(sky) == (0, 0, 0, 0)
    cv2.ellipse(sky, (200, 120), (60, 15), 20, 0, 360, (30, 30, 30), -1)
    assert verdict(sky) == ""


def test_colour_mode():
    grey = cv2.cvtColor(sample_photo("cat"), cv2.COLOR_RGB2GRAY)
    sepia = np.clip(grey[..., None] * [1.0, 0.85, 0.62] + [20, 10, 0], 0, 255).astype(np.uint8)
    uneven = np.linspace(0.8, 1.1, 256)[None, :, None] * [0.0, 0.0, 1.0] + [1.0, 1.0, 0.0]
    faded = np.clip(sepia * uneven, 0, 255).astype(np.uint8)  # yellower at one side
    for photo in (np.repeat(grey[..., None], 3, axis=2), sepia, faded):
        assert colour_mode(measure(photo)) == "L"
    for name in ("canyon", "lighthouse", "alameda", "three_generations", "rider"):
        assert colour_mode(measure(sample_photo(name))) == "RGB", name
    for name in ("college", "brewery", "taped_postcard", "university"):
        assert colour_mode(measure(sample_photo(name))) == "L", name


def test_near_pairs_equal_the_slow_search():
    rng = np.random.default_rng(0)
    values = [int(value) for value in rng.integers(0, 2**63, 60, dtype=np.uint64)]
    flips = rng.integers(0, 64, (60, 2)).tolist()
    values += [value ^ (1 << a) ^ (1 << b) for value, (a, b) in zip(values, flips, strict=True)]
    hashes = [f"{value:016x}" for value in values]
    for distance in (0, 1, 2, 7):
        slow = [
            (first, second)
            for first in range(120)
            for second in range(first + 1, 120)
            if bin(values[first] ^ values[second]).count("1") <= distance
        ]
        assert near_pairs(hashes, distance) == slow
    assert near_pairs([], 3) == []
    with pytest.raises(InputError, match="distance must be within 0 and 7, got 8"):
        near_pairs(hashes, 8)


def test_largest_of_near_duplicates_is_kept(tmp_path):
    original = sample_photo("builders")
    rng = np.random.default_rng(0)
    versions = {
        "a_small.jpg": cv2.resize(original, (400, 277), interpolation=cv2.INTER_AREA),
        "b_large.png": original,
        "c_darker.jpg": np.clip(original * 0.8 + rng.normal(0, 3, original.shape), 0, 255),
        "d_other.png": sample_photo("taped_postcard"),
    }
    for name, pixels in versions.items():
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
    findings = examine_all(sorted(tmp_path.iterdir()))
    reasons = mark_duplicates(findings, [""] * 4, distance=4)
    assert reasons == ["duplicate: of b_large.png", "", "duplicate: of b_large.png", ""]
    kept_out = mark_duplicates(findings, ["", "text_page: x", "", ""], distance=4)
    assert kept_out == ["duplicate: of c_darker.jpg", "text_page: x", "", ""]


def test_equal_hash_of_different_photos_is_no_duplicate(tmp_path):
    for name in ("cat", "coffee"):
        Image.fromarray(sample_photo(name)).save(tmp_path / f"{name}.png")
    found = examine_all(sorted(tmp_path.iterdir()))
    findings = [replace(finding, phash="0" * 16) for finding in found]
    assert mark_duplicates(findings, ["", ""], distance=4) == ["", ""]


def test_size_is_that_of_the_upright_photo(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(sample_photo("cat")[:100]).save(tmp_path / "turned.jpg", exif=exif)
    assert upright_size(tmp_path / "turned.jpg") == (256, 100)
    assert examine(tmp_path / "turned.jpg").size == (256, 100)


def test_trim_keeps_at_least_one_row_and_column():
    # 0.5 percent more than the border goes, where there is one.
    assert trim_slices((1000, 200), (0.1, 0.2, 0.0, 0.0)) == (slice(105, 795), slice(0, 200))
    rows, columns = trim_slices((3, 3), (0.5, 0.5, 0.9, 0.1))
    assert rows.stop > rows.start
    assert columns.stop > columns.start


@pytest.fixture
def messy(tmp_path) -> Path:
    """Return a folder as people have them, with names that collide once it is flattened."""
    folder = tmp_path / "messy"
    (folder / "box" / "one").mkdir(parents=True)
    Image.fromarray(sample_photo("builders")).save(folder / "box" / "one.jpg")
    Image.fromarray(sample_photo("taped_postcard")).save(folder / "box" / "one" / "a.jpg")
    Image.fromarray(sample_photo("canyon")).save(folder / "box__one__a.JPG", "JPEG")
    (folder / "copy.jpg").write_bytes((folder / "box" / "one.jpg").read_bytes())
    Image.fromarray(text_page()).save(folder / "letter.png")
    Image.fromarray(mounted("streetcar", 0.12)).save(folder / "mount.jpg")
    Image.fromarray(sample_photo("cat")[:60]).save(folder / "tiny.png")
    (folder / "broken.jpg").write_bytes(sample_paths("show")[0].read_bytes()[:4000])
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("not a photo", encoding="utf-8")
    rows = [CatalogueRow("box/one.jpg", title="Builders", licence="CC0 1.0", source="attic")]
    write_catalogue(folder / "catalogue.csv", rows)
    return folder


def clean(folder: Path, output: Path, *options: str) -> int:
    """Run the command."""
    return main(["clean", str(folder), "--output", str(output), "--min-side", "200", *options])


def contents(folder: Path) -> dict[str, str]:
    """Return the files below a folder with their hashes."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def test_messy_folder_becomes_a_training_set(messy, tmp_path, capsys):
    before = contents(messy)
    output = tmp_path / "set"
    assert clean(messy, output) == 0
    assert contents(messy) == before  # the source is only read
    rows = {row.path: row for row in read_catalogue(output / "catalogue.csv")}
    assert {path: reason_name(row) for path, row in rows.items()} == {
        "box__one.jpg": "",
        "box__one__a.jpg": "",
        "box__one__a_2.JPG": "",
        "set_aside/duplicate/copy.jpg": "duplicate",
        "set_aside/text_page/letter.png": "text_page",
        "set_aside/bordered/mount.jpg": "bordered",
        "set_aside/tiny/tiny.png": "tiny",
        "set_aside/unreadable/broken.jpg": "unreadable",
        "set_aside/unreadable/empty.png": "unreadable",
    }
    for path, row in rows.items():
        assert sha256_of(output / path) == row.sha256  # table and files agree
    assert sorted(row.sha256 for row in rows.values()) == sorted(
        sha256 for name, sha256 in before.items() if not name.endswith((".txt", ".csv"))
    )  # nothing is lost
    builders = rows["box__one.jpg"]
    assert (builders.title, builders.licence, builders.source) == ("Builders", "CC0 1.0", "attic")
    assert (builders.width, builders.height, builders.mode) == (640, 443, "L")
    assert near_pairs([builders.phash, perceptual_hash(sample_photo("builders"))], 2) == [(0, 1)]
    assert rows["box__one__a_2.JPG"].mode == "RGB"
    assert {row.split for row in rows.values()} <= {"train", "validation", "test"}
    out = capsys.readouterr().out
    assert "kept              3  33.3%" in out
    assert "of the kept, 2 are L and 1 are RGB" in out
    sheets = {path.name for path in (output / "report").glob("*.jpg")}
    assert sheets >= {"kept_01.jpg", "duplicate_01.jpg", "unreadable_01.jpg"}
    assert (output / "report" / "report.html").is_file()


def test_second_run_changes_nothing_and_follows_new_limits(messy, tmp_path):
    output = tmp_path / "set"
    clean(messy, output)
    first = contents(output)
    clean(messy, output)
    assert contents(output) == first
    clean(messy, output, "--max-border", "0.9")
    assert (output / "mount.jpg").is_file()
    assert not (output / "set_aside" / "bordered" / "mount.jpg").exists()


def test_borders_are_trimmed_on_request(messy, tmp_path):
    output = tmp_path / "set"
    clean(messy, output, "--trim-borders")
    with Image.open(output / "mount.png") as trimmed:
        assert max(trimmed.size) <= 258
        assert min(trimmed.size) >= 240
    row = next(row for row in read_catalogue(output / "catalogue.csv") if row.path == "mount.png")
    assert row.sha256 == sha256_of(output / "mount.png")
    assert max(row.width, row.height) <= 258


def test_workers_find_the_same(messy):
    paths = sorted(messy.glob("*.jpg"))
    assert examine_all(paths, num_workers=2) == examine_all(paths)


def test_wrong_uses_are_one_sentence_and_exit_code_2(messy, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.docx").write_bytes(b"x")
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        ((messy, messy / "inside"), "must lie outside"),
        ((messy, messy), "must lie outside"),
        ((messy, other), "holds files that were not made by this command"),
        ((empty, tmp_path / "set"), "expected photos"),
        ((tmp_path / "nowhere", tmp_path / "set"), "expected a folder of photos"),
        ((messy, tmp_path / "set", "--max-border", "3"), "max_border must be within 0 and 1"),
        ((messy, tmp_path / "set", "--min-side", "0"), "min_side must be greater than 0"),
        ((messy, tmp_path / "set", "--distance", "9"), "distance must be within 0 and 7"),
        ((messy, tmp_path / "set", "--test", "100"), "together below 100"),
    ]
    for arguments, message in cases:
        assert clean(*arguments) == 2, arguments
        error = capsys.readouterr().err.splitlines()[-1]
        assert message in error
    assert list(other.iterdir()) == [other / "thesis.docx"]
    assert not (tmp_path / "set").exists()
