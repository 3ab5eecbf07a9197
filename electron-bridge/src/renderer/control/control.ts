// The page of the control centre: the same in Electron and in a browser, but for its transport.
import { Centre } from '../../control/centre';
import type { Transport } from '../../control/backend/transport';

declare const controlCentre: Transport;

new Centre(controlCentre).start();
