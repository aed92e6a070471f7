"""Read the record in a restored photo: ``oldphoto.provenance.read_provenance(file)``.

The functions live in ``oldphoto.inference.provenance``. This is their public address, which other
people's scripts use.
"""

from oldphoto.inference.provenance import (
    Provenance,
    network_sha256,
    read_provenance,
    write_recorded,
)

__all__ = ["Provenance", "network_sha256", "read_provenance", "write_recorded"]
