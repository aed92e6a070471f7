"""A brush for scratch masks: painted in the browser, kept exactly at the photo's size."""

from oldphoto.course.brush.drawn_mask import DrawnMask
from oldphoto.course.brush.editor import MaskEditor

__all__ = ["DrawnMask", "MaskEditor"]
