"""The house keeps its order: imports go one way, the package is light to import, modules are short and documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "stunpcap"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

FLOORS = (
    "stunpcap.errors",
    "stunpcap.record",
    "stunpcap.files",
    "stunpcap.sorting",
    "stunpcap.room",
    "stunpcap.native",
    "stunpcap.kernels",
    "stunpcap.evidence",
    "stunpcap.schema",
    "stunpcap.table",
    "stunpcap.plots.styles",
    "stunpcap.stun.defects",
    "stunpcap.stun.valuetypes",
    "stunpcap.stun.values",
    "stunpcap.stun.registry",
    "stunpcap.words",
    "stunpcap.capture",
    "stunpcap.wire",
    "stunpcap.stun",
    "stunpcap.turn.unwrap",
    "stunpcap.vantage",
    "stunpcap.engines",
    "stunpcap.ice.columns",
    "stunpcap.ice.timers",
    "stunpcap.ice.rejections",
    "stunpcap.ice.transactions",
    "stunpcap.turn",
    "stunpcap.ice",
    "stunpcap.signalling",
    "stunpcap.media",
    "stunpcap.course.beginning",
    "stunpcap.course.in_use",
    "stunpcap.course.liveness",
    "stunpcap.course.ending",
    "stunpcap.course.connections",
    "stunpcap.course.sessions",
    "stunpcap.course.stage_rows",
    "stunpcap.course.connecting",
    "stunpcap.course.carrying",
    "stunpcap.course",
    "stunpcap.diagnose.finding",
    "stunpcap.diagnose.addresses",
    "stunpcap.diagnose.facts",
    "stunpcap.diagnose.rules",
    "stunpcap.diagnose.stages",
    "stunpcap.diagnose.wording",
    "stunpcap.diagnose.advice",
    "stunpcap.diagnose.servers",
    "stunpcap.diagnose.exchanges",
    "stunpcap.diagnose.completeness",
    "stunpcap.diagnose.symptom",
    "stunpcap.diagnose.clients",
    "stunpcap.diagnose.turn_requests",
    "stunpcap.diagnose.hypotheses",
    "stunpcap.diagnose.rivals",
    "stunpcap.diagnose.trial",
    "stunpcap.diagnose.verdict",
    "stunpcap.diagnose",
    "stunpcap.analysis",
    "stunpcap.summary",
    "stunpcap.notebook",
    "stunpcap.extract",
    "stunpcap.trace",
    "stunpcap.watch",
    "stunpcap.plots.choose",
    "stunpcap.ladder",
    "stunpcap.plots",
    "stunpcap.report",
    "stunpcap.cli",
)
"""A module knows those before it and its own floor's.  The tables of STUN stand below `wire`, which needs them to tell
STUN from media; the rest of `stun` stands above, since it decodes what `wire` found (docs/architecture.md).  What TURN
carries is found before anything is correlated, and what a TURN server granted follows from transactions; so `turn`
stands between parts of its neighbours.  How things look is one table for the terminal and for plots alike."""

SETTING_UP = {"stunpcap"}
"""The package itself knows nothing but names: it imports what is asked for."""

USERS_CALL = ("stunpcap.trace.", "stunpcap.stun.message.")

LINES = 320
LONGER = {
    "stunpcap.diagnose.hypotheses.capturing": "one family: what each capture misses",
    "stunpcap.vantage": "where bytes end: one capture as tables",
    "stunpcap.schema": "one table: every column of every frame",
    "stunpcap.stun.registry": "one table: every method, attribute and error code",
    "stunpcap.stun.decode": "the bulk decoder's compiled loops, one pass over all messages",
    "stunpcap.trace": "one property a frame, each with its words",
    "stunpcap.wire.layers": "one state machine: every link and network layer",
    "stunpcap.wire.walk": "the compiled packet walk: one loop over packets, one over units of TCP streams",
}
"""Modules that may be longer, and why."""


def floor(module: str) -> int:
    fits = [(len(name), number) for number, name in enumerate(FLOORS) if f"{module}.".startswith(f"{name}.")]
    assert fits, f"{module} stands on no floor: add it to FLOORS"
    return max(fits)[1]


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names of the package's modules that are imported anywhere in a module, with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name.startswith("stunpcap"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            for alias in node.names if (node.module or "").startswith("stunpcap") else ():
                inside = f"{node.module}.{alias.name}"
                yield (inside if inside in MODULES else str(node.module)), node.lineno


def only_for_types(tree: ast.Module) -> set[int]:
    """Lines below `if TYPE_CHECKING`."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            lines.update(range(node.lineno, node.body[-1].end_lineno + 1))
    return lines


