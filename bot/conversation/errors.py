"""The error tree: one branch for each thing that a caller can do about an error."""


class FrontdeskError(Exception):
    """Root of all errors that Frontdesk raises on purpose; its text is fit to be shown to an operator."""


class ConfigError(FrontdeskError):
    """A setting or a file of the installation is wrong: stop and say which."""


class NotFound(FrontdeskError):
    """What was asked for does not exist."""


class Conflict(FrontdeskError):
    """Somebody was faster: reload and decide again."""


class Unavailable(FrontdeskError):
    """A service that is needed does not answer: try again later."""


class RateLimited(Unavailable):
    """The caller asks too often; `after_s` is when to come back."""

    def __init__(self, why: str, after_s: float) -> None:
        super().__init__(why)
        self.after_s = after_s


class BadInput(FrontdeskError):
    """What was given can't be accepted; the text says what was wrong, where, and what is accepted."""


class Forbidden(FrontdeskError):
    """The caller is known but has no right to this."""


class NotSignedIn(FrontdeskError):
    """The caller is not known: sign in, or send a valid token."""
