// The demo's Electron app: what an existing app adds to get the bus, and nothing else.
'use strict';

const path = require('path');
const { app, Menu } = require('electron');
// An app of your own says require('deskbus-electron').
const { createShell } = require('../electron-bridge');

const APPS = ['demo.blotter', 'demo.ticker', 'demo.feed', 'demo.chaos'];

const python = process.env.DESKBUS_PYTHON || 'python3';

/** The panels of whoever sits in front of it: in the menu, and by a shortcut in every window. */
function addMenu(shell) {
  const panel = (label, name, accelerator) => ({
    label,
    accelerator,
    click: () => shell.openPanel(name).catch((error) => console.error(error.message)),
  });
  const items = [
    {
      label: 'Control centre…',
      accelerator: 'CmdOrCtrl+Shift+C',
      click: () => shell.openControlCentre().catch((error) => console.error(error.message)),
    },
    panel('Permissions…', 'permissions', 'CmdOrCtrl+Shift+P'),
    panel('Audit log…', 'audit', 'CmdOrCtrl+Shift+A'),
    { type: 'separator' },
    { role: 'quit' },
  ];
  Menu.setApplicationMenu(Menu.buildFromTemplate([{ label: 'Desk', submenu: items }]));
}

async function start() {
  const shell = createShell({
    command: python,
    dataDir: process.env.DESKBUS_DATA_DIR || path.join(app.getPath('userData'), 'deskbus'),
    // Without it, the language of the system.
    locale: process.env.DESKBUS_LOCALE,
    config: process.env.DESKBUS_CONFIG || path.join(__dirname, 'deskbus.toml'),
    // The feed is started as `python3`: let it be the one that has deskbus installed.
    env: { PATH: [path.dirname(python), process.env.PATH].join(path.delimiter) },
  });
  exports.shell = shell;
  await shell.start();
  addMenu(shell);
  for (const name of (process.env.DESKBUS_APPS || APPS.join()).split(',')) {
    await shell.launch(name);
  }
}

app.on('window-all-closed', () => app.quit());

start().catch((error) => {
  console.error(error.message);
  app.exit(1);
});
