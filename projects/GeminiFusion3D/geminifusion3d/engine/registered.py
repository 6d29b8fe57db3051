"""What mmdet3d's registries know: the classes that a config's `type` can name."""
import inspect
from contextlib import suppress
from typing import Iterator, List, Optional

from mmdet3d import registry as mmdet3d_registry
from mmengine.registry import Registry


def _chains(kind: Optional[str] = None) -> Iterator[Registry]:
    """Yields mmdet3d's registries, all or those of one kind, each before its parents."""
    for found in vars(mmdet3d_registry).values():
        if isinstance(found, Registry) and kind in (None, found.name):
            while found is not None:
                # Modules register themselves when they are imported, which registries put off; one
                # of mmdet3d's registries names a module that its wheel lacks.
                with suppress(ModuleNotFoundError):
                    found.import_from_location()
                yield found
                found = found.parent


def registered_names(kind: str) -> List[str]:
    """Lists the names that a `type` of this kind can have."""
    return sorted({name for registry in _chains(kind) for name in registry.module_dict})


def accepts_argument(type_name: Optional[str], argument: str) -> bool:
    """Says whether a registered class (or function) has a constructor argument of this name.

    Args:
        type_name: as in a config's `type`; None, of a dictionary without one, accepts nothing.
        argument: a key beside it.
    """
    for registry in _chains() if type_name else ():
        found = registry.module_dict.get(type_name)
        if found is not None:
            return argument in inspect.signature(found).parameters
    return False
