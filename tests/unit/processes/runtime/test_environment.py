"""No setting of a loader or an interpreter reaches an app."""

import pytest

from deskbus.processes.runtime.environment import app_environment, is_refused

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
    "PERL5DB",
    "PERL5LIB",
    "RUBYLIB",
    "DOTNET_STARTUP_HOOKS",
    "CORECLR_PROFILER",
    "GTK_MODULES",
    "GTK_PATH",
    "GIO_EXTRA_MODULES",
    "QT_PLUGIN_PATH",
    "QML2_IMPORT_PATH",
    "NODE_V8_COVERAGE",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "GCOV_PREFIX",
    "ENV",
    "BASH_FUNC_ls%%",
    "ZDOTDIR",
    "GIT_SSH_COMMAND",
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
    for administered in (True, False):
        assert is_refused(variable, administered=administered)
        assert variable not in app_environment({variable: "theirs"}, administered=administered)


@pytest.mark.parametrize(
    "variable", ["PATH", "HOME", "EXCHANGE", "SOME_LOADER_OF_TOMORROW", "APP_"]
)
def test_a_manifest_from_elsewhere_sets_what_is_its_own_or_known_to_be_harmless(
    variable: str,
) -> None:
    """The administrator's own may set the same; what is not on the list is refused unknown."""
    assert not is_refused(variable, administered=True)
    assert is_refused(variable, administered=False) == (variable != "APP_")
    for fine in ("APP_EXCHANGE", "LANG", "TZ", "NO_COLOR", "PYTHONUNBUFFERED"):
        assert not is_refused(fine, administered=False)
    for no_name in ("APP_X=Y", "APP_\0", "APP_X\n"):
        assert is_refused(no_name, administered=False)


def test_a_few_of_our_variables_and_the_manifest_s_own_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    given = app_environment({"EXCHANGE": "XETRA", "PYTHONUNBUFFERED": "1"}, administered=True)
    assert given["HOME"] == "/home/somebody"
    assert given["EXCHANGE"] == "XETRA"
    assert given["PYTHONUNBUFFERED"] == "1"
    assert "AWS_SECRET_ACCESS_KEY" not in given
