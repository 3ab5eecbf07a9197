"""A page's script with FINOS's public npm package, as any app has it."""

import subprocess
from pathlib import Path

BRIDGE = Path(__file__).parents[2] / "electron-bridge"

SCRIPT = """import { getAgent } from '@finos/fdc3';
window.wanted = getAgent({ timeoutMs: 4000 });
window.outcome = wanted.then(() => 'found', (error) => String(error));
window.heard = [];
"""


def finos_script(folder: Path, *, target: str = "es2020") -> str:
    """The script as one text, for engines that understand `target` (esbuild's name for it)."""
    source = folder / "app.js"
    source.write_text(SCRIPT)
    made = subprocess.run(
        [
            *(BRIDGE / "node_modules/.bin/esbuild", source, "--bundle", "--format=iife"),
            *(f"--target={target}", "--log-level=error"),
        ],
        env={"NODE_PATH": str(BRIDGE / "node_modules"), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        check=True,
        text=True,
    )
    return made.stdout
