"""Turn any text into a file name that every system accepts."""

import hashlib
import re
import unicodedata

MAX_LENGTH = 80
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")


def safe_name(text: str) -> str:
    """Return a file name without extension made of ``a-z``, ``0-9``, ``_`` and ``-``.

    A text that is already such a name is returned as it is. Any other gets a piece of its SHA-256
    at the end, so that two texts never share a name, not even where the file system ignores case.

    Args:
        text: anything: an identifier, a title, a hostile path.

    Returns:
        1 to ``MAX_LENGTH`` characters; never a name that Windows reserves.
    """
    if re.fullmatch(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_LENGTH - 1}}}", text) and not _ends_badly(text):
        return text
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9_]+", "-", ascii_text).strip("-_")
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{words[: MAX_LENGTH - 13].rstrip('-_')}-{mark}".lstrip("-")


def _ends_badly(text: str) -> bool:
    """Say whether Windows takes the name for a device, or it could be taken for a marked name."""
    return bool(_RESERVED.fullmatch(text) or re.search(r"(^|-)[0-9a-f]{12}$", text))
