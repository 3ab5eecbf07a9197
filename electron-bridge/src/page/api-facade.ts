import type { PageBus } from './bus';
import type { DeskbusApi } from './api';
import { refusalOf } from './refusal';
import { filesOf } from './files';
import { openfinOf } from './openfin/bridge';
import { secretsOf } from './secrets';

/** A bus as pages see it. */
export function apiOf(bus: PageBus): DeskbusApi {
  return Object.freeze({
    app: bus.app,
    client: bus.client,
    publish: bus.publish.bind(bus) as DeskbusApi['publish'],
    ready: bus.ready.bind(bus),
    subscribe: bus.subscribe.bind(bus),
    request: bus.request.bind(bus),
    respond: bus.respond.bind(bus),
    send: bus.send.bind(bus) as DeskbusApi['send'],
    permissions: Object.freeze({
      request: (wish) => bus.call('permissions.request', wish),
      query: (wish) => bus.call('permissions.query', wish),
      onChanged: (listener) => bus.on('permissions', listener),
    } as DeskbusApi['permissions']),
    secrets: Object.freeze(secretsOf(bus)),
    files: Object.freeze(filesOf(bus)),
    state: () => bus.state,
    onState: (listener) => bus.on('state', listener),
    onRefused: (listener) => bus.on('refused', (refusal) => listener(refusalOf(refusal))),
    onGap: (listener) => bus.on('gap', listener),
    stats: () => bus.stats,
    setBatching: bus.setBatching.bind(bus),
    InterApplicationBus: openfinOf(bus),
  } as DeskbusApi);
}
