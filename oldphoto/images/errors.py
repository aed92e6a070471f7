"""The one list of errors that mean "this file is bad", whatever decoder raised them."""

import contextlib
import struct
import zlib
from collections.abc import Iterator

import tifffile
from PIL import Image

from oldphoto.checks import InputError

MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs (half a GiB as RGB)

# Decoders raise nearly everything for damaged files. A lack of memory is not among these.
BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, EOFError),
    *(ArithmeticError, RuntimeError, AssertionError, BufferError, struct.error, zlib.error),
    *(Image.DecompressionBombError, tifffile.TiffFileError),
)


class BadFileError(InputError):
    """A file that cannot be read as a photo; the others of a batch are not concerned."""


@contextlib.contextmanager
def reading(name: object) -> Iterator[None]:
    """Turn every error of a decoder into a BadFileError that begins with the file's name.

    Example:
        >>> with reading("a.png"):
        ...     raise RuntimeError("no data")
        Traceback (most recent call last):
        oldphoto.images.errors.BadFileError: a.png is damaged or cut short (no data): copy it \
again from its source
    """
    try:
        yield
    except BadFileError:
        raise
    except InputError as error:
        raise BadFileError(f"{name}: {error}") from error
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadFileError(
            f"{name} is damaged or cut short ({reason}): copy it again from its source"
        ) from error
