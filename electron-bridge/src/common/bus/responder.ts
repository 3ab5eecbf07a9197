import { MAX_FAULT_CHARACTERS } from '../../generated/constants';
import type { MessageParams, RespondParams } from '../../generated/protocol';
import { DeskbusError } from '../error';
import { asPayload, sayable } from '../json';
import { throwLater } from '../uncaught';

/** Answers a request with what it returns or resolves to. */
export type Responder = (payload: unknown, message: MessageParams) => unknown;

/** Throws invalid_params for what could answer nothing. */
export function checkResponder(responder: unknown): void {
  if (typeof responder === 'function') return;
  throw DeskbusError.of('invalid_params', 'The handler is not a function.', {
    action: 'Pass a function behind the pattern; what it returns is the answer.',
  });
}

/**
 * Runs `responder` on a message that wants an answer, and sends that. An error that the responder
 * throws is the application's own word to the asking app: its message crosses, nothing else.
 */
export async function answerWith(
  responder: Responder,
  message: MessageParams,
  respond: (params: RespondParams) => Promise<unknown>,
): Promise<void> {
  const replyTo = message.replyTo;
  if (replyTo === undefined) return;
  const send = async (answer: Omit<RespondParams, 'replyTo'>): Promise<void> => {
    try {
      await respond({ replyTo, ...answer });
    } catch (error) {
      // Too late, or the asking app is gone: nobody waits for the answer any more.
      if (!isExpected(error)) throw error;
    }
  };
  const fail = (error: unknown): Promise<void> =>
    send({ error: { message: sayable(ownWords(error), MAX_FAULT_CHARACTERS) } });
  let payload: unknown;
  try {
    payload = await responder(message.payload, message);
  } catch (error) {
    await fail(error).catch(throwLater);
    return;
  }
  // The responder's result may be nothing that can be sent.
  try {
    await send({ payload: asPayload(payload) });
  } catch (error) {
    await fail(error).catch(throwLater);
  }
}

function ownWords(error: unknown): string {
  const words = (error as { message?: unknown } | null | undefined)?.message ?? error;
  return typeof words === 'string' && words !== '' ? words : 'The handler failed.';
}

/** Whether an answer came too late, which is nobody's fault. */
export function isExpected(error: unknown): boolean {
  const category = (error as { category?: unknown } | null | undefined)?.category;
  return ['not_found', 'unavailable', 'timeout', 'conflict'].includes(String(category));
}
