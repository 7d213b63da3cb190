"""Simulations over REST: traces sent, questions asked, answers read and compared."""
