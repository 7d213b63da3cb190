"""A tenant's own screens: limits, reservations, keys, teams, usage and refusals. Nobody else's bytes."""
