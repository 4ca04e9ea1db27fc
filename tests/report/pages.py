"""What tests know of a page: its elements, read by the standard library, which knows nothing of how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "input", "img"}
HOSTILE = {
    "realm": "<script>alert('realm')</script>",
    "user": "<img/src=x/onerror=alert('user')>",
    "software": "<script>alert('software')</script>",
    "reason": "<script>alert('reason')</script>",
    "ufrag": "<b>@everyone</b>|`x`[y](//evil.test)www.evil.test",
}
FILE = "<svg onload=alert('file')>\x1b[31m`|@all.pcap"
CALL = f"""
    A = 10.0.0.1:1000
    T = 203.0.113.5:3478
    R = 203.0.113.5:50000
    B = 10.0.0.2:2000
    0.000  A > T  allocate request a1
    0.010  T > A  allocate error a1 code=401 realm={HOSTILE["realm"]}
    0.020  A > T  allocate request a2 user={HOSTILE["user"]} realm={HOSTILE["realm"]}
    0.030  T > A  allocate success a2 relayed=R mapped=A lifetime=600 software={HOSTILE["software"]}
    0.040  A > T  create-permission request p1 peer=B user={HOSTILE["user"]} realm={HOSTILE["realm"]}
    0.050  T > A  create-permission error p1 code=403:{HOSTILE["reason"]} software={HOSTILE["software"]}
    0.100  A > B  request t1 user=bbbb:{HOSTILE["ufrag"]} controlling use
    0.600  A > B  request t1 user=bbbb:{HOSTILE["ufrag"]} controlling use
    1.600  A > B  request t1 user=bbbb:{HOSTILE["ufrag"]} controlling use
    60.0   end
"""
"""A call in which whatever can hold text holds something that would like to be more than that."""


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, *tags: str) -> list[Element]:
        """All elements below, in order, of these tags; of any if none is given."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if not tags or child.tag in tags else []
                found += child.all(*tags)
        return found

    def one(self, tag: str) -> Element:
        (found,) = self.all(tag)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Element:
    """The page as a tree; every element must be closed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is never closed"
    return reader.open[0]


def inner(page: str, tag: str) -> str:
    """What stands between the tags of an element that occurs once, as it stands."""
    assert page.count(f"<{tag}>") == page.count(f"</{tag}>") == 1
    return page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
