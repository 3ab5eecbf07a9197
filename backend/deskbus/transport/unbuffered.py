"""UnbufferedTransport: a transport that passes on what is written at once."""

import asyncio


class UnbufferedTransport(asyncio.Transport):
    """Base of transports without a file descriptor: nothing waits to be read or written."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered, so no limit applies."""

    def pause_reading(self) -> None:
        """There is nothing to hold back."""

    def resume_reading(self) -> None:
        """Does nothing, as `pause_reading`."""
