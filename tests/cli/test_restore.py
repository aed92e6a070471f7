"""``oldphoto restore``: names kept, inputs never overwritten, bad photos named, others done."""

import argparse
import struct
import sys
import warnings
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageFile

from oldphoto.checks import InputError
from oldphoto.cli import restore
from oldphoto.config import PRESETS
from oldphoto.images.files import read_photo, write_photo
from oldphoto.inference import batch
from oldphoto.inference import restorer as restorer_module
from oldphoto.inference.batch import find_photos
from oldphoto.inference.jobs import plan_jobs
from oldphoto.inference.provenance import network_sha256, read_provenance
from oldphoto.inference.restorer import Restorer
from oldphoto.networks.mapping import PlainMapping, scratch_mapping
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_path
from oldphoto.system.outputs import photo_folder
from oldphoto.weights.store import load_weights, save_network

TINY = PRESETS["tiny"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny weights as training writes them, without a detector."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name in ("vae_degraded", "vae_clean"):
        save_network(folder, name, VAE(TINY.vae), TINY.vae, {})
    mapping = scratch_mapping(TINY.mapping)
    save_network(folder, "mapping_scratch", mapping, TINY.mapping, {})
    save_network(folder, "mapping_quality", PlainMapping(TINY.mapping), TINY.mapping, {})
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three photos of different formats and sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(["a.jpg", "b.png", "c.bmp"]):
        save_photo(folder / name, number)
    return folder


def save_photo(path: Path, number: int = 0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(0, 256, (20 + number, 33, 3), np.uint8)
    Image.fromarray(noise).save(path, **options)
    return path


def png_head(width: int, height: int) -> bytes:
    """The start of a grey PNG: enough to know its size, without the work of writing it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))
        for kind, content in ((b"IHDR", head), (b"IDAT", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def results(folder: Path) -> list[str]:
    """Names of the files in an output folder, without the record of what was written."""
    return sorted(path.name for path in folder.iterdir())


def call(*words: object) -> int:
    parser = argparse.ArgumentParser()
    restore.add_arguments(parser)
    arguments = ["--device", "cpu", "--precision", "fp32", *map(str, words)]
    return restore.run(parser.parse_args(arguments))


# --- what is written ---------------------------------------------------------------------------


def test_a_folder_is_restored_under_the_same_names(photos, tmp_path, weights, capsys):
    out = tmp_path / "new" / "out"
    before = {path: path.read_bytes() for path in photos.iterdir()}
    assert call(photos, "--output", out, "--weights", weights) == 0
    assert results(out) == ["a.jpg", "b.png", "c.png"]
    for name, height in [("a.jpg", 20), ("b.png", 21), ("c.png", 22)]:
        assert Image.open(out / name).size == (33, height)
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    shown = capsys.readouterr()
    assert "3 of 3 photos restored into" in shown.out
    assert "no scratch masks; device cpu, precision fp32" in shown.err


def test_a_photo_that_needs_nothing_is_copied_unless_asked_for(photos, tmp_path, weights, capsys):
    sound = photos / "rooster.jpg"
    sound.write_bytes(sample_path("rooster").read_bytes())
    out, options = tmp_path / "out", ("--output", tmp_path / "out", "--weights", weights)
    assert call(photos, *options) == 0
    assert (out / "rooster.jpg").read_bytes() == sound.read_bytes()
    shown = capsys.readouterr()
    assert "1 photo needed nothing: rooster.jpg; copied" in shown.err
    assert f"3 of 4 photos restored into {out}; 1 needed nothing" in shown.out
    for words in (("--always",), ("--tone", "network")):
        assert call(sound, *options, *words) == 0
        assert (out / "rooster.jpg").read_bytes() != sound.read_bytes()
        assert "needed nothing" not in "".join(capsys.readouterr())


def test_the_result_is_the_restorers_with_profile_and_mask(tmp_path, weights):
    photo = save_photo(tmp_path / "a.png", icc_profile=SRGB)
    mask = np.zeros((20, 33), bool)
    mask[4:12, 5:20] = True
    Image.fromarray(mask).save(tmp_path / "m.png")
    out = tmp_path / "out"
    assert call(photo, "--output", out, "--weights", weights, "--mask", tmp_path / "m.png") == 0
    restorer = Restorer.from_pretrained(weights, device="cpu", precision="fp32")
    written = Image.open(out / "a.png")
    assert written.info["icc_profile"] == SRGB
    assert np.array_equal(np.asarray(written), np.asarray(restorer(photo, mask)))
    assert not np.array_equal(np.asarray(written), np.asarray(restorer(photo)))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_in_sixteen_bits_out(tmp_path, weights, capsys, name):
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 33, 3), np.uint16)
    write_photo(tmp_path / name, pixels, icc_profile=SRGB)
    assert call(tmp_path / name, "--output", tmp_path / "out", "--weights", weights) == 0
    written = read_photo(tmp_path / "out" / name, with_deep=True)
    restorer = Restorer.from_pretrained(weights, device="cpu", precision="fp32")
    assert np.array_equal(written.deep, restorer.restore_pixels(pixels))
    assert len(np.unique(written.deep)) > 256
    assert written.icc_profile == SRGB
    assert "reduced" not in capsys.readouterr().err


def test_a_sixteen_bit_photo_named_otherwise_is_said_to_be_reduced(tmp_path, weights, capsys):
    pixels = np.full((20, 33, 3), 700, np.uint16)
    write_photo(tmp_path / "a.png", pixels)
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert call(tmp_path / "a.jpg", "--output", tmp_path / "out", "--weights", weights) == 0
    assert "1 photo: the 16 bits per channel" in capsys.readouterr().err


def test_photos_of_one_name_do_not_overwrite_each_other(tmp_path, weights, capsys):
    first, second = save_photo(tmp_path / "x" / "a.png"), save_photo(tmp_path / "y" / "A.PNG", 1)
    third = save_photo(tmp_path / "z" / "a.bmp", 2)
    out = tmp_path / "out"
    assert call(first, second, third, first, "--output", out, "--weights", weights) == 0
    assert results(out) == ["A_2.PNG", "a.png", "a_3.png"]
    assert Image.open(out / "A_2.PNG").size == (33, 21)
    assert "A.PNG: saved as A_2.PNG" in capsys.readouterr().err


def test_a_number_that_is_another_photos_name_is_not_given_away(tmp_path):
    photos = [Path("x/a.png"), Path("y/a.png"), Path("x/a_2.png")]
    names = [job.output.name for job in plan_jobs(photos, tmp_path)]
    assert names == ["a.png", "a_3.png", "a_2.png"]


def test_a_photo_that_becomes_png_does_not_take_the_name_of_one_that_is(tmp_path):
    photos = [Path("x/a.gif"), Path("x/a.png"), Path("x/b.gif")]
    jobs = plan_jobs(photos, tmp_path)
    assert [job.output.name for job in jobs] == ["a_2.png", "a.png", "b.png"]
    assert jobs[0].note == "saved as a_2.png, because another photo has its name"
    assert jobs[1].note == jobs[2].note == ""


def test_the_inputs_are_never_overwritten(photos, weights):
    with pytest.raises(InputError, match=r"would overwrite .*a\.jpg: choose another --output"):
        call(photos, "--output", photos, "--weights", weights)
    assert len(list(photos.iterdir())) == 3


def test_another_original_of_the_same_name_is_never_replaced(tmp_path, weights, capsys):
    """Scanners count from 0001: one album is restored into the folder of another."""
    other = save_photo(tmp_path / "pictures" / "IMG_0001.JPG", 1)
    before = other.read_bytes()
    photo = save_photo(tmp_path / "usb" / "IMG_0001.jpg", 2)
    for _ in range(2):  # the second time the earlier result is replaced
        assert call(photo, "--output", other.parent, "--weights", weights) == 0
        assert results(other.parent) == ["IMG_0001.JPG", "IMG_0001_2.jpg"]
        said = capsys.readouterr().err
        assert f"saved as IMG_0001_2.jpg, because a file in {other.parent} has its name" in said
    assert other.read_bytes() == before


def test_results_of_another_album_stay_and_ones_own_are_replaced(tmp_path, weights):
    out = tmp_path / "out"
    first, second = save_photo(tmp_path / "x" / "a.png"), save_photo(tmp_path / "y" / "a.png", 1)
    for _ in range(2):
        for photo in (first, second):
            assert call(photo, "--output", out, "--weights", weights) == 0
        assert results(out) == ["a.png", "a_2.png"]
    assert Image.open(out / "a.png").size == (33, 20)
    assert Image.open(out / "a_2.png").size == (33, 21)
    assert call(second, first, "--output", out, "--weights", weights) == 0
    assert results(out) == ["a.png", "a_2.png"]
    assert Image.open(out / "a.png").size == (33, 20)


def test_a_result_that_was_retouched_is_kept(tmp_path, weights):
    out, photo = tmp_path / "out", save_photo(tmp_path / "a.png")
    assert call(photo, "--output", out, "--weights", weights) == 0
    retouched = save_photo(out / "a.png", 3).read_bytes()
    assert call(photo, "--output", out, "--weights", weights) == 0
    assert (out / "a.png").read_bytes() == retouched
    assert results(out) == ["a.png", "a_2.png"]


def test_a_rescan_under_the_same_name_does_not_replace_the_result_of_the_first(tmp_path, weights):
    out, photo = tmp_path / "out", save_photo(tmp_path / "a.png")
    assert call(photo, "--output", out, "--weights", weights) == 0
    save_photo(photo, 1)
    assert call(photo, "--output", out, "--weights", weights) == 0
    assert results(out) == ["a.png", "a_2.png"]


def test_a_link_in_the_output_is_not_written_through(tmp_path, weights):
    original = save_photo(tmp_path / "album" / "a.png", 1)
    before, out = original.read_bytes(), tmp_path / "out"
    out.mkdir()
    (out / "a.png").symlink_to(original)
    assert call(save_photo(tmp_path / "a.png"), "--output", out, "--weights", weights) == 0
    assert original.read_bytes() == before
    assert results(out) == ["a.png", "a_2.png"]


def test_two_batches_into_one_folder_are_refused(photos, tmp_path, weights):
    out = tmp_path / "out"
    out.mkdir()
    with photo_folder(out), pytest.raises(InputError, match="another process is writing into"):
        call(photos, "--output", out, "--weights", weights)
    assert results(out) == []


def test_masks_go_with_the_photo_of_their_name(photos, tmp_path, weights, monkeypatch):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.ones((21, 33), bool)).save(masks / "b.png")
    given = {}
    one = batch.restore_one

    def note(job, restorer, source, *others):
        given[job.photo.name] = source(job.photo, np.zeros((21, 33, 3), np.uint8))
        return one(job, restorer, source, *others)

    monkeypatch.setattr(batch, "restore_one", note)
    words = ("--weights", weights, "--mask", masks, "--accept-large-masks")
    assert call(photos, "--output", tmp_path / "o", *words) == 0
    assert given["a.jpg"] is None
    assert given["b.png"].all()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_a_photo_is_converted_five_times_on_its_way(tmp_path, weights, monkeypatch, name):
    """File to PIL image to array to tensor to array to PIL image, which is written.

    The last array holds floats first, then whole numbers: what is kept of the original is decided
    between the two.
    """
    photo = save_photo(tmp_path / name)
    steps = count_conversions(monkeypatch, (20, 33))
    assert call(photo, "--output", tmp_path / "out", "--weights", weights) == 0
    assert steps == ["decode", "to array", "to tensor", "to levels", "encode"]


def count_conversions(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> list[str]:
    """Note each time that a whole photo of this size changes its form."""
    steps: list[str] = []

    def note(owner: object, name: str, step: str, place: int = 0) -> None:
        function = getattr(owner, name)

        def noted(*args: object, **options: object) -> object:
            shape = getattr(args[place], "shape", None) or getattr(args[place], "size", ())[::-1]
            if {*size} <= {*shape}:
                steps.append(step)
            return function(*args, **options)

        monkeypatch.setattr(owner, name, noted)

    note(ImageFile.ImageFile, "load_prepare", "decode")
    note(Image.Image, "tobytes", "to array")
    note(restorer_module, "to_tensor", "to tensor")
    note(restorer_module, "to_levels", "to levels")
    note(Image, "fromarray", "encode")
    return steps


# --- some photos are bad -----------------------------------------------------------------------


def test_bad_photos_are_named_and_the_others_done(photos, tmp_path, weights, capsys):
    (photos / "empty.jpg").touch()
    (photos / "text.png").write_text("no photo", encoding="utf-8")
    (photos / "cut.bmp").write_bytes((photos / "c.bmp").read_bytes()[:800])
    Image.new("RGB", (1, 1)).save(photos / "dot.png")
    (photos / "wide.png").write_bytes(png_head(30_000, 10_000))
    out = tmp_path / "out"
    assert call(photos, "--output", out, "--weights", weights) == 1
    assert results(out) == ["a.jpg", "b.png", "c.png"]
    shown = capsys.readouterr()
    for words in ("empty.jpg is empty", "text.png is not", "cut.bmp is damaged", "dot.png is 1 pi"):
        assert words in shown.err
    assert "wide.png has more than 178,956,970 pixels" in shown.err
    assert "Traceback" not in shown.err
    assert "3 of 8 photos restored" in shown.out


def test_a_photo_of_a_format_that_cannot_be_read_is_not_passed_over(
    photos, tmp_path, weights, capsys
):
    (photos / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (photos / "notes.txt").write_text("no photo", encoding="utf-8")
    assert call(photos, "--output", tmp_path / "out", "--weights", weights) == 1
    shown = capsys.readouterr()
    assert "phone.HEIC is not an image we can read: give a JPEG, PNG" in shown.err
    assert "3 of 4 photos restored" in shown.out


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp"])
def test_of_several_pictures_in_one_file_the_first_is_restored_and_that_is_said(
    tmp_path, weights, capsys, suffix
):
    noise = np.random.default_rng(0).integers(0, 256, (3, 20, 33, 3), np.uint8)
    first, *others = (Image.fromarray(picture) for picture in noise)
    path = tmp_path / f"pages{suffix}"
    first.save(path, save_all=True, append_images=others)
    out = tmp_path / "out"
    assert call(path, "--output", out, "--weights", weights) == 0
    assert "only the first of its 3 pictures is restored" in capsys.readouterr().err
    assert len(results(out)) == 1


def test_one_bad_mask_among_several_is_named(photos, tmp_path, weights, capsys):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.new("L", (33, 20), 100).save(masks / "a.png")
    Image.new("L", (9, 9), 0).save(masks / "b.png")
    out = tmp_path / "out"
    assert call(photos, "--output", out, "--weights", weights, "--mask", masks) == 1
    shown = capsys.readouterr().err
    assert "a.png has grey values" in shown
    assert "b.png is 9 pixels wide and 9 high" in shown
    assert results(out) == ["c.png"]


def test_a_photo_too_large_for_the_memory_is_named(photos, tmp_path, weights, capsys):
    out = tmp_path / "out"
    assert call(photos, "--output", out, "--weights", weights, "--max-memory", 0.001) == 1
    shown = capsys.readouterr().err
    assert "a.jpg not restored: restoring 36 x 20 pixels needs 0.03 GiB even in tiles" in shown
    assert "only 0.00 GiB are left" in shown
    assert results(out) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nSee the manual."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes."),
    ],
)
def test_out_of_memory_is_one_sentence_and_the_others_are_done(
    photos, tmp_path, weights, capsys, monkeypatch, error
):
    one = batch.restore_one

    def fail_at_b(job, *others):
        if job.photo.name == "b.png":
            raise error
        return one(job, *others)

    monkeypatch.setattr(batch, "restore_one", fail_at_b)
    assert call(photos, "--output", tmp_path / "out", "--weights", weights) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "not restored" in line]
    assert len(said) == 1
    assert said[0].endswith(
        "b.png not restored: out of memory: set a lower --max-memory, or close other programs"
    )
    assert results(tmp_path / "out") == ["a.jpg", "c.png"]


def test_an_error_of_the_program_itself_is_not_hidden(photos, tmp_path, weights, monkeypatch):
    def fail(*_):
        raise RuntimeError("mat1 and mat2 do not fit")

    monkeypatch.setattr(batch, "restore_one", fail)
    with pytest.raises(RuntimeError, match="mat1"):
        call(photos, "--output", tmp_path / "out", "--weights", weights)


def test_every_photo_says_what_made_it(photos, tmp_path, weights):
    mask = np.zeros((20, 33), bool)
    mask[:5] = True  # a quarter
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / "out"
    words = ("--output", out, "--weights", weights, "--mask", tmp_path / "mask.png")
    assert call(photos / "a.jpg", *words) == 0
    record = read_provenance(out / "a.jpg")
    assert record.masked_share == 0.25
    assert record.weights == weights.name
    assert record.weights_sha256 == network_sha256(load_weights(weights))


def test_tiling_is_said_once(photos, tmp_path, weights, capsys, monkeypatch):
    def warn(self, pixels, mask):
        warnings.warn(f"{len(pixels)} rows in tiles", restorer_module.TilingWarning, stacklevel=2)
        return pixels

    monkeypatch.setattr(Restorer, "restore_pixels", warn)
    assert call(photos, "--output", tmp_path / "out", "--weights", weights) == 0
    shown = capsys.readouterr().err
    assert "a.jpg: 20 rows in tiles" in shown
    assert "21 rows in tiles" not in shown


def test_ctrl_c_leaves_whole_files_only(photos, tmp_path, weights, monkeypatch):
    out = tmp_path / "out"
    save = Image.Image.save

    def stop_at_the_second(self, file, *args, **kwargs):
        if any(out.glob("a.jpg")):
            file.write(b"half")
            raise KeyboardInterrupt
        save(self, file, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        call(photos, "--output", out, "--weights", weights)
    assert results(out) == ["a.jpg"]
    Image.open(out / "a.jpg").load()


def test_what_is_left_out_is_listed_and_the_exit_code_says_it(photos, tmp_path, weights, capsys):
    (photos / "notes.txt").write_text("no photo", encoding="utf-8")
    words = ("--output", tmp_path / "out", "--weights", weights)
    assert call(photos, *words) == 0
    shown = capsys.readouterr()
    assert "left out (the ending is none of a photo's):" in shown.err and "notes.txt" in shown.err
    assert "3 of 3 photos restored" in shown.out and "1 left out, see above" in shown.out
    save_photo(photos / "1931" / "inside.png")
    assert call(photos, *words) == 1
    assert "a sub-folder: add --recursive" in capsys.readouterr().err


def test_sub_folders_are_mirrored(photos, tmp_path, weights):
    save_photo(photos / "1931" / "a.jpg")
    save_photo(photos / "1931" / "deep" / "scan.bmp")
    out = photos / "restored"  # inside the input, and searched neither now nor the next time
    words = (photos, "--recursive", "--output", out, "--weights", weights)
    for _ in range(2):
        assert call(*words) == 0
        names = {path.relative_to(out).as_posix() for path in out.rglob("*.*") if path.is_file()}
        photo_names = {name for name in names if Path(name).suffix in (".jpg", ".png")}
        assert photo_names == {"a.jpg", "b.png", "c.png", "1931/a.jpg", "1931/deep/scan.png"}


def test_wildcards_are_expanded(photos, tmp_path, weights):
    assert call(photos / "*.[jp]*g", "--output", tmp_path / "out", "--weights", weights) == 0
    assert (tmp_path / "out" / "a.jpg").is_file() and (tmp_path / "out" / "b.png").is_file()
    with pytest.raises(InputError, match=r"\*\.gif, nothing is there"):
        call(photos / "*.gif", "--output", tmp_path / "out", "--weights", weights)


@pytest.mark.parametrize("error", [AssertionError("odd"), struct.error("short"), KeyError(3)])
def test_any_error_of_a_decoder_is_one_sentence(
    photos, tmp_path, weights, capsys, monkeypatch, error
):
    read = batch.read_photo

    def read_all_but_b(path, **options):
        if path.name == "b.png":
            raise error
        return read(path, **options)

    monkeypatch.setattr(batch, "read_photo", read_all_but_b)
    assert call(photos, "--output", tmp_path / "out", "--weights", weights) == 1
    shown = capsys.readouterr()
    assert "b.png is damaged or cut short" in shown.err and "2 of 3 photos" in shown.out


def test_a_photo_that_takes_too_long_is_refused(photos, tmp_path, weights, capsys):
    words = ("--output", tmp_path / "out", "--weights", weights, "--max-seconds")
    assert call(photos, *words, "1e-9") == 1
    assert "restoring took longer than 1e-09 seconds: allow more" in capsys.readouterr().err
    with pytest.raises(InputError, match="max_seconds must be greater than 0"):
        call(photos, *words, "0")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_cannot_command_the_terminal(tmp_path, weights, capsys):
    photo = tmp_path / "a\x1b[2J\n.jpg"
    photo.write_bytes(b"no photo")
    assert call(photo, "--output", tmp_path / "out", "--weights", weights) == 1
    shown = capsys.readouterr().err
    assert "\x1b[2J" not in shown and r"a\x1b[2J\n.jpg" in shown


# --- wrong use ---------------------------------------------------------------------------------


def test_nothing_there_is_refused(tmp_path, photos):
    with pytest.raises(InputError, match=r"expected a photo or a folder of photos at .*nowhere"):
        find_photos([photos, tmp_path / "nowhere"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"expected photos .*empty, found none"):
        find_photos([photos, empty])


def test_unwritable_output_is_refused_before_any_work(photos, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*choose another --output folder"):
        call(photos, "--output", tmp_path / "file" / "out", "--weights", "nonsense")
    with pytest.raises(InputError, match="cannot be written"):
        call(photos, "--output", tmp_path / "file", "--weights", "nonsense")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--weights", "nonsense"], "expected the name of shipped weights"),
        (["--weights", "official:nowhere"], "nowhere"),
        (["--variant", "best"], "variant must be one of"),
        (["--mask", "nowhere.png"], "one mask for 3 photos|none of these"),
        (["--max-memory", "-2"], "must be greater than 0"),
    ],
)
def test_wrong_words_are_refused(photos, tmp_path, weights, words, sentence):
    words = words if "--weights" in words else ["--weights", weights, *words]
    with pytest.raises(InputError, match=sentence):
        call(photos, "--output", tmp_path / "out", *words)


def test_an_unknown_variant_of_the_authors_is_refused(photos, tmp_path):
    (tmp_path / "restoration").mkdir()
    words = ("--output", tmp_path / "out", "--weights", f"official:{tmp_path}", "--variant", "best")
    with pytest.raises(InputError, match="variant must be one of quality"):
        call(photos, *words)


def test_a_single_photo_with_a_mask_of_another_size_is_wrong_use(photos, tmp_path, weights):
    Image.new("L", (5, 5)).save(tmp_path / "m.png")
    words = ("--output", tmp_path / "out", "--weights", weights, "--mask", tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png is 5 pixels wide and 5 high, but its photo"):
        call(photos / "a.jpg", *words)
    assert results(tmp_path / "out") == []


def test_the_masks_that_were_used_are_written_on_request(photos, tmp_path, weights):
    kept = tmp_path / "kept"
    Image.new("1", (33, 20), 1).save(tmp_path / "a.png")  # b and c have none
    words = (photos, "--weights", weights, "--mask", tmp_path, "--save-masks", kept)
    words = (*words, "--accept-large-masks", "--output")
    with pytest.raises(InputError, match="masks and photos would share"):
        call(*words, kept)
    assert call(*words, tmp_path / "out") == 0
    assert {p.name: np.asarray(Image.open(p)).min() for p in kept.iterdir()} == {"a.png": 255}
