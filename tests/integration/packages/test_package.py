"""The npm package as others get it: packed, installed in a fresh folder, required and typed."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.electron import ROOT, ElectronError, find_electron
from tests.conftest import absent

BRIDGE = ROOT / "electron-bridge"
LIMIT_S = 120

LOAD = """
const { connect, DeskbusError } = require('deskbus-electron/node');
if (typeof connect !== 'function' || typeof DeskbusError !== 'function') throw new Error('empty');
const words = (entry) => {
  try { require(entry); return 'loaded'; } catch (error) { return error.message; }
};
process.stdout.write(JSON.stringify({
  node: process.versions.node,
  main: words('deskbus-electron'),
  preload: words('deskbus-electron/preload'),
  web: words('deskbus-electron/web'),
  script: require.resolve('deskbus-electron/preload'),
}));
"""

CONSUMER = """
import { createShell, type Shell } from 'deskbus-electron';
import { connect, type Client } from 'deskbus-electron/node';
import type { DeskbusApi } from 'deskbus-electron/preload';
import { hostFrame, SocketPool } from 'deskbus-electron/web';

const shell: Shell = createShell({ dataDir: 'data' });
declare const client: Client;
declare const page: DeskbusApi;
const topics: Promise<number> = shell.call('bus.stats').then(({ topics }) => topics);
const opened: Promise<Client> = connect({ pipe: 'p', app: 'a', ticket: 't' });
const same: DeskbusApi = window.deskbus;
// @ts-expect-error A topic is text.
page.publish(1, topics);
// @ts-expect-error There is no such method.
client.call('bus.nothing');
export { hostFrame, opened, same, SocketPool };
"""

RESOLUTIONS: dict[str, dict[str, object]] = {
    # The classic one looks into node_modules only where it is told to, and reads no package.json.
    "classic": {
        "module": "ES2020",
        "moduleResolution": "classic",
        "paths": {"*": ["./node_modules/*", "./node_modules/*/index"]},
    },
    "node10": {"module": "CommonJS", "moduleResolution": "node10"},
    "node16": {"module": "Node16", "moduleResolution": "node16"},
    "bundler": {"module": "ES2020", "moduleResolution": "bundler"},
}


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})},
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def npm() -> str:
    found = shutil.which("npm")
    if found is None or not (BRIDGE / "node_modules").is_dir():
        absent("there is no npm, or scripts/setup has not run")
    return found


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a fresh, unbuilt clone."""
    clone = tmp_path_factory.mktemp("clone")
    shutil.copytree(
        BRIDGE, clone / "electron-bridge",
        ignore=shutil.ignore_patterns("node_modules", "dist", "LICENSE"),
    )  # fmt: skip
    shutil.copy(ROOT / "LICENSE", clone)
    texts = Path("backend/deskbus/languages")
    shutil.copytree(ROOT / texts, clone / texts)
    (clone / "electron-bridge/node_modules").symlink_to(BRIDGE / "node_modules")
    packed = run(npm(), "pack", "--loglevel=error", cwd=clone / "electron-bridge")
    (tarball,) = clone.glob("electron-bridge/*.tgz")
    assert tarball.name in packed
    return tarball


