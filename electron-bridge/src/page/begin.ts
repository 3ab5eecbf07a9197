import { PageBus } from './bus';
import type { Pipe } from './link';
import { apiOf } from './whole-api';

export interface Bridge extends Pipe {
  app: string;
  client: string;
}

/** Gives the page `window.deskbus`, made out of the bridge, which carries text and nothing else. */
export function begin(): PageBus | undefined {
  const bridge = (window as { deskbusBridge?: Bridge }).deskbusBridge;
  if (!bridge) return undefined;
  const bus = new PageBus(bridge.app, bridge.client, bridge);
  Object.defineProperty(window, 'deskbus', { value: apiOf(bus), enumerable: true });
  return bus;
}
