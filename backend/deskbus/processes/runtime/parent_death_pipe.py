"""The descriptor that tells an app's process that the backend lives."""

import os


class ParentDeathPipe:
    """A pipe that ends when the backend does; nothing is ever written to it.

    One for each process: whoever holds an end of a pipe can open the other through /proc, and so
    could end, or keep alive, everybody who watches the same.
    """

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        self._open = {self.reading, self._writing}

    def handed_over(self) -> None:
        """Closes our copy of the end that the process now has."""
        self._close(self.reading)

    def close(self) -> None:
        """Closes both ends."""
        self._close(self.reading)
        self._close(self._writing)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)
