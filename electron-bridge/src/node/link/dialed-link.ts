import type { Line } from './line';
import type { Link, LinkHooks } from './link';

/** A link that is being connected, and what carries it. */
export interface DialedLink {
  link: Link;
  socket: Line;
  /** Rejects with unavailable where nobody answers. */
  connected: Promise<void>;
}

/** Connects a link to the backend at `address`. `onHeard` is told that something arrived. */
export type Dial = (address: string, hooks: LinkHooks, onHeard: () => void) => DialedLink;