@pytest.fixture(scope="module")
def consumer(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh folder with the package in it, and nothing else."""
    folder = tmp_path_factory.mktemp("consumer")
    (folder / "package.json").write_text('{"private": true}')
    run(npm(), "install", "--offline", "--no-audit", "--no-fund", tarball, cwd=folder)
    return folder


def test_the_package_brings_its_licence_and_drags_nothing_along(consumer: Path) -> None:
    installed = consumer / "node_modules/deskbus-electron"
    assert (installed / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (installed / "dist/renderer/de/dialog.html").is_file()
    assert [folder.name for folder in (consumer / "node_modules").iterdir()
            if not folder.name.startswith(".")] == ["deskbus-electron"]  # fmt: skip


@pytest.mark.parametrize(
    "tool", [["publint", "run", "--strict"], ["attw"]], ids=lambda each: each[0]
)
def test_the_tools_for_packages_find_nothing_wrong(tarball: Path, tool: list[str]) -> None:
    run(BRIDGE / "node_modules/.bin" / tool[0], *tool[1:], tarball, cwd=tarball.parent)


@pytest.mark.parametrize("program", ["node", "electron"])
def test_every_entry_loads_or_says_where_it_belongs(consumer: Path, program: str) -> None:
    """Electron 9 runs Node 12.14, which knows no `exports`."""
    binary: str | None
    if program == "electron":
        try:
            binary = find_electron()
        except ElectronError as error:
            absent(str(error))
    else:
        binary = shutil.which("node")
        if binary is None:
            absent("there is no node")
    told = json.loads(run(binary, "-e", LOAD, cwd=consumer, env={"ELECTRON_RUN_AS_NODE": "1"}))
    assert "main process" in told["main"]
    assert "deskbus-electron/node" in told["main"]
    assert "deskbus-electron/node" in told["preload"]
    assert told["web"] == "loaded"
    assert told["script"].endswith("dist/preload/index.js")


def methods() -> tuple[list[str], list[str]]:
    """The backend's methods that can be called without params, and those that can't."""
    document: dict[str, Any] = json.loads((ROOT / "schemas/openrpc.json").read_text("utf-8"))
    schemas = document["components"]["schemas"]
    free: list[str] = []
    bound: list[str] = []
    for row in document["methods"]:
        params = schemas[row["x-params"]["$ref"].rsplit("/", 1)[-1]]
        (bound if params.get("required") else free).append(row["name"])
    return free, bound


@pytest.fixture(scope="module")
def typed(consumer: Path) -> Path:
    """The folder with a program in it that calls every method in every way that it allows."""
    map_ = (BRIDGE / "src/generated/protocol.ts").read_text("utf-8")
    backend = [line.split('"')[1] for line in map_.splitlines() if 'handledBy: "backend"' in line]
    free, bound = methods()
    calls = [f"void shell.call('{name}'); void client.call('{name}');"
             for name in free if name in backend]  # fmt: skip
    for name in bound:
        if name in backend:
            calls += ["// @ts-expect-error It needs params.", f"void shell.call('{name}');"]
            calls += ["// @ts-expect-error It needs params.", f"void client.call('{name}');"]
    assert len(calls) > 50
    (consumer / "program.ts").write_text("\n".join([CONSUMER, *calls, ""]))
    return consumer


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_its_types_are_found_by_every_resolution(typed: Path, resolution: str) -> None:
    electron = BRIDGE / "node_modules/electron/electron.d.ts"
    options = {
        "strict": True, "noEmit": True, "target": "ES2020", "lib": ["ES2020", "DOM"],
        "skipLibCheck": True, "typeRoots": [str(BRIDGE / "node_modules/@types")],
        "types": ["node"], **RESOLUTIONS[resolution],
    }  # fmt: skip
    project = typed / f"tsconfig.{resolution}.json"
    files = ["program.ts", str(electron)]
    project.write_text(json.dumps({"compilerOptions": options, "files": files}))
    run("node", BRIDGE / "node_modules/typescript/bin/tsc", "-p", project, cwd=typed)


MAIN = """
const { app } = require('electron');
const { createShell } = require('deskbus-electron');
let told;
try { createShell({ dataDir: 'data' }); told = 'made'; } catch ({ message, action, retryable }) {
  told = { message, action, retryable };
}
process.stdout.write(JSON.stringify(told));
"""


@pytest.mark.parametrize("external", [False, True])
def test_a_bundled_main_process_works_or_says_which_setting_helps(
    consumer: Path, external: bool
) -> None:
    """A real bundle, run where Electron's module is a stand-in: no display is needed for it."""
    node = shutil.which("node")
    if node is None:
        absent("there is no node")
    (consumer / "main.js").write_text(MAIN)
    stub = "exports.app = { on() {}, once() {}, getName: () => 'walk', getPath: () => '.' };\n"
    place = consumer / "bundle/node_modules/electron"
    place.mkdir(parents=True, exist_ok=True)
    (place / "index.js").write_text(f"{stub}exports.ipcMain = {{ on() {{}}, handle() {{}} }};\n")
    link = consumer / "bundle/node_modules/deskbus-electron"
    if not link.exists():
        shutil.copytree(consumer / "node_modules/deskbus-electron", link)
    words = ["--external:electron", *(["--external:deskbus-electron"] if external else [])]
    run(BRIDGE / "node_modules/.bin/esbuild", "main.js", "--bundle", "--platform=node",
        "--log-level=error", "--outfile=bundle/main.js", *words, cwd=consumer)  # fmt: skip
    told = json.loads(run(node, "bundle/main.js", cwd=consumer))
    if external:
        assert told == "made"
    else:
        assert "preload/index.js is not there" in told["message"]
        assert "--external:deskbus-electron" in told["action"]
        assert told["retryable"] is False
