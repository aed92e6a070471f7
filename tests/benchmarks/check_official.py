"""Are our outputs those of the authors' modules? Same seeded weights, largest difference shown.

The authors' modules get random weights, which are written as their checkpoints are and read by our
own loader. They come from a clone of https://github.com/microsoft/Bringing-Old-Photos-Back-to-Life;
nothing of it is in this project. Ends with exit code 1 where a difference is above 1e-3.

    python tests/benchmarks/check_official.py --authors CHECKOUT
"""

import argparse
import importlib
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

import torch
from bench_official import author_parts, authors_forward, photo_and_mask
from torch import Tensor, nn

from oldphoto.inference.detector import ScratchDetector
from oldphoto.inference.restorer import Restorer
from oldphoto.weights import official

LIMIT = 1e-3


def author_detector(checkout: Path) -> nn.Module:
    """Return the authors' U-Net with the options that their detection.py sets."""
    # Their synchronised batch norm is a repository of its own; evaluation has no use for it.
    name = "detection_models.sync_batchnorm"
    sys.modules[name] = types.SimpleNamespace(DataParallelWithCallback=lambda network: network)
    sys.path.insert(0, str(checkout / "Global"))
    unet = importlib.import_module("detection_models.networks").UNet
    return unet(in_channels=1, out_channels=1, depth=4, wf=6).eval()


def write(root: Path, file: official.OfficialFile, network: nn.Module) -> None:
    """Write a network as one of the authors' checkpoints."""
    path = root / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    state = network.state_dict()
    torch.save({file.entry: state} if file.entry else state, path)


def check_variant(variant: str, sizes: list[tuple[int, int]], args: argparse.Namespace) -> float:
    """Print a line for each size and return the largest difference."""
    parts = author_parts(variant, args.authors)
    vae_clean, mapping = official.VAE_CLEAN_AND_MAPPING[variant]
    files = (official.VAE_DEGRADED, vae_clean, mapping)
    with tempfile.TemporaryDirectory() as folder:
        for file, network in zip(files, parts, strict=True):
            write(Path(folder), file, network)
        restorer = Restorer.from_official(folder, variant, device="cpu", precision="fp32")
    theirs = authors_forward(variant, *parts)
    return max(
        compare(variant, size, theirs, restorer.restore_tensor, photo_and_mask(*size))
        for size in sizes
    )


def check_detector(sizes: list[tuple[int, int]], args: argparse.Namespace) -> float:
    """Print a line for each size and return the largest difference of the probabilities."""
    network = author_detector(args.authors)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as after training: not 0 and 1
            layer.running_mean.normal_(std=0.2)
            layer.running_var.uniform_(0.5, 2)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), official.DETECTOR, network)
        detector = ScratchDetector.from_official(folder, device="cpu")

    def theirs(grey: Tensor) -> Tensor:
        return torch.sigmoid(network(grey))

    return max(
        compare("detector", size, theirs, detector.probability, (photo_and_mask(*size)[0][:, :1],))
        for size in sizes
    )


def compare(
    name: str,
    size: tuple[int, int],
    theirs: Callable[..., Tensor],
    ours: Callable[..., Tensor],
    inputs: tuple[Tensor, ...],
) -> float:
    """Run both on copies of the inputs, print their largest difference, and return it."""
    # Copies: their modules write into the mask.
    expected = theirs(*(x.clone() for x in inputs))
    difference = float((expected - ours(*(x.clone() for x in inputs))).abs().max())
    print(
        f"{name:<8} | {size[1]:>4} x {size[0]:<4} | their outputs {expected.min():+.3f} to "
        f"{expected.max():+.3f} | largest difference {difference:.1e}",
        flush=True,
    )
    return difference


def main() -> int:
    """Compare all, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--authors", type=Path, required=True, help="clone of their repository")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    # Sides in pixels, all multiples of 16; "hr" equals theirs for multiples of 32 only.
    sizes = {"quality": [(64, 96), (208, 176)], "scratch": [(64, 96), (208, 176)]}
    sizes["hr"] = [(64, 96), (224, 160)]
    with torch.no_grad():
        differences = [check_variant(variant, sizes[variant], args) for variant in sizes]
        differences.append(check_detector([(64, 96), (208, 176)], args))
    return int(max(differences) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
