import { needElectron } from '../common/electron-process';

needElectron(
  'app',
  "deskbus-electron belongs in Electron's main process. A plain Node program uses " +
    "require('deskbus-electron/node').",
);
