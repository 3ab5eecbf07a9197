import { FILES_ORIGIN, MAX_REPORT_CHARACTERS, SHELL_REPORT_URL } from '../../generated/constants';
import type { Backend } from '../backend/backend';

/** Headers as Electron has them. */
export type Headers = Record<string, string[]>;

/** A part of a request's body as Electron has it: a page's blobs and files come without bytes. */
export interface BodyPart {
  bytes?: Buffer;
}

/** Reports of one app that the backend has not answered; any page can post them, in a flood. */
export const MAX_REPORTS_UNDER_WAY = 8;

/** With this sample Electron's development build looks whether a page may `eval`. */
const ELECTRONS_OWN = /^eval\|\(function anonymous\(?\n\) \{\n\n\}\)?$/;

/** The security headers of one app's pages from the disk, and what their browser reports. */
export class PageHeaders {
  private known: Headers | undefined;
  private underWay = 0;

  constructor(
    private readonly app: string,
    private readonly backend: Backend,
  ) {}

  /** The backend's word; while it is away its last one. Rejects where there was none. */
  async forPage(): Promise<Headers> {
    try {
      const wish = { app: this.app, origin: FILES_ORIGIN };
      const { headers } = await this.backend.call('web.policyFor', wish);
      this.known = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, [value]]),
      );
    } catch (error) {
      if (!this.known) throw error;
    }
    return this.known;
  }

  /** Hands a browser's report on; one that can't be, or is one too many, is lost. */
  report(parts: BodyPart[] = []): void {
    if (this.underWay >= MAX_REPORTS_UNDER_WAY) return;
    const report = textOf(parts);
    if (report === undefined || isElectronsOwn(report)) return;
    this.underWay += 1;
    this.backend
      .call('web.reportViolation', { app: this.app, report })
      .catch(() => undefined)
      .finally(() => (this.underWay -= 1));
  }
}

/** Whether a request is a browser's report of what the headers refused. */
export function isReport(url: string): boolean {
  return url === SHELL_REPORT_URL;
}

/** The text of a body; undefined where it has none, or more bytes than a report has characters. */
function textOf(parts: BodyPart[]): string | undefined {
  const known = parts.flatMap(({ bytes }) => bytes ?? []);
  const length = known.reduce((sum, bytes) => sum + bytes.length, 0);
  // Counted first: of too many bytes Node makes no string, but throws.
  return length === 0 || length > MAX_REPORT_CHARACTERS
    ? undefined
    : Buffer.concat(known).toString();
}

function isElectronsOwn(body: string): boolean {
  try {
    const { 'csp-report': report } = JSON.parse(body) as {
      'csp-report'?: { 'script-sample'?: string };
    };
    return ELECTRONS_OWN.test(report?.['script-sample'] ?? '');
  } catch {
    return false;
  }
}
