"""Convert an image of any Pillow mode to 8-bit RGB: deep grey, transparency, colour profiles."""

import io

import numpy as np
from PIL import Image, ImageCms

from oldphoto.checks import InputError
from oldphoto.images.errors import BROKEN


def to_rgb(image: Image.Image, background: int) -> tuple[Image.Image, bytes | None]:
    """Convert an image of any Pillow mode to RGB.

    Args:
        image: decoded image; its ``info`` may hold an ICC profile and a transparent colour.
        background: grey value 0..255 laid under transparent parts (photos 255, masks 0).

    Returns:
        The RGB image, and the profile that its values need (None: sRGB, or no profile known).

    Raises:
        InputError: if 32-bit or float grey is outside its valid range.

    Example:
        >>> to_rgb(Image.new("LA", (1, 1), (0, 0)), background=255)[0].getpixel((0, 0))
        (255, 255, 255)
    """
    profile = image.info.get("icc_profile") or None
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _from_deep_grey(image)
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = _on_background(_with_useful_alpha(image), background)
    if image.mode in ("L", "CMYK", "LAB") and (profile or image.mode == "LAB"):
        return _through_profile(image, profile), None
    is_rgb = image.mode in ("RGB", "P") and profile and colour_space(profile) == "RGB"
    return image.convert("RGB"), profile if is_rgb else None


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey (0..65535), or floats in [0, 1], to 8 bits."""
    values = np.asarray(image).astype(np.float32)
    white = 1.0 if image.mode == "F" else 65535.0
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > white:
        raise InputError(
            f"expected grey values from 0 to {white:g}, got {values.min():g} to {values.max():g}: "
            "save the photo with 8 or 16 bits per channel"
        )
    grey = Image.fromarray(np.round(values * (255 / white)).astype(np.uint8))
    clear = image.info.get("transparency")  # a level of 16 bits
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _with_useful_alpha(image: Image.Image) -> Image.Image:
    """Make a picture opaque if its alpha is 0 everywhere although it shows something.

    Scanners, 32-bit BMP and TGA files leave a fourth channel unused, which then holds zeros.
    """
    if image.mode not in ("LA", "RGBA", "La", "RGBa"):
        return image
    bands = image.split()
    lowest_and_highest = [band.getextrema() for band in bands]
    is_flat = all(low == high for low, high in lowest_and_highest[:-1])
    if lowest_and_highest[-1] != (0, 0) or is_flat:
        return image
    return bands[0] if len(bands) == 2 else Image.merge("RGB", bands[:3])


def _on_background(image: Image.Image, background: int) -> Image.Image:
    """Lay a transparent image on white (photos) or black (masks); grey stays grey."""
    was_grey = image.mode in ("1", "L", "LA", "La")
    # Premultiplied modes convert only to their plain twin.
    plain = {"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)
    rgba = image.convert(plain).convert("RGBA")
    paper = Image.new("RGBA", image.size, (background, background, background, 255))
    return Image.alpha_composite(paper, rgba).convert("L" if was_grey else "RGB")


def _through_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert grey, CMYK or Lab to sRGB with the colour profile, if it is one for this mode."""
    expected = {"L": "GRAY", "CMYK": "CMYK"}.get(image.mode)
    if image.mode != "LAB" and not (profile and colour_space(profile) == expected):
        return image.convert("RGB")  # the profile belongs to another colour mode
    converted = None
    try:
        if image.mode == "L" and profile:
            levels = np.round(srgb_of_grey(profile)[::257] / 257).astype(np.uint8)
            return image.point(levels.tolist()).convert("RGB")
        lab = ImageCms.createProfile("LAB")
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile) if expected and profile else lab)
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (*BROKEN, ImageCms.PyCMSError):
        pass
    return converted or image.convert("RGB")  # without the profile where its tables are broken


def srgb_of_grey(profile: bytes) -> np.ndarray:
    """Return the sRGB levels, 0 to 65535, of all 65536 levels of grey with a colour profile.

    Pillow's engine gives 8 bits. Where its output steps from one level to the next, the curve is
    known exactly, and between these points it is smooth.

    Raises:
        ValueError, PyCMSError: and others of ``BROKEN`` if the profile cannot be used.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    exact = ImageCms.Flags.NOOPTIMIZE  # the default is wrong by ten levels in the darks
    transform = ImageCms.buildTransform(
        source, ImageCms.createProfile("sRGB"), "I;16", "RGB", flags=exact
    )
    ramp = Image.fromarray(np.arange(65536, dtype=np.uint16)[None])
    steps = np.asarray(ImageCms.applyTransform(ramp, transform))[0, :, 1]
    levels = np.arange(int(steps[0]) + 1, int(steps[-1]) + 1)
    places = np.searchsorted(steps, levels) - 0.5
    curve = np.interp(np.arange(65536), [0, *places, 65535], [steps[0], *(levels - 0.5), steps[-1]])
    return np.round(curve * 257).astype(np.uint16)


def colour_space(profile: bytes) -> str:
    """Return the colour space that an ICC profile describes, "" where it cannot be read."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (*BROKEN, ImageCms.PyCMSError):
        return ""
