import { MESSAGE_HEAD } from '../generated/constants';
import { BRIDGE_STEPS, Relay } from '../relay/relay';
import { Client } from '../node/client';
import type { Ticket } from '../node/connection';
import type { Dial } from '../node/link/dialed-link';
import type { WorkerWord } from './words';

/** A page that reloads is waited for so long; what comes meanwhile is kept, up to a limit. */
const RELOAD_WITHIN_MS = 10_000;
const MAX_HELD_CHARACTERS = 8 * 1024 * 1024;

export interface TabHooks {
  dial: Dial;
  ticket(): Promise<Ticket>;
  takenSeqs?: Record<string, number>;
  /** The tab has no page any more, and none comes back. */
  ended(): void;
}

/** The pages of one browser tab, one after the other, and their one client on the bus. */
export class Tab {
  private readonly client: Client;
  private readonly opening: Promise<void>;
  private port: MessagePort | undefined;
  private relay: Relay | undefined;
  /** Of the page before, whose subscriptions stand until the present one has its own. */
  private stale: Relay | undefined;
  private page = '';
  /** Messages between two pages; nobody takes them yet. */
  private held: string[] | undefined = [];
  private heldCharacters = 0;
  /** Texts that lie between here and the page: one that goes away has not taken them. */
  private untaken: string[] = [];
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private isPaused = false;

  constructor(
    app: string,
    private readonly hooks: TabHooks,
  ) {
    this.client = new Client({
      app,
      dial: hooks.dial,
      renewable: true,
      // Where there is no worker that outlives a reload, or it ended, the backend keeps the client.
      takeUp: true,
      ...(hooks.takenSeqs ? { takenSeqs: hooks.takenSeqs } : {}),
      ticketProvider: () => hooks.ticket(),
      onMessageLine: (line) => this.message(line),
      stepPrefix: BRIDGE_STEPS,
    });
    // Its state tells the page of a failure.
    this.opening = this.client.open().catch(() => undefined);
  }

  get isTaken(): boolean {
    return this.port !== undefined;
  }

  /** The client could not be let in, and won't come back. */
  get isOver(): boolean {
    return this.client.state === 'closed';
  }

  /** A page takes the tab over: it finds the subscriptions of the one before until it has settled. */
  begin(port: MessagePort, page: string): void {
    clearTimeout(this.waiting);
    this.port = port;
    this.page = page;
    const before = this.relay;
    this.relay = new Relay((text) => {
      if (this.port !== port) return;
      const word: WorkerWord = { kind: 'lines', text };
      this.untaken.push(text);
      port.postMessage(word);
    }, this.client);
    this.relay.ready(page);
    this.stale = before;
  }

  /** Text of the page; the first of it waits until the client is connected. */
  async lines(port: MessagePort, text: string): Promise<void> {
    const { relay } = this;
    await this.opening;
    if (this.port === port) relay?.lines(this.page, text);
  }

  taken(port: MessagePort, characters: number): void {
    if (this.port !== port) return;
    this.untaken.shift();
    this.relay?.taken(this.page, characters);
  }

  /** The page has subscribed to what it wants: the rest of the page before it ends. */
  async settled(port: MessagePort): Promise<void> {
    await this.opening;
    if (this.port !== port) return;
    const held = this.held ?? [];
    this.held = undefined;
    this.heldCharacters = 0;
    for (const line of held) this.relay?.message(line);
    this.stale?.dropPage();
    this.stale = undefined;
    if (this.isPaused) {
      this.isPaused = false;
      this.client.resume();
    }
  }

  /** The page is gone, for a reload or for good. */
  leave(port: MessagePort): void {
    if (this.port !== port) return;
    this.port = undefined;
    this.held = [...this.untaken.flatMap(messagesIn), ...(this.held ?? [])];
    this.untaken = [];
    this.stale?.dropPage();
    this.stale = this.relay;
    this.waiting = setTimeout(() => {
      if (this.port !== undefined) return;
      void this.client.close({ keep: false });
      this.hooks.ended();
    }, RELOAD_WITHIN_MS);
  }

  private message(line: string): void {
    if (this.held === undefined) {
      this.relay?.message(line);
      return;
    }
    this.held.push(line);
    this.heldCharacters += line.length;
    if (this.heldCharacters > MAX_HELD_CHARACTERS && !this.isPaused) {
      this.isPaused = true;
      this.client.pause();
    }
  }
}

function messagesIn(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(MESSAGE_HEAD));
}
