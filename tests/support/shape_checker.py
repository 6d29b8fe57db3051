"""The type checker that jaxtyping's import hook puts around the package's functions in tests.

beartype as it comes refuses an int where a float is annotated; PEP 484 allows it, so does this one.
"""
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
