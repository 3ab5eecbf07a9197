// Builds one TypeScript source as a bundle, for tests of what no package's bundle exports.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { validators } from '../validators.mjs';

/** Builds it into a file; returns its path, and a function that removes it. */
export async function bundled(path) {
  const folder = await mkdtemp(join(tmpdir(), 'deskbus-test-'));
  const file = join(folder, 'module.js');
  const entry = fileURLToPath(new URL(`../src/${path}`, import.meta.url));
  await build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node12',
    external: ['electron'],
    plugins: [validators],
  });
  return { file, remove: () => rm(folder, { recursive: true }) };
}

/** Loads it as a module. */
export async function source(path) {
  const { file, remove } = await bundled(path);
  try {
    return createRequire(import.meta.url)(file);
  } finally {
    await remove();
  }
}
