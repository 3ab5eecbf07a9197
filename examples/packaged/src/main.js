// The main process of the packaged example, which esbuild makes one file of.
'use strict';

const path = require('path');
const { app, dialog, Menu } = require('electron');
const { createShell } = require('deskbus-electron');

const APPS = ['example.statistics', 'example.board'];

// Beside the asar archive: the backend is no Electron, and reads real files alone.
const resources = app.isPackaged ? process.resourcesPath : path.join(__dirname, '../../packaged');

const shell = createShell({
  // In a packaged app resources/backend is found, and needs no Python on the machine.
  ...(app.isPackaged ? {} : { command: path.join(__dirname, '../../../.venv/bin/python') }),
  dataDir: path.join(app.getPath('userData'), 'deskbus'),
  config: path.join(resources, 'apps', 'deskbus.toml'),
});

async function start() {
  if (shell.state === 'stopped') await shell.start();
  for (const id of APPS) await shell.launch(id);
}

let updating = false;

async function installUpdate() {
  updating = true;
  const { ready, holders } = await shell.prepareForUpdate();
  if (ready) {
    app.quit(); // An app with an updater calls autoUpdater.quitAndInstall() here.
    return;
  }
  const list = holders.map(({ pid, name }) => `${name} (${pid})`).join('\n');
  await dialog.showMessageBox({ message: 'Close these programs first.', detail: list });
  updating = false;
  await start();
}

function showFailure(error) {
  dialog.showErrorBox(error.message, error.action || '');
}

const file = [
  { id: 'update', label: 'Install update', click: () => installUpdate().catch(showFailure) },
  { role: 'quit' },
];
Menu.setApplicationMenu(Menu.buildFromTemplate([{ label: 'File', submenu: file }]));

// Preparing an update closes every window; that alone is no reason to quit.
app.on('window-all-closed', () => updating || app.quit());

if (!app.requestSingleInstanceLock()) app.quit();
else {
  start().catch((error) => {
    showFailure(error);
    app.exit(1);
  });
}
