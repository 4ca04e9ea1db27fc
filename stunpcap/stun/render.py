"""Messages for the eye: as lines of text for a terminal, as a table for a notebook.

What was captured may hold anything, so text is printed with its control characters escaped, and HTML is escaped, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stunpcap.stun import registry
from stunpcap.stun.valuetypes import ErrorValue, Value

if TYPE_CHECKING:
    from stunpcap.stun.message import Message, RawAttribute

_SHOWN_BYTES = 32
_VARIANTS = {
    "": "",
    "classic": "RFC 3489, no magic cookie",
    "zoom": "Zoom, no magic cookie",
    "ms-turn": "Microsoft's TURN",
}


def printable(text: str) -> str:
    """Escape whatever a terminal would not simply print."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show_value(attribute: RawAttribute, value: Value) -> str:
    """Word the value of an attribute, on one line."""
    if isinstance(value, bytes):
        more = f"… ({len(value)} bytes)" if len(value) > _SHOWN_BYTES else ""
        return value[:_SHOWN_BYTES].hex() + more
    if isinstance(value, bool):
        return "" if attribute.length == 0 else "yes" if value else "no"
    if isinstance(value, ErrorValue):
        known = registry.ERROR_BY_CODE.get(value.code)
        return printable(str(value)) + (f" ({known.name})" if known and known.name != value.reason else "")
    if type(value) is tuple:  # several values; one alone may be a named tuple
        if attribute.name == "UNKNOWN-ATTRIBUTES":
            return ", ".join(_attribute_name(v) if isinstance(v, int) else str(v) for v in value)
        return ", ".join(str(v) for v in value)
    if attribute.name in ("CHANNEL-NUMBER", "FINGERPRINT", "CONNECTION-ID") and isinstance(value, int):
        return f"0x{value:0{4 if attribute.name == 'CHANNEL-NUMBER' else 8}x}"
    return printable(str(value))


def _attribute_name(type: int) -> str:
    known = registry.find_attribute(type)
    return f"{known.name} (0x{type:04x})" if known else f"0x{type:04x}"


def _header(message: Message) -> list[tuple[str, str]]:
    rows = [
        ("message", f"{message.method} {message.cls} (type 0x{message.type:04x})"),
        ("transaction", message.transaction_id),
        ("length", f"{message.length} bytes after the header of 20"),
        ("variant", _VARIANTS[message.variant]),
        ("integrity", message.integrity),
        ("fingerprint", message.fingerprint),
    ]
    error = registry.ERROR_BY_CODE.get(message.error_code or 0)
    if error:
        rows.append(("meaning", f"{error.code} {error.name}: {error.meaning}"))
    return [row for row in rows if row[1]]


def _rows(message: Message) -> list[tuple[str, str, str, str]]:
    return [
        (
            f"0x{a.type:04x}",
            printable(a.name) + (" (ignored)" if a.ignored else ""),
            str(a.length),
            show_value(a, a.decoded(message)),
        )
        for a in message.attributes
    ]


def as_text(message: Message) -> str:
    """Lay a message out as text: header, attributes, defects."""
    lines = [f"STUN {message.method} {message.cls}"]
    lines += [f"  {name:<12} {value}" for name, value in _header(message)]
    rows = _rows(message)
    if rows:
        width = max(len(row[1]) for row in rows)
        lines.append("  attributes")
        lines += [f"    {t} {name:<{width}} {length:>5}  {value}".rstrip() for t, name, length, value in rows]
    if message.defects:
        lines.append("  defects")
        lines += [f"    {defect}" for defect in message.defects]
    return "\n".join(lines)


def as_html(message: Message) -> str:
    """Lay a message out as HTML; every text in it is escaped."""
    from html import escape

    header = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _header(message))
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in _rows(message))
    defects = "".join(f"<li>{escape(defect)}</li>" for defect in message.defects)
    return (
        f"<div><b>STUN {escape(message.method)} {escape(message.cls)}</b>"
        f"<table>{header}</table>"
        "<table><thead><tr><th>type</th><th>attribute</th><th>length</th><th>value</th></tr></thead>"
        f"<tbody>{cells}</tbody></table>" + (f"<ul>{defects}</ul>" if defects else "") + "</div>"
    )
