"""How long the threads of an operation wait for each other before they leave the processor to others."""
import os

# Rounds that a thread of GNU's OpenMP runtime, which PyTorch brings, spins before it sleeps.
SPIN_COUNT = 10_000


def limit_spinning() -> None:
    """Makes waiting threads sleep soon; to be called before torch is imported.

    By default they spin: while another program has the processor of the one that they wait for, minutes are
    lost in a training step of half a second. Whoever has set one of the two variables is obeyed.
    """
    if not {'GOMP_SPINCOUNT', 'OMP_WAIT_POLICY'} & set(os.environ):
        os.environ['GOMP_SPINCOUNT'] = str(SPIN_COUNT)
