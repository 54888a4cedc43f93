"""Settings of one installation, from its data folder and the environment.

Everything has a default that works without any server installed: SQLite and a media folder.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_DATA = Path("data")
DEFAULT_PORT = 8080


@dataclass(frozen=True)
class S3Settings:
    """An S3 service for media. It is untrusted storage: everything is hashed again before it is signed."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    secure: bool = True


@dataclass(frozen=True)
class MessagingSettings:
    """Ways to reach people beside the page; each is there only where it is configured.

    ``smtp`` is host[:port]; ``smtp_tls`` is starttls, tls or none. The SMS gateway and the webhook get JSON by POST.
    """

    smtp: str | None = None
    smtp_from: str = "yuanbo@localhost"
    smtp_user: str | None = None
    smtp_password: str | None = field(default=None, repr=False)
    smtp_tls: str = "starttls"
    sms_url: str | None = None
    sms_token: str | None = field(default=None, repr=False)
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that people may choose: email, sms. The webhook is the installation's own."""
        return tuple(name for name, place in (("email", self.smtp), ("sms", self.sms_url)) if place)


@dataclass(frozen=True)
class Config:
    """``console_url`` has no trailing slash; ``read_urls`` do not either."""

    data: Path
    database_url: str
    jobs_database_url: str
    console_url: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    read_urls: tuple[str, ...] = (f"http://127.0.0.1:{DEFAULT_PORT + 1}",)
    s3: S3Settings | None = None
    messaging: MessagingSettings = MessagingSettings()
    extra: Mapping[str, str] = field(default_factory=dict)

    # --- places (design: path = URL on the read plane) ---
    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def media(self) -> Path:
        """Holds ``m/<sha256>`` and ``p/<root>``."""
        return self.data / "media"

    @property
    def read(self) -> Path:
        """Holds ``r/metadata`` and ``r/targets``."""
        return self.data / "read"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def run(self) -> Path:
        """Process ids, sockets, scratch space of running work."""
        return self.data / "run"

    def make_folders(self) -> None:
        """Create the places. Raises OSError where the folder cannot be written."""
        for folder in (
            self.data,
            self.uploads,
            self.media / "m",
            self.media / "p",
            self.read / "r" / "metadata",
            self.read / "r" / "targets",
            self.logs,
            self.run,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        self.keys.mkdir(mode=0o700, exist_ok=True)

    def web_secret(self) -> bytes:
        """The key that signs web sessions; made at first use."""
        path = self.keys / "web-secret"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            secret = secrets.token_bytes(32)
            file.write(secret)
        return secret


def load(data: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration for a data folder: argument, else ``YUANBO_DATA``, else ``./data``."""
    env = os.environ if environ is None else environ
    folder = (data or Path(env.get("YUANBO_DATA", DEFAULT_DATA))).absolute()
    s3 = None
    if endpoint := env.get("YUANBO_S3_ENDPOINT"):
        s3 = S3Settings(
            endpoint=endpoint,
            bucket=env.get("YUANBO_S3_BUCKET", "yuanbo"),
            access_key=env.get("YUANBO_S3_ACCESS_KEY", ""),
            secret_key=env.get("YUANBO_S3_SECRET_KEY", ""),
            secure=env.get("YUANBO_S3_SECURE", "1") != "0",
        )
    return Config(
        data=folder,
        database_url=env.get("YUANBO_DATABASE_URL", f"sqlite:///{folder / 'yuanbo.sqlite'}"),
        jobs_database_url=env.get("YUANBO_JOBS_DATABASE_URL", f"sqlite:///{folder / 'jobs.sqlite'}"),
        console_url=env.get("YUANBO_CONSOLE_URL", f"http://127.0.0.1:{DEFAULT_PORT}").rstrip("/"),
        read_urls=tuple(
            url.rstrip("/")
            for url in env.get("YUANBO_READ_URLS", f"http://127.0.0.1:{DEFAULT_PORT + 1}").split()
        ),
        s3=s3,
        messaging=MessagingSettings(
            smtp=env.get("YUANBO_SMTP") or None,
            smtp_from=env.get("YUANBO_SMTP_FROM", "yuanbo@localhost"),
            smtp_user=env.get("YUANBO_SMTP_USER") or None,
            smtp_password=env.get("YUANBO_SMTP_PASSWORD") or None,
            smtp_tls=env.get("YUANBO_SMTP_TLS", "starttls"),
            sms_url=env.get("YUANBO_SMS_URL") or None,
            sms_token=env.get("YUANBO_SMS_TOKEN") or None,
            webhook_url=env.get("YUANBO_WEBHOOK_URL") or None,
            webhook_secret=env.get("YUANBO_WEBHOOK_SECRET") or None,
        ),
    )
