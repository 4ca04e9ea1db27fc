"""Records: classes of what never changes once it is made, such as columns that belong together, or a row of a table.

A frozen dataclass would do the same.  But Python compiles up to seven functions for each of them whenever it starts,
and of the records that a run imports there are eighty: that took longer than analysing a small capture.  For a record
it compiles one.  mypy holds that nobody changes a record, as it does for frozen dataclasses; the running program takes
it on trust.

Which kind of class is for what: docs/architecture.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass that is never changed, compared by value or printed: a record equals itself only.

    `dataclasses.replace`, `fields` and `field` work with it as with any other dataclass.
    """
    return dataclass(slots=True, eq=False, repr=False)(cls)
