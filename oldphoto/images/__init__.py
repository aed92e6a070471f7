"""From files to pixels to tensors and back: nothing else in the package converts photos."""
