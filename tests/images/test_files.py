"""Photos and masks: upright RGB from files, refusals in one sentence, files written whole."""

import io
import struct
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from oldphoto.checks import InputError
from oldphoto.images import files as images
from oldphoto.images.files import (
    list_photos,
    load_photo,
    load_rgb,
    mask_from_grey,
    read_mask,
    read_photo,
    write_photo,
)
from oldphoto.images.tensors import mask_to_tensor, to_pixels, to_tensor

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def ramp(height: int = 24, width: int = 32) -> np.ndarray:
    """A photo in which every pixel tells its own position."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 8, columns * 7, rows + columns], axis=-1).astype(np.uint8)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


# --- files become upright RGB ------------------------------------------------------------------


def test_rgb_is_read_unchanged_with_its_profile_and_name(tmp_path):
    path = save(Image.fromarray(ramp()), tmp_path / "a.png", icc_profile=SRGB)
    photo = read_photo(path)
    assert np.array_equal(photo.pixels, ramp())
    assert photo.pixels.flags.writeable
    assert (photo.icc_profile, photo.name) == (SRGB, "a.png")


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (3, lambda a: np.rot90(a, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (8, lambda a: np.rot90(a, 1)),
        (2, lambda a: a[:, ::-1]),
    ],
)
def test_exif_orientation_is_applied_once(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(ramp()), tmp_path / "a.png", exif=exif)
    photo = read_photo(path)
    assert np.array_equal(photo.pixels, turn(ramp()))
    write_photo(tmp_path / "out.jpg", photo.pixels, photo.icc_profile)
    assert 0x0112 not in Image.open(tmp_path / "out.jpg").getexif()


def test_an_image_in_memory_is_not_turned_a_second_time(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(Image.fromarray(ramp()), tmp_path / "a.jpg", exif=exif)
    with Image.open(path) as image:
        assert load_rgb(image).shape == (32, 24, 3)
    with Image.open(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        assert load_rgb(image).shape == (32, 24, 3)


def png_head(width: int, height: int) -> bytes:
    """The start of a grey PNG: enough to know its size, without the work of writing it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))
        for kind, content in ((b"IHDR", head), (b"IDAT", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# --- files that are no photos ------------------------------------------------------------------


def broken_files(folder: Path) -> dict[str, Path]:
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(whole, "PNG")
    names = {"empty": b"", "text": b"hello, I am no photo", "cut": whole.getvalue()[:2000]}
    for name, content in names.items():
        (folder / f"{name}.png").write_bytes(content)
    jpeg = io.BytesIO()
    Image.fromarray(noise).save(jpeg, "JPEG")
    (folder / "cutjpeg.jpg").write_bytes(jpeg.getvalue()[:2000])
    tiff = io.BytesIO()
    Image.fromarray(noise).save(tiff, "TIFF", compression="tiff_deflate")
    (folder / "cuttiff.tif").write_bytes(tiff.getvalue()[:3000])
    webp = io.BytesIO()
    Image.fromarray(noise).save(webp, "WEBP")
    (folder / "cutwebp.webp").write_bytes(webp.getvalue()[:2000])
    return {path.stem: path for path in folder.iterdir()}


def test_a_drawing_is_refused_before_another_program_runs_on_it(tmp_path):
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n"
    (tmp_path / "a.jpg").write_bytes(head)
    with pytest.raises(InputError, match=r"a\.jpg is a drawing \(EPS\), not a photo"):
        read_photo(tmp_path / "a.jpg")


def test_a_jpeg_of_12_bits_is_not_said_to_be_no_jpeg(tmp_path):
    whole = io.BytesIO()
    Image.new("RGB", (64, 64)).save(whole, "JPEG")
    content = bytearray(whole.getvalue())
    place = content.index(b"\xff\xc0")
    content[place + 1], content[place + 4] = 0xC1, 12
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match="or a JPEG of a rare kind"):
        read_photo(tmp_path / "a.jpg")


def test_the_transparent_level_of_16_bit_grey_is_laid_on_white(tmp_path):
    grey = np.random.default_rng(0).integers(0, 65536, (20, 30), np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=int(grey[3, 4]))
    pixels = read_photo(tmp_path / "a.png", with_deep=True).pixels
    expected = np.where(grey == grey[3, 4], 255, np.round(grey / 257))
    assert np.abs(pixels[..., 0] - expected).max() <= 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("empty", r"empty\.png is empty \(0 bytes\): give a JPEG"),
        ("text", r"text\.png is not an image we can read: give a JPEG"),
        ("cut", r"cut\.png is damaged or cut short .*: copy it again"),
        ("cutjpeg", r"cutjpeg\.jpg is damaged or cut short .*: copy it again"),
        ("cutwebp", r"cutwebp\.webp is damaged or cut short: copy it again"),
        ("cuttiff", r"cuttiff\.tif is (damaged or cut short|not an image)"),
    ],
)
def test_broken_files_are_one_sentence(tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read_photo(broken_files(tmp_path)[name])
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_one_sentence(tmp_path, monkeypatch):
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "locked.png"
    path.write_bytes(b"")
    monkeypatch.setattr(Image, "open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"locked\.png cannot be read \(Permission denied\)"):
        read_photo(path)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.png, but no such file"):
        read_photo(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match="no such file"):
        read_photo(tmp_path)


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_photos_below_sixteen_pixels_are_refused(tmp_path, size):
    path = save(Image.new("RGB", size), tmp_path / "dot.png")
    sentence = f"dot.png is {size[0]} pixels wide and {size[1]} high: .* at least 16 pixels"
    with pytest.raises(InputError, match=sentence):
        read_photo(path)
    with pytest.raises(InputError, match="at least 16 pixels"):
        load_rgb(Image.new("RGB", size))


def test_a_30000_pixel_wide_strip_is_read(tmp_path):
    path = save(Image.new("L", (30_000, 20), 9), tmp_path / "wide.png")
    assert read_photo(path).pixels.shape == (20, 30_000, 3)


def test_too_many_pixels_are_refused_before_decoding(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_head(30_000, 20_000))
    with pytest.raises(InputError, match=r"bomb\.png has more than 178,956,970 pixels: reduce"):
        read_photo(path)


def test_the_limit_holds_for_images_in_memory(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="the photo has more than 1,000 pixels"):
        load_photo(Image.new("RGB", (40, 40)))


# --- arrays and PIL images ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20, 18), (20, 18, 1), (20, 18, 3), (20, 18, 4)])
def test_uint8_arrays_of_every_layout(shape):
    assert load_rgb(np.full(shape, 255, np.uint8)).shape == (20, 18, 3)


@pytest.mark.parametrize(
    "source",
    [np.zeros((20, 20, 3), np.float32), np.zeros((20, 20, 2), np.uint8), np.zeros(9, np.uint8)],
)
def test_other_arrays_are_refused_with_what_came(source):
    with pytest.raises(InputError, match=r"expected a uint8 array \(H, W, 3\), got"):
        load_rgb(source)
    with pytest.raises(InputError, match=r"expected a photo as a path.*got int"):
        load_rgb(7)


# --- masks -------------------------------------------------------------------------------------


def test_mask_white_is_damaged(tmp_path):
    mask = np.zeros((20, 30), bool)
    mask[4:9, 7:11] = True
    path = save(Image.fromarray(mask), tmp_path / "m.png")
    read = read_mask(path, (20, 30))
    assert read.dtype == bool
    assert np.array_equal(read, mask)
    assert mask_to_tensor(read).shape == (1, 1, 20, 30)
    assert mask_to_tensor(read).sum() == 20


def test_jpeg_masks_of_ordinary_quality_are_read_exactly(tmp_path):
    mask = np.zeros((80, 120), np.uint8)
    mask[np.arange(80), np.arange(80)] = 255
    mask[30:42, 50:] = 255
    path = save(Image.fromarray(mask), tmp_path / "m.jpg", quality=75)
    assert np.array_equal(read_mask(path, (80, 120)), mask > 0)


def test_transparent_parts_of_a_mask_are_sound(tmp_path):
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 5, 20))
    read = read_mask(save(image, tmp_path / "m.png"), (20, 20))
    assert read[:, :5].all()
    assert not read[:, 5:].any()


