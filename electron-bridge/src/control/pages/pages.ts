import type { PageEntry } from './page';
import { Apps } from './apps/apps';
import { Bus } from './bus/bus';
import { Fdc3 } from './fdc3/fdc3';
import { Overview } from './overview';
import { PanelPage } from './panel/panel';
import { Federation } from './status/federation';
import { Storage } from './status/storage';
import { Vault } from './status/vault';
import { Web } from './status/web';
import { Traces } from './traces/traces';
import { text } from '../../renderer/language';

/** The pages that are always there, in the order in which they are listed. */
export const PAGES: readonly PageEntry[] = [
  {
    name: 'overview',
    title: text('page.control.overview'),
    icon: 'overview',
    make: (its) => new Overview(its),
  },
  { name: 'bus', title: text('page.control.bus'), icon: 'bus', make: (its) => new Bus(its) },
  { name: 'apps', title: text('page.control.apps'), icon: 'apps', make: (its) => new Apps(its) },
  {
    name: 'permissions',
    title: text('page.control.permissions'),
    icon: 'permissions',
    make: (its) => new PanelPage(its, 'permissions'),
  },
  {
    name: 'audit',
    title: text('page.control.audit'),
    icon: 'audit',
    make: (its) => new PanelPage(its, 'audit'),
  },
  {
    name: 'traces',
    title: text('page.control.traces'),
    icon: 'traces',
    make: (its) => new Traces(its),
  },
  {
    name: 'storage',
    title: text('page.control.storage'),
    icon: 'storage',
    make: (its) => new Storage(its),
  },
  {
    name: 'vault',
    title: text('page.control.vault'),
    icon: 'vault',
    make: (its) => new Vault(its),
  },
  {
    name: 'federation',
    title: text('page.control.federation'),
    icon: 'federation',
    make: (its) => new Federation(its),
  },
  { name: 'web', title: text('page.control.web'), icon: 'web', make: (its) => new Web(its) },
  {
    name: 'fdc3',
    title: text('page.control.fdc3'),
    icon: 'fdc3',
    make: (its) => new Fdc3(its),
  },
];

/** A page for a panel that the shell has added. */
export function panelEntry(name: string, title: string): PageEntry {
  return { name: `panel:${name}`, title, icon: 'panel', make: (its) => new PanelPage(its, name) };
}
