import type { DeletedResult, SecretList, SecretResult } from '../generated/protocol';
import type { Secrets } from './api';
import type { PageBus } from './bus';

/** An app's secrets, as its pages see them. Values go through here and are not kept. */
export function secretsOf(bus: PageBus): Secrets {
  return {
    async set(name, value) {
      await bus.call('secrets.set', { name, value });
    },
    async get(name) {
      return ((await bus.call('secrets.get', { name })) as SecretResult).value;
    },
    async delete(name) {
      return ((await bus.call('secrets.delete', { name })) as DeletedResult).deleted;
    },
    async list() {
      return ((await bus.call('secrets.list', {})) as SecretList).names;
    },
  };
}
