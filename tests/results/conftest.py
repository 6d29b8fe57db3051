"""The dataset of ten objects and the judge, see tests/support."""
from judge_fixtures import judge, perfect, split, tiny_root

__all__ = ['judge', 'perfect', 'split', 'tiny_root']
