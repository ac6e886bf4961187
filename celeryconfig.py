"""Celery's settings. Each one that is not Celery's default says why; the facts are in docs/architecture.md.

https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from celery.schedules import crontab
from kombu import Queue

from speechai.core.watching import PAGES_EVERY
from speechai.settings import current

_settings = current()

imports = ("tasks.calls", "tasks.waves", "tasks.recovery")

# -- broker ------------------------------------------------------------------------------------------
# Without an address a publish must fail loudly, not try a broker that happens to be on this machine.
broker_url = (
    _settings.redis_url.get_secret_value()
    if _settings.redis_url
    else "redis-url-is-not-set://set-REDIS_URL-or-run-speechai-up"
)
broker_connection_retry_on_startup = True
broker_pool_limit = 32  # threads publish side by side
broker_pool_acquire_timeout = 10  # the default waits for ever
# A message taken by a worker that was killed is delivered again after this long. It must exceed the longest
# countdown (two minutes; everything longer is `next_attempt_at` in MongoDB) and the backlog on top of it.
VISIBILITY_TIMEOUT = 300
broker_transport_options = {
    "visibility_timeout": VISIBILITY_TIMEOUT,
    "unacked_restore_interval": 2,  # look for such messages every 2 s instead of every 100 s
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,  # without it, a publish on a dead connection waits for ever
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
visibility_timeout = VISIBILITY_TIMEOUT

# -- messages ----------------------------------------------------------------------------------------
task_serializer = result_serializer = "json"
accept_content = ["json"]  # pickle would let whoever can write to Redis run any code
task_ignore_result = True  # the truth is in MongoDB; a result backend costs 1.5 ms a task and a password more
task_store_errors_even_if_ignored = False
timezone = _settings.tz_name
enable_utc = True

# -- queues ------------------------------------------------------------------------------------------
# Dialing must not wait behind polls, nor a settled call's result behind dials.
task_default_queue = "calls"
task_queues = [Queue(name) for name in ("calls", "polls", "results", "waves", "recovery")]
task_create_missing_queues = False  # a typo in a queue's name is an error, not a queue that nobody reads
task_routes = {
    "tasks.calls.call_contact": {"queue": "calls"},
    "tasks.calls.poll_call": {"queue": "polls"},
    "tasks.calls.look_in_pages": {"queue": "polls"},
    "tasks.calls.persist_result": {"queue": "results"},
    "tasks.waves.*": {"queue": "waves"},
    "tasks.recovery.*": {"queue": "recovery"},
}

# -- workers -----------------------------------------------------------------------------------------
# Every task loads by id and makes guarded moves, so running one twice is harmless and losing one is not.
task_acks_late = True
worker_prefetch_multiplier = 1  # a message waits in the broker, where any worker can take it
worker_soft_shutdown_timeout = 20  # on SIGTERM: finish the request that may be ringing somebody
worker_enable_soft_shutdown_on_idle = True  # else polls held by countdown are lost in a cold shutdown
worker_timer_precision = 0.1  # countdowns of a fraction of a second are kept
worker_disable_rate_limits = True  # calls per second are counted over all workers, in speechai/pace.py
worker_hijack_root_logger = False
worker_send_task_events = True  # Flower
task_send_sent_event = True  # Flower shows tasks that wait

# -- beat --------------------------------------------------------------------------------------------
beat_cron_starting_deadline = 900  # a Beat that was down for hours must not fire an old wave at once
beat_max_loop_interval = 5
beat_schedule = {
    # The three waves of the day, in the default zone …
    **{
        f"waves at {clock:%H:%M}": {
            "task": "tasks.waves.open_waves",
            "schedule": crontab(hour=str(clock.hour), minute=str(clock.minute)),
            "options": {"queue": "waves", "expires": 600},
        }
        for clock in _settings.wave_times
    },
    # … and the tick that fires what Beat missed, batches in other zones, and continuous batches' days.
    "tick": {
        "task": "tasks.waves.open_waves",
        "schedule": crontab(),
        "options": {"queue": "waves", "expires": 50},
    },
    "dispatch": {
        "task": "tasks.waves.dispatch",
        "schedule": 5.0,  # retries and callbacks whose time has come
        "options": {"queue": "waves", "expires": 5},
    },
    "look in pages": {
        "task": "tasks.calls.look_in_pages",
        "schedule": PAGES_EVERY,
        "options": {"queue": "polls", "expires": PAGES_EVERY.total_seconds()},
    },
    "sweep": {
        "task": "tasks.recovery.sweep",
        "schedule": 30.0,
        "options": {"queue": "recovery", "expires": 30},
    },
}
