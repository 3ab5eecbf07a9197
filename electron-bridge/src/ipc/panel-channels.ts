import type { PanelDescriptor, PanelQuery } from '../generated/protocol';

// The IPC of a panel. Its preload and main import these same names.
export const PanelChannel = {
  /** The page can draw. */
  ready: 'deskbus-panel:ready',
  /** To the page: a descriptor. */
  draw: 'deskbus-panel:draw',
  /** To the page: whether the backend is there. */
  connected: 'deskbus-panel:connected',
  query: 'deskbus-panel:query',
  /** An action; answered with an `Outcome`. */
  action: 'deskbus-panel:action',
  close: 'deskbus-panel:close',
} as const;

/** A person's act: an action of the panel, or one of a row or a group. */
export interface Deed {
  revision: number;
  action: string;
  row?: string;
}

/** The outcome in words; `ok` is false for a failure, and without words nothing was done. */
export interface Outcome {
  ok: boolean;
  message: string;
}

/** The object that a panel's page sees as `window.panel`. */
export interface PanelBridge {
  onDraw(listener: (descriptor: PanelDescriptor) => void): void;
  onConnected(listener: (connected: boolean) => void): void;
  ready(): void;
  query(query: PanelQuery): void;
  act(deed: Deed): Promise<Outcome>;
  close(): void;
}
