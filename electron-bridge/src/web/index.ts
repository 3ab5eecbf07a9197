// The SDK for pages: of the gateway's own sites, where a script has made `window.deskbus` already, of
// frames' hosts, and of sites from elsewhere.
export {
  connectFromOutside,
  pairFromOutside,
  type OutsideOptions,
  type PairingOptions,
} from './cross-origin-client';
export { hostFrame, type FrameOptions } from './frame-host';
export { loopbackAccess, whyUnreachable, type LoopbackAccess } from './loopback-access';
export { SocketPool, type Socket, type SocketFactory } from '../node/link/socket-pool';
export { DeskbusError, type ErrorCategory, type ErrorName } from '../common/error';
export type { FrameDescriptor } from '../generated/protocol';
export { Client } from '../node/client';
export type {
  DeskbusApi,
  Gap,
  Listener,
  Message,
  PublishOptions,
  Refusal,
  Responder,
  Stop,
  SubscribeOptions,
} from '../page/api';
