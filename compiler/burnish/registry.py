"""Passes and backends by name.

Built-in ones are found by walking ``burnish_passes`` and ``burnish_backends``: a file that is
there is registered. Those of other distributions come from entry points of the groups
``burnish.passes`` and ``burnish.backends``. Two of one name are an error that says where both are.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import TypeVar

from burnish.backend import Backend
from burnish.errors import InputError
from burnish.passdef import Pass

__all__ = ["backend", "backend_types", "pass_types", "presets"]

Found = TypeVar("Found", Pass, Backend)


def _modules(package_name: str) -> Iterator[ModuleType]:
    try:
        package = importlib.import_module(package_name)
    except ModuleNotFoundError as error:
        if error.name != package_name:
            raise
        return
    yield package
    for item in pkgutil.walk_packages(package.__path__, f"{package_name}."):
        yield importlib.import_module(item.name)


def _classes(base: type[Found], package: str, group: str) -> Iterator[type[Found]]:
    for module in _modules(package):
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ != module.__name__ or not issubclass(found, base):
                continue
            if not inspect.isabstract(found) and "name" in vars(found):
                yield found
    for entry in importlib.metadata.entry_points(group=group):
        yield entry.load()


def _by_name(base: type[Found], package: str, group: str) -> dict[str, type[Found]]:
    named: dict[str, type[Found]] = {}
    for found in _classes(base, package, group):
        name: str = found.name
        other = named.setdefault(name, found)
        if other is not found:
            raise InputError(
                f"two of one name: {other.__module__} and {found.__module__}",
                where=f"{group} '{name}'",
                mend="uninstall or rename one of them",
            )
    return dict(sorted(named.items()))


@functools.cache
def pass_types() -> dict[str, type[Pass]]:
    """Every pass class by name, sorted."""
    # An abstract class is fine here: it is only compared with.
    return _by_name(Pass, "burnish_passes", "burnish.passes")  # type: ignore[type-abstract]


@functools.cache
def backend_types() -> dict[str, type[Backend]]:
    """Every backend class by name, sorted."""
    # As above.
    return _by_name(Backend, "burnish_backends", "burnish.backends")  # type: ignore[type-abstract]


def backend(name: str) -> Backend:
    """A backend by name.

    Raises:
        InputError: when there is none; lists those there are.
    """
    found = backend_types().get(name)
    if found is None:
        known = ", ".join(backend_types())
        raise InputError(f"no backend is named '{name}'", mend=f"the backends are: {known}")
    return found()


@functools.cache
def presets() -> dict[str, str]:
    """Pipeline text by preset name, from ``burnish_passes.presets``."""
    try:
        module = importlib.import_module("burnish_passes.presets")
    except ModuleNotFoundError as error:
        if error.name not in ("burnish_passes", "burnish_passes.presets"):
            raise
        return {}
    return dict(module.PRESETS)
