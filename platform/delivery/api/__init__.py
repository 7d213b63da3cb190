"""Delivery over REST: releases, gateways and their progress, tenants' keys and shares."""
