"""Reports as files."""

from __future__ import annotations

import os

from stunpcap.files import whole_file


def write_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file; what stood there stays until the new one is complete.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    with whole_file(path) as file:
        file.write(data)
