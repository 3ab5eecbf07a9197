import type { DesktopAgent } from '@finos/fdc3-standard';
import type { PageBus } from '../bus';
import { connect, type BridgeAgent } from './agent';

type Method = (...given: unknown[]) => Promise<unknown>;

/** DesktopAgent of FDC3 2.2, with the names that it has for what is deprecated. */
const METHODS = [
  'addContextListener',
  'addEventListener',
  'addIntentListener',
  'broadcast',
  'createPrivateChannel',
  'findInstances',
  'findIntent',
  'findIntentsByContext',
  'getAppMetadata',
  'getCurrentChannel',
  'getInfo',
  'getOrCreateChannel',
  'getSystemChannels',
  'getUserChannels',
  'joinChannel',
  'joinUserChannel',
  'leaveCurrentChannel',
  'open',
  'raiseIntent',
  'raiseIntentForContext',
] as const satisfies readonly (keyof DesktopAgent)[];

/** Methods that FDC3 3.0 adds. */
const NEWER_METHODS = [
  'addIntentListenerWithContext',
  'close',
] as const satisfies readonly (keyof BridgeAgent)[];

/** Gives the page `window.fdc3`, of this version of the standard. */
export function giveFdc3(bus: PageBus, version: string): void {
  const isNewer = version === '3.0';
  const agent = connect(bus, isNewer);
  agent.then(
    () => window.dispatchEvent(new Event('fdc3Ready')),
    // Each call tells it.
    () => undefined,
  );
  // A call that comes before the agent is ready waits for it; none of these needs its `this`.
  const facade = Object.fromEntries(
    [...METHODS, ...(isNewer ? NEWER_METHODS : [])].map((name): [string, Method] => [
      name,
      async (...given) => {
        const ready = (await agent) as unknown as Record<string, Method>;
        return ready[name]?.(...given);
      },
    ]),
  );
  Object.defineProperty(window, 'fdc3', { value: Object.freeze(facade), enumerable: true });
}
