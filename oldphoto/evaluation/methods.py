"""The methods that can be compared, and how to load each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oldphoto.checks import require_in
from oldphoto.evaluation.baselines import attention, cyclegan, dip, pix2pix, realesrgan, sequential
from oldphoto.evaluation.baselines.classical import Classical
from oldphoto.evaluation.baselines.common import Method, require_photo_and_mask
from oldphoto.evaluation.baselines.fitting import NetworkMethod
from oldphoto.evaluation.comparison import ComparedMethod
from oldphoto.inference.restorer import Restorer
from oldphoto.metrics.perceptual import SQUEEZE_LABEL
from oldphoto.weights.source import WeightsSource
from oldphoto.weights.store import SHIPPED, mapping_name, read_card

DIP_SIZES = {"tiny": dip.TINY, "course": dip.COURSE, "small": dip.SMALL, "paper": dip.PAPER}
OURS = "ours with partial non-local"
OURS_PLAIN = "ours without partial non-local"
BASELINES = SHIPPED / "baselines"
"""Baselines that ship with the package, all trained with the same budget (size "course")."""

OURS_OF_BASELINES = "baselines/ours"
"""Name of the weights of our method that were trained with the budget of ``BASELINES``."""


@dataclass(frozen=True)
class Sources:
    """Where the weights of the methods come from.

    Attributes:
        weights: of our networks: "small", a folder, or ``official:FOLDER``.
        baselines: run folder of ``oldphoto baseline``; None takes those that ship.
        dip_size: size of the deep image prior, which is fitted to each photo.
    """

    weights: str = "small"
    baselines: Path | None = None
    dip_size: str = "tiny"

    def __post_init__(self) -> None:
        require_in(self.dip_size, tuple(DIP_SIZES), "size of DIP")


def unchanged(photo: np.ndarray, scratch_mask: np.ndarray | None = None) -> np.ndarray:
    """Return the photo unchanged (the row "Input")."""
    require_photo_and_mask(photo, scratch_mask)
    return photo


def _dip(sources: Sources) -> ComparedMethod:
    method = dip.DIP(DIP_SIZES[sources.dip_size])
    return ComparedMethod("DIP", method, method.num_parameters)


def _trained(
    title: str, name: str, load: Callable[[Path], NetworkMethod | sequential.Sequential]
) -> Callable[[Sources], ComparedMethod]:
    """Return the loader of a baseline that must be trained first."""

    def make(sources: Sources) -> ComparedMethod:
        folder = BASELINES if sources.baselines is None else sources.baselines / "weights"
        if not (folder / f"{name}.json").is_file():
            command = name.partition("_")[0]
            how = f"`python -m oldphoto baseline {command} --run DIR`, then `--baselines DIR`"
            return ComparedMethod(title, None, missing=f"train it with {how}")
        method = load(folder)
        note = training_note(folder / f"{name}.json")
        return ComparedMethod(title, method, method.num_parameters, note=note)

    return make


def training_note(path: Path) -> str:
    """Return in a few words how a network was trained, from the JSON beside its weights."""
    card = read_card(path)["training"]
    stage = card.get("stage", {})
    if "num_clean" not in card or "num_photos" not in stage:
        return ""
    text = (
        f"trained on {card['num_clean']} clean photos, {stage['num_photos']:,} shown in crops of "
        f"{stage['crop']} px"
    )
    if not card.get("finished", True):
        text += " were planned, but it was stopped early"
    if card.get("started_from", "random weights") != "random weights":
        text += ", after earlier training"
    if "SqueezeNet" in card.get("perceptual_features", ""):
        text += f"; its loss looked through the network that {SQUEEZE_LABEL} uses, which favours it"
    return text


def _ours(title: str, variant: str) -> Callable[[Sources], ComparedMethod]:
    def make(sources: Sources) -> ComparedMethod:
        source = WeightsSource.parse(sources.weights)
        if variant not in source.variants:
            how = f"`python -m oldphoto train --stage mapping --variant {variant} --run DIR`"
            return ComparedMethod(title, None, missing=f"{sources.weights} has none: {how}")
        restorer = Restorer.from_source(source, variant)
        number = sum(p.numel() for p in restorer.network.parameters())
        card = source.folder / f"{mapping_name(variant)}.json"
        note = "" if source.is_official else training_note(card)
        return ComparedMethod(title, _as_array(restorer), number, note=note)

    return make


def _as_array(restorer: Restorer) -> Method:
    return lambda photo, scratch_mask=None: restorer.restore_pixels(photo, scratch_mask)


METHODS: dict[str, Callable[[Sources], ComparedMethod]] = {
    "input": lambda _: ComparedMethod("Input", unchanged),
    "classical": lambda _: ComparedMethod("Classical", Classical()),
    "attention": _trained("Attention", attention.NAME, attention.Attention.load),
    "dip": _dip,
    "pix2pix": _trained("Pix2Pix", pix2pix.NAME, pix2pix.Pix2Pix.load),
    "sequential": _trained("Sequential", sequential.FILLING, sequential.Sequential.load),
    "cyclegan": _trained("CycleGAN", cyclegan.NAME, cyclegan.CycleGAN.load),
    "ours-plain": _ours(OURS_PLAIN, "quality"),
    "ours": _ours(OURS, "scratch"),
}
"""All methods by their command-line names, in the order of the slides' table."""


def compared_methods(names: Sequence[str], sources: Sources) -> list[ComparedMethod]:
    """Load methods by name; return them in the order of the table.

    >>> [method.name for method in compared_methods(["classical", "input"], Sources())]
    ['Input', 'Classical']

    Raises:
        InputError: for an unknown name, or weights that are damaged.
    """
    for name in names:
        require_in(name, tuple(METHODS), "method")
    return [make(sources) for name, make in METHODS.items() if name in names]


def peer(given: str) -> ComparedMethod:
    """Load a method of other people for one more row of the table.

    Args:
        given: "realesrgan", which takes the file of the installed package, or
            "realesrgan:FILE".

    Raises:
        InputError: if it is another name, or its file is missing or another one.
    """
    name, _, path = given.partition(":")
    require_in(name, ("realesrgan",), "peer")
    method = realesrgan.RealESRGAN.load(Path(path) if path else None)
    note = "trained by its authors, on far more photos and for far longer than all others here"
    return ComparedMethod(realesrgan.TITLE, method, method.num_parameters, note=note)
