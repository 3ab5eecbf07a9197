import { MESSAGE_HEAD } from '../generated/constants';
import type { MessageParams as Message } from '../generated/protocol';
import { Batching, type BatchStats } from '../common/bus/batching';
import { DeskbusError } from '../common/error';
import { checkSize } from '../common/json';
import type { CancelSignal } from '../node/link/link';
import {
  BATCH_CHARACTERS,
  BATCH_LINES,
  type LineChoice,
  pageLine,
  WINDOW_CHARACTERS,
  type Reply,
  type Told,
  type Word,
} from '../ipc/page-lines';

/** A carrier of text to main and back. */
export interface Pipe {
  send(text: string): void;
  listen(listener: (text: string) => void): void;
}

export interface PageLinkHooks {
  message(message: Message): void;
  told<Event extends keyof Told>(event: Event, value: Told[Event]): void;
}

/** Of calls, and what ends them. */
export interface CallLineOptions extends LineChoice {
  signal?: CancelSignal | undefined;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: DeskbusError): void;
}

export interface PageStats extends BatchStats {
  /** Times at which batches had to wait for room. */
  waits: number;
}

const BATCH = { count: BATCH_LINES, characters: BATCH_CHARACTERS, delayMs: 0 };
const PAGE = {
  now: () => performance.now(),
  atEndOfTurn: (then: () => void) => queueMicrotask(then),
};

/** Characters that may wait in the page for room. */
export const MAX_HELD_CHARACTERS = 64 * 1024 * 1024;

/**
 * A page's end of its link to main. The lines of one turn leave together, the first 128 of a long
 * turn at once; none leaves later than its turn while there is room.
 */
export class PageLink {
  readonly batching = new Batching(() => this.flush(), PAGE, BATCH);
  private readonly waiting = new Map<number, Waiting>();
  private lastNumber = 0;
  /** Lines that have not left; characters of these, and of those that main has not passed on. */
  private lines: string[] = [];
  private characters = 0;
  private held: string[] = [];
  private heldCharacters = 0;
  private onItsWay = 0;
  private room: Waiting[] = [];
  private waits = 0;

  constructor(
    private readonly pipe: Pipe,
    private readonly hooks: PageLinkHooks,
  ) {
    pipe.listen((text) => this.take(text));
  }

  get stats(): PageStats {
    return { ...this.batching.stats, waits: this.waits };
  }

  /** Resolves with the answer's result. Rejects with `DeskbusError`. */
  call(word: Word, json: string, options: CallLineOptions = {}): Promise<unknown> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw DeskbusError.of('cancelled');
      const number = ++this.lastNumber;
      this.write(pageLine(number, word, json, options));
      const abort = (): void => this.write(pageLine(number, 'cancel', 'null'));
      signal?.addEventListener('abort', abort);
      const release = (): void => signal?.removeEventListener('abort', abort);
      this.waiting.set(number, {
        resolve(result) {
          release();
          resolve(result);
        },
        reject(error) {
          release();
          reject(error);
        },
      });
    });
  }

  /**
   * Says something that has no answer; returns whether there is room for more. Throws
   * `DeskbusError`: too_large, and overloaded where too much waits already.
   */
  post(word: Word, json: string, choice?: LineChoice): boolean {
    this.write(pageLine(0, word, json, choice));
    return !this.full;
  }

  /** Resolves when there is room; rejects with connection_lost when there is nobody to write to. */
  ready(): Promise<void> {
    if (!this.full) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.room.push({ resolve: () => resolve(), reject });
    });
  }

  /** Nobody is there who could take anything. */
  lose(): void {
    for (const waiter of this.room.splice(0)) waiter.reject(DeskbusError.of('connection_lost'));
  }

  /** Sends everything, for when there is no later, as the page goes away. */
  leave(): void {
    this.batching.flush();
    for (const text of this.held.splice(0)) this.pipe.send(text);
    this.heldCharacters = 0;
  }

  private get full(): boolean {
    return this.onItsWay + this.heldCharacters + this.characters > WINDOW_CHARACTERS;
  }

  private write(line: string): void {
    checkSize(line);
    if (this.heldCharacters + this.characters + line.length > MAX_HELD_CHARACTERS) {
      throw DeskbusError.of('overloaded', 'Too much waits to be sent.', {
        action: 'Await deskbus.ready() where publish() returns false.',
      });
    }
    this.lines.push(line);
    this.characters += line.length + 1;
    this.batching.add(line.length + 1);
  }

  private flush(): void {
    const text = this.lines.join('\n');
    this.lines = [];
    this.characters = 0;
    this.held.push(text);
    this.heldCharacters += text.length;
    this.sendHeld();
    if (this.held.length > 0) this.waits += 1;
  }

  private sendHeld(): void {
    let sent = 0;
    for (const text of this.held) {
      if (this.onItsWay > WINDOW_CHARACTERS) break;
      this.onItsWay += text.length;
      this.heldCharacters -= text.length;
      this.pipe.send(text);
      sent += 1;
    }
    if (sent > 0) this.held.splice(0, sent);
  }

  private take(text: string): void {
    for (const line of text.split('\n')) {
      if (line.startsWith(MESSAGE_HEAD)) {
        this.hooks.message(JSON.parse(line.slice(MESSAGE_HEAD.length, -1)) as Message);
      } else {
        const space = line.indexOf(' ');
        this.hear(line.slice(0, space), JSON.parse(line.slice(space + 1)));
      }
    }
  }

  private hear(name: string, value: unknown): void {
    const number = Number(name);
    if (Number.isInteger(number)) this.settle(number, value as Reply);
    else if (name === 'room') this.makeRoom(value as Told['room']);
    else if (name === 'stranger') this.refuse();
    else this.hooks.told(name as keyof Told, value);
  }

  private settle(number: number, reply: Reply): void {
    const waiter = this.waiting.get(number);
    if (!waiter) return;
    this.waiting.delete(number);
    if ('error' in reply) waiter.reject(DeskbusError.fromFailure(reply.error));
    else waiter.resolve(reply.result);
  }

  private makeRoom(characters: number): void {
    this.onItsWay = Math.max(0, this.onItsWay - characters);
    this.sendHeld();
    if (!this.full) for (const waiter of this.room.splice(0)) waiter.resolve(undefined);
  }

  private refuse(): void {
    const words = 'Only the top frame of an app window may use the bus.';
    for (const waiter of this.waiting.values()) {
      waiter.reject(DeskbusError.of('permission_denied', words));
    }
    this.waiting.clear();
  }
}
