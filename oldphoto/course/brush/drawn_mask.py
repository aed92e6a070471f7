"""A scratch mask that is painted with a brush: each step is exact and can be taken back."""

import io
import itertools
from collections.abc import Sequence

import numpy as np
from PIL import Image

from oldphoto.checks import InputError, require_positive
from oldphoto.metrics.detection import grown

COLOUR = (213, 94, 0)  # of the damage on the photo: vermilion, which colour-blind readers see, too
THINNEST = 0.5**0.5  # radius of a brush that leaves no gap, wherever it is between the pixels


class DrawnMask:
    """A scratch mask of one photo, with the steps that led to it.

    Args:
        size: height and width of the photo.
        start: bool (H, W), true where damaged, such as a detector's; None: nothing is damaged.

    Raises:
        InputError: if the first mask has another size or type.

    Example:
        >>> drawn = DrawnMask((20, 30))
        >>> drawn.stroke([(5.5, 10.5), (9.5, 10.5)], width=1)
        >>> drawn.grow()
        >>> int(drawn.mask.sum())  # a line of 5 pixels, and one more on every side
        21
        >>> drawn.undo()
        >>> int(drawn.mask.sum())
        5
    """

    def __init__(self, size: tuple[int, int], start: np.ndarray | None = None) -> None:
        self.size = size
        self.mask = self._required(np.zeros(size, bool) if start is None else start).copy()
        """Bool (H, W), true where damaged."""
        # Steps are kept as the small pictures that the browser shows: a mask of a large scan has
        # many million values, its picture some ten thousand bytes.
        self._steps = [mask_picture(self.mask)]
        self._at = 0

    @property
    def picture(self) -> bytes:
        """The mask as PNG at full size: damage in ``COLOUR``, the rest transparent."""
        return self._steps[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back, and nothing was done since."""
        return self._at < len(self._steps) - 1

    def stroke(
        self, points: Sequence[Sequence[float]], width: int, is_eraser: bool = False
    ) -> None:
        """Paint or erase a line through the points.

        Args:
            points: x and y in pixels of the photo; (0.5, 0.5) is the middle of its first pixel.
                They may lie outside the photo.
            width: of the brush, in pixels.
            is_eraser: whether the line becomes sound.

        Raises:
            InputError: if there is no point, one is not a finite number, or the width is no
                positive whole number.
        """
        require_positive(width=width)
        line = np.asarray(points, float)
        if line.ndim != 2 or line.shape[1:] != (2,) or not np.isfinite(line).all():
            raise InputError(f"expected points as x, y of finite numbers, got {points!r:.60}")
        far = np.array(self.size[::-1]) + width  # a point further away than this is moved nearer
        line = _in_short_pieces(line.clip(-far, 2 * far))
        mask = self.mask.copy()
        for start, end in zip(line, [*line[1:], line[-1]], strict=True):
            _paint(mask, start, end, max(width / 2, THINNEST), not is_eraser)
        self._add(mask)

    def grow(self, pixels: int = 1) -> None:
        """Widen the damage on every side."""
        self._add(grown(self.mask, pixels))

    def shrink(self, pixels: int = 1) -> None:
        """Narrow the damage on every side; at the rim of the photo it stays."""
        self._add(~grown(~self.mask, pixels))

    def replace(self, mask: np.ndarray | None) -> None:
        """Take another mask, bool (H, W), as the next step; None: an empty one.

        Raises:
            InputError: if it has another size or type.
        """
        self._add(np.zeros(self.size, bool) if mask is None else self._required(mask).copy())

    def undo(self) -> None:
        """Take the last step back, if there is one."""
        self._go_to(max(self._at - 1, 0))

    def redo(self) -> None:
        """Do the step again that was taken back last, if there is one."""
        self._go_to(min(self._at + 1, len(self._steps) - 1))

    def _required(self, mask: np.ndarray) -> np.ndarray:
        if mask.dtype != bool or mask.shape != tuple(self.size):
            raise InputError(
                f"expected a scratch mask as bool {tuple(self.size)}, got {mask.dtype} {mask.shape}"
            )
        return mask

    def _add(self, mask: np.ndarray) -> None:
        if np.array_equal(mask, self.mask):  # nothing to take back
            return
        self.mask = mask
        self._steps[self._at + 1 :] = [mask_picture(mask)]
        self._at += 1

    def _go_to(self, step: int) -> None:
        self._at = step
        self.mask = mask_of(self.picture)


def _in_short_pieces(line: np.ndarray) -> np.ndarray:
    """Return the line (N, 2) with more points on it: the box around a long slope is large."""
    pieces = [line[:1]]
    for start, end in itertools.pairwise(line):
        num = int(np.ceil(np.abs(end - start).max() / 64)) or 1
        pieces.append(np.linspace(start, end, num + 1)[1:])
    return np.concatenate(pieces)


def _paint(
    mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float, value: bool
) -> None:
    """Set the pixels whose middle is at most ``radius`` away from the line; in place."""
    low = np.floor(np.minimum(start, end) - radius).astype(int).clip(0)  # x, y
    high = np.ceil(np.maximum(start, end) + radius).astype(int).clip(0)
    part = mask[low[1] : high[1], low[0] : high[0]]
    y, x = np.ogrid[: part.shape[0], : part.shape[1]]
    x, y = x + low[0] + 0.5 - start[0], y + low[1] + 0.5 - start[1]  # from the start
    along_x, along_y = end - start
    length = along_x**2 + along_y**2
    t = ((x * along_x + y * along_y) / (length or 1)).clip(0, 1)  # the nearest point of the line
    part[(x - t * along_x) ** 2 + (y - t * along_y) ** 2 <= radius**2] = value


def mask_picture(mask: np.ndarray) -> bytes:
    """Return a mask, bool (H, W), as PNG with one bit per pixel: damage coloured, sound clear.

    >>> mask = np.array([[True, False]])
    >>> bool((mask_of(mask_picture(mask)) == mask).all())
    True
    """
    picture = Image.fromarray(mask.astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, *COLOUR])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", bits=1, transparency=0, compress_level=3)
    return buffer.getvalue()


def mask_of(picture: bytes) -> np.ndarray:
    """Return the mask, bool (H, W), of a picture of ``mask_picture``."""
    return np.asarray(Image.open(io.BytesIO(picture))) == 1
