"""Makes a data folder as this version writes it: `python -m tests.data.make DIR`.

Used once for each version that changes a format, never to renew what is there. In it: a log with a
plain and a sealed batch, a vault under the master password `PASSWORD`, the federation's place.
"""

import sys
from pathlib import Path

from deskbus.federation.bookmark import Bookmark, Place
from deskbus.handlers.sensitive import SensitiveTopics
from deskbus.persistence.log import MessageLog
from deskbus.vault.records import Name
from deskbus.vault.vault import Vault
from tests.unit.persistence.rig import NOW_MS, message, write

PASSWORD = b"a frozen password"
SECRET = Name("apps", "desk.feed", "token")
PLACE = Place(sent=2, stream="s-1", taken=7, position=1)


def make(folder: Path) -> None:
    vault = Vault(folder / "vault", find=lambda _name: None)
    vault.use_password(bytearray(PASSWORD))
    vault.put(SECRET, b"kept")
    sealer = SensitiveTopics(vault, ["orders.own.#"])
    log = MessageLog(folder / "messages", clock_ms=lambda: NOW_MS, sealer=sealer)
    log.open()
    write(log, [message("orders.new", 1)], [message("orders.own.a", 2)], sync=True)
    log.close()
    vault.close()
    Bookmark(folder).save(PLACE)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
