"""A bar chart of the memory that the attention takes, for any size of photo."""

import math

from oldphoto.course.diagrams.parts import FONT, svg
from oldphoto.course.figures import COLOURS
from oldphoto.networks.partial_nonlocal import predict_memory
from oldphoto.system.memory import GIB

LAPTOP_BYTES = 16 * GIB


def memory_chart(size: tuple[int, int], damaged_share: float) -> tuple[str, str]:
    """Draw the memory of the attention for a photo, and say the same in words.

    Args:
        size: height and width of the photo in pixels.
        damaged_share: fraction of damaged positions, in [0, 1].

    Returns:
        SVG text, and one sentence.
    """
    predicted = predict_memory(*size, damaged_share=damaged_share)
    naive, actual = predicted.naive_bytes, predicted.actual_bytes
    bars = {
        "table of all pairs": (naive, COLOURS["red"]),
        "this package": (actual, COLOURS["blue"]),
        "a laptop has": (LAPTOP_BYTES, "#bbbbbb"),
    }
    parts = []
    for index, (label, (size_bytes, colour)) in enumerate(bars.items()):
        length = max(2.0, 60 * (math.log2(max(size_bytes, 2**20)) - 20) / 2)
        y = 12 + 42 * index
        parts += [
            f"<text x='8' y='{y + 21}' {FONT} font-size='15'>{label}</text>",
            f"<rect x='160' y='{y}' width='{length:.0f}' height='30' fill='{colour}' "
            "stroke='black'/>",
            f"<text x='{168 + length:.0f}' y='{y + 21}' {FONT} font-size='15'>"
            f"{readable_bytes(size_bytes)}</text>",
        ]
    height, width = size
    words = (
        f"A photo of {width} x {height} pixels has {height // 4 * (width // 4):,} latent "
        f"positions. The table of all pairs takes {readable_bytes(naive)}, this package "
        f"{readable_bytes(actual)}. The bars are on a logarithmic scale."
    )
    return svg(960, 140, "Memory of the attention", words, parts), words


def readable_bytes(size_bytes: float) -> str:
    """Return a number of bytes as MiB or GiB with three digits."""
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:.3g} MiB"
    gib = size_bytes / 2**30
    return f"{gib:.3g} GiB" if gib < 1000 else f"{gib:,.0f} GiB"
