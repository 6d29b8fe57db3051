"""The info file between conversion and training: read once, checked once, trusted afterwards."""
from pathlib import Path
from typing import Any, Dict, Sequence, Union

from ..errors import UserError
from ..safe_pickle import load_plain_pickle

METAINFO_KEYS = ('categories', 'dataset', 'version', 'split')


def load_info_file(path: Union[str, Path], class_names: Sequence[str]) -> Dict[str, Any]:
    """Loads `{metainfo, data_list}` written by `tools/create_data.py nuscenes`.

    Args:
        path: the info file.
        class_names: the classes in the order of the labels that the reader expects.

    Raises:
        UserError: if the file is missing, damaged, of another layout or of another class list.
    """
    content = load_plain_pickle(path)
    metainfo = content.get('metainfo') if isinstance(content, dict) else None
    is_sound = (isinstance(metainfo, dict) and all(key in metainfo for key in METAINFO_KEYS)
                and isinstance(metainfo['categories'], dict)
                and isinstance(content.get('data_list'), list))
    if not is_sound:
        raise UserError(f'{path} is no info file of this project; expected metainfo with '
                        f'{", ".join(METAINFO_KEYS)} and a data_list; write it again with '
                        'tools/create_data.py')
    found = sorted(metainfo['categories'], key=metainfo['categories'].get)
    if found != list(class_names):
        raise UserError(f'{path} was written for the classes {found}; expected '
                        f'{list(class_names)}; write it again with tools/create_data.py')
    return content
