// The demo's main script, which here tells what its shell hears of the vault. One thing is made worse
// on purpose: in the windows of test.framed, Electron runs the preload script in iframes too. Then an
// iframe holds the very functions that its page holds, and only the check in the main process is left.
'use strict';

const Module = require('module');
const electron = require('electron');

const FRAMED = '--deskbus-app=test.framed';

const BrowserWindow = new Proxy(electron.BrowserWindow, {
  construct(Window, [options]) {
    const preferences = options.webPreferences;
    if (!(preferences.additionalArguments || []).includes(FRAMED)) return new Window(options);
    const webPreferences = { ...preferences, nodeIntegrationInSubFrames: true };
    return new Window({ ...options, webPreferences });
  },
});
const worse = Object.create(electron, { BrowserWindow: { value: BrowserWindow } });
const load = Module._load;

const telling = (bridge) => ({
  ...bridge,
  createShell(options) {
    const shell = bridge.createShell(options);
    shell.on('vault', ({ state }) => console.error(`the shell hears: the vault is ${state}`));
    return shell;
  },
});
Module._load = (name, ...rest) => {
  if (name === 'electron') return worse;
  const loaded = load(name, ...rest);
  return name === '../electron-bridge' ? telling(loaded) : loaded;
};

module.exports = require('../../demo/main.js');
