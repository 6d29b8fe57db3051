"""The type checker that the import hook of jaxtyping puts around functions in tests.

beartype as it comes refuses an int where a float is annotated; PEP 484 allows it, and so does
this one.
"""
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
