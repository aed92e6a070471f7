"""The exercises of the notebooks, one file per notebook."""
