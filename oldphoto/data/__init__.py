"""Training photos, read lazily. A sample depends on its position alone, not on earlier reads.

A training run counts positions: ``make_loader(dataset, batch, start=N)`` continues after N samples.
"""

# ruff: noqa: F401  these imports are the public names of the package

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
