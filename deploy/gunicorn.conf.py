"""The console and API under gunicorn: `gunicorn -c deploy/gunicorn.conf.py 'server.app:create_app()'`.

Threads, because requests are short and wait on the database; no request holds one for progress. nginx stands before.
"""

import os

bind = os.environ.get("YUANBO_BIND", "127.0.0.1:8080")
worker_class = "gthread"
workers = int(os.environ.get("YUANBO_WEB_WORKERS", str(max(2, min(8, os.cpu_count() or 2)))))
threads = 8
worker_tmp_dir = "/dev/shm"  # noqa: S108  -- heartbeats of the workers: memory, never a slow disk

timeout = 120  # one part of an upload on a county's line
graceful_timeout = 30
keepalive = 15
max_requests = 20_000
max_requests_jitter = 2_000

forwarded_allow_ips = "127.0.0.1"
control_socket_disable = True  # systemd starts and stops it
accesslog = None  # nginx writes it
errorlog = "-"
