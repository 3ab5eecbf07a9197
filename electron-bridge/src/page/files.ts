import type { PageBus } from './bus';

/** Files below what the app was granted; the backend follows links, and checks, before it acts. */
export function filesOf(bus: PageBus) {
  return {
    read: (path: string, options: object = {}) => bus.call('files.read', { ...options, path }),
    write: (path: string, content: string, options: object = {}) =>
      bus.call('files.write', { ...options, path, content }),
    list: (path: string, options: object = {}) => bus.call('files.list', { ...options, path }),
  };
}
