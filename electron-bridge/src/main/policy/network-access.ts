import type { Session } from 'electron';

/** A proxy that nobody runs; `<-loopback>` has this machine itself behind it, too. */
const NOWHERE = { proxyRules: 'socks5://127.0.0.1:1', proxyBypassRules: '<-loopback>' };

/** `mode` came with Electron 12; before, no rules are no proxy. */
const ANYWHERE = { mode: 'system', proxyRules: '', proxyBypassRules: '' } as const;

/**
 * Whether anything of a session gets to the network at all.
 *
 * WebRTC opens connections to relays that no request filter sees. They go through the proxy,
 * though, so the pages of an app that may reach no site get one that leads nowhere.
 */
export class NetworkAccess {
  private open: boolean | undefined;
  private done: Promise<void> = Promise.resolve();

  constructor(private readonly session: Session) {}

  /** Resolves once it is so. */
  set(open: boolean): Promise<void> {
    if (open !== this.open) {
      this.open = open;
      this.done = this.done.then(() => this.session.setProxy(open ? ANYWHERE : NOWHERE));
    }
    return this.done;
  }
}
