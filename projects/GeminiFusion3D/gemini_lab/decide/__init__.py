"""Does a fuser pay? Many paired seeds on stored BEV maps, with intervals and a statement of power."""
