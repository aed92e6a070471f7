"""Drawings made by code (SVG): the same shapes and colours for the same things everywhere."""

import math
from typing import Literal

from oldphoto.course.diagrams.parts import (
    FONT,
    arrow,
    curve,
    data_box,
    network_box,
    stage_label,
    svg,
    text,
)
from oldphoto.course.figures import COLOURS
from oldphoto.networks.partial_nonlocal import predict_memory

GIB = 2**30
LAPTOP_BYTES = 16 * GIB


def pipeline() -> str:
    """Draw the three domains, the two VAEs, the mapping, and the stage that trains each."""
    parts = [
        data_box(10, 40, "old photo r", "old"),
        data_box(10, 130, "degraded x", "degraded"),
        data_box(10, 250, "clean y", "clean"),
        network_box(170, 85, "encoder", "of VAE 1"),
        network_box(170, 250, "encoder", "of VAE 2"),
        data_box(320, 85, "latent z_r, z_x", "degraded"),
        network_box(470, 85, "mapping T", "latent to latent"),
        data_box(620, 160, "latent z_y", "clean"),
        network_box(770, 160, "decoder", "of VAE 2"),
        data_box(920, 160, "restored", "clean"),
        arrow(130, 62, 170, 98),
        arrow(130, 152, 170, 122),
        arrow(290, 110, 320, 110),
        arrow(440, 110, 470, 110),
        arrow(590, 115, 620, 170),
        arrow(130, 275, 170, 275),
        arrow(290, 270, 620, 200),
        arrow(740, 185, 770, 185),
        arrow(890, 185, 920, 185),
        stage_label(170, 15, 270, "stage 1: VAE 1 learns r and x"),
        stage_label(170, 320, 270, "stage 2: VAE 2 learns y"),
        stage_label(470, 15, 270, "stage 3: T learns pairs (x, y)"),
    ]
    words = (
        "Old photos and synthetic degraded photos go through the encoder of VAE 1 into one shared "
        "latent space. The mapping T leads from there to the latent space of clean photos, which "
        "VAE 2 has learned. The decoder of VAE 2 makes the restored photo. Three stages of "
        "training: VAE 1, VAE 2, then T."
    )
    return svg(1050, 350, "Three domains and three stages", words, parts)


