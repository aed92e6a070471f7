"""Photos for the tests of this folder."""

import numpy as np
import pytest

from oldphoto.degradations.common import fractal_field


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A colourful photo uint8 (120, 150, 3) with smooth and rough parts, not to be written to."""
    channels = [fractal_field(10 + c, (120, 150), 3, 5) for c in range(3)]
    pixels = np.clip(125 + 45 * np.stack(channels, axis=2), 0, 255).astype(np.uint8)
    pixels.flags.writeable = False
    return pixels


@pytest.fixture(scope="session")
def grey() -> np.ndarray:
    """An even middle grey, uint8 (128, 128, 3), not to be written to."""
    pixels = np.full((128, 128, 3), 128, np.uint8)
    pixels.flags.writeable = False
    return pixels
