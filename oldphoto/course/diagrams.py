"""Drawings made by code (SVG): the same shapes and colours for the same things everywhere.

Rounded boxes are data, slanted ones are networks. Orange is old, sky blue is synthetic degraded,
green is clean, pink is damage, grey is a network.
"""

import math
from html import escape
from typing import Literal

from oldphoto.course.figures import COLOURS
from oldphoto.networks.partial_nonlocal import predict_memory

GIB = 2**30
FONT = "font-family='system-ui, sans-serif'"
OF_DOMAIN = {"old": "orange", "degraded": "sky", "clean": "green", "damage": "pink"}
LAPTOP_BYTES = 16 * GIB


def pipeline() -> str:
    """Draw the three domains, the two VAEs, the mapping, and the stage that trains each."""
    parts = [
        _data(10, 40, "old photo r", "old"),
        _data(10, 130, "degraded x", "degraded"),
        _data(10, 250, "clean y", "clean"),
        _network(170, 85, "encoder", "of VAE 1"),
        _network(170, 250, "encoder", "of VAE 2"),
        _data(320, 85, "latent z_r, z_x", "degraded"),
        _network(470, 85, "mapping T", "latent to latent"),
        _data(620, 160, "latent z_y", "clean"),
        _network(770, 160, "decoder", "of VAE 2"),
        _data(920, 160, "restored", "clean"),
        _arrow(130, 62, 170, 98),
        _arrow(130, 152, 170, 122),
        _arrow(290, 110, 320, 110),
        _arrow(440, 110, 470, 110),
        _arrow(590, 115, 620, 170),
        _arrow(130, 275, 170, 275),
        _arrow(290, 270, 620, 200),
        _arrow(740, 185, 770, 185),
        _arrow(890, 185, 920, 185),
        _stage(170, 15, 270, "stage 1: VAE 1 learns r and x"),
        _stage(170, 320, 270, "stage 2: VAE 2 learns y"),
        _stage(470, 15, 270, "stage 3: T learns pairs (x, y)"),
    ]
    words = (
        "Old photos and synthetic degraded photos go through the encoder of VAE 1 into one shared "
        "latent space. The mapping T leads from there to the latent space of clean photos, which "
        "VAE 2 has learned. The decoder of VAE 2 makes the restored photo. Three stages of "
        "training: VAE 1, VAE 2, then T."
    )
    return _svg(1050, 350, "Three domains and three stages", words, parts)


def partial_nonlocal_block(fusion: Literal["parallel", "serial"] = "parallel") -> str:
    """Draw the block: query, key, value, the mask on the keys, and the fusion.

    Args:
        fusion: "parallel" is the paper's equation 10, "serial" the authors' code.
    """
    parallel = fusion == "parallel"
    parts = [
        _data(10, 120, "features F", "degraded"),
        _data(10, 290, "mask m", "damage"),
        _network(180, 20, "query", "1x1, theta"),
        _network(180, 90, "key", "1x1, phi"),
        _network(180, 160, "value", "1x1, mu"),
        _network(355, 55, "softmax", "sound keys only"),
        _network(520, 110, "sum", "s_ij value_j"),
        _network(680, 110, "project", "1x1, nu; blocks"),
        _network(850, 165, "fuse", "by the mask"),
        _arrow(130, 135, 180, 50),
        _arrow(130, 140, 180, 117),
        _arrow(130, 150, 180, 180),
        _arrow(300, 45, 355, 70),
        _arrow(300, 112, 355, 90),
        _arrow(475, 85, 520, 125),
        _arrow(300, 185, 520, 145),
        _arrow(640, 135, 680, 135),
        _arrow(800, 140, 850, 180),
        _curve(130, 305, 400, 320, 415, 105),
        _curve(130, 325, 600, 350, 905, 215),
        _text(255, 275, "keys: 1 - m", 13),
        _text(560, 340, "damaged: global branch, sound: local branch", 13),
    ]
    parts += _parallel_end() if parallel else _serial_end()
    order = (
        "sound ones take the local branch, which runs beside it"
        if parallel
        else "sound ones keep their features; the local blocks run after this, on everything"
    )
    words = (
        "The features go through three 1x1 convolutions: query, key and value. The mask removes "
        "damaged positions from the keys before the softmax. The weighted sum of the values is "
        f"projected. At last, damaged positions take this result, {order}."
    )
    return _svg(1300, 355, f"The partial non-local block, {fusion} fusion", words, parts)


