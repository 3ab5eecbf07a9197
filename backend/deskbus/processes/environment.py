"""The environment of an app's process: a few of our variables, and what its manifest adds."""

import os
from collections.abc import Mapping

INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "APPDATA",
    "LOCALAPPDATA",
)
"""All that an app sees of our environment."""

REFUSED_PREFIXES = (
    "LD_",
    "DYLD_",
    "DESKBUS_",
    "ELECTRON_",
    "MALLOC_",
    "GLIBC_",
    "NPM_CONFIG_",
    "OPENSSL_",
)
REFUSED = frozenset({
    "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "NODE_EXTRA_CA_CERTS",
    "SSLKEYLOGFILE",
    "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND", "IFS",
    "PERL5OPT", "PERL5LIB", "PERLLIB", "RUBYOPT", "RUBYLIB",
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH",
    "GCONV_PATH", "LOCPATH", "NLSPATH", "HOSTALIASES", "RESOLV_HOST_CONF", "GETCONF_DIR",
})  # fmt: skip
"""Settings of loaders, interpreters and C libraries, with which a program is made another one."""

HARMLESS_PYTHON = frozenset({"PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE"})


def is_refused(variable: str) -> bool:
    """Whether a manifest may not set this variable; upper and lower case are alike."""
    name = variable.upper()
    if name.startswith("PYTHON"):
        return name not in HARMLESS_PYTHON
    return (
        not name
        or "=" in name
        or "\0" in name
        or name in REFUSED
        or name.startswith(REFUSED_PREFIXES)
    )


def app_environment(wanted: Mapping[str, str]) -> dict[str, str]:
    """Ours, cut down, with what the manifest adds and may add."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {name: text for name, text in wanted.items() if not is_refused(name)}
