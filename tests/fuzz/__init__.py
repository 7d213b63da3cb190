"""Policies that somebody has damaged: what must hold of every one of them, and how they are made."""
