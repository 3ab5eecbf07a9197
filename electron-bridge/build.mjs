// Bundles src/ into dist/: one CommonJS file each for Electron's main process, the preload script
// and plain Node, an ES module beside one for pages elsewhere, one script for each page of our own with
// its CSS and its HTML in each language, and beside them the licence. What runs in the world of an app's page is text within the preload script.
import { build } from 'esbuild';
import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePages, makeServedPages } from './pages.mjs';
import { validators } from './validators.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
const src = (...parts) => join(root, 'src', ...parts);
const dist = (...parts) => join(root, 'dist', ...parts);

// Electron 9 runs Node 12 and Chrome 83; whatever runs there runs on every later Electron.
const NODE_TARGET = 'node12';
const PAGE_TARGET = 'chrome83';

const shared = {
  bundle: true,
  plugins: [validators],
  sourcemap: 'linked',
  legalComments: 'eof',
  logLevel: 'warning',
};

function script(entry, output, options) {
  if (!existsSync(entry)) return [];
  return [build({ ...shared, ...options, entryPoints: [entry], outfile: output })];
}

/** A style sheet below src/renderer, with all that it imports in one file. */
function styles(name, folder) {
  return build({
    bundle: true,
    target: PAGE_TARGET,
    logLevel: 'warning',
    entryPoints: [src('renderer', `${name}.css`)],
    outfile: join(folder, basename(`${name}.css`)),
  });
}

/** The names of our own pages: each has a folder, with its script, HTML and CSS. */
async function pageNames() {
  return (await readdir(src('renderer'), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

const cjs = { format: 'cjs', external: ['electron'] };
const node = { ...cjs, platform: 'node', target: NODE_TARGET };

/** src/page as one script, which the preload script has run in the page's own world. */
async function pageScript(entry) {
  const { outputFiles } = await build({
    ...shared,
    sourcemap: false,
    entryPoints: [src('page', entry)],
    format: 'iife',
    platform: 'browser',
    target: PAGE_TARGET,
    minifyWhitespace: true,
    write: false,
  });
  return outputFiles[0].text;
}

/** What the gateway serves beside an app's pages lies in its package, so that it needs no Node. */
const GATEWAY_ASSETS = join(root, '..', 'backend', 'deskbus', 'web', 'assets');
const web = {
  platform: 'browser',
  target: PAGE_TARGET,
  alias: { perf_hooks: src('web', 'perf-hooks.ts') },
  define: {
    'process.nextTick': 'queueMicrotask',
    'process.emitWarning': 'console.warn',
    setImmediate: 'setTimeout',
  },
};
/** The desktop page's files besides its script. */
const DESKTOP = (name) => join(GATEWAY_ASSETS, 'desktop', name);
const DESKTOP_FILES = [
  src('web', 'desktop', 'index.html'),
  src('web', 'desktop', 'desktop.css'),
  src('renderer', 'tokens.css'),
  src('renderer', 'choice', 'choice.css'),
];
/** The control centre as the gateway serves it: a page for each language, one script, its styles. */
const CONTROL = join(GATEWAY_ASSETS, 'control');
const gatewayScript = (name, output) =>
  script(src('web', `${name}.ts`), join(GATEWAY_ASSETS, output), {
    ...web,
    format: 'iife',
    sourcemap: false,
    minifyWhitespace: true,
  });

await rm(dist(), { recursive: true, force: true });
await rm(CONTROL, { recursive: true, force: true });
await mkdir(dist('renderer'), { recursive: true });
await mkdir(GATEWAY_ASSETS, { recursive: true });

const PAGE_SCRIPT = JSON.stringify(await pageScript('index.ts'));
const PAGE_SCRIPT_WITH_FDC3 = JSON.stringify(await pageScript('with-fdc3.ts'));
const pages = await pageNames();

await Promise.all([
  ...script(src('main', 'index.ts'), dist('main', 'index.js'), node),
  ...script(src('node', 'index.ts'), dist('node', 'index.js'), node),
  ...script(src('relay', 'index.ts'), dist('relay', 'index.js'), node),
  ...['index', 'choice', 'control', 'dialog', 'notice', 'panel', 'crash'].flatMap((name) =>
    script(src('preload', `${name}.ts`), dist('preload', `${name}.js`), {
      ...cjs,
      platform: 'browser',
      target: PAGE_TARGET,
      define: { PAGE_SCRIPT, PAGE_SCRIPT_WITH_FDC3 },
    }),
  ),
  ...script(src('web', 'index.ts'), dist('web', 'index.mjs'), { ...web, format: 'esm' }),
  ...script(src('web', 'index.ts'), dist('web', 'index.js'), {
    ...web,
    format: 'cjs',
    target: [PAGE_TARGET, NODE_TARGET],
  }),
  mkdir(dist('web'), { recursive: true }).then(() =>
    writeFile(dist('web', 'index.d.mts'), "export * from '../types/web/index.js';\n"),
  ),
  ...gatewayScript('page', 'deskbus.js'),
  ...gatewayScript('worker', 'deskbus-worker.js'),
  ...gatewayScript('desktop/desktop', 'desktop/desktop.js'),
  mkdir(join(GATEWAY_ASSETS, 'desktop'), { recursive: true }).then(() =>
    Promise.all(DESKTOP_FILES.map((file) => copyFile(file, DESKTOP(basename(file))))),
  ),
  ...gatewayScript('control/control', 'control/control.js'),
  ...['tokens', join('control', 'control')].map((name) => styles(name, CONTROL)),
  makeServedPages(CONTROL, 'control'),
  ...pages.flatMap((name) =>
    script(src('renderer', name, `${name}.ts`), dist('renderer', `${name}.js`), {
      format: 'iife',
      platform: 'browser',
      target: PAGE_TARGET,
    }),
  ),
  ...['tokens', ...pages.map((name) => join(name, name))].map((name) =>
    styles(name, dist('renderer')),
  ),
  makePages(dist(), pages),
  copyFile(join(root, '..', 'LICENSE'), join(root, 'LICENSE')),
]);
