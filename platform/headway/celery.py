"""What work goes on behind the pages, and who does it? Celery: in this process, or on Redis.

Every task here is a sweep: it looks for rows that want something done, so losing a message, a worker
or a beat loses no work, only a period. Wake-ups make the same work happen at once (``foundation.outbox``).
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "headway.settings.base")

from celery import Celery
from django.conf import settings

EMBEDDED_BROKER = "memory://localhost"

QUEUE_OF_SIMULATIONS = "simulations"
CONFIGURATION: dict[str, Any] = {
    "broker_url": settings.REDIS_URL or EMBEDDED_BROKER,
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": (
        {"global_keyprefix": settings.REDIS_PREFIX} if settings.REDIS_URL else {"polling_interval": 0.2}
    ),
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "timezone": "UTC",
    "worker_hijack_root_logger": False,
    "worker_send_task_events": False,
    "worker_prefetch_multiplier": 1,
    "beat_max_loop_interval": 1,
    "beat_schedule": {
        "drain the outbox": {"task": "foundation.drain_outbox", "schedule": 2.0, "options": {"expires": 2}},
        "forget what is old": {"task": "foundation.prune", "schedule": 3600.0, "options": {"expires": 600}},
        "renew pointers": {"task": "delivery.renew_pointers", "schedule": 5.0, "options": {"expires": 5}},
        "look at directories": {
            "task": "delivery.refresh_directories",
            "schedule": 30.0,
            "options": {"expires": 30},
        },
        "look at releases": {"task": "delivery.note_progress", "schedule": 5.0, "options": {"expires": 5}},
        "carry timelines on": {
            "task": "delivery.carry_timelines_on",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "forget explanations": {
            "task": "telemetry.sweep_decisions",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "add up minutes": {"task": "telemetry.roll_up", "schedule": 5.0, "options": {"expires": 5}},
        "forget old telemetry": {
            "task": "telemetry.prune",
            "schedule": 300.0,
            "options": {"expires": 300},
        },
        "look after simulations": {
            "task": "simulations.sweep",
            "schedule": 5.0,
            "options": {"expires": 5},
        },
        "look for builds": {"task": "policies.build_missing", "schedule": 10.0, "options": {"expires": 10}},
    },
}


def application(queue: str = "celery", *, current: bool = False) -> Celery:
    """An application whose workers take ``queue``. Embedded there are two of them in one process."""
    made = Celery("headway", set_as_current=current)
    made.conf.update(CONFIGURATION, task_default_queue=queue)
    made.autodiscover_tasks()
    return made


app = application(current=True)
