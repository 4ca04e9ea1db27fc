"""What `stunpcap.plots` offers, and what all of its functions have in common."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import stunpcap
from stunpcap.errors import UsageError
from stunpcap.plots.canvas import legible, offscreen
from stunpcap.trace import Trace
from tests.ice.transcript import read, transcript

NAMES = ("pair_matrix", "timeline", "rtt", "gathering", "sessions_overview", "media")
CALL = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    S = 192.0.2.9:3478
    0.000  A > S  request g1
    0.030  S > A  success g1 mapped=198.51.100.1:4000
    1.000  A > B  request t1 user=bbbb:aaaa prio=5 controlling use
    1.020  B > A  success t1 mapped=A
    1.100  B > A  request t2 user=aaaa:bbbb prio=5 controlled
    1.110  A > B  success t2 mapped=B
    60.0   end
"""


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


@pytest.fixture(scope="module")
def call() -> Trace:
    return read(CALL)


@pytest.fixture(scope="module")
def nothing() -> Trace:
    return read("0 end")


def test_every_public_name_is_there_and_documented() -> None:
    for name in stunpcap.plots.__all__:
        function = getattr(stunpcap.plots, name)
        assert callable(function), f"{name} is hidden by a module of its name"
        assert name in dir(stunpcap.plots)
        assert "Parameters" in (inspect.getdoc(function) or ""), name
    with pytest.raises(AttributeError, match="nonsense"):
        stunpcap.plots.nonsense  # noqa: B018


def test_no_module_has_the_name_of_a_function() -> None:
    folder = Path(str(stunpcap.plots.__file__)).parent
    assert {path.stem for path in folder.glob("*.py")} & set(stunpcap.plots.__all__) == set()


@pytest.mark.parametrize("name", NAMES)
def test_each_plot_has_a_frame(name: str, call: Trace) -> None:
    assert isinstance(getattr(stunpcap.plots, f"{name}_data")(call), pd.DataFrame)
    drawn, told = (inspect.signature(getattr(stunpcap.plots, one)).parameters for one in (name, f"{name}_data"))
    assert {"session", "ax", "dark"} <= set(drawn)
    assert set(told) <= set(drawn)


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_of_nothing_has_the_same_columns(name: str, call: Trace, nothing: Trace) -> None:
    function = getattr(stunpcap.plots, f"{name}_data")
    empty, full = function(nothing), function(call)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_draw_is_said_in_a_sentence(name: str, nothing: Trace) -> None:
    ax = getattr(stunpcap.plots, name)(nothing)
    ax.figure.canvas.draw()
    assert not ax.axison
    (sentence,) = texts(ax.figure)
    assert sentence.startswith("No ") and sentence.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_axes_that_are_given_are_drawn_on(name: str, call: Trace) -> None:
    ax = Figure(layout="constrained").add_subplot()
    assert getattr(stunpcap.plots, name)(call, ax=ax) is ax
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("name", NAMES)
def test_without_axes_a_figure_of_its_own_is_made(name: str, call: Trace) -> None:
    other = pyplot.figure().add_subplot()
    ax = getattr(stunpcap.plots, name)(call)
    assert isinstance(ax, Axes) and ax.figure is not other.figure
    assert not other.has_data()
    with offscreen():
        before = pyplot.get_fignums()
        getattr(stunpcap.plots, name)(call)
        assert pyplot.get_fignums() == before


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_such_session(name: str, call: Trace) -> None:
    with pytest.raises(UsageError, match="no session 7"):
        getattr(stunpcap.plots, name)(call, session=7)
    with pytest.raises(UsageError, match="no session 7"):
        getattr(stunpcap.plots, f"{name}_data")(call, session=7)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sessions_overview"])
def test_there_is_no_such_capture(name: str, call: Trace) -> None:
    with pytest.raises(UsageError, match="no vantage 'x'"):
        getattr(stunpcap.plots, name)(call, vantage="x")


HOSTILE = "$\\frac{a}$\x1b[31m\u202e\U0001f4a3\u6f22"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dark", [False, True])
def test_text_from_anywhere_is_drawn_as_it_stands(name: str, dark: bool) -> None:
    # A user name is bytes of the sender's choice; the name of a capture is the user's.
    text = CALL.replace("bbbb", "$\\frac{b}$").replace("aaaa", "$x^").replace("use\n", "use\n")
    captures = [io.BytesIO(transcript(text).capture()) for _ in range(2)]
    trace = stunpcap.read(*captures, names=[HOSTILE, "$other$"])
    ax = getattr(stunpcap.plots, name)(trace, dark=dark)
    ax.figure.canvas.draw()
    wild = [text for text in ax.figure.findobj(Text) if "$" in text.get_text()]
    for one in wild:
        assert not one.get_parse_math() and not one.get_usetex(), one.get_text()
    shown = "".join(texts(ax.figure))
    assert "\x1b" not in shown and "\u202e" not in shown and "\u6f22" not in shown


def test_text_is_escaped_where_the_font_has_no_picture_of_it() -> None:
    assert legible("a\u6f22\n\U0001f4a3") == "a\\u6f22\\n\\U0001f4a3"
    assert legible("Grüße ✓ →") == "Grüße ✓ →"
    assert legible("x" * 100, 11) == "xxxxx…xxxxx"


def test_plots_import_matplotlib_when_one_is_drawn() -> None:
    code = (
        "import sys, stunpcap\n"
        "assert 'pair_matrix' in dir(stunpcap.plots)\n"
        "assert 'matplotlib' not in sys.modules and 'pandas' not in sys.modules\n"
        "stunpcap.plots.pair_matrix_data\n"
        "assert 'matplotlib' not in sys.modules\n"
        "stunpcap.plots.pair_matrix\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
