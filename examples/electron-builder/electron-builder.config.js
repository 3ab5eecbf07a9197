// electron-builder: the backend, the configuration, the apps' programs and pages beside the archive.
'use strict';

const fs = require('fs');
const path = require('path');

const BACKEND = path.join(__dirname, 'backend');

/** All files of the backend but those that are compiled: they are data, and not signed one by one. */
function dataOfBackend() {
  const manifest = JSON.parse(fs.readFileSync(path.join(BACKEND, 'bundle.json'), 'utf8'));
  const native = manifest.native.map((file) => file.replace(/[.+]/g, '\\$&')).join('|');
  return `/Contents/Resources/backend/(?!(${native})$)`;
}

module.exports = {
  appId: 'com.example.deskbus.builder',
  productName: 'Deskbus Builder Example',
  directories: { output: 'out' },
  asar: true,
  files: ['dist/**', 'package.json'],
  extraResources: [
    { from: 'backend', to: 'backend' },
    { from: '../packaged/apps', to: 'apps' },
  ],
  npmRebuild: false,
  linux: { target: ['AppImage', 'deb'], category: 'Office' },
  mac: {
    target: ['dmg', 'zip'],
    hardenedRuntime: true,
    gatekeeperAssess: false,
    entitlements: '../packaged/entitlements.mac.plist',
    entitlementsInherit: '../packaged/entitlements.mac.plist',
    signIgnore: process.platform === 'darwin' ? [dataOfBackend(), '/Contents/Resources/apps/'] : [],
  },
  win: { target: ['nsis'], signExts: ['.exe', '.dll', '.pyd'] },
};
