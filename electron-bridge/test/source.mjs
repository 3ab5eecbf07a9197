// Builds TypeScript sources as a bundle, for tests of what no package's bundle exports.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { validators } from '../validators.mjs';

/** Imports from Electron are undefined: Node has none. */
const withoutElectron = {
  name: 'without-electron',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^electron$/ }, ({ path }) => ({ path, namespace: 'nothing' }));
    onLoad({ filter: /^/, namespace: 'nothing' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Builds them into one file; returns its path, and a function that removes it. */
export async function bundled(...paths) {
  const folder = await mkdtemp(join(tmpdir(), 'deskbus-test-'));
  const file = join(folder, 'module.js');
  const contents = paths.map((path) => `export * from './${path}';`).join('\n');
  const resolveDir = fileURLToPath(new URL('../src', import.meta.url));
  await build({
    stdin: { contents, resolveDir, loader: 'ts' },
    outfile: file,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node12',
    // Files of the package are read from where it was built.
    define: { __dirname: JSON.stringify(fileURLToPath(new URL('../dist/main', import.meta.url))) },
    plugins: [validators, withoutElectron],
  });
  return { file, remove: () => rm(folder, { recursive: true }) };
}

/** Loads them as one module: what they share, as the class of errors, is there once. */
export async function source(...paths) {
  const { file, remove } = await bundled(...paths);
  try {
    return createRequire(import.meta.url)(file);
  } finally {
    await remove();
  }
}
