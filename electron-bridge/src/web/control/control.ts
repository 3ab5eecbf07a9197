// The control centre in a browser: the same pages as in Electron, with the gateway as their way out.
import { Centre } from '../../control/centre';
import { GatewayTransport } from './gateway-transport';

new Centre(new GatewayTransport()).start();
