"""The environment of an app's process: a few of our variables, and what its manifest adds."""

import os
import re
from collections.abc import Mapping

from deskbus.config import REFERENCE

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
    "GCONV_",
    "NPM_CONFIG_",
    "YARN_",
    "OPENSSL_",
    "PYTHON",
    "PERL",
    "RUBY",
    "GEM_",
    "BUNDLE_",
    "BASH_",
    "DOTNET_",
    "CORECLR_",
    "COR_",
    "COMPLUS_",
    "JAVA_",
    "JDK_",
    "GTK_MODULES",
    "GTK_PATH",
    "GTK_EXE_",
    "GTK_DATA_",
    "GTK_IM_",
    "GTK3_MODULES",
    "GDK_PIXBUF_",
    "GIO_",
    "GST_",
    "QT_PLUGIN",
    "QT_QPA_",
    "QT_STYLE",
    "QML",
    "NODE_V8_",
    "NODE_COMPILE_",
    "LUA_",
    "PHP_INI",
    "PHPRC",
    "JULIA_",
    "GUILE_",
    "TCLLIBPATH",
    "VK_",
    "LIBGL_",
    "GIT_",
)
REFUSED = frozenset({
    "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "NODE_EXTRA_CA_CERTS",
    "NODE_REDIRECT_WARNINGS", "NODE_ICU_DATA", "NODE_TLS_REJECT_UNAUTHORIZED",
    "SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_HOME", "REQUESTS_CA_BUNDLE",
    "ENV", "ZDOTDIR", "FPATH", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND", "IFS", "PS4", "CDPATH",
    "_JAVA_OPTIONS", "CLASSPATH", "JRUBY_OPTS", "R_PROFILE", "R_PROFILE_USER", "R_ENVIRON",
    "ASAN_OPTIONS", "LSAN_OPTIONS", "MSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
    "ASAN_SYMBOLIZER_PATH", "LLVM_PROFILE_FILE", "GCOV_PREFIX", "GMON_OUT_PREFIX",
    "LOCPATH", "NLSPATH", "HOSTALIASES", "RESOLV_HOST_CONF", "GETCONF_DIR", "RES_OPTIONS",
    "LOCALDOMAIN", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "GSETTINGS_BACKEND", "XMODIFIERS",
    "GODEBUG", "RUSTC_WRAPPER", "EDITOR", "VISUAL", "PAGER", "BROWSER", "LESSOPEN", "LESSCLOSE",
})  # fmt: skip
"""Settings of loaders, interpreters and C libraries, with which a program is made another one."""

HARMLESS = frozenset({
    "PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE",
    "LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MESSAGES", "LC_MONETARY",
    "LC_NUMERIC", "LC_TIME", "TZ", "NO_COLOR", "FORCE_COLOR", "NODE_ENV",
})  # fmt: skip
"""Variables that any manifest may set: words, and no paths or code."""

OWN_PREFIX = "APP_"
"""The prefix of an app's own variables, which no known loader, interpreter or library reads."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_refused(variable: str, *, administered: bool) -> bool:
    """Whether a manifest may not set this variable; upper and lower case are alike.

    The administrator's own manifest may set all but what makes a program another one. One from
    elsewhere may set what is known to be harmless, and nothing else.
    """
    name = variable.upper()
    if name in HARMLESS:
        return False
    if not administered:
        return not (name.startswith(OWN_PREFIX) and _NAME.fullmatch(name))
    return (
        not name
        or "=" in name
        or "\0" in name
        or name in REFUSED
        or name.startswith(REFUSED_PREFIXES)
    )


def names_secret(env: Mapping[str, str]) -> bool:
    """Whether a value stands for a secret of the configuration."""
    return any(value.startswith(REFERENCE) for value in env.values())


def app_environment(wanted: Mapping[str, str], *, administered: bool) -> dict[str, str]:
    """Ours, cut down, with what the manifest adds and may add."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    added = {
        name: text
        for name, text in wanted.items()
        if not is_refused(name, administered=administered)
    }
    return kept | added
