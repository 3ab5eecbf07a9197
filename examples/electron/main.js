// An existing Electron app, to which deskbus was added: `startDeskbus`, and the line that calls it.
'use strict';

const path = require('path');
const { app, BrowserWindow, Menu } = require('electron');
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
  await shell.addPanel(officePanel(shell));
  Menu.setApplicationMenu(
    Menu.buildFromTemplate([{ label: 'Desk', submenu: [centreItem(shell)] }]),
  );
}

function centreItem(shell) {
  const click = () => shell.openControlCentre().catch((error) => console.error(error.message));
  return { label: 'Control centre', accelerator: 'CmdOrCtrl+Shift+C', click };
}

/** A page of the control centre that is this app's own: the apps, with a button that ends one. */
function officePanel(shell) {
  return {
    name: 'office',
    title: 'Office',
    async describe() {
      const apps = await shell.list();
      const below = apps.map(({ app: id, name }) => ({ id, label: name, parent: 'office' }));
      const nodes = [{ id: 'office', label: 'Office' }, ...below];
      return {
        title: 'Office',
        subtitle: 'The apps of this desk.',
        parts: [{ kind: 'tree', id: 'desk', title: 'Desk', nodes }],
        columns: [
          { id: 'name', title: 'App', weight: 2 },
          { id: 'state', title: 'State' },
        ],
        rows: apps.map(({ app: id, name, state }) => ({
          id,
          cells: [{ text: name, look: 'strong' }, { text: state }],
          actions: ['end'],
        })),
        rowActions: [{ id: 'end', label: 'End', style: 'danger', confirm: 'End this app?' }],
      };
    },
    async act(action, id) {
      await shell.terminate(id);
      return `${id} has ended.`;
    },
  };
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
