"""The launcher sets an app's limits, whatever those of the backend are at that moment."""

import os
import subprocess
import sys

import pytest

from deskbus.processes.runtime.spawn import LAUNCHER

if sys.platform == "win32":
    pytest.skip("limits are POSIX's", allow_module_level=True)

import resource

LOW_BYTES = 1 << 30
TELL = "import resource, sys; print(resource.getrlimit(int(sys.argv[1])))"


@pytest.mark.parametrize("limit", [resource.RLIMIT_FSIZE, resource.RLIMIT_AS])
def test_an_app_does_not_inherit_what_the_backend_is_short_of(limit: int) -> None:
    _, hard = resource.getrlimit(limit)
    lowered = (
        "import os, resource, sys; limit = int(sys.argv[1]);"
        f"resource.setrlimit(limit, ({LOW_BYTES}, resource.getrlimit(limit)[1]));"
        "os.execv(sys.argv[2], [*sys.argv[2:5], sys.argv[5], str(os.getppid()), *sys.argv[6:]])"
    )
    status, writing = os.pipe()
    try:
        found = subprocess.run(
            [
                *(sys.executable, "-c", lowered, str(limit)),
                *(sys.executable, "-I", str(LAUNCHER), str(writing), "0", ""),
                *(sys.executable, "-c", TELL, str(limit)),
            ],
            pass_fds=[writing],
            stdout=subprocess.PIPE,
            check=True,
            timeout=30,
        )
    finally:
        os.close(status)
        os.close(writing)
    assert found.stdout.decode().strip() == str((hard, hard))
