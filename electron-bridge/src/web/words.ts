// The words of a page and of the worker of its origin.

export interface BeginWord {
  kind: 'begin';
  /** The name of the tab's client. */
  tab: string;
  /** Tells a page from the one before a reload. */
  page: string;
  app: string;
  csrf: string;
  proof: string;
  /** The last message of each topic that the page before was given, where no worker knows it. */
  takenSeqs?: Record<string, number>;
}

/** A page's words. */
export type PageWord =
  | BeginWord
  | { kind: 'lines'; text: string }
  | { kind: 'taken'; characters: number }
  | { kind: 'settled' }
  | { kind: 'leave' };

/** The worker's. `occupied` says that another page has the name. */
export type WorkerWord = { kind: 'lines'; text: string } | { kind: 'occupied' };

export const WORKER_PATH = '/deskbus-worker.js';
export const BUS_PATH = '/bus';
export const TICKET_PATH = '/ticket';
export const PAIR_ASK_PATH = '/pair/ask';
export const PAIR_ANSWER_PATH = '/pair/answer';
export const CSRF_HEADER = 'x-deskbus-csrf';
export const PROOF_HEADER = 'x-deskbus-proof';

/** Names of the gateway's `<meta>` elements begin so, and of what a page stores. */
export const OWN_NAMES = 'deskbus-';

/** The place of the proof in an origin's storage. */
export const PROOF = `${OWN_NAMES}proof`;
