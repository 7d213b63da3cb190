"""How does everything run on one machine, supervised? What ``headway up`` does, step by step in ``run``."""
