// Forge: the backend, the configuration, the apps' programs and pages beside the archive.
'use strict';

const fs = require('fs');
const path = require('path');
const { build } = require('esbuild');

const BACKEND = path.join(__dirname, 'backend');
const ENTITLEMENTS = path.join(__dirname, '../packaged/entitlements.mac.plist');

/** Whether a file of the backend is compiled; all others are data. See docs/packaging.md. */
function isNative(file) {
  const manifest = JSON.parse(fs.readFileSync(path.join(BACKEND, 'bundle.json'), 'utf8'));
  return manifest.native.some((native) => file.endsWith(`/backend/${native}`));
}

module.exports = {
  packagerConfig: {
    asar: true,
    // Of the project itself the archive has the main process and what it requires, and no more.
    ignore: [/^\/backend($|\/)/, /^\/out($|\/)/, /\.config\.js$/],
    extraResource: [BACKEND, path.join(__dirname, '../packaged/apps')],
    ...(process.env.ELECTRON_ZIP_DIR && { electronZipDir: process.env.ELECTRON_ZIP_DIR }),
    ...(process.platform === 'darwin' && {
      osxSign: {
        ignore: (file) => /\/Contents\/Resources\/(backend|apps)\//.test(file) && !isNative(file),
        optionsForFile: () => ({ hardenedRuntime: true, entitlements: ENTITLEMENTS }),
      },
    }),
  },
  hooks: {
    generateAssets: () =>
      build({
        entryPoints: [path.join(__dirname, '../packaged/src/main.js')],
        bundle: true,
        platform: 'node',
        external: ['electron', 'deskbus-electron'],
        outfile: path.join(__dirname, 'dist/main.js'),
      }),
  },
};
