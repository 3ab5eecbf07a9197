// Bundles FINOS's conformance suite with the FDC3 client of the same checkout, for an older engine too.
// node build.mjs CHECKOUT PACKAGES OUT TARGET: PACKAGES has the npm packages that the suite needs,
// TARGET is esbuild's name of the engine.
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [checkout, packages, out, target] = process.argv.slice(2);
const suite = join(checkout, 'toolbox/fdc3-conformance');
const here = dirname(fileURLToPath(import.meta.url));
const bridge = join(here, '../../electron-bridge/package.json');
const { build } = createRequire(bridge)('esbuild');

/** The scripts that pages of the suite load, with their sources. */
function entries() {
  const found = {};
  const apps = join(suite, 'static/apps');
  for (const app of readdirSync(apps)) {
    const page = readFileSync(join(apps, app, 'index.html'), 'utf8');
    for (const [, name] of page.matchAll(/src="[./]*lib\/([\w-]+)\.js"/g)) {
      const source = name === 'fdc3-compliance' ? 'src/test/index.ts' : `src/mock/${name}.ts`;
      if (existsSync(join(suite, source))) found[name] = join(suite, source);
    }
  }
  return found;
}

/** FINOS's own packages as the checkout has them, rather than as npm has them. */
const fromCheckout = {
  name: 'from-checkout',
  setup({ onResolve }) {
    onResolve({ filter: /^@finos\// }, ({ path }) => {
      const [, name, ...parts] = path.split('/');
      if (parts[0] === 'dist') parts.shift();
      const file = parts.length === 0 ? 'src/index' : parts.join('/').replace(/\.js$/, '');
      return { path: join(checkout, 'packages', name, `${file}.ts`) };
    });
  },
};

/** Mocha tells when it has ended; Node's modules are those for browsers. */
const forBrowsers = {
  name: 'for-browsers',
  setup({ onResolve }) {
    const own = (name) => ({ path: join(here, name) });
    const installed = (file) => ({ path: join(packages, 'node_modules', file) });
    onResolve({ filter: /^mocha$/ }, () => own('telling-mocha.js'));
    onResolve({ filter: /^real-mocha$/ }, () => installed('mocha/mocha.js'));
    onResolve({ filter: /^source-map-support\// }, () => own('no-source-maps.js'));
    onResolve({ filter: /^util\/?$/ }, () => installed('util/util.js'));
    onResolve({ filter: /^stream$/ }, () => installed('stream-browserify/index.js'));
    onResolve({ filter: /^buffer\/?$/ }, () => installed('buffer/index.js'));
  },
};

await build({
  entryPoints: entries(),
  outdir: join(out, 'lib'),
  bundle: true,
  format: 'iife',
  platform: 'browser',
  target,
  logLevel: 'error',
  // Each package's own settings name files that only its build makes.
  tsconfigRaw: { compilerOptions: {} },
  nodePaths: [join(packages, 'node_modules')],
  loader: { '.css': 'empty' },
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  inject: [join(here, 'older-engines.mjs')],
  plugins: [fromCheckout, forBrowsers],
});
cpSync(join(suite, 'static'), out, { recursive: true });
