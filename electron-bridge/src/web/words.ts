// The words of a page and of the worker of its origin.

/** A page's words. `tab` is its client's name; `page` tells it from the one before a reload. */
export type PageWord =
  | { kind: 'begin'; tab: string; page: string; app: string; csrf: string; proof: string }
  | { kind: 'lines'; text: string }
  | { kind: 'taken'; characters: number }
  | { kind: 'settled' }
  | { kind: 'leave' };

/** The worker's. `occupied` says that another page has the name. */
export type WorkerWord = { kind: 'lines'; text: string } | { kind: 'occupied' };

export const WORKER_PATH = '/deskbus-worker.js';
export const BUS_PATH = '/bus';
export const TICKET_PATH = '/ticket';
export const CSRF_HEADER = 'x-deskbus-csrf';
export const PROOF_HEADER = 'x-deskbus-proof';

/** Names of the gateway's `<meta>` elements begin so, and of what a page stores. */
export const OWN_NAMES = 'deskbus-';
