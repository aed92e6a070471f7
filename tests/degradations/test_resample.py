"""Low resolution, JPEG and halftone against Pillow and against known values."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.degradations import (
    Halftone,
    Jpeg,
    LowResolution,
    Rosette,
    apply_halftone,
    apply_jpeg,
    apply_low_resolution,
    apply_rosette,
    sample_halftone,
    sample_jpeg,
    sample_low_resolution,
)
from oldphoto.degradations.resample import INK_ANGLES, encode_jpeg, quantization_table


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize(("scale_y", "scale_x"), [(0.5, 0.73), (0.91, 0.6), (1.0, 1.0)])
def test_low_resolution_agrees_with_pillow(photo, scale_y, scale_x, smooth):
    """Pillow is what the authors' code uses."""
    height, width = photo.shape[:2]
    small = Image.fromarray(photo).resize(
        (round(width * scale_x), round(height * scale_y)), Image.Resampling.BICUBIC
    )
    up = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    expected = np.asarray(small.resize((width, height), up)).astype(int)
    result = apply_low_resolution(photo, LowResolution(scale_y, scale_x, smooth))
    assert np.abs(result - expected).max() <= 2


def test_low_resolution_keeps_an_even_photo(grey):
    assert np.array_equal(apply_low_resolution(grey, LowResolution(0.5, 0.7, False)), grey)


def test_jpeg_agrees_with_pillow(photo):
    with BytesIO() as buffer:
        Image.fromarray(photo).save(buffer, format="JPEG", quality=60)
        expected = np.asarray(Image.open(buffer).convert("RGB")).astype(int)
    difference = np.abs(apply_jpeg(photo, Jpeg(60)) - expected)
    assert difference.mean() < 0.5


def test_jpeg_files_grow_with_quality(photo):
    sizes = [len(encode_jpeg(photo, Jpeg(quality))) for quality in (10, 40, 70, 100)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] / 4


def test_jpeg_of_an_aligned_cut_is_the_cut_of_the_jpeg(photo):
    whole = apply_jpeg(photo, Jpeg(50))[18:46, 34:78]
    cut = apply_jpeg(photo[16:48, 32:80].copy(), Jpeg(50))[2:30, 2:46]
    assert np.array_equal(whole, cut)


def test_halftone_prints_the_brightness_as_a_share_of_paper():
    for level in (40, 128, 220):
        even = np.full((160, 160, 3), level, np.uint8)
        printed = apply_halftone(even, Halftone(6.0, 20.0, 1.0)).astype(float)
        assert printed.mean() == pytest.approx(level, abs=8)
        assert printed.std() > 50  # dots, not grey


def test_halftone_repeats_with_its_pitch():
    even = np.full((96, 96, 3), 128, np.uint8)
    printed = apply_halftone(even, Halftone(8.0, 0.0, 1.0))
    assert np.abs(printed[8:].astype(int) - printed[:-8]).max() <= 6
    assert np.array_equal(apply_halftone(even, Halftone(8.0, 0.0, 0.0)), even)


def test_the_inks_of_a_rosette_print_the_brightness_at_their_own_angles():
    even = np.full((160, 160, 3), 128, np.uint8)
    printed = apply_rosette(even, Rosette(6.0, 20.0, 1.0)).astype(float)
    assert printed.mean(axis=(0, 1)) == pytest.approx([128] * 3, abs=8)
    for channel, turn in enumerate(INK_ANGLES):
        alone = apply_halftone(even, Halftone(6.0, 20.0 + turn, 1.0))
        assert np.array_equal(printed[..., channel], alone[..., channel])
    with pytest.raises(InputError, match="pitch of a halftone"):
        apply_rosette(even, Rosette(1.0, 0.0, 1.0))


def test_samples_stay_in_the_published_ranges():
    rng = np.random.default_rng(0)
    drawn = [sample_low_resolution(rng) for _ in range(300)]
    assert all(0.5 <= p.scale_x <= 1 and 0.5 <= p.scale_y <= 1 for p in drawn)
    assert 0.4 < np.mean([p.smooth for p in drawn]) < 0.6
    qualities = {sample_jpeg(rng).quality for _ in range(3000)}
    assert (min(qualities), max(qualities)) == (40, 100)
    assert 3 <= sample_halftone(rng).pitch <= 7


def test_refusals(photo):
    with pytest.raises(InputError, match="JPEG quality must be within 1 and 100, got 0"):
        apply_jpeg(photo, Jpeg(0))
    with pytest.raises(InputError, match="a scale must be within"):
        apply_low_resolution(photo, LowResolution(0.5, 1.5, True))
    with pytest.raises(InputError, match="pitch of a halftone"):
        apply_halftone(photo, Halftone(0.5, 0.0, 1.0))


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 75, 90, 100])
def test_the_quantization_table_is_the_one_in_the_file(photo, quality):
    with Image.open(BytesIO(encode_jpeg(photo, Jpeg(quality)))) as file:
        assert quantization_table(quality).reshape(-1).tolist() == list(file.quantization[0])