def test_mask_of_another_size_is_named_with_both_sizes(tmp_path):
    path = save(Image.new("L", (30, 20)), tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png is 30 .* 20 high, but its photo is 20 .* 30 hi"):
        read_mask(path, (30, 20))


@pytest.mark.parametrize("grey", [49, 128, 206])
def test_grey_masks_are_refused(tmp_path, grey):
    path = save(Image.new("L", (20, 20), grey), tmp_path / "m.png")
    with pytest.raises(InputError, match=f"m.png has grey values .for example {grey}.*save it as"):
        read_mask(path, (20, 20))


def test_values_within_the_tolerance_are_rounded():
    assert mask_from_grey(np.array([[0, 48, 207, 255]], np.uint8)).tolist() == [
        [False, False, True, True]
    ]


# --- tensors -----------------------------------------------------------------------------------


def test_tensor_round_trip_is_exact_for_all_256_levels():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, 16, 16)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert tensor[0, 2, 1, 4] == pytest.approx(20 / 127.5 - 1)
    assert np.array_equal(to_pixels(tensor), pixels)


def test_output_range_is_fixed_and_never_stretched():
    flat = torch.full((3, 16, 16), 0.2)
    assert np.unique(to_pixels(flat)).tolist() == [153]
    assert np.unique(to_pixels(torch.full((1, 3, 16, 16), 1.7))).tolist() == [255]
    assert np.unique(to_pixels(torch.full((1, 3, 16, 16), -9.0))).tolist() == [0]
    with pytest.raises(InputError, match=r"expected one photo .* got \(2, 3, 16, 16\)"):
        to_pixels(torch.zeros(2, 3, 16, 16))


