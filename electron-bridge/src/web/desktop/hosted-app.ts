import { DeskbusError } from '../../common/error';
import { Client } from '../../node/client';
import type { Ticket } from '../../node/connection';
import type { Dial } from '../../node/link/dialed-link';
import { refusal } from './wcp';

export interface HostedHooks {
  dial: Dial;
  ticket(): Promise<Ticket>;
  /** The app is on this user channel now. */
  moved(channel: string | null): void;
  /** The backend does not know this instance any more: its page has to be loaded anew. */
  lost(): void;
}

interface Frame {
  params?: { topic?: string; payload?: AgentMessage };
}

interface AgentMessage {
  type?: string;
  payload?: { newChannelId?: string | null; channel?: { id: string } | null };
}

/**
 * One instance of an app: its session with the backend, over which messages of FDC3 go between the
 * agent and whichever page is in the instance's window at the time.
 */
export class HostedApp {
  private readonly client: Client;
  private opening: Promise<void> | undefined;
  private inbox: string | undefined;
  private port: MessagePort | undefined;
  private isOver = false;

  constructor(
    app: string,
    private readonly hooks: HostedHooks,
  ) {
    this.client = new Client({
      app,
      dial: hooks.dial,
      renewable: true,
      ticketProvider: () => hooks.ticket(),
      onMessageLine: (line) => this.take(line),
    });
    this.client.on('refused', ({ topic }) => {
      if (topic === this.inbox) this.lose();
    });
    this.client.on('state', (state) => {
      if (state === 'closed') this.lose();
    });
  }

  /** A page begins, in place of an earlier one; resolves with what the agent says of itself. */
  async begin(port: MessagePort): Promise<unknown> {
    this.leave();
    this.opening ??= this.client.open();
    await this.opening;
    const { inbox, implementation } = await this.client.call('fdc3.connect', {});
    if (this.inbox !== inbox) {
      await this.client.subscribe(inbox, () => undefined, { mode: 'live' });
      this.inbox = inbox;
    }
    this.port = port;
    port.onmessage = ({ data }: MessageEvent<unknown>) => {
      void this.pass(port, data);
    };
    return implementation;
  }

  /** The window is gone. */
  end(): void {
    this.isOver = true;
    this.leave();
    void this.client.close();
  }

  private leave(): void {
    this.port?.close();
    this.port = undefined;
  }

  private lose(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.leave();
    this.hooks.lost();
  }

  private async pass(port: MessagePort, message: unknown): Promise<void> {
    try {
      await this.client.call('fdc3.send', { message });
    } catch (error) {
      const isWrong = error instanceof DeskbusError && error.category === 'protocol';
      const answer = refusal(message, isWrong ? 'InvalidArguments' : 'ApiTimeout');
      if (answer && port === this.port) port.postMessage(answer);
    }
  }

  private take(line: string): void {
    const { params } = JSON.parse(line) as Frame;
    const message = params?.payload;
    if (!message || params.topic !== this.inbox) return;
    if (message.type === 'channelChangedEvent') {
      this.hooks.moved(message.payload?.newChannelId ?? null);
    } else if (message.type === 'getCurrentChannelResponse') {
      this.hooks.moved(message.payload?.channel?.id ?? null);
    }
    this.port?.postMessage(message);
  }
}