def partial_nonlocal_block(fusion: Literal["parallel", "serial"] = "parallel") -> str:
    """Draw the block: query, key, value, the mask on the keys, and the fusion.

    Args:
        fusion: "parallel" is the paper's equation 10, "serial" the authors' code.
    """
    parallel = fusion == "parallel"
    parts = [
        data_box(10, 120, "features F", "degraded"),
        data_box(10, 290, "mask m", "damage"),
        network_box(180, 20, "query", "1x1, theta"),
        network_box(180, 90, "key", "1x1, phi"),
        network_box(180, 160, "value", "1x1, mu"),
        network_box(355, 55, "softmax", "sound keys"),
        network_box(520, 110, "sum", "s_ij value_j"),
        network_box(680, 110, "project", "1x1, nu; blocks"),
        network_box(850, 165, "fuse", "by the mask"),
        arrow(130, 135, 180, 50),
        arrow(130, 140, 180, 117),
        arrow(130, 150, 180, 180),
        arrow(300, 45, 355, 70),
        arrow(300, 112, 355, 90),
        arrow(475, 85, 520, 125),
        arrow(300, 185, 520, 145),
        arrow(640, 135, 680, 135),
        arrow(800, 140, 850, 180),
        curve(130, 305, 400, 320, 415, 105),
        curve(130, 325, 600, 350, 905, 215),
        text(255, 275, "keys: 1 - m", 13),
        text(560, 340, "damaged: global branch, sound: local branch", 13),
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
    return svg(1300, 355, f"The partial non-local block, {fusion} fusion", words, parts)


def _parallel_end() -> list[str]:
    return [
        network_box(520, 215, "local", "residual blocks"),
        curve(70, 170, 200, 275, 520, 240, dashed=False),
        arrow(640, 240, 850, 200),
        arrow(970, 190, 1010, 190),
        data_box(1010, 165, "fused F", "clean"),
    ]


def _serial_end() -> list[str]:
    return [
        curve(70, 170, 300, 300, 850, 200, dashed=False),
        arrow(970, 190, 1010, 190),
        network_box(1010, 165, "local", "residual blocks"),
        arrow(1130, 190, 1170, 190),
        data_box(1170, 165, "result", "clean"),
    ]


def variational_autoencoder() -> str:
    """Draw a VAE as in the textbook: mean and log-variance, the noise, the code, the decoder."""
    parts = [
        data_box(10, 80, "photo x", "clean"),
        arrow(130, 105, 170, 105),
        network_box(170, 80, "encoder", "convolutions"),
        arrow(288, 95, 330, 60),
        arrow(284, 115, 330, 150),
        data_box(330, 30, "mean \u03bc", "degraded"),
        data_box(330, 130, "log \u03c3\u00b2", "degraded"),
        arrow(450, 60, 510, 95),
        arrow(450, 150, 510, 115),
        data_box(510, 180, "noise \u03b5", "damage"),
        arrow(570, 180, 570, 130),
        data_box(510, 80, "z = \u03bc + \u03c3\u03b5", "degraded"),
        arrow(630, 105, 670, 105),
        network_box(670, 80, "decoder", "convolutions"),
        arrow(788, 105, 830, 105),
        data_box(830, 80, "x again", "clean"),
    ]
    words = (
        "The encoder makes a mean and a log-variance of the photo. The code is the mean plus the "
        "standard deviation times a noise that comes from outside. The decoder makes the photo "
        "again."
    )
    return svg(960, 240, "A variational autoencoder", words, parts)


def detector_unet() -> str:
    """Draw the scratch detector: down, up again, and the two short ways across."""
    parts = [
        data_box(10, 30, "grey photo", "degraded"),
        arrow(130, 55, 160, 55),
        network_box(160, 30, "stem", "7x7, full size"),
        arrow(220, 80, 270, 130),
        network_box(230, 130, "down", "blur, half size"),
        arrow(290, 180, 350, 230),
        network_box(320, 230, "down", "blur, a quarter"),
        arrow(440, 250, 540, 180),
        network_box(500, 130, "up", "half size"),
        arrow(580, 130, 630, 80),
        network_box(590, 30, "up", "full size"),
        arrow(708, 55, 740, 55),
        network_box(740, 30, "head", "one score"),
        arrow(858, 55, 890, 55),
        data_box(890, 30, "probability", "damage"),
        arrow(278, 55, 590, 55),
        text(434, 45, "where exactly?", 14),
        arrow(348, 155, 500, 155),
        text(424, 145, "where exactly?", 14),
    ]
    words = (
        "A grey photo passes a stem at full size and two steps down, each of which blurs and then "
        "halves it; two steps up double it again. At half and at full size, the features from the "
        "way down go straight across to the way up. A head makes one score for each pixel."
    )
    return svg(1020, 295, "The scratch detector, a U-Net", words, parts)


def perceptual_distance() -> str:
    """Draw LPIPS: two photos, one frozen network, directions, squares, factors, a sum."""
    parts = [
        data_box(10, 30, "restored x", "degraded"),
        data_box(10, 150, "clean y", "clean"),
        arrow(130, 55, 170, 55),
        arrow(130, 175, 170, 175),
        network_box(170, 30, "features", "frozen network"),
        network_box(170, 150, "features", "the same"),
        text(230, 120, "layer by layer", 14),
        arrow(288, 55, 330, 55),
        arrow(288, 175, 330, 175),
        network_box(330, 30, "length 1", "each position"),
        network_box(330, 150, "length 1", "each position"),
        arrow(446, 60, 500, 105),
        arrow(446, 170, 500, 130),
        network_box(500, 90, "difference", "squared"),
        arrow(618, 115, 660, 115),
        network_box(660, 90, "times w", "sum of channels"),
        arrow(778, 115, 820, 115),
        network_box(820, 90, "mean, sum", "places; layers"),
        arrow(938, 115, 980, 115),
        data_box(980, 90, "distance", "damage"),
    ]
    words = (
        "Both photos pass the same frozen network. In each layer the features of each position are "
        "divided by their length. Their differences are squared, weighted by a factor for each "
        "channel and summed over the channels. The mean over positions, summed over the layers, "
        "is the distance."
    )
    return svg(1110, 230, "LPIPS, a distance of features", words, parts)


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
    return svg(960, 140, "Memory of the attention", words, parts), words


def readable_bytes(size_bytes: float) -> str:
    """Return a number of bytes as MiB or GiB with three digits."""
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:.3g} MiB"
    gib = size_bytes / 2**30
    return f"{gib:.3g} GiB" if gib < 1000 else f"{gib:,.0f} GiB"
