"""Usage over REST: as JSON, and the same rows as CSV and as JSON lines."""
