// A page has a person at the shell asked whether its browser may come.
import { DeskbusError } from '../common/error';
import { PAIR_ANSWER_PATH, PAIR_ASK_PATH } from './words';

/** The gain of a page once a person said yes: on the app's own site a proof, elsewhere a pairing. */
export interface Admission {
  proof?: string;
  pairing?: string;
}

interface Answer extends Admission {
  waits: boolean;
}

/**
 * `show` is handed the number that the person compares with the one in the dialog. Rejects with
 * `DeskbusError`: permission_denied where nobody said yes; unavailable without a shell.
 */
export async function askPerson(
  site: string,
  credentials: RequestCredentials,
  show: (number: string) => void,
): Promise<Admission> {
  const ask = async <T>(path: string, body: object): Promise<T> => {
    let response: Response;
    try {
      response = await fetch(`${site}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        credentials,
      });
    } catch {
      throw DeskbusError.of('unavailable', 'The gateway does not answer.');
    }
    const answer = (await response.json()) as T & { error?: unknown };
    if (answer.error !== undefined) throw DeskbusError.from(answer.error);
    return answer;
  };
  const { request, number } = await ask<{ request: string; number: string }>(PAIR_ASK_PATH, {});
  show(number);
  let answer: Answer;
  do {
    // Each is answered when somebody has, or after a while.
    answer = await ask<Answer>(PAIR_ANSWER_PATH, { request });
  } while (answer.waits);
  return answer;
}