def _parallel_end() -> list[str]:
    return [
        _network(520, 215, "local blocks", "residual, 3x3"),
        _curve(70, 170, 200, 275, 520, 240, dashed=False),
        _arrow(640, 240, 850, 200),
        _arrow(970, 190, 1010, 190),
        _data(1010, 165, "fused F", "clean"),
    ]


def _serial_end() -> list[str]:
    return [
        _curve(70, 170, 300, 300, 850, 200, dashed=False),
        _arrow(970, 190, 1010, 190),
        _network(1010, 165, "local blocks", "residual, 3x3"),
        _arrow(1130, 190, 1170, 190),
        _data(1170, 165, "result", "clean"),
    ]


def variational_autoencoder() -> str:
    """Draw a VAE as in the textbook: mean and log-variance, the noise, the code, the decoder."""
    parts = [
        _data(10, 80, "photo x", "clean"),
        _arrow(130, 105, 170, 105),
        _network(170, 80, "encoder", "convolutions"),
        _arrow(288, 95, 330, 60),
        _arrow(284, 115, 330, 150),
        _data(330, 30, "mean \u03bc", "degraded"),
        _data(330, 130, "log \u03c3\u00b2", "degraded"),
        _arrow(450, 60, 510, 95),
        _arrow(450, 150, 510, 115),
        _data(510, 180, "noise \u03b5", "damage"),
        _arrow(570, 180, 570, 130),
        _data(510, 80, "z = \u03bc + \u03c3\u03b5", "degraded"),
        _arrow(630, 105, 670, 105),
        _network(670, 80, "decoder", "convolutions"),
        _arrow(788, 105, 830, 105),
        _data(830, 80, "x again", "clean"),
    ]
    words = (
        "The encoder makes a mean and a log-variance of the photo. The code is the mean plus the "
        "standard deviation times a noise that comes from outside. The decoder makes the photo "
        "again."
    )
    return _svg(960, 240, "A variational autoencoder", words, parts)


def detector_unet() -> str:
    """Draw the scratch detector: down, up again, and the two short ways across."""
    parts = [
        _data(10, 30, "grey photo", "degraded"),
        _arrow(130, 55, 160, 55),
        _network(160, 30, "stem", "7x7, full size"),
        _arrow(220, 80, 270, 130),
        _network(230, 130, "down", "blur, half size"),
        _arrow(290, 180, 350, 230),
        _network(320, 230, "down", "blur, a quarter"),
        _arrow(440, 250, 540, 180),
        _network(500, 130, "up", "half size"),
        _arrow(580, 130, 630, 80),
        _network(590, 30, "up", "full size"),
        _arrow(708, 55, 740, 55),
        _network(740, 30, "head", "one score"),
        _arrow(858, 55, 890, 55),
        _data(890, 30, "probability", "damage"),
        _arrow(278, 55, 590, 55),
        _text(434, 45, "where exactly?", 14),
        _arrow(348, 155, 500, 155),
        _text(424, 145, "where exactly?", 14),
    ]
    words = (
        "A grey photo passes a stem at full size and two steps down, each of which blurs and then "
        "halves it; two steps up double it again. At half and at full size, the features from the "
        "way down go straight across to the way up. A head makes one score for each pixel."
    )
    return _svg(1020, 295, "The scratch detector, a U-Net", words, parts)