def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def test_imports_go_one_way() -> None:
    wrong = []
    for module, tree in trees().items():
        if module in SETTING_UP:
            continue
        own, unseen = floor(module), only_for_types(tree)
        for name, line in imported(tree):
            if name in SETTING_UP or line in unseen:
                continue
            if floor(name) > own:
                wrong.append(f"{module}:{line} imports {name}, which stands above it")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_imported_in_a_circle() -> None:
    graph = {}
    for module, tree in trees().items():
        unseen = only_for_types(tree)
        graph[module] = {
            name for name, line in imported(tree) if line not in unseen and name != module and name not in SETTING_UP
        }
    graph["stunpcap"] = set()
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " imports ".join([*way[way.index(module) :], module])
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import stunpcap", ("numpy", "pandas", "numba", "click", "rich", "pyarrow", "argparse")),
        ("from stunpcap import StunpcapError, CaptureError, DecodeError", ("numpy", "pandas", "numba")),
        ("from stunpcap import read, Trace", ("pandas", "numba", "pyarrow", "matplotlib")),
        ("import stunpcap; stunpcap.read({capture!r}).tables", ("pandas", "numba", "pyarrow", "matplotlib")),
        ("import stunpcap; stunpcap.plots; dir(stunpcap.plots)", ("numpy", "pandas", "matplotlib")),
        ("import stunpcap.report, stunpcap.cli.report", ("numpy", "pandas", "matplotlib", "jinja2")),
    ],
)
def test_light_to_import(statement: str, heavy: tuple[str, ...]) -> None:
    statement = statement.format(capture=str(ROOT / "captures" / "asymmetric-dead" / "answerer.pcap"))
    code = f"{statement}\nimport sys\nprint(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == []


def test_all_public_names_exist() -> None:
    import stunpcap

    for name in stunpcap.__all__:
        assert getattr(stunpcap, name) is not None
        assert name in dir(stunpcap)
    with pytest.raises(AttributeError, match="nonsense"):
        stunpcap.nonsense  # noqa: B018


def test_modules_are_short() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    long = {name for name, lines in lengths.items() if lines > LINES}
    assert long - set(LONGER) == set(), "split them, or list them with a reason"
    assert set(LONGER) - long == set(), "no longer long"


def test_modules_open_with_a_contract() -> None:
    for name, tree in trees().items():
        if tree.body:
            assert ast.get_docstring(tree), f"{name} does not say what it is for"


def public(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            yield f"{prefix}.{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{prefix}.{child.name}")


FROZEN = {
    "stunpcap.diagnose.facts.Facts": "keeps properties once they are worked out",
    "stunpcap.stun.attributes.RawAttribute": "users print and compare it",
    "stunpcap.stun.message.Message": "users print and compare it",
}
"""Frozen dataclasses, which Python makes three times as slowly as a `@record` whenever the command starts, and why."""


def test_classes_are_quick_to_make() -> None:
    slow = set()
    for module, tree in trees().items():
        for node in ast.walk(tree):
            for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                how = ast.unparse(decorator)
                if how.startswith("dataclass") and how != "dataclass(slots=True, eq=False, repr=False)":
                    slow.add(f"{module}.{node.name}")
    assert slow == set(FROZEN), (
        "a @record, a NamedTuple or @dataclass(slots=True, eq=False, repr=False), as docs/architecture.md says"
    )


DOCUMENTED_BY_PROTOCOL = {"decompress", "eof", "needs_input", "unused_data"}
"""`capture.codecs.Decoder`, which has the shape of the standard library's decompressors."""


def test_public_things_have_docstrings() -> None:
    without = []
    for name, tree in trees().items():
        for place, node in public(tree, name):
            # A function of one statement may rest on its name; what users call may not.
            one = isinstance(node, ast.FunctionDef) and len(node.body) == 1 and not place.startswith(USERS_CALL)
            if not (ast.get_docstring(node) or one or place.split(".")[-1] in DOCUMENTED_BY_PROTOCOL):
                without.append(place)
    assert without == []


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_tells_of_the_machine_that_made_it() -> None:
    paths = re.compile(rb"(?<![\w.:/~$}-])/(?:home|root|tmp|work|Users|mnt|opt|srv)/[\w.-]+")
    # Put together here, so that this file does not name them.
    hosts = re.compile(b"|".join([b"pythonhosted\\.", b"pypi\\.org", b"npmjs\\.", b"deb\\.debian"]))
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked()
        for pattern in (paths, hosts)
        if (match := pattern.search(path.read_bytes()))
    ]
    assert found == []
