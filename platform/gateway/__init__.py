"""The reference data plane: how does one HTTP request become one governed call to a replica?

asyncio protocols, uvloop and httptools; no Django and no HTTP client library. Every decision is
taken by ``coordination.scheduling``; this package moves bytes, keeps time and tells the truth.
"""
