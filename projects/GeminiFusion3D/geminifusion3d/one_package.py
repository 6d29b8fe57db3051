"""One package under two names: `geminifusion3d`, and `projects.GeminiFusion3D.geminifusion3d`.

Whatever is imported twice registers twice, which mmengine refuses. The name that is imported first is
the package's own; the other one becomes an alias. So it is with the laboratory beside it.
"""
import importlib.util
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional, Sequence

from .errors import UserError

PACKAGES = ('geminifusion3d', 'gemini_lab')


class _AliasLoader(Loader):
    """Put the module of another name into `sys.modules`, or refuse a second copy of the package.

    Args:
        own_name: the name under which the module is, or will be, imported.
        problem: what to say instead, if anything.
    """

    def __init__(self, own_name: str, problem: Optional[str]) -> None:
        self.own_name = own_name
        self.problem = problem

    def exec_module(self, module: ModuleType) -> None:
        """Replace the empty module, as the import system allows a module to do.

        Args:
            module: the empty module, already in `sys.modules`.

        Raises:
            UserError: for a second copy; mmengine hides what an ImportError says.
        """
        if self.problem:
            raise UserError(self.problem)
        sys.modules[module.__name__] = importlib.import_module(self.own_name)


class _AliasFinder(MetaPathFinder):
    """Find the modules of the packages under any name but their own.

    Args:
        parent: what stands before the packages' own names, with its dot; '' where they are installed.
        folder: the folder in which the packages lie.
    """

    def __init__(self, parent: str, folder: str) -> None:
        self.parent = parent
        self.folder = folder

    def find_spec(self, fullname: str, path: Optional[Sequence[str]],
                  target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        """Return where an alias leads to, or None for every other module."""
        parts = fullname.split('.')
        place = next((place for place, part in enumerate(parts) if part in PACKAGES), None)
        if place is None or fullname == (own_name := self.parent + '.'.join(parts[place:])):
            return None
        own, problem = importlib.util.find_spec(own_name), None
        if own is None:
            return None
        origin = own.origin
        if place == len(parts) - 1:
            here = os.path.join(self.folder, parts[-1])
            there = self._find_elsewhere(fullname, path)
            if there is None and place > 0:
                return None
            if there and there != here:
                problem = (f'{fullname} in {there} is a second copy of {parts[-1]}, which was imported '
                           f'from {here}; remove or uninstall one of the two')
                origin = os.path.join(there, '__init__.py')
        return importlib.util.spec_from_loader(
            fullname, _AliasLoader(own_name, problem), origin=origin,
            is_package=own.submodule_search_locations is not None)

    def _find_elsewhere(self, fullname: str, path: Optional[Sequence[str]]) -> Optional[str]:
        """Return the folder in which Python would find a package without this finder."""
        found = (finder.find_spec(fullname, path, None) for finder in sys.meta_path
                 if finder is not self and hasattr(finder, 'find_spec'))
        return next((os.path.dirname(os.path.realpath(spec.origin)) for spec in found
                     if spec and spec.origin), None)


def install_aliases(own_name: str, package_folder: str) -> None:
    """Make the package that is being imported the only one of its kind in this process.

    Args:
        own_name: the name under which `geminifusion3d` is being imported.
        package_folder: the package's folder.
    """
    parent = own_name[:-len(PACKAGES[0])]
    sys.meta_path.insert(0, _AliasFinder(parent, os.path.dirname(os.path.realpath(package_folder))))
