import type { Source } from '../../generated/protocol';
import { failure } from '../failure';

/** An identity in OpenFin's words: an app's id, and one of its clients. */
export interface Identity {
  uuid: string;
  name?: string;
}

/** Of a channel's provider, with OpenFin's members. */
export interface ProviderIdentity extends Required<Identity> {
  channelId: string;
  channelName: string;
}

/** Of one connection to a channel, with OpenFin's members. */
export interface ClientIdentity extends Required<Identity> {
  channelName: string;
  endpointId: string;
  /** Always false: the client's end made the id. */
  isLocalEndpointId: boolean;
}

export const EVERYBODY = '*';

/** Throws a failure (invalid_params). */
export function readIdentity(value: unknown): Identity {
  const { uuid, name } = (value ?? {}) as Partial<Record<keyof Identity, unknown>>;
  if (typeof uuid !== 'string' || (name !== undefined && typeof name !== 'string')) {
    throw failure('invalid_params', 'An identity is { uuid, name? }, both of them strings.');
  }
  return name === undefined ? { uuid } : { uuid, name };
}

export function sourceOf({ uuid, name }: Identity): Source {
  return name === undefined ? { app: uuid } : { app: uuid, client: name };
}

/** A channel has one provider, so its id says no more than the two names. */
export function providerIdentityOf(
  { uuid, name }: Required<Identity>,
  channelName: string,
): ProviderIdentity {
  return { uuid, name, channelName, channelId: `${uuid}/${name}/${channelName}` };
}

export function identityOf({ app, client }: { app: string; client: string }): Required<Identity> {
  return { uuid: app, name: client };
}