def perceptual_distance() -> str:
    """Draw LPIPS: two photos, one frozen network, directions, squares, factors, a sum."""
    parts = [
        _data(10, 30, "restored x", "degraded"),
        _data(10, 150, "clean y", "clean"),
        _arrow(130, 55, 170, 55),
        _arrow(130, 175, 170, 175),
        _network(170, 30, "features", "frozen network"),
        _network(170, 150, "features", "the same"),
        _text(230, 120, "layer by layer", 14),
        _arrow(288, 55, 330, 55),
        _arrow(288, 175, 330, 175),
        _network(330, 30, "length 1", "each position"),
        _network(330, 150, "length 1", "each position"),
        _arrow(446, 60, 500, 105),
        _arrow(446, 170, 500, 130),
        _network(500, 90, "difference", "squared"),
        _arrow(618, 115, 660, 115),
        _network(660, 90, "times w", "sum of channels"),
        _arrow(778, 115, 820, 115),
        _network(820, 90, "mean, sum", "places; layers"),
        _arrow(938, 115, 980, 115),
        _data(980, 90, "distance", "damage"),
    ]
    words = (
        "Both photos pass the same frozen network. In each layer the features of each position are "
        "divided by their length. Their differences are squared, weighted by a factor for each "
        "channel and summed over the channels. The mean over positions, summed over the layers, "
        "is the distance."
    )
    return _svg(1110, 230, "LPIPS, a distance of features", words, parts)


def memory_chart(size: tuple[int, int], damaged_share: float) -> tuple[str, str]:
    """Draw the memory of the attention for a photo, and say the same in words.

    Args:
        size: height and width of the photo in pixels.
        damaged_share: share of damaged positions, in [0, 1].

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
    return _svg(960, 140, "Memory of the attention", words, parts), words


def readable_bytes(size_bytes: float) -> str:
    """Return a number of bytes as MiB or GiB with three digits."""
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:.3g} MiB"
    gib = size_bytes / 2**30
    return f"{gib:.3g} GiB" if gib < 1000 else f"{gib:,.0f} GiB"


def _svg(width: int, height: int, title: str, words: str, parts: list[str]) -> str:
    arrowhead = (
        "<defs><marker id='tip' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='8' "
        "markerHeight='8' orient='auto'><path d='M0 0L10 5L0 10z'/></marker></defs>"
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        f"width='{width}' height='{height}' style='max-width: 100%; height: auto'>"
        f"<title>{escape(title)}</title><desc>{escape(words)}</desc>{arrowhead}"
        f"<rect width='{width}' height='{height}' fill='white'/>{''.join(parts)}</svg>"
    )


def _data(x: int, y: int, label: str, domain: str) -> str:
    """A rounded box in the colour of its domain."""
    colour = COLOURS[OF_DOMAIN[domain]]
    return (
        f"<rect x='{x}' y='{y}' width='120' height='50' rx='14' fill='{colour}' "
        f"fill-opacity='0.35' stroke='{colour}' stroke-width='3'/>"
        + _text(x + 60, y + 30, label, 15)
    )


def _network(x: int, y: int, label: str, detail: str) -> str:
    """A slanted box: something that computes."""
    corners = f"{x + 12},{y} {x + 120},{y} {x + 108},{y + 50} {x},{y + 50}"
    return (
        f"<polygon points='{corners}' fill='#eeeeee' stroke='#333333' stroke-width='2'/>"
        + _text(x + 60, y + 21, label, 15, "bold")
        + _text(x + 60, y + 40, detail, 12)
    )


def _stage(x: int, y: int, width: int, label: str) -> str:
    return (
        f"<rect x='{x}' y='{y}' width='{width}' height='26' fill='white' stroke='#0072B2' "
        f"stroke-dasharray='6 4'/>" + _text(x + width // 2, y + 18, label, 14)
    )


def _text(x: int, y: int, label: str, size: int, weight: str = "normal") -> str:
    return (
        f"<text x='{x}' y='{y}' text-anchor='middle' {FONT} font-size='{size}' "
        f"font-weight='{weight}' fill='black'>{escape(label)}</text>"
    )


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return (
        f"<path d='M{x1} {y1}L{x2} {y2}' stroke='black' stroke-width='2' fill='none' "
        "marker-end='url(#tip)'/>"
    )


def _curve(
    x1: int, y1: int, bend_x: int, bend_y: int, x2: int, y2: int, dashed: bool = True
) -> str:
    """A bent arrow; dashed and pink is the way of the mask."""
    look = f"stroke='{COLOURS['pink']}' stroke-dasharray='7 4'" if dashed else "stroke='black'"
    return (
        f"<path d='M{x1} {y1}Q{bend_x} {bend_y} {x2} {y2}' {look} stroke-width='2' fill='none' "
        "marker-end='url(#tip)'/>"
    )
