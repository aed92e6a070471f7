"""Training datasets: the right pixels, the same for every number of workers, and clear refusals."""

import csv
import signal
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from oldphoto.checks import InputError
from oldphoto.data import (
    CleanPhotos,
    DegradedPairs,
    DetectorPairs,
    MixedOld,
    OldPhotos,
    PositionSampler,
    alternate,
    loading,
    make_loader,
    photo_paths,
    reading,
)
from oldphoto.data.reading import PhotoSet, decode_photo, pad_to, shrink
from oldphoto.data.stream import PhotoStream, shuffled
from oldphoto.degradations import degrade_pair, paint_white
from oldphoto.images.tensors import to_pixels
from oldphoto.samples import sample_paths


def make_photos(folder: Path, number: int, size: tuple[int, int] = (40, 60)) -> list[Path]:
    """Write PNG photos whose colour tells their number: red = 10 * number."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(number):
        pixels = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
        pixels[..., 0] = 10 * index
        paths.append(folder / f"{index:03}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def number_of(photo: torch.Tensor) -> int:
    """Return which of ``make_photos`` a tensor shows."""
    return int(to_pixels(photo)[0, 0, 0]) // 10


# Reading


def test_large_jpeg_is_read_at_reduced_size_and_looks_the_same(tmp_path):
    height, width = np.mgrid[0:1200, 0:1600]
    pixels = np.stack([height / 5, width / 7, (height + width) / 12], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.jpg", quality=95)
    read = decode_photo(tmp_path / "large.jpg", short_side=200)
    assert read.shape == (200, 267, 3)
    expected = np.asarray(Image.fromarray(pixels).resize((267, 200), Image.Resampling.BOX))
    assert np.abs(read.astype(int) - expected).mean() < 1.5


def test_photo_lying_on_its_side_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), "red").save(tmp_path / "turned.jpg", exif=exif)
    assert decode_photo(tmp_path / "turned.jpg", short_side=1000).shape == (80, 40, 3)


def test_shrink_takes_the_mean_of_each_area_and_never_enlarges():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    expected = pixels.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrink(pixels, 2) - expected).max() <= 0.5
    assert shrink(pixels, 9) is pixels


def test_small_photo_is_mirrored_not_enlarged():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    padded = pad_to(pixels, 4)
    assert padded.shape == (4, 4, 3)
    assert np.array_equal(padded, pixels[[0, 1, 0, 1]][:, [0, 1, 2, 1]])


def test_memory_of_a_process_stays_within_the_limit_and_changes_nothing(tmp_path):
    paths = make_photos(tmp_path, 6)
    one = 40 * 60 * 3
    small, none = PhotoSet(paths, 100, cache_bytes=2 * one), PhotoSet(paths, 100, cache_bytes=0)
    for index in (0, 1, 2, 0, 5, 5, 4, 0):
        assert np.array_equal(small.read(index), none.read(index))
        held = sum(pixels.nbytes for pixels in small._cache.values())
        assert held == small._cached_bytes <= 2 * one
    assert not none._cache


def test_unreadable_photo_is_replaced_by_the_next_and_named_once(tmp_path):
    paths = make_photos(tmp_path, 4)
    paths[1].write_bytes(paths[1].read_bytes()[:200])
    paths[2].write_bytes(b"")
    photos = PhotoSet(paths, 100)
    with pytest.warns(UserWarning) as caught:
        assert photos.read(1)[0, 0, 0] == 30
    assert [str(path) in str(one.message) for path, one in zip(paths[1:3], caught, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert photos.read(1)[0, 0, 0] == 30
        assert photos.read(0)[0, 0, 0] == 0
    assert photos.unreadable() == paths[1:3]


def test_last_photo_is_replaced_by_the_first(tmp_path):
    paths = make_photos(tmp_path, 2)
    paths[1].write_bytes(b"not an image")
    with pytest.warns(UserWarning, match="001.png"):
        assert PhotoSet(paths, 100).read(1)[0, 0, 0] == 0


@pytest.mark.filterwarnings("ignore:left out")
def test_no_readable_photo_is_refused(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"none of the 1 photos can be read.*broken.jpg"):
        make_loader(CleanPhotos([path], 16, 0), batch=1)


# Order


def test_each_epoch_shows_every_photo_once_in_another_order(tmp_path):
    paths = make_photos(tmp_path, 7)
    dataset = CleanPhotos(paths, 16, seed=3, grey_prob=0)
    epochs = [[number_of(dataset[7 * e + p]) for p in range(7)] for e in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] == shuffled(7, 3, 0, 0).tolist()


def test_a_sample_depends_on_its_position_alone():
    paths = sample_paths("clean")
    forwards, backwards = CleanPhotos(paths, 32, 5), CleanPhotos(paths, 32, 5, cache_bytes=0)
    positions = [0, 31, 200]
    first = {p: forwards[p] for p in positions}
    second = {p: backwards[p] for p in reversed(positions)}
    assert all(torch.equal(first[p], second[p]) for p in positions)
    assert not torch.equal(CleanPhotos(paths, 32, 6)[0], first[0])


def test_same_photo_looks_different_in_the_next_epoch(tmp_path):
    dataset = CleanPhotos(make_photos(tmp_path, 1), 16, seed=0)
    assert not torch.equal(dataset[0], dataset[1])


def test_going_through_a_dataset_ends_after_one_epoch(tmp_path):
    assert len(list(CleanPhotos(make_photos(tmp_path, 5), 16, 0))) == 5


def test_a_stopped_run_goes_on_where_it_was():
    dataset = CleanPhotos(sample_paths("clean"), 32, 0)
    whole = list(make_loader(dataset, batch=4, start=0, stop=40))
    rest = list(make_loader(dataset, batch=4, start=24, stop=40))
    assert len(whole) == 10
    assert all(torch.equal(a, b) for a, b in zip(whole[6:], rest, strict=True))


def test_processes_share_the_positions_and_get_equally_many():
    parts = [list(PositionSampler(3, 18, rank, 4)) for rank in range(4)]
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    assert sorted(p for part in parts for p in part) == list(range(3, 15))


def test_workers_give_the_same_batches_and_share_what_is_unreadable(tmp_path):
    paths = make_photos(tmp_path, 6)
    paths[2].write_bytes(b"broken")
    alone, helped = (MixedOld(paths, paths, 32, 0) for _ in range(2))
    with pytest.warns(UserWarning, match="002.png"):
        here = list(make_loader(alone, batch=3, stop=12))
    there = list(make_loader(helped, batch=3, num_workers=1, stop=12))
    assert len(here) == len(there) == 4
    for one, other in zip(here, there, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert helped.unreadable() == alone.unreadable() == [paths[2], paths[2]]


class Signalled(CleanPhotos):
    """A dataset whose worker is asked to stop before each sample."""

    def __getitem__(self, position):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        return super().__getitem__(position)


def test_workers_leave_it_to_the_training_process_when_to_stop(tmp_path):
    dataset = Signalled(make_photos(tmp_path, 2), 16, 0)
    assert len(list(make_loader(dataset, batch=1, num_workers=1, stop=2))) == 2


def without_shared_memory(monkeypatch):
    def refuse(self):
        raise RuntimeError("unable to open shared memory object: Read-only file system (30)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)


def test_without_shared_memory_this_process_reads_everything(tmp_path, monkeypatch):
    paths = make_photos(tmp_path, 6)
    expected = list(make_loader(CleanPhotos(paths, 16, 0), batch=2))
    without_shared_memory(monkeypatch)
    with pytest.warns(UserWarning, match="0 of 2 workers are used: .*enlarge it"):
        loader = make_loader(CleanPhotos(paths, 16, 0), batch=2, num_workers=2)
    assert loader.num_workers == 0
    assert all(torch.equal(a, b) for a, b in zip(loader, expected, strict=True))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="Linux only")
@pytest.mark.parametrize(("batches", "workers"), [(1, 0), (2.9, 0), (3, 1), (5, 2), (99, 2)])
def test_only_as_many_workers_as_the_shared_memory_has_room_for(
    tmp_path, monkeypatch, batches, workers
):
    dataset = CleanPhotos(make_photos(tmp_path, 4), 16, 0)
    free = SimpleNamespace(free=int(batches * 2 * 7 * 4 * 16**2))
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda _: free)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert make_loader(dataset, batch=2, num_workers=2).num_workers == workers
    assert len(said) == (workers < 2)


class Stuck(CleanPhotos):
    """A dataset whose worker never comes back from one sample."""

    def __getitem__(self, position):
        if position == 5 and torch.utils.data.get_worker_info():
            time.sleep(600)
        return super().__getitem__(position)


def test_workers_that_hang_are_replaced_by_this_process(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "TIMEOUT_SECONDS", 5)
    paths = make_photos(tmp_path, 4)
    expected = list(make_loader(CleanPhotos(paths, 16, 0), batch=2, stop=8))
    loader = make_loader(Stuck(paths, 16, 0), batch=2, num_workers=1, stop=8)
    with pytest.warns(UserWarning, match="goes on without workers: DataLoader timed out"):
        batches = list(loader)
    assert all(torch.equal(a, b) for a, b in zip(batches, expected, strict=True))


@pytest.mark.parametrize("error", [AssertionError("odd"), KeyError(5), AttributeError("none")])
def test_any_error_of_a_decoder_leaves_the_photo_out(tmp_path, monkeypatch, error):
    paths = make_photos(tmp_path, 2)
    real = reading.read_photo

    def broken(path, **options):
        if path.name == paths[0].name:
            raise error
        return real(path, **options)

    monkeypatch.setattr(reading, "read_photo", broken)
    photos = PhotoSet(paths, 16)
    with pytest.warns(UserWarning, match="cannot be read as a photo"):
        assert photos.read(0).shape == photos.read(1).shape
    assert photos.unreadable() == [paths[0]]


# Samples


def test_photos_have_the_documented_shape_and_range():
    for dataset in (
        CleanPhotos(sample_paths("clean"), 48, 0),
        OldPhotos(sample_paths("old"), 48, 0),
    ):
        photo = dataset[0]
        assert photo.shape == (3, 48, 48)
        assert photo.dtype == torch.float32
        assert -1 <= photo.min() < photo.max() <= 1


def test_half_of_the_photos_are_mirrored(tmp_path):
    ramp = np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], 32, axis=0)
    Image.fromarray(np.repeat(ramp, 3, axis=2)).save(tmp_path / "ramp.png")
    dataset = CleanPhotos([tmp_path / "ramp.png"], 32, 0)
    mirrored = [bool(dataset[p][0, 0, 0] > dataset[p][0, 0, -1]) for p in range(200)]
    assert 75 < sum(mirrored) < 125


@pytest.mark.parametrize(("grey_prob", "expected"), [(0.0, 0), (1.0, 20)])
def test_grey_share(grey_prob, expected):
    pairs = DegradedPairs(sample_paths("held_out"), 32, 0, grey_prob=grey_prob, hole_prob=0)
    samples = [pairs[p] for p in range(20)]
    grey = [all(torch.equal(s[n][0], s[n][1]) for n in ("clean", "degraded")) for s in samples]
    assert sum(grey) == expected


def test_pair_is_what_the_degradation_makes_and_white_where_damaged():
    stream = PhotoStream(sample_paths("clean"), 64, 9)
    pairs = DegradedPairs(sample_paths("clean"), 64, 9, hole_prob=1.0, grey_prob=0)
    flips = 0
    for position in range(6):
        pixels, key = stream.at(position)
        degraded, clean, mask = degrade_pair(pixels, (*key, 4), "released", 64, hole_prob=1.0)
        flip = pairs._look(key)[0]
        step = -1 if flip else 1
        sample = pairs[position]
        assert np.array_equal(to_pixels(sample["clean"]), clean[:, ::step])
        assert np.array_equal(to_pixels(sample["degraded"]), paint_white(degraded, mask)[:, ::step])
        damaged = sample["scratch_mask"][0] == 1
        assert np.array_equal(damaged.numpy(), mask[:, ::step])
        assert (sample["degraded"][:, damaged] == 1).all()
        flips += flip
    assert 0 < flips < 6  # both cases were seen


def test_mixed_sample_holds_both_kinds(tmp_path):
    old = make_photos(tmp_path, 2)
    mixed = MixedOld(old, sample_paths("clean"), 32, 0, grey_prob=0)
    assert len(mixed) == len(sample_paths("clean"))
    seen = [number_of(mixed[p]["old"]) for p in range(6)]
    assert sorted(seen) == [0, 0, 0, 1, 1, 1]
    assert mixed[0]["degraded"].shape == (3, 32, 32)


def test_detector_sample_is_grey_keeps_the_damage_visible_and_has_its_exact_mask():
    stream = PhotoStream(sample_paths("clean"), 64, 0)
    pairs = DetectorPairs(sample_paths("clean"), 64, 0)
    damaged = 0
    for position in range(8):
        pixels, key = stream.at(position)
        degraded, _, mask = degrade_pair(pixels, (*key, 4), "paper", 64)
        step = -1 if pairs._look(key)[0] else 1
        sample = pairs[position]
        assert sample["grey"].shape == sample["scratch_mask"].shape == (1, 64, 64)
        grey = ((sample["grey"][0] + 1) * 127.5).round().numpy().astype(np.uint8)
        assert np.array_equal(grey, cv2.cvtColor(degraded, cv2.COLOR_RGB2GRAY)[:, ::step])
        assert np.array_equal(sample["scratch_mask"][0].numpy() == 1, mask[:, ::step])
        damaged += bool(mask.any())
    assert damaged >= 2  # the recipe has structured damage


def test_textures_are_damage_of_some_samples_and_leave_the_others_alone(tmp_path):
    texture = np.zeros((60, 60), np.uint8)
    texture[20:40] = 255
    Image.fromarray(texture).save(tmp_path / "line.png")
    textures = [tmp_path / "line.png"]
    plain = DetectorPairs(sample_paths("clean"), 64, 0, "released")  # a recipe without any damage
    textured = DetectorPairs(sample_paths("clean"), 64, 0, "released", textures=textures)
    shares = []
    for position in range(30):
        before, sample = plain[position], textured[position]
        mask = sample["scratch_mask"] > 0
        assert sample["grey"].shape == mask.shape == (1, 64, 64)
        if not mask.any():
            assert torch.equal(before["grey"], sample["grey"])
        else:
            change = (sample["grey"] - before["grey"]).abs()
            assert change[mask].mean() > 3 * change[~mask].mean()  # outside there is JPEG alone
        assert torch.equal(textured[position]["grey"], sample["grey"])
        shares.append(bool(mask.any()))
    assert 4 <= sum(shares) <= 16


def test_an_unreadable_texture_is_left_out_and_named(tmp_path):
    Image.fromarray(np.full((30, 30), 255, np.uint8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    textures = [tmp_path / "bad.png", tmp_path / "good.png"]
    pairs = DetectorPairs(sample_paths("clean"), 64, 0, textures=textures)
    with pytest.warns(UserWarning, match=r"left out of training: .*bad.png"):
        for position in range(30):
            pairs[position]
    assert pairs.unreadable() == [tmp_path / "bad.png"]


def test_random_scale_shows_more_of_the_photo_but_never_less_than_the_crop():
    stream = PhotoStream(sample_paths("clean"), 100, 0, min_scale=0.3)
    sides = [min(stream.at(p)[0].shape[:2]) for p in range(40)]
    assert min(sides) >= 100
    assert min(sides) < 130
    assert max(sides) > 220


# Refusals


def test_fewer_photos_than_a_batch_is_refused_for_either_kind(tmp_path):
    few, many = make_photos(tmp_path, 3), sample_paths("clean")
    for dataset in (MixedOld(few, many, 16, 0), MixedOld(many, few, 16, 0)):
        with pytest.raises(InputError, match=r"batch of 4 needs at least 4 photos.*got 3"):
            make_loader(dataset, batch=4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: CleanPhotos([], 16, 0), "at least one photo"),
        (lambda p: CleanPhotos(p, 0, 0), "crop must be greater than 0"),
        (lambda p: CleanPhotos(p, 16, -1), "seed must be 0 or more"),
        (lambda p: CleanPhotos(p, 16, 0, grey_prob=2), "grey_prob must be within 0 and 1"),
        (lambda p: CleanPhotos(p, 16, 0, min_scale=0), "min_scale must be above 0"),
        (lambda p: CleanPhotos(p, 16, 0, max_short_side=8), "at least the crop 16"),
        (lambda p: CleanPhotos(p, 16, 0)[-1], "a position is 0 or more, got -1"),
        (lambda p: PhotoStream(p, 16, 0).key(-1), "a position is 0 or more, got -1"),
        (lambda p: DegradedPairs(p, 16, 0, recipe="nonsense"), "nonsense"),
        (lambda p: DegradedPairs(p, 16, 0, hole_prob=2), "hole_prob must be within 0 and 1"),
        (lambda p: make_loader(CleanPhotos(p, 16, 0), 0), "batch must be greater than 0"),
        (lambda p: make_loader(CleanPhotos(p, 16, 0), 1, -1), "num_workers must be 0 or more"),
        (lambda p: make_loader(CleanPhotos(p, 16, 0), 1, start=5, stop=4), "0 <= start <= stop"),
        (lambda p: PositionSampler(0, 4, rank=2, num_processes=2), "rank"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, call, message):
    with pytest.raises(InputError, match=message):
        call(make_photos(tmp_path, 1))


# Listing


def test_photo_paths_follow_the_catalogue(tmp_path):
    make_photos(tmp_path, 4)
    rows = [
        ("000.png", "kept", "", "RGB"),
        ("001.png", "kept", "test", "L"),
        ("002.png", "kept", "train", "L"),
        ("003.png", "set_aside", "train", "RGB"),
    ]
    assert len(photo_paths(tmp_path)) == 4
    with pytest.raises(InputError, match="has no catalogue"):
        photo_paths(tmp_path, split="train")
    with (tmp_path / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "status", "split", "mode"), *rows])
    names = [path.name for path in photo_paths(tmp_path, split="train")]
    assert names == ["000.png", "002.png"]
    assert [path.name for path in photo_paths(tmp_path, mode="L")] == ["001.png", "002.png"]
    assert len(photo_paths(tmp_path)) == 3
    with pytest.raises(InputError, match="lists no photo with split validation"):
        photo_paths(tmp_path, split="validation")


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"path,status\n" + b"x" * 200_000])
def test_a_damaged_catalogue_is_one_sentence(tmp_path, content):
    make_photos(tmp_path, 1)
    (tmp_path / "catalogue.csv").write_bytes(content)
    with pytest.raises(InputError, match="is no catalogue"):
        photo_paths(tmp_path)


def test_alternate_gives_both_lists_the_same_share():
    grey, colour = [Path("g")], [Path("a"), Path("b"), Path("c")]
    assert [str(path) for path in alternate(grey, colour)] == ["g", "a", "g", "b", "g", "c"]
    assert alternate([], colour) == colour
