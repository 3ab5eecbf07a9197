// As `index.ts`, for a page that has FDC3: it makes `window.fdc3` too.
import { begin } from './begin';
import { giveFdc3 } from './fdc3/window';

const bus = begin();
if (bus) giveFdc3(bus);
