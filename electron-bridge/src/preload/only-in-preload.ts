import { needElectron } from '../common/electron-process';

needElectron(
  'contextBridge',
  'deskbus-electron/preload is the preload script that createShell gives its windows. A plain ' +
    "Node program uses require('deskbus-electron/node').",
);
