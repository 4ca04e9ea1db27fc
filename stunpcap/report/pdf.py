"""A report as PDF, printed by a browser if one is installed: nothing else lays out such a page as well."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from stunpcap.errors import StunpcapError

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
    "brave-browser",
)
PATIENCE = 120
"""Seconds before printing is given up."""
_DATE = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}[^)]*\)")


class NoBrowserError(StunpcapError):
    """There is no browser that could print."""


def find_browser() -> str:
    """The browser that prints.

    Raises
    ------
    NoBrowserError
        None is found in PATH.
    """
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise NoBrowserError(
        "a PDF is printed by a browser, and none is found in PATH (chromium, google-chrome, microsoft-edge): install "
        "one, or write HTML and print that"
    )


def to_pdf(page: str) -> bytes:
    """A page as `stunpcap.report.to_html` gives it, printed on A4.

    Raises
    ------
    NoBrowserError
        No browser is installed, or it does not print.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="stunpcap-") as directory:
        source, target = Path(directory) / "report.html", Path(directory) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--disable-extensions",
            "--no-first-run",
            "--no-pdf-header-footer",
            f"--user-data-dir={directory}/profile",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        # Chromium does not sandbox what root runs, and the page may load nothing and run its own script alone.
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(2, "--no-sandbox")
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = "took too long" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
            raise NoBrowserError(f"{Path(browser).name} did not print: {reason}") from error
        if not target.is_file():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NoBrowserError(f"{Path(browser).name} did not print: {said[-1] if said else done.returncode}")
        return _DATE.sub(_undated, target.read_bytes())


def _undated(found: re.Match[bytes]) -> bytes:
    """The same number of bytes without the time of printing: offsets in the file stay true."""
    head = b"/" + found.group(1) + b" (D:"
    return head + b"20000101000000" + found.group()[len(head) + 14 :]
