"""Masks of a batch: paired by name, refused where they cannot belong, found by a detector."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.inference import masks as mask_choice
from oldphoto.inference.masks import MaskError, MaskReading, choose_masks, keep_masks, pair_masks
from oldphoto.inference.restorer import Restorer
from oldphoto.networks.mapping import PlainMapping, scratch_mapping
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.networks.vae import VAE
from oldphoto.weights.source import OfficialWeights, WeightsSource
from oldphoto.weights.store import save_network

TINY = PRESETS["tiny"]
SMALL = WeightsSource.parse("small")
PIXELS = np.zeros((24, 20, 3), np.uint8)


def restorer(plain: bool = False) -> Restorer:
    torch.manual_seed(0)
    mapping = PlainMapping(TINY.mapping) if plain else scratch_mapping(TINY.mapping)
    network = RestorationNetwork(VAE(TINY.vae), VAE(TINY.vae), mapping)
    return Restorer(network, device="cpu", precision="fp32")


def weights_folder(folder: Path, with_detector: bool) -> WeightsSource:
    save_network(folder, "vae_clean", VAE(TINY.vae), TINY.vae, {})
    if with_detector:
        save_network(folder, "detector", ScratchUNet(TINY.detector), TINY.detector, {})
    return WeightsSource.parse(folder)


def write_mask(path: Path, size: tuple[int, int] = (24, 20), column: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(size, bool)
    mask[:, column] = True
    Image.fromarray(mask).save(path)
    return path


def test_masks_are_paired_by_name_not_by_order(tmp_path):
    masks = tmp_path / "masks"
    for column, name in enumerate(["c.png", "a.bmp"]):
        write_mask(masks / name, column=column)
    photos = [Path("in/a.jpg"), Path("in/b.jpg"), Path("in/c.tif")]
    assert pair_masks(photos, masks) == {photos[0]: masks / "a.bmp", photos[2]: masks / "c.png"}
    source, words = choose_masks(str(masks), restorer(), SMALL, photos)
    assert "masks" in words
    assert source(photos[0], PIXELS)[:, 1].all()
    assert source(photos[1], PIXELS) is None
    assert source(photos[2], PIXELS)[:, 0].all()


def test_masks_that_belong_to_nothing_or_twice_are_refused(tmp_path):
    write_mask(tmp_path / "z.png")
    with pytest.raises(InputError, match=r"has the name of a photo: expected for example a\.png"):
        pair_masks([Path("a.jpg")], tmp_path)
    write_mask(tmp_path / "z.bmp")
    with pytest.raises(InputError, match=r"z\.bmp and .*z\.png are masks of one name"):
        pair_masks([Path("z.jpg")], tmp_path)


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("IMG_2.jpg", "img_2.png"),
        ("M\u00fcller.jpg", "Mu\u0308ller.png"),
        ("Mu\u0308ller.jpg", "M\u00dcLLER.png"),
        ("STRASSE.jpg", "stra\u00dfe.PNG"),
    ],
)
def test_a_name_is_the_same_however_it_is_written(tmp_path, photo, mask):
    write_mask(tmp_path / "m.png").rename(tmp_path / mask)
    assert pair_masks([Path(photo)], tmp_path) == {Path(photo): tmp_path / mask}


def test_a_mask_that_belongs_to_no_photo_is_an_error_that_names_it(tmp_path):
    for name in ("a.png", "typo.png"):
        write_mask(tmp_path / name)
    with pytest.raises(InputError, match=r"no photo has the name of these masks in .*: typo\.png;"):
        pair_masks([Path("a.jpg"), Path("b.jpg")], tmp_path)


def test_photos_without_a_mask_are_named(tmp_path):
    write_mask(tmp_path / "a.png")
    photos = [Path("a.jpg"), Path("b.jpg")]
    _, words = choose_masks(str(tmp_path), restorer(), SMALL, photos)
    assert words.endswith("; no mask for 1 of 2 photos: b.jpg")


def test_ambiguous_masks_are_refused_and_the_exact_name_counts_more(tmp_path):
    write_mask(tmp_path / "a.png")
    with pytest.raises(
        InputError, match=r"a\.png could be the mask of a\.jpg and of A\.tif: rename"
    ):
        pair_masks([Path("a.jpg"), Path("A.tif")], tmp_path)
    write_mask(tmp_path / "A.bmp")
    pairs = pair_masks([Path("a.jpg"), Path("A.tif")], tmp_path)
    assert [mask.name for mask in pairs.values()] == ["a.png", "A.bmp"]
    with pytest.raises(InputError, match="are masks of one name: remove one of them"):
        (tmp_path / "a.png").rename(tmp_path / "A.png")
        pair_masks([Path("a.jpg")], tmp_path)


def test_masks_of_sub_folders_lie_in_sub_folders(tmp_path):
    photos = [Path("in/1931/a.jpg"), Path("in/1932/a.jpg")]
    folders = {photo: Path(photo.parent.name) for photo in photos}
    masks = [write_mask(tmp_path / place / "a.png") for place in ("1931", "1932")]
    assert list(pair_masks(photos, tmp_path, folders).values()) == masks
    source, _ = choose_masks(str(tmp_path), restorer(), SMALL, photos, folders=folders)
    kept = keep_masks(source, tmp_path / "kept", photos, folders)
    kept(photos[1], PIXELS)
    assert (tmp_path / "kept" / "1932" / "a.png").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_mask_that_is_a_dangling_link_is_named(tmp_path):
    write_mask(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("nowhere.png")
    with pytest.raises(InputError, match=r"masks in .* cannot be used: .*b\.png"):
        pair_masks([Path("a.jpg"), Path("b.jpg")], tmp_path)


def large_mask(path: Path, rows: int) -> str:
    mask = np.zeros((20, 20), bool)
    mask[:rows] = True
    Image.fromarray(mask).save(path)
    return str(path)


def test_a_mask_of_most_of_the_photo_must_be_meant(tmp_path):
    pixels, photo = np.zeros((20, 20, 3), np.uint8), Path("a.jpg")

    def read(rows: int, **reading: bool) -> np.ndarray:
        path = large_mask(tmp_path / "m.png", rows)
        chosen = choose_masks(path, restorer(), SMALL, [photo], MaskReading(**reading))
        return chosen[0](photo, pixels)

    assert read(12).mean() == 0.6
    with pytest.raises(
        MaskError, match=r"m\.png marks 65 % of its photo .*add --inverted; .*add --ac"
    ):
        read(13)
    assert read(13, accept_large=True).mean() == 0.65
    assert read(18, inverted=True).mean() == pytest.approx(0.1)
    with pytest.raises(MaskError, match=r"marks 90 % of its photo .* leave --inverted out"):
        read(2, inverted=True)
    for choice in ("none", "auto"):
        with pytest.raises(InputError, match=f"--inverted is for masks from files, .* is {choice}"):
            choose_masks(choice, restorer(), SMALL, [photo], MaskReading(inverted=True))


@pytest.mark.parametrize(("share", "is_questioned"), [(0.55, False), (0.65, True)])
def test_a_found_mask_of_most_of_the_photo_must_be_meant_too(monkeypatch, share, is_questioned):
    pixels = np.zeros((20, 20, 3), np.uint8)
    mask = np.arange(20)[:, None].repeat(20, axis=1) < 20 * share
    detector = SimpleNamespace(from_source=lambda *_: lambda _pixels: mask)
    monkeypatch.setattr(mask_choice, "ScratchDetector", detector)
    photo = Path("a.jpg")
    meant = choose_masks("auto", restorer(), SMALL, [photo], MaskReading(accept_large=True))[0]
    assert np.array_equal(meant(photo, pixels), mask)
    source = choose_masks("auto", restorer(), SMALL, [photo])[0]
    if is_questioned:
        with pytest.raises(MaskError, match=r"a\.jpg: the detector marks 65 %.*accept-large"):
            source(photo, pixels)
    else:
        assert np.array_equal(source(photo, pixels), mask)


def test_any_error_of_a_decoder_is_a_mask_error(tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise AssertionError("odd chunk")

    monkeypatch.setattr(mask_choice, "read_mask", broken)
    source, _ = choose_masks(str(write_mask(tmp_path / "m.png")), restorer(), SMALL, [Path("a")])
    with pytest.raises(MaskError, match="odd chunk"):
        source(Path("a"), PIXELS)


def test_one_file_is_for_one_photo(tmp_path):
    mask = write_mask(tmp_path / "m.png")
    source, _ = choose_masks(str(mask), restorer(), SMALL, [Path("other.jpg")])
    assert source(Path("other.jpg"), PIXELS)[:, 3].all()
    with pytest.raises(InputError, match="is one mask for 2 photos: give a folder"):
        choose_masks(str(mask), restorer(), SMALL, [Path("a.jpg"), Path("b.jpg")])
    with pytest.raises(InputError, match="must be auto, none, a file or a folder"):
        choose_masks(str(tmp_path / "no.png"), restorer(), SMALL, [Path("a.jpg")])


def test_a_mask_of_another_size_is_a_mask_error(tmp_path):
    mask = write_mask(tmp_path / "m.png", size=(20, 24))
    source, _ = choose_masks(str(mask), restorer(), SMALL, [Path("a.jpg")])
    with pytest.raises(MaskError, match=r"m\.png is 24 pixels wide and 20 high, but its photo"):
        source(Path("a.jpg"), PIXELS)


def test_none_means_none():
    source, words = choose_masks("none", restorer(), SMALL, [Path("a.jpg")])
    assert source(Path("a.jpg"), PIXELS) is None
    assert words == "no scratch masks"


def test_auto_asks_the_detector_of_the_weights_and_is_not_chosen_unasked(tmp_path):
    own = weights_folder(tmp_path / "with", with_detector=True)
    assert own.has_detector
    assert choose_masks(None, restorer(), own, [Path("a.jpg")])[1] == "no scratch masks"
    source, words = choose_masks("auto", restorer(), own, [Path("a.jpg")])
    assert "detector" in words
    assert source(Path("a.jpg"), PIXELS).shape == (24, 20)
    own = weights_folder(tmp_path / "without", with_detector=False)
    assert not own.has_detector
    with pytest.raises(InputError, match="detector"):
        choose_masks("auto", restorer(), own, [Path("a.jpg")])


def test_official_quality_takes_no_masks(tmp_path):
    with pytest.raises(InputError, match="choose --variant scratch or hr, or --mask none"):
        choose_masks("auto", restorer(plain=True), OfficialWeights(tmp_path), [Path("a.jpg")])


def test_the_official_detector_is_looked_for_in_its_folder(tmp_path, monkeypatch):
    (tmp_path / "restoration").mkdir()
    authors = WeightsSource.parse(f"official:{tmp_path}")
    assert not authors.has_detector
    (tmp_path / "detection").mkdir()
    (tmp_path / "detection" / "FT_Epoch_latest.pt").touch()
    assert authors.has_detector
    asked = []
    monkeypatch.setattr(
        mask_choice.ScratchDetector,
        "from_source",
        lambda source, device: asked.append(source) or (lambda pixels: pixels[..., 0] > 0),
    )
    for choice in ("auto", None):  # left out, it is auto for the authors' networks for scratches
        source, _ = choose_masks(choice, restorer(), authors, [Path("a.jpg")])
        assert asked.pop() is authors
        assert not source(Path("a.jpg"), PIXELS).any()
    assert (
        choose_masks(None, restorer(plain=True), authors, [Path("a.jpg")])[1] == "no scratch masks"
    )


def test_masks_are_kept_as_they_were_used_and_can_be_given_back(tmp_path):
    drawn, photo = write_mask(tmp_path / "drawn.png"), Path("photos/a.jpg")
    source, _ = choose_masks(str(drawn), restorer(), SMALL, [photo])
    kept = keep_masks(source, tmp_path / "new" / "kept", [photo])
    assert np.array_equal(kept(photo, PIXELS), source(photo, PIXELS))
    again, _ = choose_masks(str(tmp_path / "new" / "kept"), restorer(), SMALL, [photo])
    assert np.array_equal(again(photo, PIXELS), source(photo, PIXELS))


def test_masks_that_somebody_corrected_are_not_written_over(tmp_path):
    corrected = write_mask(tmp_path / "masks" / "a.png").read_bytes()
    source, _ = choose_masks(str(tmp_path / "masks"), restorer(), SMALL, [Path("a.jpg")])
    for place in (tmp_path / "masks", tmp_path / "masks" / "a.png"):
        with pytest.raises(InputError, match="expected a new or empty folder for the masks"):
            keep_masks(source, place, [Path("a.jpg")])
    assert (tmp_path / "masks" / "a.png").read_bytes() == corrected


def test_a_mask_that_appears_during_the_batch_is_not_replaced(tmp_path):
    kept = keep_masks(lambda *_: np.ones((20, 30), bool), tmp_path / "kept", [Path("a.jpg")])
    (tmp_path / "kept" / "a.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(MaskError, match="is there already and is not replaced"):
        kept(Path("a.jpg"), PIXELS)
    assert not (tmp_path / "elsewhere.png").exists()


def test_masks_that_would_share_a_file_or_are_none_are_not_kept(tmp_path):
    source, _ = choose_masks("none", restorer(), SMALL, [Path("a.jpg")])
    with pytest.raises(InputError, match="there are no masks to save: add --mask auto"):
        keep_masks(source, tmp_path, [Path("a.jpg")])
    photos = [Path("one/a.jpg"), Path("one/b.jpg"), Path("two/A.png")]
    with pytest.raises(InputError, match="2 photos are called a: their masks would share one file"):
        keep_masks(lambda *_: None, tmp_path, photos)
