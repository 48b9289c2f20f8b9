"""Modules that are imported when they are first used, so that a command that needs no images starts without torch."""

from __future__ import annotations

import ast
import pkgutil
import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stands for a module of another package until an attribute of it is used; from then on it passes attributes on.

    For a module that uses torch in many functions and not while it is imported; a type checker sees the real one:

        if TYPE_CHECKING:
            import torch
        else:
            torch = LazyModule("torch")

    Nothing is kept here: an attribute that is replaced in one of the two is replaced in both. ``__dict__`` is the real
    module's as soon as that is loaded: pytest's monkeypatch restores what it finds there, and deletes what it does not.

    At the first use the real module takes the place of its stand-in among the names of the module that made it: passed
    on, an attribute takes fifty times as long to find, which a loop over images would pay thousands of times.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        object.__setattr__(self, "_made_in", sys._getframe(1).f_globals)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        loaded = sys.modules.get(self.__name__)
        return {} if loaded is None else loaded.__dict__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # inspect and doctest ask any module: no reason to load one
            raise AttributeError(name)
        loaded = sys.modules.get(self.__name__)
        if loaded is None or getattr(loaded.__spec__, "_initializing", False):  # another thread may be loading it
            loaded = import_module(self.__name__)
        value = getattr(loaded, name)
        names = object.__getattribute__(self, "_made_in")
        for own, held in list(names.items()):
            if held is self:
                names[own] = loaded
        return value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(import_module(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(import_module(self.__name__), name)


class LazyPackage(ModuleType):
    """A package whose names are imported from its modules when they are first used."""

    _exports: dict[str, tuple[str, str]]

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__["_exports"]:
            module, attribute = self.__dict__["_exports"][name]
            value = self.__dict__[name] = getattr(import_module(module), attribute)
            return value
        if name in self.__dict__.get("__all__", ()):
            return import_module(f"{self.__name__}.{name}")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets each loaded module as an attribute of its package. Where a name of the package is
        # that of one of its modules (``report.summary``), the name means what it means after an eager import.
        if not (isinstance(value, ModuleType) and name in self.__dict__["_exports"]):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__dict__.get("__all__", ()), *self.__dict__["_exports"]})


def lazy_package(name: str, kind: type[LazyPackage] = LazyPackage) -> None:
    """Make the names that a package imports ``if TYPE_CHECKING:`` available from it, each imported at its first use.

    To be called at the end of the package's ``__init__.py``. The block is read from the source, so that what a type
    checker sees and what is there at runtime cannot differ. Other names of ``__all__`` are modules of the package.

    Args:
        name: of the package, ``__name__``.
        kind: the class it gets; one with ``__call__`` makes a package that can be called.
    """
    package = sys.modules[name]
    source = pkgutil.get_data(name, "__init__.py")  # not get_source, which pytest's loader of plugins lacks
    package.__dict__["_exports"] = {
        alias.asname or alias.name: (str(node.module), alias.name)
        for block in ast.parse(source or b"").body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    package.__class__ = kind
