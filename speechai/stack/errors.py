"""What can go wrong when the stack starts."""


class StackError(Exception):
    """The stack cannot start or go on; the message says why and what the operator can do."""


class AlreadyRunningError(StackError):
    """Another `speechai up` owns this home."""


class InterruptedStartError(StackError):
    """Start-up was asked to stop before it was done."""
