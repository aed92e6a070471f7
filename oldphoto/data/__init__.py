"""Training photos, read lazily: the same position gives the same sample, whatever happened before.

A training run counts positions: ``make_loader(dataset, batch, start=N)`` goes on after N samples.
"""

from oldphoto.data.datasets import (
    AllKinds,
    CleanPhotos,
    DegradedPairs,
    DetectorPairs,
    MixedOld,
    OldPhotos,
    PositionDataset,
)
from oldphoto.data.labelled import LabelledPhotos, labelled_pairs
from oldphoto.data.listing import alternate, photo_paths
from oldphoto.data.loading import PositionSampler, make_loader

__all__ = [
    "AllKinds",
    "CleanPhotos",
    "DegradedPairs",
    "DetectorPairs",
    "LabelledPhotos",
    "MixedOld",
    "OldPhotos",
    "PositionDataset",
    "PositionSampler",
    "alternate",
    "labelled_pairs",
    "make_loader",
    "photo_paths",
]
