// Loads one TypeScript source as the build would make it, for tests of what no bundle exports.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { validators } from '../validators.mjs';

export async function source(path) {
  const folder = await mkdtemp(join(tmpdir(), 'deskbus-test-'));
  const outfile = join(folder, 'module.js');
  const entry = fileURLToPath(new URL(`../src/${path}`, import.meta.url));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node12',
    external: ['electron'],
    plugins: [validators],
  });
  try {
    return createRequire(import.meta.url)(outfile);
  } finally {
    await rm(folder, { recursive: true });
  }
}
