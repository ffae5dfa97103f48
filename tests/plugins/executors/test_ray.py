"""The executor `ray`: what is said of actors that die. What it does is in the kit's checks and
tests/core/engine/scoring/test_elsewhere.py."""

from __future__ import annotations

from ig4.core.errors import PluginError, PrerequisiteError
from ig4.plugins.executors.crew import _died


def test_an_actor_that_cannot_take_the_work_lacks_a_plugin():
    error = _died(
        "The actor died because of an error raised in its creation task, ray::_Actor.__init__()\n"
        "  At least one of the input arguments for this task could not be computed:\n"
        "System error: No module named 'counting'\ntraceback: Traceback (most recent call last):\n"
        "          ^^^^\nModuleNotFoundError: No module named 'counting'"
    )
    assert isinstance(error, PluginError)
    assert "(ModuleNotFoundError: No module named 'counting'): every node needs" in str(error)


def test_an_actor_whose_process_ended_can_be_followed_by_another():
    error = _died(
        "The actor died unexpectedly before finishing this task.\n\tclass_name: _Actor\n"
        "The actor is dead because its worker process has died."
    )
    assert isinstance(error, PrerequisiteError)
    assert "the same command continues from there" in str(error)
