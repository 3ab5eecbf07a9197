// Messages of FDC3 2.2's Web Connection Protocol, as a page in a browser sends them.
import type {
  WebConnectionProtocol3Handshake,
  WebConnectionProtocol5ValidateAppIdentityFailedResponse,
  WebConnectionProtocol5ValidateAppIdentitySuccessResponse,
} from '@finos/fdc3-schema/dist/generated/api/BrowserTypes';

export const FDC3_VERSION = '2.2';

export interface Hello {
  attempt: string;
}

export interface Claim {
  identityUrl: string;
  actualUrl: string;
  instanceId?: string;
  instanceUuid?: string;
}

export interface Admission {
  appId: string;
  instanceId: string;
  instanceUuid: string;
  implementation: unknown;
}

type Fields = Record<string, unknown>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function attemptOf(message: Fields): string | undefined {
  const { connectionAttemptUuid } = fieldsOf(message['meta']);
  return typeof connectionAttemptUuid === 'string' ? connectionAttemptUuid : undefined;
}

/** WCP1, a page that looks for an agent; undefined for any other message. */
export function readHello(data: unknown): Hello | undefined {
  const message = fieldsOf(data);
  const attempt = attemptOf(message);
  return message['type'] === 'WCP1Hello' && attempt !== undefined ? { attempt } : undefined;
}

/** WCP4 of the same attempt; undefined for any other message, which is passed over. */
export function readClaim(data: unknown, attempt: string): Claim | undefined {
  const message = fieldsOf(data);
  if (message['type'] !== 'WCP4ValidateAppIdentity' || attemptOf(message) !== attempt) {
    return undefined;
  }
  const payload = fieldsOf(message['payload']);
  const { identityUrl, actualUrl, instanceId, instanceUuid } = payload;
  if (typeof identityUrl !== 'string' || typeof actualUrl !== 'string') return undefined;
  const before =
    typeof instanceId === 'string' && typeof instanceUuid === 'string'
      ? { instanceId, instanceUuid }
      : {};
  return { identityUrl, actualUrl, ...before };
}

const meta = (attempt: string): { connectionAttemptUuid: string; timestamp: Date } => ({
  connectionAttemptUuid: attempt,
  timestamp: new Date(),
});

/** WCP3. A person chooses apps and channels in the desktop page, so an app's page draws nothing. */
export function handshake(attempt: string): WebConnectionProtocol3Handshake {
  return {
    type: 'WCP3Handshake',
    meta: meta(attempt),
    payload: { fdc3Version: FDC3_VERSION, intentResolverUrl: false, channelSelectorUrl: false },
  };
}

/** WCP5. */
export function admitted(
  attempt: string,
  admission: Admission,
): WebConnectionProtocol5ValidateAppIdentitySuccessResponse {
  const { implementation, ...names } = admission;
  return {
    type: 'WCP5ValidateAppIdentityResponse',
    meta: meta(attempt),
    payload: { ...names, implementationMetadata: implementation },
  } as WebConnectionProtocol5ValidateAppIdentitySuccessResponse;
}

export function notAdmitted(
  attempt: string,
  message: string,
): WebConnectionProtocol5ValidateAppIdentityFailedResponse {
  return {
    type: 'WCP5ValidateAppIdentityFailedResponse',
    meta: meta(attempt),
    payload: { message },
  };
}

/** The answer to a request that did not reach the agent; undefined for what is no request. */
export function refusal(data: unknown, error: string): object | undefined {
  const message = fieldsOf(data);
  const { requestUuid } = fieldsOf(message['meta']);
  const { type } = message;
  if (typeof type !== 'string' || !type.endsWith('Request') || typeof requestUuid !== 'string') {
    return undefined;
  }
  return {
    type: type.replace(/Request$/, 'Response'),
    meta: { requestUuid, responseUuid: requestUuid, timestamp: new Date() },
    payload: { error },
  };
}
