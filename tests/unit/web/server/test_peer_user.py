"""The user of the socket at the other end of a loopback connection."""

import os
import socket
import subprocess
import sys

import pytest

from deskbus.web.server.peer_user import UnknownPeerError, is_same_user, is_told, uid_of_peer
from tests.conftest import absent

pytestmark = pytest.mark.skipif(not is_told(), reason="this system does not tell")

OTHER_UID = 65_534
LIMIT_S = 20
CONNECT = """
import os, socket, sys
os.setuid(int(sys.argv[1]))
peer = socket.socket()
peer.connect((sys.argv[2], int(sys.argv[3])))
peer.recv(1)
"""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_our_own_socket_is_ours(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        with socket.create_connection(server.getsockname()[:2]) as peer:
            near, _ = server.accept()
            with near:
                ends = near.getpeername()[:2], near.getsockname()[:2]
                assert uid_of_peer(*ends) == os.getuid()
                assert is_same_user(*ends)
                peer.close()
                # Of a socket that is closed the table says root, whoever had it.
                with pytest.raises(UnknownPeerError):
                    uid_of_peer(*ends)
                assert not is_same_user(*ends)


def test_a_peer_that_speaks_ipv4_through_a_socket_for_ipv6_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.socket(socket.AF_INET6) as peer:
            peer.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
            near, _ = server.accept()
            with near:
                assert is_same_user(near.getpeername(), near.getsockname())


@pytest.mark.requirement("5.4")
def test_another_users_socket_is_not() -> None:
    if os.getuid() != 0:
        absent("only root can be another user")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT_S)
        port = server.getsockname()[1]
        command = [sys.executable, "-c", CONNECT, str(OTHER_UID), "127.0.0.1", str(port)]
        with subprocess.Popen(command) as process:
            near, _ = server.accept()
            with near:
                ends = near.getpeername()[:2], near.getsockname()[:2]
                assert uid_of_peer(*ends) == OTHER_UID
                assert not is_same_user(*ends)
        assert process.returncode == 0
