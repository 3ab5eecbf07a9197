import type { PageEntry } from './page';
import { Apps } from './pages/apps';
import { Bus } from './pages/bus';
import { Overview } from './pages/overview';

/** All pages, in the order in which they are listed. */
export const PAGES: readonly PageEntry[] = [
  {
    name: 'overview',
    title: 'control.overview',
    icon: 'overview',
    make: (its) => new Overview(its),
  },
  { name: 'bus', title: 'control.bus', icon: 'bus', make: (its) => new Bus(its) },
  { name: 'apps', title: 'control.apps', icon: 'apps', make: (its) => new Apps(its) },
];
