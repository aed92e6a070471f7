"""The detector resizes as the authors do, and its mask has the size of the photo."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from oldphoto.checks import InputError
from oldphoto.config import PRESETS
from oldphoto.degradations import degrade
from oldphoto.inference.detector import OWN_THRESHOLD, ScratchDetector, working_size
from oldphoto.metrics.detection import Confusion, confusion
from oldphoto.networks.scratch_detector import ScratchUNet
from oldphoto.samples import sample_names, sample_photo
from oldphoto.weights import official
from oldphoto.weights.store import save_network

TINY = PRESETS["tiny"].detector


def unet() -> ScratchUNet:
    torch.manual_seed(0)
    return ScratchUNet(TINY)


class Brightness(nn.Module):
    """Stands for a network: the probability of damage is the brightness of the pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, grey: Tensor) -> Tensor:
        self.seen.append(grey)
        return ((grey + 1) / 2).clamp(1e-6, 1 - 1e-6).logit()


def authors_size(height: int, width: int) -> tuple[int, int]:
    """``scale_tensor`` of detection.py, in its own words: short side 256, rounded to 16."""
    if height < width:
        return 256, round(width / height * 256 / 16) * 16
    return round(height / width * 256 / 16) * 16, 256


@pytest.mark.parametrize("size", [(256, 256), (300, 200), (333, 777), (1000, 1024), (100, 160)])
def test_working_size_is_the_authors(size):
    assert working_size(size, 256) == authors_size(*size)


def test_very_long_photos_are_not_blown_up():
    assert working_size((20, 30_000), 256) == (32, 4096)
    assert working_size((2000, 20), 256) == (4096, 48)


def test_probability_is_the_sigmoid_of_the_network_and_resizes_nothing():
    network = unet()
    grey = torch.rand(2, 1, 32, 48) * 2 - 1
    probability = ScratchDetector(network, device="cpu").probability(grey)
    with torch.no_grad():
        assert torch.equal(probability, network(grey).sigmoid())
    assert not network.training
    assert not probability.requires_grad


def test_probability_refuses_other_shapes():
    detector = ScratchDetector(unet(), device="cpu")
    with pytest.raises(InputError, match=r"multiples of 16, got \(32, 40\)"):
        detector.probability(torch.zeros(1, 1, 32, 40))
    with pytest.raises(InputError, match=r"shape \(B, 1, H, W\), got \(1, 3, 32, 32\)"):
        detector.probability(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("size", [(16, 16), (37, 90), (300, 211)])
def test_the_mask_has_the_size_of_the_photo(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    mask = ScratchDetector(unet(), device="cpu")(Image.fromarray(photo))
    assert mask.shape == size
    assert mask.dtype == bool


def test_photo_goes_in_grey_at_256_and_comes_back_by_nearest_neighbour():
    network = Brightness()
    photo = np.zeros((512, 768, 3), np.uint8)
    photo[100:200, 300:400] = 255
    photo[300:400, 300:400] = (255, 0, 0)  # luminance 76: probability 0.3, below the threshold
    detector = ScratchDetector(network, device="cpu")
    mask = detector(photo)
    assert network.seen[0].shape == (1, 1, 256, 384)
    assert (network.seen[0].min(), network.seen[0].max()) == (-1, 1)
    expected = np.zeros((512, 768), bool)
    expected[100:200, 300:400] = True
    assert np.array_equal(mask, expected)
    levels = np.unique(detector.photo_probability(photo).round(2))
    assert levels.tolist() == pytest.approx([0, 0.3, 1])  # nothing was blended on the way back


def test_the_threshold_itself_is_damaged(monkeypatch):
    detector = ScratchDetector(Brightness(), threshold=0.4, device="cpu")
    at = lambda value: lambda _: np.full((16, 16), value, np.float32)  # noqa: E731
    monkeypatch.setattr(detector, "photo_probability", at(0.41))
    assert detector(Image.new("RGB", (16, 16))).all()
    monkeypatch.setattr(detector, "photo_probability", at(0.39))
    assert not detector(Image.new("RGB", (16, 16))).any()


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="threshold must lie between 0 and 1, got 1"):
        ScratchDetector(unet(), threshold=1)
    with pytest.raises(InputError, match="working_side must be 32, 48, 64 or so on, got 100"):
        ScratchDetector(unet(), working_side=100)


def test_from_pretrained_reads_what_training_wrote(tmp_path):
    network = unet()
    save_network(tmp_path, "detector", network, TINY, {})
    grey = torch.rand(1, 1, 32, 32)
    loaded = ScratchDetector.from_pretrained(tmp_path, device="cpu").probability(grey)
    assert torch.allclose(loaded, ScratchDetector(network).probability(grey).cpu(), atol=0.01)
    assert ScratchDetector.from_pretrained(tmp_path, device="cpu").threshold == OWN_THRESHOLD
    assert ScratchDetector.from_pretrained(tmp_path, "cpu", threshold=0.3).threshold == 0.3


def test_the_shipped_detector_finds_most_of_what_it_calls_damaged_and_leaves_clean_photos_alone():
    detector = ScratchDetector.from_pretrained("small", device="cpu")
    count, alarms = Confusion(0, 0, 0, 0), []
    for index, name in enumerate(sample_names("held_out")):
        clean = sample_photo(name)
        photo, mask = degrade(clean, seed=100 * index + 1, recipe="paper")
        count += confusion(detector(photo), mask)
        alarms.append(detector(clean).mean())
    assert count.precision > 0.7 and count.recall > 0.4
    assert np.mean(alarms) < 0.03


@pytest.mark.parametrize(
    ("short", "seen"), [(64, 256), (256, 256), (400, 400), (640, 640), (900, 640)]
)
def test_the_shipped_detector_sees_photos_in_their_own_size_up_to_a_limit(short, seen, monkeypatch):
    detector = ScratchDetector.from_pretrained("small", device="cpu")
    sizes: list[torch.Size] = []

    def remember(grey: torch.Tensor) -> torch.Tensor:
        sizes.append(grey.shape)
        return torch.zeros_like(grey)

    monkeypatch.setattr(detector, "probability", remember)
    assert detector(np.zeros((short, short + 32, 3), np.uint8)).shape == (short, short + 32)
    [size] = sizes
    assert min(size[-2:]) == seen


def test_from_official_hands_the_folder_on(monkeypatch):
    asked: list[Path] = []

    def load(folder: Path) -> ScratchUNet:
        asked.append(folder)
        return ScratchUNet(dataclasses.replace(TINY, depth=4))

    monkeypatch.setattr(official, "load_official_detector", load)
    detector = ScratchDetector.from_official("some/folder", device="cpu")
    assert asked == [Path("some/folder")]
    assert (detector.threshold, detector.working_side, detector.largest_side) == (0.4, 256, 256)
