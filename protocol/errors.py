"""Errors of the shared protocol. The class docstring is the default message."""


class ProtocolError(ValueError):
    """A message does not follow the protocol."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class MalformedDocument(ProtocolError):
    """A signed document cannot be read."""


class MalformedBatch(ProtocolError):
    """A report batch cannot be read."""


class BadSignature(ProtocolError):
    """A signature does not fit the bytes it was sent with."""


class BadCode(ProtocolError):
    """An enrolment code is not well formed."""


class BadPieces(ProtocolError):
    """A piece layer does not fit its root or length."""
