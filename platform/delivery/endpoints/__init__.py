"""The addresses gateways use, answered before Django.

Django holds a thread for each request in flight; here a waiting gateway holds a future, and the
answer "nothing new" touches neither thread nor database.
"""

from __future__ import annotations

from delivery.endpoints.application import DeliveryApplication

__all__ = ["DeliveryApplication"]
