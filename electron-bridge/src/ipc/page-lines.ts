import type { Failure } from '../common/error';
import type {
  SubscriberParams,
  SubscriberRemovedParams,
  TracingTerms,
} from '../generated/protocol';
import type { BackendMethod } from '../node/link/link';

// The IPC between an app's page and the main process: text, a line for each thing that is said, those
// of one turn together. Pages and main write and read it with what is here.
//
// A page says `<number> <operation> <choice> <JSON>`, with a traceparent before the JSON of what is
// traced. An answer is wanted where the number is not 0.
// Main says `<number> <JSON>`, which is a `Reply`; `<event> <JSON>`; or a `bus.message` frame, as it
// came from the backend.

/** The operations of a page, each with its method. There is no way to name another method. */
export const OPERATIONS = {
  subscribe: 'bus.subscribe',
  unsubscribe: 'bus.unsubscribe',
  publish: 'bus.publish',
  request: 'bus.request',
  respond: 'bus.respond',
  send: 'bus.send',
  watch: 'bus.watchSubscribers',
  'permissions.request': 'permissions.request',
  'permissions.query': 'permissions.query',
  'secrets.set': 'secrets.set',
  'secrets.get': 'secrets.get',
  'secrets.delete': 'secrets.delete',
  'secrets.list': 'secrets.list',
  'files.read': 'files.read',
  'files.write': 'files.write',
  'files.list': 'files.list',
  'fdc3.connect': 'fdc3.connect',
  'fdc3.send': 'fdc3.send',
} as const satisfies Record<string, BackendMethod>;

export type Operation = keyof typeof OPERATIONS;

/**
 * Words of a page besides: the call of this number is not wanted; these messages were taken; these
 * steps of traces.
 */
export type Word = Operation | 'cancel' | 'acknowledge' | 'trace';

export const Channel = {
  /** A page began: its token. */
  page: 'deskbus:page',
  /** The page has a document, without which Electron drops what is sent to it: its token. */
  ready: 'deskbus:ready',
  /** To a page whose relay is a process of its own: the port to it, over which lines go then. */
  port: 'deskbus:port',
  /** Lines of a page, and of main: token, text; text. */
  lines: 'deskbus:lines',
  /** Lines were handed to the page: token, the characters of all since the last time. */
  taken: 'deskbus:taken',
} as const;

/** News of main for a page, by the names of the lines. */
export interface Told {
  state: 'connecting' | 'open' | 'resuming' | 'closed';
  /** How much of what the page says is to be traced; null for nothing. */
  tracing: TracingTerms | null;
  refused: unknown;
  gap: unknown;
  permissions: unknown;
  /** To a page that watches. */
  subscribers: SubscriberWord;
  /** The number of characters of the page's lines that were passed on since the last of these. */
  room: number;
  /** The asking frame is not the top frame of an app window, and gets no other answer. */
  stranger: null;
}

/** The other subscribers: all of them at first, then changes. */
export type SubscriberWord =
  { all: SubscriberParams[] } | { added: SubscriberParams } | { removed: SubscriberRemovedParams };

/** Errors travel as values. */
export type Reply = { result: unknown } | { error: Failure };

/** The most lines, and characters before the last line, that a page and main send together. */
export const BATCH_LINES = 128;
export const BATCH_CHARACTERS = 64 * 1024;
/** A page has no more than this on its way through main; what follows waits in the page. */
export const WINDOW_CHARACTERS = 4 * 1024 * 1024;
/** Main tells a page that there is room again whenever so much was passed on. */
export const ROOM_CHARACTERS = 512 * 1024;
/** A page tells main that it has taken lines whenever there were so many characters. */
export const TAKEN_CHARACTERS = 128 * 1024;

/** No JSON begins as a traceparent does. */
const TRACED = '00-';

export interface PageLine {
  readonly number: number;
  readonly word: string;
  /** Whether it waits for a connection where there is none. */
  readonly queues: boolean;
  /** The context of the page's step, W3C Trace Context; empty where it is not traced. */
  readonly traceparent: string;
  readonly json: string;
}

/** The part of a line that says how it is to be taken. */
export interface LineChoice {
  readonly queues?: boolean | undefined;
  readonly traceparent?: string | undefined;
}

export function pageLine(
  number: number,
  word: Word,
  json: string,
  { queues, traceparent }: LineChoice = {},
): string {
  const traced = traceparent === undefined ? '' : `${traceparent} `;
  return `${number} ${word} ${queues ? 'queue' : 'refuse'} ${traced}${json}`;
}

/** Undefined where it has another form. */
export function readPageLine(line: string): PageLine | undefined {
  const afterNumber = line.indexOf(' ');
  const afterWord = line.indexOf(' ', afterNumber + 1);
  const afterChoice = line.indexOf(' ', afterWord + 1);
  if (afterNumber < 1 || afterWord < 0 || afterChoice < 0) return undefined;
  const number = Number(line.slice(0, afterNumber));
  if (!Number.isSafeInteger(number) || number < 0) return undefined;
  const afterTrace = line.startsWith(TRACED, afterChoice + 1)
    ? line.indexOf(' ', afterChoice + 1)
    : afterChoice;
  if (afterTrace < 0) return undefined;
  return {
    number,
    word: line.slice(afterNumber + 1, afterWord),
    queues: line.slice(afterWord + 1, afterChoice) === 'queue',
    traceparent: line.slice(afterChoice + 1, afterTrace),
    json: line.slice(afterTrace + 1),
  };
}

export function isOperation(word: string): word is Operation {
  return Object.prototype.hasOwnProperty.call(OPERATIONS, word);
}

/** Arguments of the renderer process that tell a preload who its window is. */
export const APP_ARGUMENT = '--deskbus-app=';
export const CLIENT_ARGUMENT = '--deskbus-client=';
/** There where the page has FDC3: the standard's version. */
export const FDC3_ARGUMENT = '--deskbus-fdc3=';
/** Says that the page's relay is a process of its own. */
export const PORT_ARGUMENT = '--deskbus-port';

/** A page's words on its port: the same as on the channels of these names. */
export type PortWord = ['lines', string, string] | ['taken', string, number];
