"""Emergency measures of the control plane: who may, with whom, and how they reach the pointers."""
