"""Drawings on training: the stages in time, what each trains, and what it leaves in the folder."""

from oldphoto.course.diagrams.parts import (
    arrow,
    curve,
    data_box,
    file_box,
    network_box,
    panel,
    stage_label,
    svg,
    text,
)

_COLUMNS = (15, 220, 425, 630)  # left edges, one for each stage
_WIDTH = 150


def training_stages() -> str:
    """Draw the four stages, trained and frozen networks, the files, and a run that goes on."""
    one, two, three, four = _COLUMNS
    labels = ("1: vae-degraded", "2: vae-clean", "3: mapping", "4: detector")
    parts = [
        text(295, 20, "one stage after the other (sections 1 and 2)", 15, "bold"),
        *(stage_label(x, 34, _WIDTH, label) for x, label in zip(_COLUMNS, labels, strict=True)),
        arrow(one + _WIDTH, 47, two, 47),
        arrow(two + _WIDTH, 47, three, 47),
        data_box(one + 15, 74, "old r", "old"),
        data_box(one + 15, 134, "degraded x", "degraded"),
        data_box(two + 15, 134, "clean y", "clean"),
        data_box(three + 15, 74, "degraded x", "degraded"),
        data_box(three + 15, 134, "clean y", "clean"),
        data_box(four + 15, 74, "degraded x", "degraded"),
        data_box(four + 15, 134, "its mask m", "damage"),
        network_box(one + 15, 214, "VAE 1", "trained"),
        network_box(two + 15, 214, "VAE 2", "trained"),
        network_box(three + 15, 214, "both VAEs", "frozen"),
        network_box(three + 15, 294, "T", "trained"),
        network_box(four + 15, 214, "detector", "trained"),
        *(arrow(x + 75, 184, x + 75, 214) for x in _COLUMNS),
        arrow(three + 75, 264, three + 75, 294),
        text(three + 118, 284, "z_x, z_y", 14),
        arrow(one + 129, 239, two + 21, 239),
        text(one + 177, 230, "begins as", 13),
        arrow(two + 129, 239, three + 21, 239),
        text(two + 177, 230, "then still", 13),
        text(four + 75, 20, "at any time", 15, "bold"),
        *_files(374),
        *_crash(494),
    ]
    words = (
        "Stage 1 trains VAE 1 on old and degraded photos. Stage 2 trains VAE 2 on clean photos. "
        "Stage 3 trains the mapping T between the codes of both VAEs, which are frozen. Stage 4 "
        "trains the detector on degraded photos and their masks, at any time. Each writes a file "
        "into the folder weights, and log, samples and checkpoints into a folder of its own. "
        "After a crash, --resume passes over a damaged checkpoint and goes on from the one before."
    )
    return svg(800, 610, "Four stages, what each trains, and what it writes", words, parts)


def _files(top: int) -> list[str]:
    """Draw the folder of the results, one file below each stage."""
    names = ("vae_degraded", "vae_clean", "mapping_scratch", "detector")
    starts = (264, 264, 344, 264)
    return [
        panel(5, top, 785, 100, "RUN/weights: the results, as averages (section 3)"),
        *(
            file_box(x, top + 14, name, ".safetensors", _WIDTH)
            for x, name in zip(_COLUMNS, names, strict=True)
        ),
        *(
            arrow(x + 75, start, x + 75, top + 14)
            for x, start in zip(_COLUMNS, starts, strict=True)
        ),
    ]


def _crash(top: int) -> list[str]:
    """Draw the folder of one stage: what it holds, and where a run goes on after a crash."""
    return [
        panel(5, top, 785, 110, "RUN/STAGE: what a stage keeps while it runs"),
        file_box(20, top + 30, "log.csv", "section 3"),
        file_box(155, top + 30, "samples", "pictures"),
        file_box(310, top + 30, "checkpoint", "step 4, whole"),
        file_box(465, top + 30, "checkpoint", "step 5, damaged"),
        arrow(585, top + 55, 630, top + 55),
        text(660, top + 60, "crash", 15, "bold"),
        curve(660, top + 44, 520, top + 4, 390, top + 29, dashed=False),
        text(690, top + 22, "--resume (section 4)", 14),
    ]
