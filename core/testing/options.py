"""Options that differ from given ones, for checks that must not see the defaults alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import ValidationError

if TYPE_CHECKING:
    from ig4.core.contracts import Options


def other_options(options: Options) -> Iterator[Options]:
    """Yield options that differ from the given ones in one number, switch or choice each.

    Values that the options refuse are left out, and so are texts and paths, which may have to
    name something that exists.
    """
    values = {name: getattr(options, name) for name in type(options).model_fields}
    for name, field in type(options).model_fields.items():
        for value in _others(values[name], field.annotation):
            try:
                yield type(options).model_validate(values | {name: value})
            except ValidationError:
                continue


def _others(value: Any, annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return tuple(choice for choice in get_args(annotation) if choice != value)
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, (int, float)):
        return (value * 2 + 1, value / 2 if isinstance(value, float) else value // 2)
    return ()
