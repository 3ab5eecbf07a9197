// An existing Electron app, to which deskbus was added: `startDeskbus`, and the line that calls it.
'use strict';

const path = require('path');
const { app, BrowserWindow } = require('electron');
const { createShell } = require('deskbus-electron');

const APPS = ['example.thermometer', 'example.converter', 'example.weather'];

function openNotes() {
  const notes = new BrowserWindow({ width: 360, height: 240 });
  notes.loadFile(path.join(__dirname, 'notes.html'));
}

async function startDeskbus() {
  const shell = createShell({
    command: path.join(__dirname, '../../.venv/bin/python'), // where deskbus is installed
    dataDir: path.join(app.getPath('userData'), 'deskbus'),
    config: path.join(__dirname, '../deskbus.toml'),
  });
  await shell.start();
  for (const id of APPS) await shell.launch(id);
}

async function main() {
  await app.whenReady();
  openNotes();
  await startDeskbus();
}

app.on('window-all-closed', () => app.quit());

// A data folder has one backend, so a second start of the app ends here.
if (!app.requestSingleInstanceLock()) app.quit();
else main().catch((error) => console.error(error.message, error.action)); // the notes stay open
