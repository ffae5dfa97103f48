"""Checks that hold for components of every kind."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from ig4.core.contracts import Configurable
from ig4.core.testing.check import Check, checks_from, fail, require

Make = Callable[[], Configurable]


def component_checks(make: Make) -> list[Check]:
    """Return the checks of any component; the other kinds' lists begin with these."""
    return checks_from(
        check_version_is_text,
        check_options_are_frozen,
        check_unknown_options_are_refused,
        check_options_survive_json,
        check_every_option_is_described,
        check_identity_is_json_and_stable,
        check_pickles_before_open,
        check_closing_twice_is_harmless,
        given=(make,),
    )


def check_version_is_text(make: Make) -> None:
    """`version` is a text that is not empty, on the class."""
    version = type(make()).version
    require(isinstance(version, str) and bool(version), f"version is {version!r}")


def check_options_are_frozen(make: Make) -> None:
    """Options cannot change once results depend on them."""
    options = make().options
    require(options.model_config.get("frozen") is True, "Options.model_config lacks frozen=True")
    for name in type(options).model_fields:
        try:
            setattr(options, name, None)
        except (ValidationError, TypeError, AttributeError):
            continue
        fail(f"option {name} could be changed after construction")


def check_unknown_options_are_refused(make: Make) -> None:
    """A misspelled option is an error, never ignored."""
    try:
        type(make()).Options.model_validate({"an_option_nobody_has": 1})
    except ValidationError as error:
        kinds = {problem["type"] for problem in error.errors()}
        require("extra_forbidden" in kinds, "Options accepts options that it does not know")
    else:
        fail("Options accepts options that it does not know")


def check_options_survive_json(make: Make) -> None:
    """A component can be made again from the options that were recorded."""
    options = make().options
    again = type(options).model_validate(json.loads(json.dumps(options.model_dump(mode="json"))))
    require(again == options, f"options {options!r} come back from JSON as {again!r}")


def check_every_option_is_described(make: Make) -> None:
    """Each option has a description, which `ig4 plugins show` prints."""
    fields = type(make()).Options.model_fields
    bare = [name for name, field in fields.items() if not (field.description or "").strip()]
    require(not bare, f"options without a description: {', '.join(bare)}")


def check_identity_is_json_and_stable(make: Make) -> None:
    """The identity is JSON, and the same for equal components."""
    first, second = make().identity(_digest), make().identity(_digest)
    require(json.loads(json.dumps(first)) == json.loads(json.dumps(second)), "identity varies")


def check_pickles_before_open(make: Make) -> None:
    """A component that is not open can travel to another process."""
    component = make()
    again = pickle.loads(pickle.dumps(component))  # noqa: S301 - our own bytes
    require(again.options == component.options, "options were lost in pickling")
    require(again.identity(_digest) == component.identity(_digest), "pickling changed the identity")


def check_closing_twice_is_harmless(make: Make) -> None:
    """`close` may be called twice, and without `open`."""
    make().close()
    component = make()
    component.open()
    component.close()
    component.close()


def _digest(path: Path) -> str:
    return f"sha256 of {path.name}"
