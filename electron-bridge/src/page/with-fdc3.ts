// As `index.ts`, for a page that has FDC3: it makes `window.fdc3` too.
import { begin, bridgeOfPage } from './begin';
import { giveFdc3 } from './fdc3/window';

const bus = begin();
if (bus) giveFdc3(bus, bridgeOfPage()?.fdc3 ?? '');
