import type { MessagePortMain, UtilityProcess, WebContents } from 'electron';
import { FIRST_RETRY_MS, LAST_RETRY_MS } from '../generated/constants';
import { Backoff } from '../common/backoff';
import { asDeskbusError, asFailure, DeskbusError } from '../common/error';
import { Channel, PORT_ARGUMENT } from '../ipc/page-lines';
import type { Ticket } from '../node/connection';
import type { HostWord, MainWord } from '../relay/host';
import type { Endpoint } from '../relay/relay';
import type { Relays, WindowRelay } from './relays';

/** Parts of Electron 22 and later. */
export interface ProcessParts {
  fork(): Pick<UtilityProcess, 'postMessage' | 'on' | 'kill'>;
  makeChannel(): { port1: MessagePortMain; port2: MessagePortMain };
  /** Lets the top frame of a window speak, see `pageIpc`. */
  addPage(contents: WebContents, endpoint: Endpoint): void;
}

interface Window {
  readonly app: string;
  readonly contents: WebContents;
  readonly mintTicket: () => Promise<Ticket>;
  readonly resolve: () => void;
  readonly reject: (error: DeskbusError) => void;
  /** Whether its connection ended with the process, and its page is to be loaded anew. */
  lost: boolean;
}

/**
 * Windows are connected in a process of their own, past main. Main hands each page's top frame a port
 * to it, and tickets to the process; it sees no message. Where the process dies another one takes
 * its place, and the pages are loaded anew, for their subscriptions ended with it.
 */
export class RelaysInProcess implements Relays {
  readonly arguments = [PORT_ARGUMENT];
  private readonly windows = new Map<number, Window>();
  private readonly backoff = new Backoff(FIRST_RETRY_MS, LAST_RETRY_MS);
  private child: ReturnType<ProcessParts['fork']> | undefined;
  private again: NodeJS.Timeout | undefined;
  private lastId = 0;
  private closed = false;

  constructor(private readonly parts: ProcessParts) {}

  open(app: string, contents: WebContents, mintTicket: () => Promise<Ticket>): WindowRelay {
    const id = ++this.lastId;
    const opened = new Promise<void>((resolve, reject) => {
      this.windows.set(id, { app, contents, mintTicket, resolve, reject, lost: false });
    });
    opened.catch(() => undefined);
    this.parts.addPage(contents, {
      begin: () => undefined,
      ready: (token) => this.begin(id, token),
      // A page whose port has not come holds its lines back.
      lines: () => undefined,
      taken: () => undefined,
    });
    if (this.child) this.say({ open: id, app });
    else if (!this.again) this.start();
    return {
      opened,
      dropPage: () => this.say({ drop: id }),
      close: () => {
        this.windows.delete(id);
        this.say({ close: id });
        return Promise.resolve();
      },
    };
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.again);
    this.child?.kill();
  }

  private start(): void {
    const child = this.parts.fork();
    this.child = child;
    child.on('message', (word: HostWord) => this.hear(word));
    child.on('exit', () => this.replace());
    for (const [id, { app }] of this.windows) this.say({ open: id, app });
  }

  private replace(): void {
    this.child = undefined;
    if (this.closed) return;
    for (const window of this.windows.values()) window.lost = true;
    this.again = setTimeout(() => {
      this.again = undefined;
      this.start();
    }, this.backoff.next());
  }

  private begin(id: number, token: string): void {
    const window = this.windows.get(id);
    if (!window || !this.child) return;
    const { port1, port2 } = this.parts.makeChannel();
    this.say({ page: id, token }, port1);
    window.contents.postMessage(Channel.port, token, [port2]);
  }

  private hear(word: HostWord): void {
    if ('opened' in word) this.opened(word.opened);
    else if ('failed' in word) {
      this.windows.get(word.failed)?.reject(DeskbusError.fromFailure(word.error));
    } else void this.mint(word.wants, word.window);
  }

  private opened(id: number): void {
    this.backoff.reset();
    const window = this.windows.get(id);
    window?.resolve();
    if (!window?.lost) return;
    window.lost = false;
    if (!window.contents.isDestroyed()) window.contents.reload();
  }

  private async mint(wants: number, id: number): Promise<void> {
    try {
      const window = this.windows.get(id);
      if (!window) throw DeskbusError.of('not_found');
      this.say({ ticket: wants, value: await window.mintTicket() });
    } catch (error) {
      this.say({ ticket: wants, error: asFailure(asDeskbusError(error)) });
    }
  }

  private say(word: MainWord, port?: MessagePortMain): void {
    this.child?.postMessage(word, port ? [port] : []);
  }
}
