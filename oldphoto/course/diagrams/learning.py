"""Drawings of the GAN and of the latent discriminator."""

from oldphoto.course.diagrams.parts import arrow, curve, data_box, network_box, svg, text


def discriminator_of_photos() -> str:
    """Draw generator and discriminator, their two losses, and which network each loss moves."""
    parts = [
        data_box(10, 90, "degraded x", "degraded"),
        arrow(130, 115, 164, 115),
        network_box(160, 90, "generator", "G, section 3"),
        arrow(276, 115, 308, 115),
        data_box(310, 90, "made ŷ", "clean"),
        data_box(310, 210, "clean y", "clean"),
        arrow(370, 142, 370, 208),
        arrow(370, 208, 370, 142),
        text(312, 180, "L1: section 7", 13),
        arrow(430, 125, 478, 158),
        arrow(430, 230, 472, 190),
        network_box(470, 150, "discriminator D", "of patches"),
        text(530, 218, "sections 4 and 6", 13),
        arrow(586, 175, 618, 175),
        data_box(620, 150, "scores", "number"),
        curve(680, 148, 560, 20, 222, 86, dashed=False),
        text(400, 46, "G's loss: D(ŷ) should be 1. It moves G alone, through D: section 2", 14),
        curve(680, 202, 640, 280, 532, 226, dashed=False),
        text(470, 290, "D's loss: D(y) should be 1, D(ŷ) 0, section 1. It moves D alone,", 14),
        text(470, 308, "for ŷ is cut off from G: section 2", 14),
        text(150, 180, "feature matching: ŷ and y", 13),
        text(150, 198, "alike inside D: section 5", 13),
        text(150, 240, "what goes wrong: section 8", 13),
        text(150, 258, "in the package: section 9", 13),
    ]
    words = (
        "The generator G makes a photo ŷ from a degraded photo x. The discriminator D scores "
        "patches of ŷ "
        "and of the clean photo y. The loss of G wants the score of ŷ to be 1 and moves G alone; "
        "its gradient passes D on the way. The loss of D wants 1 for y and 0 for ŷ and moves D "
        "alone, for ŷ is cut off from G. L1 and feature matching compare ŷ with y."
    )
    return svg(750, 322, "A generator and its discriminator", words, parts)


def discriminator_of_codes() -> str:
    """Draw VAE 1, its two kinds of photos, and the discriminator of their latents."""
    parts = [
        data_box(10, 115, "old photo r", "old"),
        data_box(10, 245, "degraded x", "degraded"),
        arrow(130, 150, 164, 190),
        arrow(130, 260, 160, 225),
        network_box(160, 180, "encoder", "of VAE 1"),
        text(75, 323, "two kinds: section 1", 13),
        arrow(276, 195, 312, 162),
        arrow(272, 218, 312, 250),
        data_box(310, 115, "latent z_r", "old"),
        data_box(310, 245, "latent z_x", "degraded"),
        arrow(370, 192, 370, 168),
        arrow(370, 218, 370, 242),
        text(370, 210, "gap: sections 2 and 3", 13),
        arrow(430, 150, 486, 188),
        arrow(430, 260, 480, 225),
        network_box(480, 180, "discriminator", "of codes"),
        text(605, 251, "its own loss, r 1 and x 0: section 4", 13),
        arrow(596, 205, 628, 205),
        data_box(630, 180, "r or x?", "number"),
        curve(690, 178, 430, -70, 222, 176, dashed=False),
        text(440, 36, "the encoder's loss: the discriminator should not know: section 4", 14),
        text(575, 305, "with and without the discriminator: section 5", 13),
        text(575, 323, "what the codes do meanwhile: section 6", 13),
    ]
    words = (
        "Old photos r and degraded photos x go through the one encoder of VAE 1 and become the "
        "codes z_r and z_x. How far the two lie apart is the gap. A discriminator gets the codes "
        "and says "
        "which kind each is; the loss of the encoder wants it not to know, and so draws the two "
        "kinds together."
    )
    return svg(760, 337, "A discriminator of codes", words, parts)
