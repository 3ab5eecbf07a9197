// As `index.ts`, for a page that has FDC3: it makes `window.fdc3` too.
import { bridgeOfPage, defineWindowDeskbus } from './window-deskbus';
import { giveFdc3 } from './fdc3/window';

const bus = defineWindowDeskbus();
if (bus) giveFdc3(bus, bridgeOfPage()?.fdc3 ?? '');