# --- folders and writing -----------------------------------------------------------------------


def test_list_photos_is_sorted_and_skips_what_is_hidden_or_no_photo(tmp_path):
    for name in ["b.PNG", "a.jpg", ".hidden.png", "._a.jpg", "notes.txt", "c.tiff"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_photos(tmp_path)] == ["a.jpg", "b.PNG", "c.tiff"]


def test_folders_without_photos_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected photos .* found none"):
        list_photos(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        list_photos(tmp_path / "nowhere")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".tif", ".webp"])
def test_written_photos_read_back_with_their_profile(tmp_path, suffix):
    smooth = np.dstack([ramp()[..., 2]] * 3)
    path = tmp_path / f"out{suffix}"
    write_photo(path, smooth, SRGB)
    photo = read_photo(path)
    assert photo.icc_profile == SRGB
    assert np.abs(photo.pixels.astype(int) - smooth).max() <= (0 if suffix in ".png.tif" else 8)
    assert list(tmp_path.iterdir()) == [path]


def test_no_profile_in_means_none_out(tmp_path):
    write_photo(tmp_path / "a.png", ramp())
    assert read_photo(tmp_path / "a.png").icc_profile is None


def test_unknown_suffix_and_impossible_places_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.xyz: expected a name ending in \.png"):
        write_photo(tmp_path / "a.xyz", ramp())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*a\.png.*choose another place"):
        write_photo(tmp_path / "file" / "a.png", ramp())


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_photo(path, ramp())
    before = path.read_bytes()

    def interrupt(self, file, *args, **kwargs):
        file.write(b"half a photo")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_photo(path, ramp() + 1)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_photo_too_wide_for_its_format_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*a\.webp"):
        write_photo(tmp_path / "a.webp", np.zeros((16, 17_000, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_of_zeros_and_ones_is_not_taken_for_a_sound_photo(tmp_path, kind):
    ones = np.zeros((20, 30), kind)
    ones[4, 5:9] = 1 if kind is np.uint8 else 255
    Image.fromarray(ones).save(tmp_path / "m.png")
    with pytest.raises(InputError, match="has no white: its brightest value is 1, expected 255"):
        read_mask(tmp_path / "m.png", (20, 30))
    Image.fromarray(ones * 0).save(tmp_path / "m.png")
    assert not read_mask(tmp_path / "m.png", (20, 30)).any()


def test_a_mask_in_black_on_a_transparent_ground_is_not_taken_for_empty(tmp_path):
    layer = np.zeros((20, 30, 4), np.uint8)
    Image.fromarray(layer).save(tmp_path / "empty.png")
    assert not read_mask(tmp_path / "empty.png", (20, 30)).any()
    layer[5:9, 5:9, 3] = 255
    Image.fromarray(layer).save(tmp_path / "black.png")
    with pytest.raises(InputError, match="painted in black on a transparent ground"):
        read_mask(tmp_path / "black.png", (20, 30))
    layer[5:9, 5:9, :3] = 255
    Image.fromarray(layer).save(tmp_path / "white.png")
    assert read_mask(tmp_path / "white.png", (20, 30)).sum() == 16
