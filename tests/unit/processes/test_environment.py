"""No setting of a loader or an interpreter reaches an app."""

import pytest

from deskbus.processes.environment import app_environment, is_refused

DANGEROUS = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "ld_preload",
    "DYLD_INSERT_LIBRARIES",
    "NODE_OPTIONS",
    "NODE_PATH",
    "ELECTRON_RUN_AS_NODE",
    "ELECTRON_ENABLE_LOGGING",
    "NODE_EXTRA_CA_CERTS",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "SSLKEYLOGFILE",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "BASH_ENV",
    "PERL5OPT",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "DESKBUS_APP",
    "DESKBUS_TICKET_FD",
    "A=B",
    "",
]


@pytest.mark.parametrize("variable", DANGEROUS)
def test_neither_our_environment_nor_a_manifest_gets_it_through(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable and "=" not in variable:
        monkeypatch.setenv(variable, "ours")
    assert is_refused(variable)
    assert variable not in app_environment({variable: "theirs"})


def test_a_few_of_our_variables_and_the_manifest_s_own_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    given = app_environment({"EXCHANGE": "XETRA", "PYTHONUNBUFFERED": "1"})
    assert given["HOME"] == "/home/somebody"
    assert given["EXCHANGE"] == "XETRA"
    assert given["PYTHONUNBUFFERED"] == "1"
    assert "AWS_SECRET_ACCESS_KEY" not in given
