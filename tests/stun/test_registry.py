"""The registry against IANA's, both ways, and the arithmetic of message types against the RFC's figure."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from stunpcap.stun import registry

IANA = Path(__file__).parent / "iana"

# Where this table's name is not IANA's.
RENAMED = {
    0x802D: ("ECN-CHECK STUN", "the RFC calls it ECN-CHECK; STUN got into the name of the registry's row"),
}

# In this table without a context, and not in IANA's; reason.
NOT_IANA = {
    **dict.fromkeys((0x0101, 0x0103), "Zoom took them"),
    **dict.fromkeys(range(0x4000, 0x4008), "WhatsApp took them"),
    **dict.fromkeys((0x8006, 0x8008, 0x8032, 0x8033, 0x8036, 0x8037, 0x8039), "Microsoft took them"),
    **dict.fromkeys((0x8050, *range(0x8054, 0x8063), 0x8068, 0x8070, 0x8090, 0x8095), "Microsoft took them"),
    0x8020: "XOR-MAPPED-ADDRESS of the drafts before RFC 5389",
    0x802F: "ORIGIN of a draft that was given up",
    0xC003: "Cisco took it",
    0xC056: "Citrix took it",
    **dict.fromkeys((0xC05E, 0xFF00, 0xFF04, 0xFF05), "libwebrtc took them"),
}
METHODS_NOT_IANA = {
    0x002: "shared-secret was given up with RFC 5389, IANA keeps it reserved",
    0x080: "libwebrtc took it",
    **dict.fromkeys(range(0x200, 0x206), "WhatsApp took them"),
}
ERRORS_NOT_IANA = {
    **dict.fromkeys((430, 431, 432, 433, 600), "RFC 3489, given up with RFC 5389"),
    **dict.fromkeys((434, 435, 436), "TURN drafts, given up before RFC 5766"),
}

# Rows that are reserved without ever having had a public meaning, or ranges.
NO_NAME = re.compile(r"Unassigned|Reserved( \(For DTLS.*)?$", re.DOTALL)
FORMER = re.compile(r"Reserved(?:; was | \(was )([A-Z-]+)")


def rows(name: str) -> list[tuple[int, str]]:
    with (IANA / name).open(encoding="utf-8", newline="") as file:
        lines = [row for row in csv.reader(line for line in file if not line.startswith("#")) if row[0] != "Value"]
    named = [(value, " ".join(label.split())) for value, label, _ in lines if not NO_NAME.match(label)]
    return [(int(value, 0), label) for value, label in named]


def test_every_attribute_of_iana_is_here() -> None:
    for value, label in rows("attributes.csv"):
        former = FORMER.match(label)
        expected = former.group(1) if former else label
        if value in RENAMED:
            assert expected == RENAMED[value][0]
            continue
        assert registry.ATTRIBUTE_BY_TYPE[value].name == expected


def test_every_attribute_here_is_iana_s_or_explained() -> None:
    iana = {value for value, _ in rows("attributes.csv")}
    assert set(registry.ATTRIBUTE_BY_TYPE) - iana == set(NOT_IANA)


def kebab(label: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", label).lower()


def test_methods_agree_with_iana_both_ways() -> None:
    iana = {value: kebab(label) for value, label in rows("methods.csv") if not label.startswith("Reserved")}
    ours = {method.value: method.name for method in registry.METHODS}
    assert {value: name for value, name in ours.items() if value not in METHODS_NOT_IANA} == iana
    assert set(ours) - set(iana) == set(METHODS_NOT_IANA)


def test_error_codes_agree_with_iana_both_ways() -> None:
    iana = dict(rows("error-codes.csv"))
    ours = {error.code: error.name for error in registry.ERROR_CODES}
    assert {code: name for code, name in ours.items() if code not in ERRORS_NOT_IANA} == iana
    assert set(ours) - set(iana) == set(ERRORS_NOT_IANA)


def test_each_row_is_unique_in_its_context_and_says_where_it_comes_from() -> None:
    assert len(registry.ATTRIBUTES) == len({(row.context, row.type) for row in registry.ATTRIBUTES})
    assert len(registry.METHODS) == len(registry.METHOD_BY_VALUE) == len(registry.METHOD_BY_NAME)
    assert len(registry.ERROR_CODES) == len(registry.ERROR_BY_CODE)
    assert all(row.source and row.name for row in (*registry.ATTRIBUTES, *registry.METHODS, *registry.ERROR_CODES))
    assert all(error.meaning.endswith(".") for error in registry.ERROR_CODES)
    assert {row.context for row in registry.ATTRIBUTES} <= {"", "ice", *registry.VARIANT_TYPES}
    for table in (registry.METHODS, registry.ERROR_CODES):
        numbers = [row.value if isinstance(row, registry.Method) else row.code for row in table]
        assert numbers == sorted(numbers)
    assert [row.type for row in registry.ATTRIBUTES] == sorted(row.type for row in registry.ATTRIBUTES)


# RFC 8489 figure 3, the 14 bits from the most significant one.
FIGURE_3 = ["M11", "M10", "M9", "M8", "M7", "C1", "M6", "M5", "M4", "C0", "M3", "M2", "M1", "M0"]


def by_the_figure(cls: int, method: int) -> int:
    bits = ""
    for name in FIGURE_3:
        source, place = (method, int(name[1:])) if name[0] == "M" else (cls, int(name[1:]))
        bits += str(source // 2**place % 2)
    return int(bits, 2)


def test_message_types_follow_the_figure_for_all_16384() -> None:
    # RFC 8489 section 5: 0b00 request, 0b01 indication, 0b10 success response, 0b11 error response
    classes = {0b00: "request", 0b01: "indication", 0b10: "success", 0b11: "error"}
    seen = set()
    for number, cls in classes.items():
        for method in range(2**12):
            type = by_the_figure(number, method)
            assert registry.message_type(cls, method) == type
            assert registry.split_type(type) == (cls, method)
            seen.add(type)
    assert seen == set(range(2**14))


@pytest.mark.parametrize(
    ("type", "variant", "expected"),
    [
        (0x0001, "", ("request", "binding")),
        (0x0011, "", ("indication", "binding")),
        (0x0101, "", ("success", "binding")),
        (0x0111, "", ("error", "binding")),
        (0x0113, "", ("error", "allocate")),
        (0x0016, "", ("indication", "send")),
        (0x0017, "", ("indication", "data")),
        (0x0200, "", ("request", "goog-ping")),
        (0x0300, "", ("success", "goog-ping")),
        (0x0310, "", ("error", "goog-ping")),
        (0x0801, "", ("request", "whatsapp-0801")),
        (0x0115, "", ("error", "0x005")),
        (0x0115, "ms-turn", ("indication", "data")),
        (0x0004, "ms-turn", ("request", "send")),
        (0x0104, "ms-turn", ("success", "send")),
        (0x0006, "ms-turn", ("request", "set-active-destination")),
        (0x0002, "classic", ("request", "shared-secret")),
        (0x0002, "zoom", ("success", "binding")),
        (0x3EEF, "", ("request", "0xfff")),
    ],
)
def test_types_are_named(type: int, variant: str, expected: tuple[str, str]) -> None:
    assert registry.classify(type, variant) == expected


@pytest.mark.parametrize(
    ("type", "contexts", "name"),
    [
        (0x0014, (), "REALM"),
        (0x0014, ("ms-turn",), "NONCE"),
        (0x0015, ("ms-turn",), "REALM"),
        (0x0012, ("ms-turn",), "REMOTE-ADDRESS"),
        (0xC001, (), "ENF-FLOW-DESCRIPTION"),
        (0xC001, ("ice",), "NOMINATION"),
        (0xC001, ("classic",), "CONNECTION-REQUEST-BINDING"),
        (0x8022, ("zoom", "classic"), "SERVER"),
        (0x0024, ("ice",), "PRIORITY"),
    ],
)
def test_context_decides_what_a_number_means(type: int, contexts: tuple[str, ...], name: str) -> None:
    found = registry.find_attribute(type, *contexts)
    assert found is not None
    assert found.name == name


def test_look_up_by_name() -> None:
    assert registry.attribute("XOR-MAPPED-ADDRESS").type == 0x0020
    assert registry.TYPES_BY_NAME["XOR-MAPPED-ADDRESS"] == (0x0020, 0x8020)
    assert registry.attribute("REALM").type == 0x0014
    assert registry.attribute("NOMINATION").context == "ice"
    assert registry.find_attribute(0x7FFF) is None
    with pytest.raises(KeyError):
        registry.attribute("NO-SUCH-ATTRIBUTE")
